//! Outgoing mail.

use secrecy::SecretString;

use super::section::section;
use super::setting::Setting;
use super::values::Values;

const FROM: Setting =
    Setting::new("LETHE_MAIL_FROM").unset("required with `LETHE_SMTP_URL`").example("privacy@example.org");

section! {
    "Mail"
    /// The mail server and the sender.
    pub struct MailConfig {
        /// URL of the SMTP server: `smtp://host:port` or `smtps://user:password@host`. With `smtp` and another machine, STARTTLS is
        /// required unless the URL ends with `?tls=none`.
        smtp_url: Option<SecretString> = Setting::new("LETHE_SMTP_URL")
            .secret()
            .unset("no mail is sent")
            .example("smtps://user:password@mail.example.org");
        /// E-mail address of the sender.
        from: Option<String> = FROM;
    }
}

impl MailConfig {
    /// Reports a mail server without a sender.
    pub(super) fn check(&self, values: &mut Values) {
        if self.smtp_url.is_some() && self.from.is_none() {
            values.report(&FROM, "is missing; with LETHE_SMTP_URL it must be the sender's e-mail address");
        }
    }
}
