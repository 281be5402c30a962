//! The session that a verified token stands for.

use serde_json::Value;

/// A signed-in user's session. `Debug` shows no personal data.
#[derive(Clone, PartialEq, Eq)]
pub struct Session {
    /// Clerk's id of the user (`sub`): `user_` and letters, digits or underscores, 64 characters at most.
    pub user_id: String,
    /// Clerk's id of the session (`sid`), `sess_…`.
    pub id: String,
    /// When the token was issued (`iat`), in seconds since the Unix epoch.
    pub issued_at: Option<i64>,
    /// When the token expires (`exp`), in seconds since the Unix epoch.
    pub expires_at: i64,
    /// When the user's factors were last verified (`fva`).
    pub factor_ages: Option<FactorAges>,
    /// Who acts for the user (`act`), if somebody else does: impersonation.
    pub actor: Option<Actor>,
    /// The claim `email`, if the instance's session token is customized to contain it.
    pub email: Option<String>,
    /// The claim `name`, likewise.
    pub name: Option<String>,
}

/// Somebody who acts for the user (RFC 8693, section 4.1). Nothing may be concluded from what the claim lacks.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Actor {
    /// Who issued the id (`act.iss`). Clerk names its dashboard here, whose users aren't the application's.
    pub issuer: Option<String>,
    /// The actor's id (`act.sub`).
    pub id: Option<String>,
}

impl Actor {
    /// Reads the claim. Any value but `null` is an actor, as in Clerk's SDK.
    pub(crate) fn from_claim(claim: &Value) -> Option<Self> {
        let text = |name: &str| claim.get(name).and_then(Value::as_str).map(str::to_owned);
        (!claim.is_null()).then(|| Self { issuer: text("iss"), id: text("sub") })
    }
}

impl Session {
    /// A factor verified less than this many minutes ago satisfies Clerk's reverification preset `strict`.
    pub const STRICT_MINUTES: u32 = 10;

    /// Minutes since the factor that [`FactorAges::strict`] selects was verified.
    #[must_use]
    pub fn verification_age(&self) -> Option<u32> {
        self.factor_ages.and_then(FactorAges::strict)
    }

    /// Whether the session satisfies Clerk's reverification preset `strict`.
    #[must_use]
    pub fn is_verified_strictly(&self) -> bool {
        self.verification_age().is_some_and(|age| age < Self::STRICT_MINUTES)
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Session")
            .field("issued_at", &self.issued_at)
            .field("expires_at", &self.expires_at)
            .field("factor_ages", &self.factor_ages)
            .field("is_impersonated", &self.actor.is_some())
            .finish_non_exhaustive()
    }
}

/// Minutes since the first and the second factor were verified (`fva`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FactorAges {
    /// `None`: no first factor was verified.
    pub first: Option<u32>,
    /// `None`: the user has no second factor.
    pub second: Option<u32>,
}

impl FactorAges {
    /// Reads the claim; `None` unless it is a list of two whole numbers from -1 upwards.
    pub(crate) fn from_claim(claim: &Value) -> Option<Self> {
        let [first, second] = claim.as_array()?.as_slice() else { return None };
        let age = |value: &Value| match value.as_i64()? {
            -1 => Some(None),
            minutes => u32::try_from(minutes).ok().map(Some),
        };
        Some(Self { first: age(first)?, second: age(second)? })
    }

    /// Minutes since the second factor was verified, or the first if there is no second.
    #[must_use]
    pub fn strict(self) -> Option<u32> {
        self.second.or(self.first)
    }
}
