//! Signed webhook events. Clerk sends them through Svix, with an HMAC-SHA256 over id, timestamp and body.
//!
//! The verification is written here, on ring, since the `svix` crate would add the client of a whole API for it.
//! Deliveries may be late, repeated, reordered or lost; recognising repeated ones by their id is up to the caller.

use std::time::Duration;

use data_encoding::BASE64;
use ring::digest::SHA256_OUTPUT_LEN;
use ring::hmac;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::Value;
use time::OffsetDateTime;

use super::{Session, User};
use crate::ids::ClerkUserId;

/// How much a delivery's timestamp may differ from the clock.
const TOLERANCE: Duration = Duration::from_mins(5);
/// The most signatures that are checked. Svix sends two while a secret is being rotated.
const MAX_SIGNATURES: usize = 8;
/// Seconds since the epoch don't reach this before the year 5138, milliseconds were past it in 1973.
const MIN_MILLISECONDS: i64 = 100_000_000_000;

/// The signing secret, or several while it is being rotated. `Debug` doesn't show it.
#[derive(Clone)]
pub struct Secret(Vec<hmac::Key>);

/// The text isn't a signing secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a webhook signing secret: it must be `whsec_` and base64, several separated by commas or spaces")]
pub struct InvalidSecret;

impl Secret {
    /// Parses `whsec_…`. While the secret is being rotated, the old and the new one, separated by a comma or a space.
    pub fn parse(text: &SecretString) -> Result<Self, InvalidSecret> {
        let keys: Vec<hmac::Key> = text
            .expose_secret()
            .split([',', ' '])
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .map(|part| {
                let key = BASE64.decode(part.strip_prefix("whsec_").ok_or(InvalidSecret)?.as_bytes());
                let key = key.ok().filter(|key| key.len() >= 16).ok_or(InvalidSecret)?;
                Ok(hmac::Key::new(hmac::HMAC_SHA256, &key))
            })
            .collect::<Result<_, _>>()?;
        if keys.is_empty() { Err(InvalidSecret) } else { Ok(Self(keys)) }
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Secret(..)")
    }
}

/// The headers of a delivery.
#[derive(Clone, Copy, Debug)]
pub struct Headers<'a> {
    /// `svix-id`: the delivery's id, the same when it is repeated.
    pub id: &'a str,
    /// `svix-timestamp`: seconds since the epoch.
    pub timestamp: &'a str,
    /// `svix-signature`: `v1,<base64>`, several separated by spaces.
    pub signature: &'a str,
}

/// Why a delivery is rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// A header is missing or unreadable.
    #[error("the delivery's headers are missing or unreadable")]
    Headers,
    /// The timestamp is too old, or in the future.
    #[error("the delivery's time is more than five minutes off")]
    Time,
    /// No signature is valid.
    #[error("no signature is valid for the delivery")]
    Signature,
    /// The signature is valid, but the body isn't an event.
    #[error("the delivery holds no event")]
    Unreadable,
}

/// A webhook event. Types that Lethe doesn't use are [`Event::Other`].
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A user was created.
    UserCreated(User),
    /// A user was changed.
    UserUpdated(User),
    /// A user was deleted. The id may be missing.
    UserDeleted {
        /// The user's id.
        id: Option<ClerkUserId>,
    },
    /// A session was created or ended.
    Session {
        /// The event's type, for example `session.ended`.
        kind: String,
        /// The session.
        session: Session,
    },
    /// An event of any other type.
    Other {
        /// The event's type.
        kind: String,
    },
}

impl Event {
    /// The event's type, for example `user.deleted`.
    #[must_use]
    pub fn kind(&self) -> &str {
        match self {
            Self::UserCreated(_) => "user.created",
            Self::UserUpdated(_) => "user.updated",
            Self::UserDeleted { .. } => "user.deleted",
            Self::Session { kind, .. } | Self::Other { kind } => kind,
        }
    }

    /// The user that the event is about, if any.
    #[must_use]
    pub fn user_id(&self) -> Option<ClerkUserId> {
        match self {
            Self::UserCreated(user) | Self::UserUpdated(user) => Some(user.id().clone()),
            Self::UserDeleted { id } => id.clone(),
            Self::Session { session, .. } => session.user_id(),
            Self::Other { .. } => None,
        }
    }
}

impl Headers<'_> {
    /// Rejects at the time `now` what can be rejected without the body.
    pub fn check(&self, now: OffsetDateTime) -> Result<(), Rejection> {
        let signed_at = self.timestamp.parse().ok().and_then(from_epoch).ok_or(Rejection::Headers)?;
        if self.id.is_empty() || self.signatures().next().is_none() {
            return Err(Rejection::Headers);
        }
        if (now - signed_at).unsigned_abs() > TOLERANCE {
            return Err(Rejection::Time);
        }
        Ok(())
    }

    /// What may be a signature.
    fn signatures(&self) -> impl Iterator<Item = Vec<u8>> {
        let signatures = self.signature.split(' ').take(MAX_SIGNATURES);
        let decoded = signatures.filter_map(|signature| BASE64.decode(signature.strip_prefix("v1,")?.as_bytes()).ok());
        decoded.filter(|signature| signature.len() == SHA256_OUTPUT_LEN)
    }
}

/// Verifies the signature of a delivery at the time `now` and parses its event.
pub fn verify(secret: &Secret, headers: &Headers<'_>, body: &[u8], now: OffsetDateTime) -> Result<Event, Rejection> {
    headers.check(now)?;
    let mut signed = Vec::with_capacity(headers.id.len() + headers.timestamp.len() + body.len() + 2);
    for part in [headers.id.as_bytes(), b".", headers.timestamp.as_bytes(), b".", body] {
        signed.extend_from_slice(part);
    }
    // ring compares in constant time.
    let valid =
        headers.signatures().any(|signature| secret.0.iter().any(|key| hmac::verify(key, &signed, &signature).is_ok()));
    if !valid {
        return Err(Rejection::Signature);
    }
    parse(body).ok_or(Rejection::Unreadable)
}

/// Parses a body whose signature was verified.
fn parse(body: &[u8]) -> Option<Event> {
    #[derive(Deserialize)]
    struct Envelope {
        r#type: String,
        #[serde(default)]
        data: Value,
    }
    let Envelope { r#type: kind, data } = serde_json::from_slice(body).ok()?;
    let known = match kind.as_str() {
        "user.created" => User::from_value(data).map(Event::UserCreated),
        "user.updated" => User::from_value(data).map(Event::UserUpdated),
        "user.deleted" => {
            let id = data.get("id").and_then(Value::as_str).and_then(|id| ClerkUserId::parse(id).ok());
            Some(Event::UserDeleted { id })
        }
        _ if kind.starts_with("session.") => {
            Session::from_value(data).map(|session| Event::Session { kind: kind.clone(), session })
        }
        _ => None,
    };
    Some(known.unwrap_or(Event::Other { kind }))
}

/// Clerk sends times in seconds and in milliseconds.
fn from_epoch(number: i64) -> Option<OffsetDateTime> {
    let nanoseconds = if number.abs() < MIN_MILLISECONDS { 1_000_000_000 } else { 1_000_000 };
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(number) * nanoseconds).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: i64 = 1_780_000_000;
    const KEY: [u8; 24] = [7; 24];
    const BODY: &[u8] = br#"{"data":{"id":"user_1","deleted":true,"object":"user"},"object":"event","type":"user.deleted","timestamp":1780000000123}"#;

    fn now() -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp(NOW).unwrap()
    }

    fn secret(keys: &[[u8; 24]]) -> Secret {
        let text: Vec<String> = keys.iter().map(|key| format!("whsec_{}", BASE64.encode(key))).collect();
        Secret::parse(&SecretString::from(text.join(","))).unwrap()
    }

    fn sign(key: &[u8], id: &str, timestamp: &str, body: &[u8]) -> String {
        let signed = [id.as_bytes(), b".", timestamp.as_bytes(), b".", body].concat();
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), &signed);
        format!("v1,{}", BASE64.encode(tag.as_ref()))
    }

    fn verified(secret: &Secret, timestamp: &str, signature: &str, body: &[u8]) -> Result<Event, Rejection> {
        verify(secret, &Headers { id: "msg_1", timestamp, signature }, body, now())
    }

    #[test]
    fn published_svix_example_verifies() {
        let secret = Secret::parse(&SecretString::from("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")).unwrap();
        let headers = Headers {
            id: "msg_p5jXN8AQM9LWM0D4loKWxJek",
            timestamp: "1614265330",
            signature: "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        };
        let at = OffsetDateTime::from_unix_timestamp(1_614_265_330).unwrap();
        // It is signed, but its body is no event of Clerk's.
        assert_eq!(verify(&secret, &headers, br#"{"test": 2432232314}"#, at), Err(Rejection::Unreadable));
        assert_eq!(verify(&secret, &headers, br#"{"test": 2432232315}"#, at), Err(Rejection::Signature));
    }

    #[test]
    fn signed_delivery_is_parsed() {
        let signature = sign(&KEY, "msg_1", "1780000000", BODY);
        let event = verified(&secret(&[KEY]), "1780000000", &signature, BODY).unwrap();
        assert_eq!(event.kind(), "user.deleted");
        assert_eq!(event.user_id(), ClerkUserId::parse("user_1").ok());
    }

    #[test]
    fn one_matching_signature_of_several_is_enough() {
        let signature = sign(&KEY, "msg_1", "1780000000", BODY);
        let several = format!("v1a,AAAA v1,AAAA {signature}");
        assert!(verified(&secret(&[[9; 24], KEY]), "1780000000", &several, BODY).is_ok());
        assert_eq!(verified(&secret(&[[9; 24]]), "1780000000", &several, BODY), Err(Rejection::Signature));
    }

    #[test]
    fn any_changed_part_invalidates_the_signature() {
        let secret = secret(&[KEY]);
        let signature = sign(&KEY, "msg_1", "1780000000", BODY);
        assert_eq!(verified(&secret, "1780000001", &signature, BODY), Err(Rejection::Signature));
        assert_eq!(verified(&secret, "1780000000", &signature, &BODY[1..]), Err(Rejection::Signature));
        let other = Headers { id: "msg_2", timestamp: "1780000000", signature: &signature };
        assert_eq!(verify(&secret, &other, BODY, now()), Err(Rejection::Signature));
        for (timestamp, signature) in [("", &*signature), ("soon", &*signature), ("1780000000", "")] {
            assert_eq!(verified(&secret, timestamp, signature, BODY), Err(Rejection::Headers));
        }
    }

    #[test]
    fn timestamp_may_differ_by_five_minutes() {
        let secret = secret(&[KEY]);
        for (offset, believed) in [(-301, false), (-300, true), (0, true), (300, true), (301, false)] {
            let timestamp = (NOW + offset).to_string();
            let signature = sign(&KEY, "msg_1", &timestamp, BODY);
            assert_eq!(verified(&secret, &timestamp, &signature, BODY).is_ok(), believed, "{offset}");
        }
        let milliseconds = format!("{NOW}000");
        assert!(verified(&secret, &milliseconds, &sign(&KEY, "msg_1", &milliseconds, BODY), BODY).is_ok());
    }

    #[test]
    fn events_are_parsed_leniently() {
        for (body, kind, subject) in [
            (r#"{"type":"user.created","data":{"id":"user_1","new":1}}"#, "user.created", true),
            (r#"{"type":"user.updated","data":{"id":"user_1"},"event_attributes":null}"#, "user.updated", true),
            (r#"{"type":"user.deleted","data":{"deleted":true}}"#, "user.deleted", false),
            (r#"{"type":"user.created","data":{"id":5}}"#, "user.created", false),
            (r#"{"type":"session.ended","data":{"id":"sess_1","user_id":"user_1"}}"#, "session.ended", true),
            (r#"{"type":"paymentAttempt.updated","data":[]}"#, "paymentAttempt.updated", false),
            (r#"{"type":"of.tomorrow"}"#, "of.tomorrow", false),
        ] {
            let event = parse(body.as_bytes()).unwrap();
            assert_eq!((event.kind(), event.user_id().is_some()), (kind, subject), "{body}");
        }
        assert!(parse(b"{}").is_none());
    }

    #[test]
    fn secret_is_validated_and_hidden_from_debug() {
        for wrong in ["", "whsec_", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_???", "whsec_AAAA"] {
            assert!(Secret::parse(&SecretString::from(wrong)).is_err(), "{wrong}");
        }
        assert_eq!(format!("{:?}", secret(&[KEY])), "Secret(..)");
    }

    proptest! {
        #[test]
        fn unsigned_input_never_verifies(id in ".*", timestamp in "[0-9]{0,20}|17800000[0-9]{2}|.*", signature in "(v1,[A-Za-z0-9+/]{43}= ?){0,3}|.*", body: Vec<u8>) {
            let headers = Headers { id: &id, timestamp: &timestamp, signature: &signature };
            prop_assert!(verify(&secret(&[KEY]), &headers, &body, now()).is_err());
        }

        #[test]
        fn any_flipped_bit_of_a_signed_delivery_is_detected(body: Vec<u8>, id in "[A-Za-z0-9_]{1,32}", index: prop::sample::Index, bit in 0..8_u32) {
            let signature = sign(&KEY, &id, "1780000000", &body);
            let headers = Headers { id: &id, timestamp: "1780000000", signature: &signature };
            let signed = verify(&secret(&[KEY]), &headers, &body, now());
            prop_assert!(matches!(signed, Ok(_) | Err(Rejection::Unreadable)), "{signed:?}");
            if !body.is_empty() {
                let mut changed = body.clone();
                changed[index.index(body.len())] ^= 1 << bit;
                prop_assert_eq!(verify(&secret(&[KEY]), &headers, &changed, now()), Err(Rejection::Signature));
            }
            let other = Headers { id: &format!("{id}0"), ..headers };
            prop_assert_eq!(verify(&secret(&[KEY]), &other, &body, now()), Err(Rejection::Signature));
        }
    }
}
