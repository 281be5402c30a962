//! Messages out, by SMTP. Must not know why a message is sent.

use lettre::message::{Mailbox, MultiPart};
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use secrecy::{ExposeSecret, SecretString};

/// Hands messages to an SMTP server, or to nobody where none is set.
#[derive(Clone)]
pub struct Mailer(Option<Transport>);

#[derive(Clone)]
struct Transport {
    smtp: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

impl std::fmt::Debug for Mailer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(if self.0.is_some() { "Mailer(smtp)" } else { "Mailer(none)" })
    }
}

/// Why a message wasn't sent. Never holds an address.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The settings can't be used.
    #[error("the {0} can't be used for mail")]
    Setting(&'static str),
    /// The message couldn't be made; a recipient that isn't an address, for example.
    #[error("the message couldn't be made")]
    Message,
    /// The server refused it or couldn't be reached.
    #[error("the SMTP server couldn't take the message (permanent: {permanent})")]
    Transport {
        /// The server said that trying again is of no use.
        permanent: bool,
    },
}

/// Why the server that mail is handed to doesn't take any. Never holds what the server said: it may quote an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unready {
    /// The address or the port is wrong, or nobody listens there.
    #[error("the SMTP server can't be reached")]
    Unreachable,
    /// It was reached and said nothing.
    #[error("the SMTP server doesn't answer")]
    TimedOut,
    /// No protected connection came about.
    #[error("TLS with the SMTP server fails")]
    Tls,
    /// It refuses, at the greeting or at the password.
    #[error("the SMTP server refuses with {0}")]
    Refused(u16),
}

/// A message, in both forms.
#[derive(Clone, Debug)]
pub struct Letter {
    /// The subject line.
    pub subject: String,
    /// For readers without HTML.
    pub text: String,
    /// Complete, with inline styles.
    pub html: String,
}

impl Mailer {
    /// Sends nothing, and says so in the log.
    #[must_use]
    pub const fn none() -> Self {
        Self(None)
    }

    /// `url` is `smtp://host:port` or `smtps://user:password@host:port`; `from` an address with or
    /// without a name.
    pub fn smtp(url: &SecretString, from: &str) -> Result<Self, Error> {
        let smtp = AsyncSmtpTransport::<Tokio1Executor>::from_url(url.expose_secret())
            .map_err(|_| Error::Setting("SMTP URL"))?
            .timeout(Some(std::time::Duration::from_secs(20)))
            .build();
        let from = from.parse().map_err(|_| Error::Setting("sender's address"))?;
        Ok(Self(Some(Transport { smtp, from })))
    }

    /// Whether messages go anywhere.
    #[must_use]
    pub const fn is_set(&self) -> bool {
        self.0.is_some()
    }

    /// Connects, greets and signs in as for a message, and sends none.
    pub async fn check(&self) -> Result<(), Unready> {
        let Some(transport) = &self.0 else { return Ok(()) };
        match transport.smtp.test_connection().await {
            Ok(true) => Ok(()),
            Ok(false) => Err(Unready::Unreachable),
            Err(error) if error.is_timeout() => Err(Unready::TimedOut),
            Err(error) if error.is_tls() => Err(Unready::Tls),
            Err(error) => Err(error.status().map_or(Unready::Unreachable, |code| Unready::Refused(code.into()))),
        }
    }

    /// Hands `letter` over for `to`. It has been accepted by the server when this returns.
    pub async fn send(&self, to: &str, letter: Letter) -> Result<(), Error> {
        let Some(transport) = &self.0 else {
            tracing::warn!("no SMTP server is set: a message was not sent");
            return Ok(());
        };
        let message = Message::builder()
            .from(transport.from.clone())
            .to(to.parse().map_err(|_| Error::Message)?)
            .subject(letter.subject)
            .multipart(MultiPart::alternative_plain_html(letter.text, letter.html))
            .map_err(|_| Error::Message)?;
        let sent = transport.smtp.send(message).await;
        sent.map(drop).map_err(|error| Error::Transport { permanent: error.is_permanent() })
    }
}

/// Fills `{{name}}` in an HTML template. Every value is escaped.
#[must_use]
pub(crate) fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let mut filled = template.to_owned();
    for (name, value) in values {
        filled = filled.replace(&format!("{{{{{name}}}}}"), &escape(value));
    }
    filled
}

/// Escapes text for HTML, attributes included.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            // A value must not become another placeholder.
            '{' => escaped.push_str("&#123;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_escaped_and_never_filled_again() {
        let filled = fill("<a title=\"{{a}}\">{{b}}</a>", &[("a", "\"><{{b}}"), ("b", "x & y")]);
        assert_eq!(filled, "<a title=\"&quot;&gt;&lt;&#123;&#123;b}}\">x &amp; y</a>");
    }
}
