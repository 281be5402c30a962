//! JSON Web Tokens as Clerk issues them. Parsing verifies nothing: [`crate::decision`] verifies the signature before it
//! relies on claims.

use data_encoding::BASE64URL_NOPAD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::keys::Algorithm;
use crate::reason::{Reason, TokenError};
use crate::session::{Actor, FactorAges, Session};
use crate::validated_config::ValidatedConfig;

/// Longer tokens are not parsed.
const MAX_BYTES: usize = 16 * 1024;
/// The values of the header `cat` of session and handshake tokens.
const SESSION_CATEGORIES: [&str; 2] = ["cl_B7d4PD111AAA", "cl_I7d4PD111III"];
/// The types and subjects of machine tokens.
const MACHINE_TYPES: [&str; 2] = ["at+jwt", "application/at+jwt"];
const MACHINE_SUBJECT: &str = "mch_";

/// By how many milliseconds clocks may differ.
pub(crate) const CLOCK_SKEW: i64 = 5_000;
/// By how many milliseconds they may differ in a handshake with a development instance.
pub(crate) const DEVELOPMENT_CLOCK_SKEW: i64 = 86_400_000;

#[derive(Deserialize)]
struct Header {
    #[serde(default, deserialize_with = "deserialize_present")]
    typ: Option<Value>,
    #[serde(default, deserialize_with = "deserialize_present")]
    alg: Option<Value>,
    #[serde(default, deserialize_with = "deserialize_present")]
    kid: Option<Value>,
    #[serde(default, deserialize_with = "deserialize_present")]
    cat: Option<Value>,
}

/// The claims that decisions depend on, of any type.
#[derive(Deserialize)]
struct Claims {
    #[serde(default, deserialize_with = "deserialize_present")]
    sub: Option<Value>,
    #[serde(default, deserialize_with = "deserialize_present")]
    sid: Option<Value>,
    #[serde(default, deserialize_with = "deserialize_present")]
    aud: Option<Value>,
    #[serde(default, deserialize_with = "deserialize_present")]
    azp: Option<Value>,
    #[serde(default, deserialize_with = "deserialize_present")]
    iss: Option<Value>,
    #[serde(default, deserialize_with = "deserialize_present")]
    exp: Option<Value>,
    #[serde(default, deserialize_with = "deserialize_present")]
    nbf: Option<Value>,
    #[serde(default, deserialize_with = "deserialize_present")]
    iat: Option<Value>,
    #[serde(default, deserialize_with = "deserialize_present")]
    sts: Option<Value>,
    #[serde(default, deserialize_with = "deserialize_present")]
    fva: Option<Value>,
    #[serde(default, deserialize_with = "deserialize_present")]
    act: Option<Value>,
    #[serde(default, deserialize_with = "deserialize_present")]
    email: Option<Value>,
    #[serde(default, deserialize_with = "deserialize_present")]
    name: Option<Value>,
    #[serde(default, deserialize_with = "deserialize_present")]
    handshake: Option<Value>,
}

/// Distinguishes `null` (`Some(Null)`) from a missing member (`None`).
fn deserialize_present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// A parsed token. Its signature is not verified yet.
pub(crate) struct Token<'a> {
    header: Header,
    claims: Claims,
    /// Header and claims as they were sent: what the signature covers.
    pub(crate) signed: &'a [u8],
    pub(crate) signature: Vec<u8>,
}

impl<'a> Token<'a> {
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        if text.len() > MAX_BYTES {
            return None;
        }
        let (signed, signature) = text.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        if claims.contains('.') {
            return None;
        }
        let decode = |part: &str| BASE64URL_NOPAD.decode(part.as_bytes()).ok();
        Some(Self {
            header: parse_object(&decode(header)?)?,
            claims: parse_object(&decode(claims)?)?,
            signed: signed.as_bytes(),
            signature: decode(signature)?,
        })
    }

    pub(crate) fn key_id(&self) -> Option<&str> {
        self.header.kid.as_ref()?.as_str()
    }

    /// The algorithm, if `typ` and `alg` are accepted.
    pub(crate) fn algorithm(&self) -> Result<Algorithm, TokenError> {
        if self.header.typ.as_ref().is_some_and(|typ| typ != "JWT") {
            return Err(TokenError::Invalid);
        }
        let name = self.header.alg.as_ref().and_then(Value::as_str).unwrap_or_default();
        Algorithm::parse(name).ok_or(TokenError::InvalidAlgorithm)
    }

    /// Whether `cat` is not that of a session token. Older session tokens have none.
    pub(crate) fn has_other_category(&self) -> bool {
        self.header.cat.as_ref().is_some_and(|cat| !cat.as_str().is_some_and(|cat| SESSION_CATEGORIES.contains(&cat)))
    }

    /// Whether the token is not a session token, but for example a template's or a machine's.
    pub(crate) fn has_other_type(&self) -> bool {
        let text = |value: &'_ Option<Value>, matches: &dyn Fn(&str) -> bool| {
            value.as_ref().and_then(Value::as_str).is_some_and(matches)
        };
        let is_machine_token = text(&self.header.typ, &|typ| MACHINE_TYPES.contains(&typ))
            || text(&self.claims.sub, &|subject| subject.starts_with(MACHINE_SUBJECT));
        // The SDK doesn't treat an unsigned token as a machine token; it is refused later, because of its signature.
        self.has_other_category() || (is_machine_token && !self.signature.is_empty())
    }

    /// Whether `iss` is truthy in JavaScript.
    pub(crate) fn has_issuer(&self) -> bool {
        match &self.claims.iss {
            None | Some(Value::Null | Value::Bool(false)) => false,
            Some(Value::String(issuer)) => !issuer.is_empty(),
            Some(Value::Number(number)) => number.as_f64() != Some(0.0),
            Some(_) => true,
        }
    }

    /// Whether `iss` names the Frontend API at this host.
    pub(crate) fn is_issued_by(&self, host: &str) -> bool {
        let Some(issuer) = self.claims.iss.as_ref().and_then(Value::as_str) else { return false };
        let stripped = ["https://", "http://"].iter().find_map(|scheme| {
            let head = issuer.get(..scheme.len())?;
            head.eq_ignore_ascii_case(scheme).then(|| &issuer[scheme.len()..])
        });
        stripped.unwrap_or(issuer) == host
    }

    /// `iat` in seconds, as JavaScript compares it, for use before the token is verified.
    pub(crate) fn issued_at(&self) -> Option<f64> {
        self.claims.iat.as_ref().map(js_number)
    }

    /// Whether `exp` has passed, without clock skew, for use before the token is verified.
    pub(crate) fn is_expired(&self, now: i64) -> bool {
        self.claims.exp.as_ref().map(js_number).is_some_and(|expires| expires <= as_f64(now.div_euclid(1_000)))
    }

    /// The claim `sid`, unless it is empty.
    pub(crate) fn session_id(&self) -> Option<&str> {
        self.claims.sid.as_ref()?.as_str().filter(|id| !id.is_empty())
    }

    /// The `Set-Cookie` lines of a handshake token.
    pub(crate) fn handshake(&self) -> Vec<String> {
        let lines = self.claims.handshake.as_ref().and_then(Value::as_array);
        lines.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    }

    /// Verifies the claims, in the SDK's order. Verify the signature first. `now` and `skew` are in milliseconds.
    pub(crate) fn verify_claims(&self, config: &ValidatedConfig, now: i64, skew: i64) -> Result<(), TokenError> {
        let claims = &self.claims;
        let config = &config.config;
        if !matches!(claims.sub, Some(Value::String(_))) {
            return Err(TokenError::VerificationFailed);
        }
        if !config.audiences.is_empty() && !accepts_audience(claims.aud.as_ref(), &config.audiences) {
            return Err(TokenError::VerificationFailed);
        }
        if !config.authorized_parties.is_empty() {
            match claims.azp.as_ref().and_then(Value::as_str).filter(|party| !party.is_empty()) {
                Some(party) if config.authorized_parties.iter().any(|accepted| accepted == party) => {}
                None if claims.azp.is_none() && config.accept_missing_authorized_party => {}
                _ => return Err(TokenError::InvalidAuthorizedParties),
            }
        }
        if !config.issuers.is_empty() {
            let issuer = claims.iss.as_ref().and_then(Value::as_str);
            if !issuer.is_some_and(|issuer| config.issuers.iter().any(|accepted| accepted == issuer)) {
                return Err(TokenError::InvalidIssuer);
            }
        }
        let expires = numeric(claims.exp.as_ref()).ok_or(TokenError::VerificationFailed)?;
        if expires.trunc() * 1_000.0 <= as_f64(now - skew) {
            return Err(TokenError::Expired);
        }
        let is_in_the_future = |claim: &Option<Value>| match claim {
            None => Ok(false),
            Some(value) => match value.as_f64() {
                Some(seconds) => Ok(seconds.trunc() * 1_000.0 > as_f64(now + skew)),
                None => Err(TokenError::VerificationFailed),
            },
        };
        if is_in_the_future(&claims.nbf)? {
            return Err(TokenError::NotActiveYet);
        }
        if is_in_the_future(&claims.iat)? {
            return Err(TokenError::IssuedInTheFuture);
        }
        Ok(())
    }

    /// The session of a token whose signature and claims are verified.
    pub(crate) fn session(&self) -> Result<Session, Reason> {
        let claims = &self.claims;
        let text = |claim: &Option<Value>| claim.as_ref().and_then(Value::as_str).map(str::to_owned);
        let id = self.session_id().ok_or(Reason::TokenTypeMismatch)?.to_owned();
        let user_id =
            text(&claims.sub).filter(|id| is_user_id(id)).ok_or(Reason::Token(TokenError::VerificationFailed))?;
        if claims.sts.as_ref().is_some_and(|status| status == "pending") {
            return Err(Reason::SessionPending);
        }
        Ok(Session {
            user_id,
            id,
            issued_at: numeric(claims.iat.as_ref()).map(seconds),
            expires_at: numeric(claims.exp.as_ref()).map_or(0, seconds),
            factor_ages: claims.fva.as_ref().and_then(FactorAges::from_claim),
            actor: claims.act.as_ref().and_then(Actor::from_claim),
            email: text(&claims.email),
            name: text(&claims.name),
        })
    }
}

/// Parses JSON that must be an object: for a list, serde would fill in the members by position.
fn parse_object<T: DeserializeOwned>(json: &[u8]) -> Option<T> {
    json.trim_ascii_start().starts_with(b"{").then(|| serde_json::from_slice(json).ok())?
}

fn is_user_id(text: &str) -> bool {
    let is_id = |rest: &str| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    text.len() <= 64 && text.strip_prefix("user_").is_some_and(is_id)
}

fn accepts_audience(aud: Option<&Value>, accepted: &[String]) -> bool {
    let accepts = |audience: &str| accepted.iter().any(|accepted| accepted == audience);
    match aud {
        Some(Value::String(audience)) if !audience.is_empty() => accepts(audience),
        Some(Value::Array(audiences)) => {
            let audiences: Option<Vec<&str>> = audiences.iter().map(Value::as_str).collect();
            // A list that contains anything but strings is not checked, as in the SDK.
            audiences.is_none_or(|audiences| audiences.is_empty() || audiences.iter().any(|audience| accepts(audience)))
        }
        _ => true,
    }
}

fn numeric(claim: Option<&Value>) -> Option<f64> {
    claim?.as_f64()
}

/// The number that JavaScript's comparisons make of a claim. A token whose claim is not a number is refused when it is
/// verified; until then it must lead to the same decisions as in the SDK.
fn js_number(claim: &Value) -> f64 {
    match claim {
        Value::Null | Value::Bool(false) => 0.0,
        Value::Bool(true) => 1.0,
        Value::Number(number) => number.as_f64().unwrap_or(f64::NAN),
        Value::String(text) if text.trim().is_empty() => 0.0,
        Value::String(text) => text.trim().parse().unwrap_or(f64::NAN),
        Value::Array(_) | Value::Object(_) => f64::NAN,
    }
}

#[expect(clippy::cast_precision_loss, reason = "current times in milliseconds are far below 2^53")]
fn as_f64(milliseconds: i64) -> f64 {
    milliseconds as f64
}

#[expect(clippy::cast_possible_truncation, reason = "a cast of a float saturates")]
fn seconds(number: f64) -> i64 {
    number as i64
}
