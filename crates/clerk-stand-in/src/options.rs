//! How the stand-in is set up.

use std::time::Duration;

use data_encoding::{BASE64, BASE64URL_NOPAD};
use ring::digest;
use secrecy::SecretString;

use crate::people::Person;

/// Seconds between the attempts to deliver a webhook, as Svix waits: the first attempt is immediate, the others follow
/// after these pauses.
pub const SVIX_RETRY_SECONDS: [u64; 7] = [5, 300, 1800, 7200, 18000, 36000, 36000];

/// The settings of a [`StandIn`](crate::StandIn).
#[derive(Debug, Clone)]
pub struct Options {
    /// Its public base URL without a trailing slash; the issuer of its tokens.
    pub url: String,
    /// The bearer token of the Backend API.
    pub secret_key: SecretString,
    /// The instance's publishable key. The suffix of cookie names is derived from it.
    pub publishable_key: String,
    /// The key that signs webhooks: `whsec_` and base64.
    pub webhook_secret: SecretString,
    /// Where webhooks are sent; without it no events are created.
    pub webhook_url: Option<String>,
    /// Origins that browsers may be redirected to, besides those of this machine. The first is the authorized party
    /// (`azp`) of tokens that are created without a browser.
    pub application_origins: Vec<String>,
    /// The pauses between the attempts to deliver a webhook.
    pub retry: Vec<Duration>,
    /// Makes the users that [`StandIn::create_people`](crate::StandIn::create_people) and `POST /control/people`
    /// create.
    pub person: fn(usize) -> Person,
}

/// The publishable key of a development instance whose Frontend API is at `url`.
///
/// ```
/// assert_eq!(clerk_stand_in::publishable_key("http://127.0.0.1:3001"), "pk_test_MTI3LjAuMC4xOjMwMDEk");
/// ```
#[must_use]
pub fn publishable_key(url: &str) -> String {
    let host = url.trim_start_matches("http://").trim_start_matches("https://");
    format!("pk_test_{}", BASE64.encode(format!("{host}$").as_bytes()))
}

/// The suffix of the cookies that belong to one instance: the first eight characters of the publishable key's digest.
///
/// ```
/// assert_eq!(clerk_stand_in::cookie_suffix("pk_test_Y2xlcmsuY2xlcmsuZGV2JA"), "QvfNY2dr");
/// ```
#[must_use]
pub fn cookie_suffix(publishable_key: &str) -> String {
    let digest = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, publishable_key.as_bytes());
    BASE64URL_NOPAD.encode(digest.as_ref())[..8].to_owned()
}
