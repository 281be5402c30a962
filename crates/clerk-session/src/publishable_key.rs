//! Publishable keys: what kind of instance, and where its Frontend API is.

use data_encoding::{BASE64_NOPAD, BASE64URL_NOPAD};
use ring::digest;
use url::Url;

/// The kind of an instance. It decides how browsers are recognized.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InstanceKind {
    /// `pk_test_…`: by a token (`__clerk_db_jwt`) that the URL carries to the application's domain.
    Development,
    /// `pk_live_…`: by cookies of the domain that the application and the Frontend API share.
    Production,
}

/// A parsed publishable key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishableKey {
    /// The kind of the instance.
    pub kind: InstanceKind,
    /// The Frontend API's host, with a port if it has one.
    pub frontend_api: String,
    /// The suffix of the instance's cookies, without the underscore.
    pub cookie_suffix: String,
}

/// The text is not a publishable key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PublishableKeyError {
    /// It is not `pk_test_…` or `pk_live_…`.
    #[error("the publishable key must begin with pk_test_ or pk_live_ and have no further underscore")]
    Prefix,
    /// What follows is not base64.
    #[error("the publishable key is damaged: what follows pk_test_ or pk_live_ isn't base64")]
    Encoding,
    /// The decoded text is not a host and a dollar sign.
    #[error("the publishable key is damaged: it must hold the Frontend API's host and one dollar sign at its end")]
    Host,
}

impl PublishableKey {
    /// Parses a publishable key.
    ///
    /// ```
    /// use clerk_session::{InstanceKind, PublishableKey};
    ///
    /// let key = PublishableKey::parse("pk_test_Y2xlcmsuY2xlcmsuZGV2JA")?;
    /// assert_eq!(key.kind, InstanceKind::Development);
    /// assert_eq!(key.frontend_api, "clerk.clerk.dev");
    /// assert_eq!(key.cookie_suffix, "QvfNY2dr");
    /// # Ok::<(), clerk_session::PublishableKeyError>(())
    /// ```
    pub fn parse(key: &str) -> Result<Self, PublishableKeyError> {
        let (kind, encoded) = if let Some(rest) = key.strip_prefix("pk_test_") {
            (InstanceKind::Development, rest)
        } else if let Some(rest) = key.strip_prefix("pk_live_") {
            (InstanceKind::Production, rest)
        } else {
            return Err(PublishableKeyError::Prefix);
        };
        if encoded.is_empty() || encoded.contains('_') {
            return Err(PublishableKeyError::Prefix);
        }
        let decoded = BASE64_NOPAD
            .decode(encoded.trim_end_matches('=').as_bytes())
            .ok()
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .ok_or(PublishableKeyError::Encoding)?;
        let host = decoded.strip_suffix('$').ok_or(PublishableKeyError::Host)?;
        if host.contains('$') || !host.contains('.') || !is_host(host) {
            return Err(PublishableKeyError::Host);
        }
        let digest = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, key.as_bytes());
        let mut cookie_suffix = BASE64URL_NOPAD.encode(digest.as_ref());
        cookie_suffix.truncate(8);
        Ok(Self { kind, frontend_api: host.to_owned(), cookie_suffix })
    }

    /// The origin of the Account Portal, the instance's hosted pages.
    #[must_use]
    pub fn account_portal(&self) -> String {
        let host = &self.frontend_api;
        let portal = match host.find("clerk.") {
            Some(at) => {
                let (before, rest) = (&host[..at], &host[at + "clerk.".len()..]);
                if rest.starts_with("accounts.") || rest.starts_with("accountsstage.") {
                    format!("{before}{rest}")
                } else {
                    format!("{before}accounts.{rest}")
                }
            }
            None => host.clone(),
        };
        format!("https://{portal}")
    }
}

fn is_host(host: &str) -> bool {
    let url = Url::parse(&format!("https://{host}/")).ok();
    url.is_some_and(|url| url.path() == "/" && url.query().is_none() && url.username().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(host: &str) -> String {
        data_encoding::BASE64.encode(host.as_bytes())
    }

    #[test]
    fn publishable_key_gives_kind_host_and_cookie_suffix() {
        let key = PublishableKey::parse("pk_test_Y2xlcmsuY2xlcmsuZGV2JA").unwrap();
        assert_eq!((key.kind, &*key.frontend_api), (InstanceKind::Development, "clerk.clerk.dev"));
        assert_eq!(key.cookie_suffix, "QvfNY2dr");
        let live = PublishableKey::parse("pk_live_Y2xlcmsuZXhhbXBsZS5vcmck").unwrap();
        assert_eq!(live.kind, InstanceKind::Production);
        let local = PublishableKey::parse(&format!("pk_test_{}", encoded("127.0.0.1:3001$"))).unwrap();
        assert_eq!(local.frontend_api, "127.0.0.1:3001");
        // With and without padding.
        assert!(PublishableKey::parse(&format!("pk_test_{}", encoded("a.bc$"))).is_ok());
        assert!(PublishableKey::parse(&format!("pk_test_{}", encoded("a.bc$").trim_end_matches('='))).is_ok());
    }

    #[test]
    fn damaged_publishable_keys_have_distinct_errors() {
        let test = |host: &str| format!("pk_test_{}", encoded(host));
        for (key, error) in [
            (String::new(), PublishableKeyError::Prefix),
            ("sk_test_abc".to_owned(), PublishableKeyError::Prefix),
            ("pk_test_".to_owned(), PublishableKeyError::Prefix),
            ("pk_test_Y2xlcmsuY2xlcmsuZGV2JA_more".to_owned(), PublishableKeyError::Prefix),
            ("pk_test_???".to_owned(), PublishableKeyError::Encoding),
            (test("clerk.example.org"), PublishableKeyError::Host),
            (test("clerk.example.org$$"), PublishableKeyError::Host),
            (test("localhost$"), PublishableKeyError::Host),
            (test("a.b/path$"), PublishableKeyError::Host),
            (test("user@a.b$"), PublishableKeyError::Host),
        ] {
            assert_eq!(PublishableKey::parse(&key), Err(error), "{key}");
        }
    }
}
