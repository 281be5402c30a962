//! Session tokens and their claims.

use data_encoding::HEXLOWER;
use serde_json::{Map, Value, json};

use crate::{StandIn, ids, keys::overlay, sessions::Session};

const LIFETIME_SECONDS: i64 = 60;
/// `nbf` is this long before `iat`, to tolerate a small clock skew.
const NOT_BEFORE_SECONDS: i64 = 10;

/// How a session token differs from the one that the stand-in would issue.
#[derive(Debug, Clone, Default)]
pub struct TokenOptions {
    /// Unix seconds of `iat`; by default now.
    pub issued_at: Option<i64>,
    /// Seconds from `iat` to `exp`; by default 60.
    pub lifetime: Option<i64>,
    /// `fva`: minutes since the first and the second factor were verified, -1 for none.
    pub factor_ages: Option<[i64; 2]>,
    /// `act`: the id of the user who impersonates this one.
    pub actor: Option<String>,
    /// `sts`, for example `pending`.
    pub status: Option<String>,
    /// `azp`, the origin of the application.
    pub authorized_party: Option<String>,
    /// Further claims; `null` removes a claim.
    pub claims: Map<String, Value>,
    /// Further header fields; `null` removes a field.
    pub header: Map<String, Value>,
}

impl StandIn {
    pub(crate) fn session_token(&self, session: &Session, options: TokenOptions) -> String {
        let header = options.header.clone();
        let claims = session_claims(session, &self.options().url, self.now(), options);
        self.signing_key().sign(&claims, header)
    }
}

/// The claims of a session token, version 2. `now` is in milliseconds.
fn session_claims(session: &Session, issuer: &str, now: i64, options: TokenOptions) -> Value {
    let issued_at = options.issued_at.unwrap_or(now / 1000);
    let minutes = (issued_at - session.verified_at / 1000).max(0) / 60;
    let mut claims = json!({
        "exp": issued_at + options.lifetime.unwrap_or(LIFETIME_SECONDS),
        "fva": options.factor_ages.unwrap_or([minutes, -1]),
        "iat": issued_at,
        "iss": issuer,
        "jti": HEXLOWER.encode(&ids::random_bytes::<10>()),
        "nbf": issued_at - NOT_BEFORE_SECONDS,
        "sid": session.id,
        "sts": options.status.as_deref().unwrap_or("active"),
        "sub": session.user_id,
        "v": 2,
    });
    if let Some(origin) = options.authorized_party {
        claims["azp"] = origin.into();
    }
    if let Some(actor) = options.actor {
        claims["act"] = json!({ "sub": actor });
    }
    overlay(&mut claims, options.claims);
    claims
}
