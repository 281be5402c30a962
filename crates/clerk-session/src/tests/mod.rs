//! Tests the decision with made-up requests and tokens, and the authenticator with the Clerk stand-in. The two keys
//! beside this file were made for these tests and are used nowhere else.

mod choice;
mod config;
mod differences;
mod order;
mod properties;
mod redirects;
mod satellites;
pub(crate) mod stand_in;
mod tokens;

use data_encoding::BASE64URL_NOPAD;
use http::Request;
use http::request::Parts;
use ring::rand::SystemRandom;
use ring::rsa::PublicKeyComponents;
use ring::signature::{KeyPair, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RsaEncoding, RsaKeyPair};
use serde_json::{Value, json};
use url::Url;

use crate::decision::{Decision, decide};
use crate::{AuthRequest, Config, Jwks, KeyMiss, KeyRing, KeySource, Reason, ValidatedConfig};

/// The time of these tests, in seconds since the Unix epoch.
pub(crate) const NOW: i64 = 1_780_000_000;
/// A development instance at `clerk.clerk.dev`.
pub(crate) const DEVELOPMENT: &str = "pk_test_Y2xlcmsuY2xlcmsuZGV2JA";
/// A production instance at `clerk.example.org`.
pub(crate) const PRODUCTION: &str = "pk_live_Y2xlcmsuZXhhbXBsZS5vcmck";
pub(crate) const ORIGIN: &str = "https://privacy.example.org";

const KEY: &[u8] = include_bytes!("key.pk8");
const OTHER_KEY: &[u8] = include_bytes!("other_key.pk8");

pub(crate) fn pair(der: &[u8]) -> RsaKeyPair {
    RsaKeyPair::from_pkcs8(der).unwrap()
}

fn jwk(id: &str, der: &[u8]) -> Value {
    let components = PublicKeyComponents::<Vec<u8>>::from(pair(der).public_key());
    let number = |bytes: &[u8]| BASE64URL_NOPAD.encode(bytes);
    json!({"kid": id, "kty": "RSA", "alg": "RS256", "use": "sig", "n": number(&components.n), "e": number(&components.e)})
}

pub(crate) fn ring() -> KeyRing {
    let mut without_algorithm = jwk("any_algorithm", KEY);
    without_algorithm.as_object_mut().unwrap().remove("alg");
    let jwks: Jwks = serde_json::from_value(json!({"keys": [jwk("ins_1", KEY), without_algorithm]})).unwrap();
    KeyRing::new(&jwks)
}

/// Signs a token with its header's algorithm, or with RS256 if the header names no supported one.
pub(crate) fn sign(der: &[u8], header: &Value, claims: &Value) -> String {
    let part = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
    let signed = format!("{}.{}", part(header), part(claims));
    let padding: &'static dyn RsaEncoding = match header["alg"].as_str() {
        Some("RS384") => &RSA_PKCS1_SHA384,
        Some("RS512") => &RSA_PKCS1_SHA512,
        _ => &RSA_PKCS1_SHA256,
    };
    let pair = pair(der);
    let mut signature = vec![0; pair.public().modulus_len()];
    pair.sign(padding, &SystemRandom::new(), signed.as_bytes(), &mut signature).unwrap();
    format!("{signed}.{}", BASE64URL_NOPAD.encode(&signature))
}

/// `base` with `changes`; `"absent"` removes a field.
pub(crate) fn with(mut base: Value, changes: &Value) -> Value {
    let object = base.as_object_mut().unwrap();
    for (name, value) in changes.as_object().unwrap() {
        if value == "absent" {
            object.remove(name);
        } else {
            object.insert(name.clone(), value.clone());
        }
    }
    base
}

pub(crate) fn header() -> Value {
    json!({"alg": "RS256", "typ": "JWT", "kid": "ins_1", "cat": "cl_B7d4PD111AAA"})
}

pub(crate) fn claims(host: &str) -> Value {
    json!({
        "azp": ORIGIN, "iss": format!("https://{host}"), "sub": "user_1", "sid": "sess_1",
        "iat": NOW - 10, "nbf": NOW - 20, "exp": NOW + 50, "fva": [3, -1],
    })
}

/// A token of the development instance, changed.
pub(crate) fn token(changes: &Value) -> String {
    sign(KEY, &header(), &with(claims("clerk.clerk.dev"), changes))
}

/// A token of the production instance, changed.
pub(crate) fn production_token(changes: &Value) -> String {
    sign(KEY, &header(), &with(claims("clerk.example.org"), changes))
}

pub(crate) fn config_for(publishable_key: &str) -> Config {
    Config::new(publishable_key, Url::parse(ORIGIN).unwrap())
}

pub(crate) fn validated(publishable_key: &str) -> ValidatedConfig {
    ValidatedConfig::new(config_for(publishable_key)).unwrap()
}

/// A request for a document.
pub(crate) fn document(path: &str, cookies: &str) -> Parts {
    request("GET", path, &[("sec-fetch-dest", "document"), ("cookie", cookies)])
}

pub(crate) fn request(method: &str, path: &str, headers: &[(&str, &str)]) -> Parts {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers.iter().filter(|(_, value)| !value.is_empty()) {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

pub(crate) fn decided(parts: &Parts, validated: &ValidatedConfig) -> Decision {
    decided_with(parts, validated, KeyMiss::Unknown)
}

pub(crate) fn decided_with(parts: &Parts, validated: &ValidatedConfig, on_miss: KeyMiss) -> Decision {
    let auth_request = AuthRequest::new(parts, validated, NOW * 1_000);
    decide(&auth_request, validated, KeySource { ring: &ring(), on_miss }, NOW * 1_000)
}

/// The decision in a few words.
pub(crate) fn summary(decision: &Decision) -> String {
    match decision {
        Decision::SignedIn(session) => format!("signed in {}", session.id),
        Decision::SignedOut(reason) => format!("signed out {}", reason.as_str()),
        Decision::RedirectLoop(reason) => format!("loop {}", reason.as_str()),
        Decision::Handshake(handshake) => format!("handshake {}", handshake.reason.as_str()),
        Decision::ResolveNonce(nonce) => format!("nonce {nonce}"),
        Decision::Resolved(lines) => format!("resolved {}", lines.len()),
        Decision::RemoveHandshakeParams(location) => format!("clean {location}"),
        Decision::HandshakeFailed(reason) => format!("handshake failed {}", reason.as_str()),
        Decision::HandshakeRejected(error) => format!("handshake rejected {}", error.as_str()),
        Decision::ClockSkew(error) => format!("clock skew {}", error.as_str()),
        Decision::Refresh(refresh) => format!("refresh {}", refresh.session_id),
        Decision::FetchKeys => "fetch keys".to_owned(),
    }
}

pub(crate) fn signed_out(reason: Reason) -> Decision {
    Decision::SignedOut(reason)
}
