//! The configuration, validated once, with everything that is derived from it.

use url::Url;

use crate::config::{Config, ConfigError};
use crate::cookies::CookieNames;
use crate::keys::PublicKey;
use crate::publishable_key::{InstanceKind, PublishableKey, PublishableKeyError};

/// A validated configuration.
pub struct ValidatedConfig {
    pub(crate) key: PublishableKey,
    pub(crate) cookie_names: CookieNames,
    /// Its path ends in a slash.
    pub(crate) frontend_url: Url,
    /// The host in the tokens' `iss`, which is the Frontend API's even behind a proxy.
    pub(crate) issuer_host: String,
    /// The host that browsers know the Frontend API by: the proxy's, if there is one.
    pub(crate) frontend_host: String,
    pub(crate) public_origin: String,
    pub(crate) jwt_key: Option<PublicKey>,
    pub(crate) sign_in_url: Url,
    pub(crate) config: Config,
}

impl ValidatedConfig {
    /// Validates the configuration. Fetches nothing.
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        let key = PublishableKey::parse(&config.publishable_key)?;
        let is_web = |url: &Url| url.has_host() && matches!(url.scheme(), "http" | "https");
        if !is_web(&config.public_url) {
            return Err(ConfigError::Url("the public URL"));
        }
        if config.proxy_url.as_ref().is_some_and(|url| !is_web(url)) {
            return Err(ConfigError::Url("the proxy URL"));
        }
        if config.sign_in_url.as_ref().is_some_and(|url| !is_web(url)) {
            return Err(ConfigError::Url("the sign-in URL"));
        }
        check_texts(&config)?;
        check_satellite(&config)?;
        let issuer_host = issuer_host(&config, &key);
        let (base, frontend_host) = match &config.proxy_url {
            Some(url) => (url.as_str().trim_end_matches('/').to_owned(), url.host_str().unwrap_or_default().to_owned()),
            None => (format!("https://{issuer_host}"), issuer_host.clone()),
        };
        let sign_in_url = match &config.sign_in_url {
            Some(url) => url.clone(),
            // Only hosts like `clerk.…` have an Account Portal; others have a sign-in page beside the Frontend API.
            None if !key.frontend_api.contains("clerk.") => parse(&format!("{base}/sign-in"))?,
            None => parse(&format!("{}/sign-in", key.account_portal()))?,
        };
        let jwt_key =
            config.jwt_key.as_deref().map(|pem| PublicKey::from_pem(pem).ok_or(ConfigError::JwtKey)).transpose()?;
        Ok(Self {
            cookie_names: CookieNames::new(&key.cookie_suffix, &config.public_url),
            frontend_url: parse(&format!("{base}/"))?,
            issuer_host,
            frontend_host,
            public_origin: config.public_url.origin().ascii_serialization(),
            jwt_key,
            sign_in_url,
            key,
            config,
        })
    }

    /// The sign-in page: [`Config::sign_in_url`] or the Account Portal's.
    #[must_use]
    pub fn sign_in_url(&self) -> &Url {
        &self.sign_in_url
    }

    /// The base URL of the Frontend API, which handshakes redirect to. Its path ends in a slash.
    #[must_use]
    pub fn frontend_url(&self) -> &Url {
        &self.frontend_url
    }

    /// Whether tokens made for this URL's origin are accepted.
    pub(crate) fn is_authorized_party(&self, url: &Url) -> bool {
        let parties = &self.config.authorized_parties;
        parties.is_empty() || parties.contains(&url.origin().ascii_serialization())
    }

    /// Whether this URL is one of Clerk's own pages: the Frontend API or the Account Portal.
    pub(crate) fn is_clerk_origin(&self, url: &Url) -> bool {
        let host = url.host_str().unwrap_or_default();
        let is_below = |suffixes: &[&str]| suffixes.iter().any(|suffix| host.ends_with(suffix));
        let is_portal = || {
            let older = host.starts_with("accounts.") && is_below(&[".lcl.dev", ".lclstage.dev", ".lclclerk.com"]);
            let current = [".accounts.dev", ".accountsstage.dev", ".accounts.lclclerk.com"];
            older || current.iter().any(|suffix| host.ends_with(suffix) && !host.ends_with(&format!(".clerk{suffix}")))
        };
        let is_accounts = || {
            self.config.proxy_url.is_none()
                && Url::parse(&self.key.account_portal()).is_ok_and(|portal| portal.origin() == url.origin())
        };
        host == self.frontend_host || (self.is_development() && is_portal()) || is_accounts()
    }

    pub(crate) fn is_development(&self) -> bool {
        self.key.kind == InstanceKind::Development
    }
}

/// An empty text would be compared with an empty claim. Clerk's SDK leaves it out, and checks nothing if none is left.
fn check_texts(config: &Config) -> Result<(), ConfigError> {
    let lists = [
        ("an authorized party", &config.authorized_parties),
        ("an issuer", &config.issuers),
        ("an audience", &config.audiences),
    ];
    for (name, texts) in lists {
        if texts.iter().any(String::is_empty) {
            return Err(ConfigError::Empty(name));
        }
    }
    if config.domain.as_ref().is_some_and(String::is_empty) {
        return Err(ConfigError::Empty("the domain"));
    }
    Ok(())
}

fn check_satellite(config: &Config) -> Result<(), ConfigError> {
    if !config.is_satellite {
        return Ok(());
    }
    match &config.sign_in_url {
        None => Err(ConfigError::Satellite("the primary domain's sign-in URL")),
        Some(url) if url.origin() == config.public_url.origin() => {
            Err(ConfigError::Satellite("a sign-in URL on another origin than its own"))
        }
        Some(_) if config.proxy_url.is_none() && config.domain.is_none() => {
            Err(ConfigError::Satellite("a domain or a proxy URL"))
        }
        Some(_) => Ok(()),
    }
}

/// The Frontend API's host. In production a satellite has one below its own domain.
fn issuer_host(config: &Config, key: &PublishableKey) -> String {
    match &config.domain {
        Some(domain) if config.is_satellite && key.kind == InstanceKind::Production => format!("clerk.{domain}"),
        _ => key.frontend_api.clone(),
    }
}

fn parse(url: &str) -> Result<Url, ConfigError> {
    Url::parse(url).map_err(|_unusable| PublishableKeyError::Host.into())
}
