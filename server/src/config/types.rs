//! The types that settings have, beside those of the standard library: what is accepted is checked here, once.

use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;

use icu_locale_core::LanguageIdentifier;
use lethe::keys::Keys;
use secrecy::{ExposeSecret, SecretString};
use tracing_subscriber::EnvFilter;
use url::Url;

use super::setting::{Syntax, Value, parse};

impl Value for String {
    const ACCEPTED: &'static str = "text";

    fn from_text(text: &str) -> Result<Self, String> {
        Ok(text.to_owned())
    }
}

impl Value for SecretString {
    const ACCEPTED: &'static str = "text";

    fn from_text(text: &str) -> Result<Self, String> {
        Ok(text.into())
    }
}

impl Value for PathBuf {
    const ACCEPTED: &'static str = "a path";

    fn from_text(text: &str) -> Result<Self, String> {
        Ok(text.into())
    }
}

impl Value for bool {
    const ACCEPTED: &'static str = "true or false";
    const SYNTAX: Syntax = Syntax::Bare;

    fn from_text(text: &str) -> Result<Self, String> {
        parse(text)
    }
}

impl Value for NonZeroU32 {
    const ACCEPTED: &'static str = "a whole number above zero";
    const SYNTAX: Syntax = Syntax::Bare;

    fn from_text(text: &str) -> Result<Self, String> {
        parse(text)
    }
}

impl Value for usize {
    const ACCEPTED: &'static str = "a whole number above zero";
    const SYNTAX: Syntax = Syntax::Bare;

    fn from_text(text: &str) -> Result<Self, String> {
        parse::<NonZeroUsize>(text).map(NonZeroUsize::get)
    }
}

impl Value for SocketAddr {
    const ACCEPTED: &'static str = "an IP address with a port, such as 127.0.0.1:3000";

    fn from_text(text: &str) -> Result<Self, String> {
        parse(text)
    }
}

/// Every URL that isn't a secret is one of HTTP.
impl Value for Url {
    const ACCEPTED: &'static str = "a URL that begins with https:// or http://";

    fn from_text(text: &str) -> Result<Self, String> {
        let url: Self = parse(text)?;
        if matches!(url.scheme(), "http" | "https") && url.host().is_some() {
            Ok(url)
        } else {
            Err("not a web address".to_owned())
        }
    }
}

/// Elements are separated by commas; none at all is an empty list.
impl Value for Vec<String> {
    const ACCEPTED: &'static str = "a list";
    const SYNTAX: Syntax = Syntax::List;
    const IS_OPTIONAL: bool = true;

    fn from_text(text: &str) -> Result<Self, String> {
        Ok(elements(text).map(str::to_owned).collect())
    }

    fn missing() -> Option<Self> {
        Some(Self::new())
    }
}

/// The elements of a list that is written in one line.
pub(super) fn elements(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|element| !element.is_empty())
}

/// Where people can write to.
#[derive(Clone, Debug)]
pub struct ContactUrl(pub Url);

impl Value for ContactUrl {
    const ACCEPTED: &'static str = "a URL that begins with https://, http:// or mailto:";

    fn from_text(text: &str) -> Result<Self, String> {
        let url: Url = parse(text)?;
        let has_scheme = matches!(url.scheme(), "http" | "https" | "mailto");
        if has_scheme { Ok(Self(url)) } else { Err("neither a web address nor an e-mail address".to_owned()) }
    }
}

/// A language, as HTML's `lang` takes it.
#[derive(Clone, Debug)]
pub struct LanguageTag(pub String);

impl Value for LanguageTag {
    const ACCEPTED: &'static str = "a language tag (BCP 47), such as `de` or `pt-BR`";

    fn from_text(text: &str) -> Result<Self, String> {
        parse::<LanguageIdentifier>(text).map(|language| Self(language.to_string()))
    }
}

/// The URL of a Postgres database, with the password in it.
#[derive(Clone, Debug)]
pub struct PostgresUrl(pub SecretString);

impl Value for PostgresUrl {
    const ACCEPTED: &'static str = "a Postgres URL such as postgres://user:password@host/database";

    fn from_text(text: &str) -> Result<Self, String> {
        let is_postgres = ["postgres://", "postgresql://"].iter().any(|scheme| text.starts_with(scheme));
        if is_postgres { Ok(Self(text.into())) } else { Err("another scheme".to_owned()) }
    }
}

/// One or several secrets of at least 32 random bytes in base64, the newest first.
#[derive(Clone, Debug)]
pub struct MasterSecret(pub SecretString);

impl Value for MasterSecret {
    const ACCEPTED: &'static str = "at least 32 random bytes in base64, such as `openssl rand -base64 32` prints, or several of \
                                    these, separated by commas, the newest first";

    fn from_text(text: &str) -> Result<Self, String> {
        let secrets = SecretString::from(text);
        Keys::derive(&secrets).map_err(|error| error.to_string())?;
        Ok(Self(secrets))
    }
}

/// A host without scheme, port and path.
#[derive(Clone, Debug)]
pub struct HostName(pub String);

impl Value for HostName {
    const ACCEPTED: &'static str = "a host, such as example.org";

    fn from_text(text: &str) -> Result<Self, String> {
        let url: Url = parse(&format!("https://{text}/"))?;
        if url.host_str() == Some(text) { Ok(Self(text.to_owned())) } else { Err("not a host alone".to_owned()) }
    }
}

/// A filter of `tracing`.
#[derive(Clone, Debug)]
pub struct LogFilter(pub String);

impl Value for LogFilter {
    const ACCEPTED: &'static str = "a filter of `tracing`, such as `info,lethe=debug`";

    fn from_text(text: &str) -> Result<Self, String> {
        parse::<EnvFilter>(text).map(|_| Self(text.to_owned()))
    }
}

/// What a log line looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}

impl Value for LogFormat {
    const ACCEPTED: &'static str = "`text` or `json`";

    fn from_text(text: &str) -> Result<Self, String> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err("unknown".to_owned()),
        }
    }
}

/// How a connection to the database is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DatabaseTls {
    /// The certificate is by a known authority and for this host.
    VerifyFull,
    /// The certificate is by a known authority.
    VerifyCa,
    /// Encrypted; nothing is verified.
    Require,
    /// In clear.
    Disable,
}

impl Value for DatabaseTls {
    const ACCEPTED: &'static str = "`verify-full`, `verify-ca`, `require` or `disable`";

    fn from_text(text: &str) -> Result<Self, String> {
        match text {
            "verify-full" => Ok(Self::VerifyFull),
            "verify-ca" => Ok(Self::VerifyCa),
            "require" => Ok(Self::Require),
            "disable" => Ok(Self::Disable),
            _ => Err("unknown".to_owned()),
        }
    }
}

impl PostgresUrl {
    /// Returns the URL, with the password.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn language_tags_are_checked_and_normalized() {
        let read = |text| LanguageTag::from_text(text).map(|tag| tag.0).ok();
        assert_eq!(read("de"), Some("de".to_owned()));
        assert_eq!(read("pt-br"), Some("pt-BR".to_owned()));
        for text in ["german language", "d", "de_DE_", "\"><script>"] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
