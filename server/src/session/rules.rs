//! The settings, checked once and made ready for deciding many times.

use url::Url;

use super::cookies::Names;
use super::keys::PublicKey;
use super::settings::{InstanceKind, PublishableKey, Settings, SettingsError};

/// Settings that work.
pub struct Rules {
    pub(super) key: PublishableKey,
    pub(super) names: Names,
    /// The Frontend API's base; its path ends in a slash.
    pub(super) frontend_url: Url,
    pub(super) public_origin: String,
    pub(super) jwt_key: Option<PublicKey>,
    pub(super) sign_in_url: Url,
    pub(super) settings: Settings,
}

impl Rules {
    /// Checks the settings.
    pub fn new(settings: Settings) -> Result<Self, SettingsError> {
        let key = PublishableKey::parse(&settings.publishable_key)?;
        let is_web = |url: &Url| url.has_host() && matches!(url.scheme(), "http" | "https");
        if !is_web(&settings.public_url) {
            return Err(SettingsError::Url("the public URL"));
        }
        if settings.proxy_url.as_ref().is_some_and(|url| !is_web(url)) {
            return Err(SettingsError::Url("the proxy URL"));
        }
        if settings.sign_in_url.as_ref().is_some_and(|url| !is_web(url)) {
            return Err(SettingsError::Url("the sign-in URL"));
        }
        let base = match &settings.proxy_url {
            Some(url) => url.as_str().trim_end_matches('/').to_owned(),
            None => format!("https://{}", key.frontend_api),
        };
        let sign_in_url = match &settings.sign_in_url {
            Some(url) => url.clone(),
            // An instance of one's own network has no hosted pages but those beside its Frontend API.
            None if !key.frontend_api.contains("clerk.") => parse(&format!("{base}/sign-in"))?,
            None => parse(&format!("{}/sign-in", key.account_portal()))?,
        };
        let jwt_key =
            settings.jwt_key.as_deref().map(|pem| PublicKey::from_pem(pem).ok_or(SettingsError::JwtKey)).transpose()?;
        Ok(Self {
            names: Names::new(&key.cookie_suffix),
            frontend_url: parse(&format!("{base}/"))?,
            public_origin: settings.public_url.origin().ascii_serialization(),
            jwt_key,
            sign_in_url,
            key,
            settings,
        })
    }

    pub(super) fn is_development(&self) -> bool {
        self.key.kind == InstanceKind::Development
    }
}

fn parse(url: &str) -> Result<Url, SettingsError> {
    Url::parse(url).map_err(|_unusable| SettingsError::PublishableKeyHost)
}
