//! Tokens: JWTs as Clerk makes them. Nothing that is read here is believed before the signature is
//! verified; [`super::decision`] sees to the order.

use data_encoding::BASE64URL_NOPAD;
use lethe::subject::ClerkUserId;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::reason::{Reason, TokenError};
use super::rules::Rules;

/// Longer tokens aren't read.
const MOST_BYTES: usize = 16 * 1024;
/// The categories that session and handshake tokens carry; the second says nothing about the class.
const SESSION_CATEGORIES: [&str; 2] = ["cl_B7d4PD111AAA", "cl_I7d4PD111III"];
/// Types and subjects of tokens that machines carry.
const MACHINE_TYPES: [&str; 2] = ["at+jwt", "application/at+jwt"];
const MACHINE_SUBJECT: &str = "mch_";

/// How far clocks may differ, in milliseconds.
pub(super) const CLOCK_SKEW: i64 = 5_000;
/// How far they may on a developer's machine, within a handshake.
pub(super) const DEVELOPERS_CLOCK_SKEW: i64 = 86_400_000;

/// How signatures are made that are accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Algorithm {
    Rs256,
    Rs384,
    Rs512,
}

impl Algorithm {
    pub(super) fn parse(name: &str) -> Option<Self> {
        match name {
            "RS256" => Some(Self::Rs256),
            "RS384" => Some(Self::Rs384),
            "RS512" => Some(Self::Rs512),
            _ => None,
        }
    }
}

#[derive(Deserialize)]
struct Header {
    #[serde(default, deserialize_with = "given")]
    typ: Option<Value>,
    #[serde(default, deserialize_with = "given")]
    alg: Option<Value>,
    #[serde(default, deserialize_with = "given")]
    kid: Option<Value>,
    #[serde(default, deserialize_with = "given")]
    cat: Option<Value>,
}

/// The claims that matter, of whatever type they came in. `Some(Null)` was given as `null`.
#[derive(Deserialize)]
struct Claims {
    #[serde(default, deserialize_with = "given")]
    sub: Option<Value>,
    #[serde(default, deserialize_with = "given")]
    sid: Option<Value>,
    #[serde(default, deserialize_with = "given")]
    aud: Option<Value>,
    #[serde(default, deserialize_with = "given")]
    azp: Option<Value>,
    #[serde(default, deserialize_with = "given")]
    iss: Option<Value>,
    #[serde(default, deserialize_with = "given")]
    exp: Option<Value>,
    #[serde(default, deserialize_with = "given")]
    nbf: Option<Value>,
    #[serde(default, deserialize_with = "given")]
    iat: Option<Value>,
    #[serde(default, deserialize_with = "given")]
    sts: Option<Value>,
    #[serde(default, deserialize_with = "given")]
    fva: Option<Value>,
    #[serde(default, deserialize_with = "given")]
    act: Option<Value>,
    #[serde(default, deserialize_with = "given")]
    email: Option<Value>,
    #[serde(default, deserialize_with = "given")]
    name: Option<Value>,
    #[serde(default, deserialize_with = "given")]
    handshake: Option<Value>,
}

fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// A token that could be read. That says nothing about who wrote it.
pub(super) struct Token<'a> {
    header: Header,
    claims: Claims,
    /// What the signature is over.
    pub(super) signed: &'a [u8],
    pub(super) signature: Vec<u8>,
}

impl<'a> Token<'a> {
    pub(super) fn read(text: &'a str) -> Option<Self> {
        if text.len() > MOST_BYTES {
            return None;
        }
        let (signed, signature) = text.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        if claims.contains('.') {
            return None;
        }
        let decode = |part: &str| BASE64URL_NOPAD.decode(part.as_bytes()).ok();
        Some(Self {
            header: serde_json::from_slice(&decode(header)?).ok()?,
            claims: serde_json::from_slice(&decode(claims)?).ok()?,
            signed: signed.as_bytes(),
            signature: decode(signature)?,
        })
    }

    pub(super) fn key_id(&self) -> Option<&str> {
        self.header.kid.as_ref()?.as_str()
    }

    /// The algorithm, if type and algorithm are accepted.
    pub(super) fn algorithm(&self) -> Result<Algorithm, TokenError> {
        if self.header.typ.as_ref().is_some_and(|typ| typ != "JWT") {
            return Err(TokenError::Invalid);
        }
        let name = self.header.alg.as_ref().and_then(Value::as_str).unwrap_or_default();
        Algorithm::parse(name).ok_or(TokenError::InvalidAlgorithm)
    }

    /// Whether it carries another category than that of sessions. None at all is accepted: tokens had
    /// none for years.
    pub(super) fn is_of_another_category(&self) -> bool {
        self.header.cat.as_ref().is_some_and(|cat| !cat.as_str().is_some_and(|cat| SESSION_CATEGORIES.contains(&cat)))
    }

    /// Whether it is a token, but none of a session: of another category, or a machine's.
    pub(super) fn is_of_another_type(&self) -> bool {
        let text = |value: &'_ Option<Value>, matches: &dyn Fn(&str) -> bool| {
            value.as_ref().and_then(Value::as_str).is_some_and(matches)
        };
        let is_a_machines = text(&self.header.typ, &|typ| MACHINE_TYPES.contains(&typ))
            || text(&self.claims.sub, &|subject| subject.starts_with(MACHINE_SUBJECT));
        // The SDK doesn't take what has no signature for a machine's token; it is refused for that later.
        self.is_of_another_category() || (is_a_machines && !self.signature.is_empty())
    }

    pub(super) fn has_issuer(&self) -> bool {
        match &self.claims.iss {
            None | Some(Value::Null | Value::Bool(false)) => false,
            Some(Value::String(issuer)) => !issuer.is_empty(),
            Some(Value::Number(number)) => number.as_f64() != Some(0.0),
            Some(_) => true,
        }
    }

    /// Whether the Frontend API at this host issued it, as it says itself.
    pub(super) fn is_issued_by(&self, host: &str) -> bool {
        let Some(issuer) = self.claims.iss.as_ref().and_then(Value::as_str) else { return false };
        let stripped = ["https://", "http://"].iter().find_map(|scheme| {
            let head = issuer.get(..scheme.len())?;
            head.eq_ignore_ascii_case(scheme).then(|| &issuer[scheme.len()..])
        });
        stripped.unwrap_or(issuer) == host
    }

    /// When it was issued, for comparing before anything is verified.
    pub(super) fn issued_at(&self) -> Option<f64> {
        self.claims.iat.as_ref().map(coerced)
    }

    /// Without any tolerance, for choosing between two.
    pub(super) fn is_over(&self, now: i64) -> bool {
        self.claims.exp.as_ref().map(coerced).is_some_and(|expires| expires <= whole(now.div_euclid(1_000)))
    }

    pub(super) fn session_id(&self) -> Option<&str> {
        self.claims.sid.as_ref()?.as_str().filter(|id| !id.is_empty())
    }

    /// The `Set-Cookie` lines of a handshake token.
    pub(super) fn handshake(&self) -> Vec<String> {
        let lines = self.claims.handshake.as_ref().and_then(Value::as_array);
        lines.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    }

    /// Holds the claims against the rules, in Clerk's order. The signature comes before this.
    pub(super) fn check(&self, rules: &Rules, now: i64, skew: i64) -> Result<(), TokenError> {
        let claims = &self.claims;
        let settings = &rules.settings;
        if !matches!(claims.sub, Some(Value::String(_))) {
            return Err(TokenError::VerificationFailed);
        }
        if !settings.audiences.is_empty() && !is_for(claims.aud.as_ref(), &settings.audiences) {
            return Err(TokenError::VerificationFailed);
        }
        if !settings.authorized_parties.is_empty() {
            match claims.azp.as_ref().and_then(Value::as_str).filter(|party| !party.is_empty()) {
                Some(party) if settings.authorized_parties.iter().any(|accepted| accepted == party) => {}
                None if claims.azp.is_none() && settings.accept_missing_authorized_party => {}
                _ => return Err(TokenError::InvalidAuthorizedParties),
            }
        }
        if !settings.issuers.is_empty() {
            let issuer = claims.iss.as_ref().and_then(Value::as_str);
            if !issuer.is_some_and(|issuer| settings.issuers.iter().any(|accepted| accepted == issuer)) {
                return Err(TokenError::InvalidIssuer);
            }
        }
        let expires = number(claims.exp.as_ref()).ok_or(TokenError::VerificationFailed)?;
        if expires.trunc() * 1_000.0 <= whole(now - skew) {
            return Err(TokenError::Expired);
        }
        let later_than_now = |claim: &Option<Value>| match claim {
            None => Ok(false),
            Some(value) => match value.as_f64() {
                Some(seconds) => Ok(seconds.trunc() * 1_000.0 > whole(now + skew)),
                None => Err(TokenError::VerificationFailed),
            },
        };
        if later_than_now(&claims.nbf)? {
            return Err(TokenError::NotActiveYet);
        }
        if later_than_now(&claims.iat)? {
            return Err(TokenError::IssuedInTheFuture);
        }
        Ok(())
    }

    /// The session that a verified and checked token speaks for.
    pub(super) fn session(&self) -> Result<Session, Reason> {
        let claims = &self.claims;
        let text = |claim: &Option<Value>| claim.as_ref().and_then(Value::as_str).map(str::to_owned);
        let id = self.session_id().ok_or(Reason::TokenTypeMismatch)?.to_owned();
        let subject = claims.sub.as_ref().and_then(Value::as_str).and_then(|subject| ClerkUserId::parse(subject).ok());
        let subject = subject.ok_or(Reason::Token(TokenError::VerificationFailed))?;
        if claims.sts.as_ref().is_some_and(|status| status == "pending") {
            return Err(Reason::SessionPending);
        }
        let actor = claims.act.as_ref().filter(|actor| !actor.is_null());
        Ok(Session {
            subject,
            id,
            issued_at: number(claims.iat.as_ref()).map(seconds),
            expires_at: number(claims.exp.as_ref()).map_or(0, seconds),
            factor_ages: claims.fva.as_ref().and_then(FactorAges::read),
            is_impersonated: actor.is_some(),
            email: text(&claims.email),
            name: text(&claims.name),
        })
    }
}

fn is_for(named: Option<&Value>, accepted: &[String]) -> bool {
    let accepts = |audience: &str| accepted.iter().any(|accepted| accepted == audience);
    match named {
        Some(Value::String(audience)) if !audience.is_empty() => accepts(audience),
        Some(Value::Array(audiences)) => {
            let audiences: Option<Vec<&str>> = audiences.iter().map(Value::as_str).collect();
            // What isn't a list of names names nobody, as in the SDK.
            audiences.is_none_or(|audiences| audiences.is_empty() || audiences.iter().any(|audience| accepts(audience)))
        }
        _ => true,
    }
}

fn number(claim: Option<&Value>) -> Option<f64> {
    claim?.as_f64()
}

/// What the SDK's comparisons make of a claim that isn't a number. Such a token is refused in the end;
/// until then both must take the same way.
fn coerced(claim: &Value) -> f64 {
    match claim {
        Value::Null | Value::Bool(false) => 0.0,
        Value::Bool(true) => 1.0,
        Value::Number(number) => number.as_f64().unwrap_or(f64::NAN),
        Value::String(text) if text.trim().is_empty() => 0.0,
        Value::String(text) => text.trim().parse().unwrap_or(f64::NAN),
        Value::Array(_) | Value::Object(_) => f64::NAN,
    }
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds of our days are far below 2^53")]
fn whole(milliseconds: i64) -> f64 {
    milliseconds as f64
}

#[expect(clippy::cast_possible_truncation, reason = "a cast of a float saturates")]
fn seconds(number: f64) -> i64 {
    number as i64
}

/// Somebody who is signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Who.
    pub subject: ClerkUserId,
    /// Clerk's id of the session, `sess_…`.
    pub id: String,
    /// When the token was issued, in seconds since the epoch.
    pub issued_at: Option<i64>,
    /// When the token is over.
    pub expires_at: i64,
    /// How long ago the person proved who they are.
    pub factor_ages: Option<FactorAges>,
    /// Somebody else acts in the person's name (`act`).
    pub is_impersonated: bool,
    /// The claim `email`, where the instance's session token is made to hold it.
    pub email: Option<String>,
    /// The claim `name`, likewise.
    pub name: Option<String>,
}

/// Minutes since the first and the second factor were verified (`fva`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FactorAges {
    /// Minutes since the first one; `None` when there was none.
    pub first: Option<u32>,
    /// Minutes since the second one; `None` when the person has none.
    pub second: Option<u32>,
}

impl FactorAges {
    fn read(claim: &Value) -> Option<Self> {
        let [first, second] = claim.as_array()?.as_slice() else { return None };
        let age = |value: &Value| match value.as_i64()? {
            -1 => Some(None),
            minutes => u32::try_from(minutes).ok().map(Some),
        };
        Some(Self { first: age(first)?, second: age(second)? })
    }

    /// Minutes since the factor that counts: the second one, or the first where there is no second.
    #[must_use]
    pub fn strict(self) -> Option<u32> {
        self.second.or(self.first)
    }
}

impl Session {
    /// Minutes within which somebody must have proved anew who they are before an account is deleted
    /// or data is disclosed.
    pub const STRICT_MINUTES: u32 = 10;

    /// Minutes since the person proved who they are, by the factor that counts.
    #[must_use]
    pub fn verification_age(&self) -> Option<u32> {
        self.factor_ages.and_then(FactorAges::strict)
    }

    /// Whether the person proved lately enough who they are.
    #[must_use]
    pub fn is_verified_strictly(&self) -> bool {
        self.verification_age().is_some_and(|age| age < Self::STRICT_MINUTES)
    }
}
