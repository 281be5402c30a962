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
    /// The host that stands in the tokens' `iss`, whatever proxy leads to it.
    pub(super) issuer_host: String,
    /// The Frontend API's host, as a referrer's is compared with it.
    pub(super) frontend_host: String,
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
        check_satellite(&settings)?;
        let issuer_host = issuer_host(&settings, &key);
        let (base, frontend_host) = match &settings.proxy_url {
            Some(url) => (url.as_str().trim_end_matches('/').to_owned(), url.host_str().unwrap_or_default().to_owned()),
            None => (format!("https://{issuer_host}"), issuer_host.clone()),
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
            issuer_host,
            frontend_host,
            public_origin: settings.public_url.origin().ascii_serialization(),
            jwt_key,
            sign_in_url,
            key,
            settings,
        })
    }

    /// Whether tokens that were made for this address's origin are accepted here.
    pub(super) fn is_a_party(&self, url: &Url) -> bool {
        let parties = &self.settings.authorized_parties;
        parties.is_empty() || parties.contains(&url.origin().ascii_serialization())
    }

    /// Whether people come from there who sign in at Clerk.
    pub(super) fn is_clerks(&self, url: &Url) -> bool {
        let host = url.host_str().unwrap_or_default();
        let is_below = |suffixes: &[&str]| suffixes.iter().any(|suffix| host.ends_with(suffix));
        let is_portal = || {
            let older = host.starts_with("accounts.") && is_below(&[".lcl.dev", ".lclstage.dev", ".lclclerk.com"]);
            let current = [".accounts.dev", ".accountsstage.dev", ".accounts.lclclerk.com"];
            older || current.iter().any(|suffix| host.ends_with(suffix) && !host.ends_with(&format!(".clerk{suffix}")))
        };
        let is_accounts = || {
            self.settings.proxy_url.is_none()
                && Url::parse(&self.key.account_portal()).is_ok_and(|portal| portal.origin() == url.origin())
        };
        host == self.frontend_host || (self.is_development() && is_portal()) || is_accounts()
    }

    pub(super) fn is_development(&self) -> bool {
        self.key.kind == InstanceKind::Development
    }
}

fn check_satellite(settings: &Settings) -> Result<(), SettingsError> {
    if !settings.is_satellite {
        return Ok(());
    }
    match &settings.sign_in_url {
        None => Err(SettingsError::Satellite("the primary domain's sign-in URL")),
        Some(url) if url.origin() == settings.public_url.origin() => {
            Err(SettingsError::Satellite("a sign-in URL on another origin than its own"))
        }
        Some(_) if settings.proxy_url.is_none() && settings.domain.is_none() => {
            Err(SettingsError::Satellite("a domain or a proxy URL"))
        }
        Some(_) => Ok(()),
    }
}

/// The Frontend API's host without a proxy. A satellite in production has one below its own domain.
fn issuer_host(settings: &Settings, key: &PublishableKey) -> String {
    match &settings.domain {
        Some(domain) if settings.is_satellite && key.kind == InstanceKind::Production => format!("clerk.{domain}"),
        _ => key.frontend_api.clone(),
    }
}

fn parse(url: &str) -> Result<Url, SettingsError> {
    Url::parse(url).map_err(|_unusable| SettingsError::PublishableKeyHost)
}
