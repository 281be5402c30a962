//! What tests do to the stand-in without HTTP.

use std::collections::BTreeMap;

use data_encoding::BASE64;
use serde_json::Value;

use super::{
    Connections, Fault, Options, StandIn, TokenOptions, WebhookMode, faults::RateLimits, frontend, sessions, users,
};
use crate::testing::SessionToken;

impl StandIn {
    /// The same settings over the same database, as after a restart: what was in memory only is gone.
    pub(crate) async fn reopen(&self) -> anyhow::Result<Self> {
        let Connections { webhook_url, application_origins } = self.connections();
        Self::open(self.pool().clone(), Options { webhook_url, application_origins, ..self.options().clone() }).await
    }

    pub(crate) async fn sign_in_with(&self, user_id: &str, mut options: TokenOptions) -> sqlx::Result<SessionToken> {
        let client = sessions::create_client(self).await?;
        let session = sessions::create(self, &client, user_id)
            .await
            .map_err(|error| sqlx::Error::Protocol(format!("{error:?}")))?;
        self.default_party(&mut options);
        let jwt = self.session_token(&session, options);
        let mut cookies: Vec<String> = frontend::session_directives(self, &session, &jwt, "http:")
            .iter()
            .map(|directive| directive.split(';').next().unwrap_or_default().to_owned())
            .collect();
        cookies.push(format!("{}={}", frontend::BROWSER, client.browser));
        cookies.push(format!("{}_{}={}", frontend::BROWSER, self.cookie_suffix(), client.browser));
        Ok(SessionToken { jwt, session_id: session.id, user_id: session.user_id, cookies: cookies.join("; ") })
    }

    pub(crate) async fn token_of(&self, session_id: &str, mut options: TokenOptions) -> Option<String> {
        let session = sessions::find(self, session_id).await.ok()?;
        self.default_party(&mut options);
        Some(self.session_token(&session, options))
    }

    fn default_party(&self, options: &mut TokenOptions) {
        if options.authorized_party.is_none() {
            options.authorized_party = self.connections().application_origins.into_iter().next();
        }
    }

    pub(crate) async fn user(&self, user_id: &str) -> Option<Value> {
        users::find(self.pool(), user_id).await.ok()
    }

    pub(crate) async fn delete_user(&self, user_id: &str) -> Option<Value> {
        users::delete(self, user_id).await.ok()
    }

    pub(crate) fn add_fault(&self, fault: Fault) {
        self.faults().add(fault);
    }

    pub(crate) fn clear_faults(&self) {
        self.faults().clear();
    }

    pub(crate) fn limit_rate(&self, enabled: bool) {
        self.faults().set_limits(RateLimits { enabled, ..RateLimits::default() });
    }

    pub(crate) fn set_webhook_mode(&self, mode: WebhookMode) {
        self.faults().set_webhook_mode(mode);
    }

    pub(crate) fn requests(&self) -> BTreeMap<String, u64> {
        self.faults().counts()
    }

    pub(crate) fn forget_requests(&self) {
        self.faults().clear_counts();
    }

    pub(crate) fn violations(&self) -> Vec<String> {
        self.conformance().violations()
    }

    pub(crate) fn checked(&self) -> BTreeMap<String, u64> {
        self.conformance().checked()
    }

    pub(crate) fn public_pem(&self) -> String {
        let encoded = BASE64.encode(&self.signing_key().public_der());
        let lines: Vec<&str> =
            encoded.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).expect("base64 is ASCII")).collect();
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", lines.join("\n"))
    }
}
