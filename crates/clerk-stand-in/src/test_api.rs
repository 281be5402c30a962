//! What tests can do with a running stand-in without HTTP.

use std::collections::BTreeMap;

use secrecy::ExposeSecret;
use serde_json::Value;

use crate::{
    ClerkStandIn, TokenOptions, clients,
    faults::{Fault, RateLimits, WebhookMode},
    frontend::{DEV_BROWSER, session_directives},
    sessions, users,
};

/// What a signed-in browser or another client sends.
#[derive(Debug, Clone)]
pub struct SessionToken {
    /// The session token, for the cookie `__session` or a bearer header.
    pub jwt: String,
    /// The session's id.
    pub session_id: String,
    /// The user's id.
    pub user_id: String,
    /// The whole `Cookie` header of a browser that is signed in and has been through the handshake.
    pub cookies: String,
}

/// Settings that the application needs.
impl ClerkStandIn {
    /// The base URL: API URL, proxy URL (Frontend API) and issuer.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.stand_in.options().url
    }

    /// The secret key of the Backend API.
    #[must_use]
    pub fn secret_key(&self) -> &str {
        self.stand_in.options().secret_key.expose_secret()
    }

    /// The publishable key.
    #[must_use]
    pub fn publishable_key(&self) -> &str {
        &self.stand_in.options().publishable_key
    }

    /// The webhook signing secret, with `whsec_`.
    #[must_use]
    pub fn webhook_secret(&self) -> &str {
        self.stand_in.options().webhook_secret.expose_secret()
    }

    /// The suffix of cookie names, without underscore.
    #[must_use]
    pub fn cookie_suffix(&self) -> String {
        self.stand_in.cookie_suffix()
    }

    /// The public key as PEM, for verification without network.
    #[must_use]
    pub fn jwt_key(&self) -> String {
        self.stand_in.signing_key().public_pem()
    }

    /// Sends webhooks to this URL from now on.
    pub fn set_webhook_url(&self, url: &str) {
        self.stand_in.set_webhook_url(Some(url.to_owned()));
    }

    /// Issues tokens for this origin from now on.
    pub fn set_application_origin(&self, origin: &str) {
        self.stand_in.set_application_origins(vec![origin.to_owned()]);
    }
}

/// Users, sessions and tokens.
impl ClerkStandIn {
    /// Signs a user in, in a new browser.
    pub async fn sign_in(&self, user_id: &str) -> SessionToken {
        self.token_for(user_id, TokenOptions::default()).await
    }

    /// Signs a user in with a token that expired a minute ago.
    pub async fn sign_in_expired(&self, user_id: &str) -> SessionToken {
        let options = TokenOptions { issued_at: Some(self.stand_in.now() / 1000 - 120), ..TokenOptions::default() };
        self.token_for(user_id, options).await
    }

    /// Signs a user in, with a token of any form.
    ///
    /// # Panics
    /// If the user doesn't exist or is banned.
    pub async fn token_for(&self, user_id: &str, options: TokenOptions) -> SessionToken {
        let stand_in = &self.stand_in;
        let client = clients::create(stand_in).await.expect("the database can be written");
        let session = sessions::create(stand_in, &client, user_id).await.expect("the user exists and isn't banned");
        let jwt = stand_in.session_token(&session, self.with_authorized_party(options));
        let mut cookies: Vec<String> = session_directives(stand_in, &session, &jwt, "http:")
            .iter()
            .map(|directive| directive.split(';').next().unwrap_or_default().to_owned())
            .collect();
        cookies.push(format!("{DEV_BROWSER}={}", client.dev_browser));
        cookies.push(format!("{DEV_BROWSER}_{}={}", self.cookie_suffix(), client.dev_browser));
        SessionToken { jwt, session_id: session.id, user_id: session.user_id, cookies: cookies.join("; ") }
    }

    /// A new token of an existing session, active or not.
    ///
    /// # Panics
    /// If the session doesn't exist.
    pub async fn token_of(&self, session_id: &str, options: TokenOptions) -> String {
        let session = sessions::find(&self.stand_in, session_id).await.expect("the session exists");
        self.stand_in.session_token(&session, self.with_authorized_party(options))
    }

    fn with_authorized_party(&self, options: TokenOptions) -> TokenOptions {
        let default = || self.stand_in.endpoints().application_origins.into_iter().next();
        TokenOptions { authorized_party: options.authorized_party.or_else(default), ..options }
    }

    /// The User object of the Backend API, if the user exists.
    pub async fn user(&self, user_id: &str) -> Option<Value> {
        users::find(self.stand_in.pool(), user_id).await.ok()
    }

    /// Deletes a user, with the webhook, as from Clerk's dashboard.
    ///
    /// # Panics
    /// If the user doesn't exist.
    pub async fn delete_user(&self, user_id: &str) {
        users::delete(&self.stand_in, user_id).await.expect("the user exists");
    }
}

/// Failures, and what was requested.
impl ClerkStandIn {
    /// Injects a fault. If several match a request, the first one affects it.
    pub fn fail(&self, fault: Fault) {
        self.stand_in.faults().add(fault);
    }

    /// Removes all faults.
    pub fn recover(&self) {
        self.stand_in.faults().clear();
    }

    /// Turns Clerk's published rate limits on or off; they are off at first.
    pub fn limit_rate(&self, enabled: bool) {
        self.stand_in.faults().set_limits(RateLimits { enabled, ..RateLimits::default() });
    }

    /// Sets how webhooks are delivered from now on.
    pub fn set_webhook_mode(&self, mode: WebhookMode) {
        self.stand_in.faults().set_webhook_mode(mode);
    }

    /// How often an operation was requested since the last [`Self::forget_requests`], for example
    /// `GET /v1/users/{user_id}`.
    #[must_use]
    pub fn requests(&self, operation: &str) -> u64 {
        self.stand_in.faults().counts().get(operation).copied().unwrap_or(0)
    }

    /// How many requests of any operation there were since the last [`Self::forget_requests`].
    #[must_use]
    pub fn all_requests(&self) -> u64 {
        self.stand_in.faults().counts().values().sum()
    }

    /// Sets all request counts to zero.
    pub fn forget_requests(&self) {
        self.stand_in.faults().clear_counts();
    }

    /// How many valid responses there were by operation and status, for example `GET /v1/users 200`, and valid events
    /// by type, for example `event user.created`.
    #[must_use]
    pub fn checked_responses(&self) -> BTreeMap<String, u64> {
        self.stand_in.conformance().checked()
    }
}
