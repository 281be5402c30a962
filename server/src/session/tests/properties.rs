//! Whatever bytes come: nothing panics, and nobody is signed in who has no signed token.

use std::sync::LazyLock;

use http::HeaderValue;
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use super::super::decision::{after_handshake, after_refresh, by_cookies, cookies_to_set};
use super::super::handshake;
use super::super::token::Token;
use super::super::{PublicKey, PublishableKey};
use super::*;

/// Cookies by name, so that the values reach where they hurt.
fn cookie() -> impl Strategy<Value = Vec<u8>> {
    let name = prop::sample::select(vec![
        "__session",
        "__session_QvfNY2dr",
        "__client_uat",
        "__client_uat_QvfNY2dr",
        "__refresh_QvfNY2dr",
        "__clerk_db_jwt",
        "__clerk_handshake",
        "__clerk_handshake_nonce",
        "__clerk_redirect_count",
        "other",
    ]);
    (name, value()).prop_map(|(name, value)| [name.as_bytes(), b"=", &value].concat())
}

/// Bytes, numbers, things like tokens, and real tokens that were damaged or signed by others.
fn value() -> impl Strategy<Value = Vec<u8>> {
    let damaged = (any::<prop::sample::Index>(), any::<u8>()).prop_map(|(index, byte)| {
        let mut token = GOOD.clone().into_bytes();
        let at = index.index(token.len());
        // Another byte at any place; the last characters of a part may decode to the same bytes, but
        // then strict base64 refuses them.
        token[at] = if token[at] == byte { byte ^ 1 } else { byte };
        token
    });
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..60),
        "[0-9]{0,12}".prop_map(String::into_bytes),
        r"[A-Za-z0-9_-]{0,30}\.[A-Za-z0-9_-]{0,60}\.[A-Za-z0-9_-]{0,30}".prop_map(String::into_bytes),
        damaged,
        Just(FORGED.clone().into_bytes()),
        claims_by_chance().prop_map(String::into_bytes),
    ]
}

/// Readable tokens with claims of any type, signed by nobody.
fn claims_by_chance() -> impl Strategy<Value = String> {
    let claim = prop::sample::select(vec![
        "iss",
        "iat",
        "exp",
        "nbf",
        "azp",
        "aud",
        "sub",
        "sid",
        "fva",
        "act",
        "sts",
        "handshake",
    ]);
    let value = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(|value| json!(value)),
        any::<f64>().prop_map(|value| json!(value)),
        any::<i64>().prop_map(|value| json!(value)),
        ".{0,12}".prop_map(|value| json!(value)),
        Just(json!("https://clerk.clerk.dev")),
        Just(json!([1, "a", {}])),
    ];
    prop::collection::vec((claim, value), 0..8).prop_map(|claims| {
        let claims: serde_json::Map<String, Value> =
            claims.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let part = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
        format!("{}.{}.AAAA", part(&header()), part(&Value::Object(claims)))
    })
}

static GOOD: LazyLock<String> = LazyLock::new(|| token(&json!({})));
static FORGED: LazyLock<String> = LazyLock::new(|| sign(OTHER_KEY, &header(), &claims("clerk.clerk.dev")));
static RING: LazyLock<KeyRing> = LazyLock::new(ring);
static RULES: LazyLock<[Rules; 2]> = LazyLock::new(|| [rules(DEVELOPMENT), rules(PRODUCTION)]);

fn keys() -> KeySource<'static> {
    KeySource { ring: &RING, absent: Absent::Unknown }
}

/// Nothing that this request holds makes anybody signed in, or cookies set.
fn stays_out(parts: &Parts) -> Result<(), TestCaseError> {
    for rules in RULES.iter() {
        let view = View::new(parts, rules, NOW * 1_000);
        for decision in [decide(&view, rules, keys(), NOW * 1_000), by_cookies(&view, rules, keys(), NOW * 1_000)] {
            let is_in = matches!(decision, Decision::SignedIn(_) | Decision::Resolved(_));
            prop_assert!(!is_in, "{}", told(&decision));
        }
        let _ = handshake::sign_in(&view, rules);
        let _ = handshake::clean(&view);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_request_panics_or_signs_in(
        cookies in prop::collection::vec(cookie(), 0..8),
        authorization in prop::option::of(value()),
        query in r"(__clerk_(db_jwt|handshake|handshake_nonce)=[A-Za-z0-9%+.]{0,20}&){0,3}[A-Za-z0-9%&=+.]{0,20}",
        method in prop::sample::select(vec!["GET", "POST", "HEAD"]),
        destination in prop::option::of(prop::collection::vec(any::<u8>(), 0..12)),
    ) {
        let mut parts = request(method, &format!("/a?{query}"), &[]);
        let mut insert = |name: &'static str, value: Vec<u8>| {
            if let Ok(value) = HeaderValue::from_bytes(&value) {
                parts.headers.insert(name, value);
            }
        };
        insert("cookie", cookies.join(&b"; "[..]));
        if let Some(authorization) = authorization {
            insert("authorization", [b"Bearer ", &authorization[..]].concat());
        }
        insert("sec-fetch-dest", destination.unwrap_or_else(|| b"document".to_vec()));
        stays_out(&parts)?;
    }

    #[test]
    fn nothing_that_clerk_might_answer_panics_or_signs_in(lines in prop::collection::vec(prop_oneof![
        any::<String>(),
        value().prop_map(|value| format!("__session={}; Path=/", String::from_utf8_lossy(&value))),
    ], 0..4)) {
        let parts = document("/", "__client_uat=5");
        for rules in RULES.iter() {
            let view = View::new(&parts, rules, NOW * 1_000);
            let resolved = after_handshake(&lines, &view, rules, keys(), NOW * 1_000);
            let renewed = after_refresh(Ok(&lines), &view, rules, keys(), NOW * 1_000);
            let is_in = [&resolved, &renewed].iter().any(|decision| matches!(decision, Decision::SignedIn(_)));
            prop_assert!(!is_in);
            let _ = cookies_to_set(&lines);
        }
    }

    #[test]
    fn no_text_panics(text in any::<String>(), bytes: Vec<u8>) {
        let _ = Token::read(&text);
        let _ = PublishableKey::parse(&text);
        let _ = PublishableKey::parse(&format!("pk_test_{}", data_encoding::BASE64.encode(&bytes)));
        let pem = format!("-----BEGIN PUBLIC KEY-----{}-----END PUBLIC KEY-----", data_encoding::BASE64.encode(&bytes));
        let _ = PublicKey::from_pem(&pem);
    }
}
