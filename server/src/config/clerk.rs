//! The Clerk instance.

use std::num::NonZeroU32;

use secrecy::SecretString;
use url::Url;

use super::general;
use super::section::section;
use super::setting::Setting;
use super::types::HostName;
use super::values::Values;

const API_URL: Setting = Setting::new("CLERK_API_URL").default("https://api.clerk.com");

section! {
    "Clerk"
    /// The Clerk instance, in the terms of its dashboard.
    pub struct ClerkConfig {
        /// Secret key.
        secret_key: SecretString = Setting::new("CLERK_SECRET_KEY")
            .secret()
            .example("sk_live_…")
            .accepts("the instance's secret key, sk_test_… or sk_live_…");
        /// Publishable key.
        publishable_key: String = Setting::new("CLERK_PUBLISHABLE_KEY")
            .example("pk_live_…")
            .accepts("the instance's publishable key, pk_test_… or pk_live_…");
        /// Signing secret of the webhook endpoint.
        webhook_secret: SecretString = Setting::new("CLERK_WEBHOOK_SIGNING_SECRET")
            .secret()
            .example("whsec_…")
            .accepts("the signing secret of the webhook endpoint, whsec_…");
        /// Base URL of the Backend API, without `/v1`.
        api_url: Url = API_URL;
        /// Base URL of the Frontend API where a proxy serves it.
        proxy_url: Option<Url> = Setting::new("CLERK_PROXY_URL")
            .unset("the host in the publishable key")
            .example("https://app.example.org/__clerk");
        /// URL of the sign-in page.
        sign_in_url: Option<Url> = Setting::new("CLERK_SIGN_IN_URL")
            .unset("the account portal")
            .example("https://app.example.org/sign-in");
        /// Whether Lethe runs on a satellite domain, that is, on another domain than the sign-in page.
        is_satellite: bool = Setting::new("CLERK_IS_SATELLITE").default("false");
        /// Whether a satellite asks the primary domain about every visitor without a session.
        satellite_auto_sync: bool = Setting::new("CLERK_SATELLITE_AUTO_SYNC").default("false");
        /// Domain of the satellite.
        domain: Option<HostName> = Setting::new("CLERK_DOMAIN").unset("none").example("privacy.example.com");
        /// Public key of the instance (PEM) for verifying tokens without fetching keys.
        jwt_key: Option<String> = Setting::new("CLERK_JWT_KEY").unset("fetched and cached");
        /// Origins whose session tokens are accepted.
        authorized_parties: Vec<String> = Setting::new("CLERK_AUTHORIZED_PARTIES")
            .unset("the origin of `LETHE_URL`")
            .example("https://app.example.org, https://privacy.example.org");
        /// Requests to the Backend API that Lethe may send in ten seconds: its part of the instance's rate limit.
        requests_per_ten_seconds: Option<NonZeroU32> = Setting::new("CLERK_REQUESTS_PER_TEN_SECONDS")
            .unset("1000, or 100 with a test key")
            .example("500");
    }
}

impl ClerkConfig {
    /// Reports what would send the secret key, or sessions of a production instance, without encryption.
    pub(super) fn check(&self, public_url: &Url, values: &mut Values) {
        if self.api_url.scheme() == "http" && !self.api_url.host_str().is_some_and(lethe::is_loopback) {
            values.report(&API_URL, "must begin with https://, because the secret key is sent there");
        }
        let is_production = self.publishable_key.starts_with("pk_live_");
        if is_production && public_url.scheme() == "http" {
            values.report(&general::URL, "must begin with https://, because the keys are of a production instance");
        }
    }
}
