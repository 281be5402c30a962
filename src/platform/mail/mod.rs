//! E-mail: what each message says (`Template`), and handing it to an SMTP server ([`Mailer`]). Must not know when a
//! message is sent.

mod template;

use lettre::message::{Mailbox, MultiPart};
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
pub(crate) use minijinja::{Value as Values, context as values};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

pub use self::template::SOURCES;
pub(crate) use self::template::{DataSummary, Template};
use super::loopback::is_loopback;

/// Sends e-mails through an SMTP server, or discards them where none is configured.
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

/// Why an e-mail wasn't sent. Never holds an address.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A setting is invalid.
    #[error("the {0} can't be used for mail")]
    Setting(&'static str),
    /// A template couldn't be rendered.
    #[error("the e-mail's template couldn't be rendered")]
    Template,
    /// The message couldn't be built, for example because the recipient isn't an address.
    #[error("the message couldn't be made")]
    Message,
    /// The server refused the message or couldn't be reached.
    #[error("the SMTP server couldn't take the message (permanent: {permanent})")]
    Transport {
        /// The server said that retrying is useless.
        permanent: bool,
    },
}

/// Why the SMTP server can't be used. Never holds what the server said: it may quote an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SmtpCheckError {
    /// The host or the port is wrong, or nothing listens there.
    #[error("the SMTP server can't be reached")]
    Unreachable,
    /// The connection was made, but no greeting came in time.
    #[error("the SMTP server doesn't answer")]
    TimedOut,
    /// The TLS handshake failed.
    #[error("TLS with the SMTP server fails")]
    Tls,
    /// The server refused the greeting or the credentials with this status code.
    #[error("the SMTP server refuses with {0}")]
    Refused(u16),
}

/// An e-mail's content, in both forms.
#[derive(Clone, Debug)]
pub struct Email {
    /// The subject line, without line breaks.
    pub subject: String,
    /// The plain text.
    pub text: String,
    /// A complete HTML document with inline styles.
    pub html: String,
}

impl Mailer {
    /// Discards every e-mail and logs a warning.
    #[must_use]
    pub const fn none() -> Self {
        Self(None)
    }

    /// `url` is `smtp://host:port` or `smtps://user:password@host:port`; `from` an address with or
    /// without a name.
    ///
    /// With `smtp://` and a host other than this machine, the connection is upgraded with STARTTLS and the certificate
    /// verified, or else nothing is sent (RFC 3207). `?tls=none` turns that off.
    pub fn smtp(url: &SecretString, from: &str) -> Result<Self, Error> {
        let url = with_tls(url.expose_secret())?;
        let smtp = AsyncSmtpTransport::<Tokio1Executor>::from_url(url.expose_secret())
            .map_err(|_| Error::Setting("SMTP URL"))?
            .timeout(Some(std::time::Duration::from_secs(20)))
            .build();
        let from = from.parse().map_err(|_| Error::Setting("sender's address"))?;
        Ok(Self(Some(Transport { smtp, from })))
    }

    /// Whether an SMTP server is configured.
    #[must_use]
    pub const fn is_set(&self) -> bool {
        self.0.is_some()
    }

    /// Connects and authenticates as for an e-mail, without sending one.
    pub async fn check(&self) -> Result<(), SmtpCheckError> {
        let Some(transport) = &self.0 else { return Ok(()) };
        match transport.smtp.test_connection().await {
            Ok(true) => Ok(()),
            Ok(false) => Err(SmtpCheckError::Unreachable),
            Err(error) if error.is_timeout() => Err(SmtpCheckError::TimedOut),
            Err(error) if error.is_tls() => Err(SmtpCheckError::Tls),
            Err(error) => {
                Err(error.status().map_or(SmtpCheckError::Unreachable, |code| SmtpCheckError::Refused(code.into())))
            }
        }
    }

    /// Sends `email` to `to`. Returns once the server has accepted it.
    pub async fn send(&self, to: &str, email: Email) -> Result<(), Error> {
        let Some(transport) = &self.0 else {
            tracing::warn!("no SMTP server is set: a message was not sent");
            return Ok(());
        };
        let message = message(transport.from.clone(), to, email)?;
        let sent = transport.smtp.send(message).await;
        sent.map(drop).map_err(|error| Error::Transport { permanent: error.is_permanent() })
    }
}

/// Requires TLS where the URL says nothing about it and the server isn't on this machine.
fn with_tls(url: &str) -> Result<SecretString, Error> {
    let mut url = Url::parse(url).map_err(|_| Error::Setting("SMTP URL"))?;
    let tls = url.query_pairs().find(|(name, _)| name == "tls").map(|(_, value)| value.into_owned());
    match tls.as_deref() {
        // The client knows no such value: without a query it doesn't encrypt.
        Some("none") => url.set_query(None),
        None if url.scheme() == "smtp" && !url.host_str().is_some_and(is_loopback) => {
            url.set_query(Some("tls=required"));
        }
        _ => {}
    }
    Ok(String::from(url).into())
}

fn message(from: Mailbox, to: &str, email: Email) -> Result<Message, Error> {
    Message::builder()
        .from(from)
        .to(to.parse().map_err(|_| Error::Message)?)
        .subject(email.subject)
        .multipart(MultiPart::alternative_plain_html(email.text, email.html))
        .map_err(|_| Error::Message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_machines_require_tls_unless_the_url_says_otherwise() {
        for (url, expected) in [
            ("smtp://localhost:25", "smtp://localhost:25"),
            ("smtp://127.0.0.1:1025", "smtp://127.0.0.1:1025"),
            ("smtp://[::1]:25", "smtp://[::1]:25"),
            ("smtps://u:p@mail.example.org", "smtps://u:p@mail.example.org"),
            ("smtp://u:p@mail.example.org:587", "smtp://u:p@mail.example.org:587?tls=required"),
            ("smtp://mail.example.org?tls=opportunistic", "smtp://mail.example.org?tls=opportunistic"),
            ("smtp://mail?tls=none", "smtp://mail"),
        ] {
            assert_eq!(with_tls(url).unwrap().expose_secret(), expected);
        }
    }

    /// The message's header lines; folded ones are joined.
    fn headers(brand: &str, to: &str) -> Result<Vec<String>, Error> {
        let template = Template::OperatorAlert { brand, request: "r", step: "s", failure: "f", attempts: 1 };
        let message = message("Privacy <privacy@example.org>".parse().unwrap(), to, template.render()?)?;
        let formatted = String::from_utf8(message.formatted()).unwrap().replace("\r\n ", " ");
        let (head, _) = formatted.split_once("\r\n\r\n").unwrap();
        Ok(head.split("\r\n").map(str::to_owned).collect())
    }

    #[test]
    fn line_breaks_in_the_brand_add_no_header() {
        let count = headers("Acme", "ada@example.org").unwrap().len();
        for end in ["\r\n", "\n", "\r"] {
            let headers =
                headers(&format!("Acme{end}Bcc: victim@example.org{end}{end}<p>"), "ada@example.org").unwrap();
            assert_eq!(headers.len(), count, "{headers:?}");
            assert!(!headers.iter().any(|header| header.starts_with("Bcc")), "{headers:?}");
        }
    }

    #[test]
    fn recipient_with_a_line_break_is_refused() {
        assert!(matches!(headers("Acme", "ada@example.org\r\nBcc: victim@example.org"), Err(Error::Message)));
    }
}
