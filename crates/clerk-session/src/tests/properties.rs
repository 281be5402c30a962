//! No input panics, and only a signed token signs in.

use std::sync::LazyLock;

use http::HeaderValue;
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use super::*;
use crate::decision::{after_handshake, after_refresh, cookies_to_set, decide_by_cookies};
use crate::handshake;
use crate::token::Token;
use crate::{PublicKey, PublishableKey};

/// Cookies with the names that are read, so that their values are used.
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

/// Bytes, numbers, texts in the form of tokens, and real tokens that are damaged or signed with another key.
fn value() -> impl Strategy<Value = Vec<u8>> {
    let damaged = (any::<prop::sample::Index>(), any::<u8>()).prop_map(|(index, byte)| {
        let mut token = GOOD.clone().into_bytes();
        let at = index.index(token.len());
        // The last character of a part may decode to the same bytes, but then strict base64url refuses it.
        token[at] = if token[at] == byte { byte ^ 1 } else { byte };
        token
    });
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..60),
        "[0-9]{0,12}".prop_map(String::into_bytes),
        r"[A-Za-z0-9_-]{0,30}\.[A-Za-z0-9_-]{0,60}\.[A-Za-z0-9_-]{0,30}".prop_map(String::into_bytes),
        damaged,
        Just(FORGED.clone().into_bytes()),
        random_claims().prop_map(String::into_bytes),
    ]
}

/// Unsigned tokens with claims of any type.
fn random_claims() -> impl Strategy<Value = String> {
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

/// Tokens that can be made from two valid ones without the key.
fn mutated() -> impl Strategy<Value = String> {
    let parts = |token: &str| token.split('.').map(str::to_owned).collect::<Vec<_>>();
    let flipped = (0..3_usize, any::<prop::sample::Index>(), 0..8_u8).prop_map(move |(part, index, bit)| {
        let mut parts = parts(&GOOD);
        let mut bytes = BASE64URL_NOPAD.decode(parts[part].as_bytes()).unwrap();
        let at = index.index(bytes.len());
        bytes[at] ^= 1 << bit;
        parts[part] = BASE64URL_NOPAD.encode(&bytes);
        parts.join(".")
    });
    // At least one part is of the other token, and at least one of this one.
    let swapped = (1..7_u8).prop_map(move |others| {
        let (mine, theirs) = (parts(&GOOD), parts(&ANOTHER));
        let chosen = (0..3).map(|part| if others & (1 << part) == 0 { &mine[part] } else { &theirs[part] });
        chosen.map(String::as_str).collect::<Vec<_>>().join(".")
    });
    let swapped = swapped.prop_filter("some headers are the same", |token| *token != *GOOD && *token != *ANOTHER);
    let reordered = Just(vec![0, 1, 2]).prop_shuffle().prop_filter_map("the right order", move |order| {
        let mine = parts(&GOOD);
        (order != [0, 1, 2]).then(|| order.iter().map(|part| mine[*part].as_str()).collect::<Vec<_>>().join("."))
    });
    let algorithm = prop::sample::select(vec!["none", "HS256", "RS384", "RS512", "ES256", "PS256", "rs256", ""]);
    let another_algorithm = (algorithm, any::<bool>()).prop_map(|(name, is_signed)| {
        let token = sign(KEY, &with(header(), &json!({"alg": name})), &claims("clerk.clerk.dev"));
        if is_signed { token } else { token[..=token.rfind('.').unwrap()].to_owned() }
    });
    let another_key = (any::<bool>(), 0..3_i64).prop_map(|(is_known, later)| {
        let header = with(header(), &json!({"kid": if is_known { "ins_1" } else { "ins_2" }}));
        sign(OTHER_KEY, &header, &with(claims("clerk.clerk.dev"), &json!({"iat": NOW - later})))
    });
    let cut = any::<prop::sample::Index>().prop_map(|at| GOOD[..=at.index(GOOD.len() - 1)].to_owned());
    let longer = "[A-Za-z0-9_.=-]{1,4}".prop_map(|more| format!("{}{more}", *GOOD));
    prop_oneof![
        6 => flipped,
        2 => swapped,
        1 => reordered,
        2 => another_algorithm,
        2 => another_key,
        1 => cut,
        1 => longer,
    ]
}

/// Whether the token signs in anywhere in a request, or in a response of Clerk's.
fn signs_in_anywhere(token: &str) -> bool {
    let cookies = |name: &str, uat: &str| document("/", &format!("__clerk_db_jwt=b; {name}={token}; {uat}=5"));
    let handshake = |query: &str, cookie: &str| document(&format!("/{query}"), &format!("__clerk_db_jwt=b; {cookie}"));
    let requests = [
        request("POST", "/", &[("authorization", &format!("Bearer {token}"))]),
        request("GET", "/", &[("authorization", token)]),
        cookies("__session", "__client_uat"),
        cookies("__session_QvfNY2dr", "__client_uat_QvfNY2dr"),
        handshake(&format!("?__clerk_handshake={token}"), "a=b"),
        handshake("", &format!("__clerk_handshake={token}")),
    ];
    let config = &CONFIGS[0];
    let is_in = |decision: &Decision| matches!(decision, Decision::SignedIn(_) | Decision::Resolved(_));
    let lines = [format!("__session={token}; Path=/")];
    let parts = document("/", "__clerk_db_jwt=b");
    let auth_request = AuthRequest::new(&parts, config, NOW * 1_000);
    let responses = [
        after_handshake(&lines, &auth_request, config, keys(), NOW * 1_000),
        after_refresh(Ok(&lines), &auth_request, config, keys(), NOW * 1_000),
    ];
    let is_redirected = matches!(responses[0], Decision::RemoveHandshakeParams(_));
    is_redirected || responses.iter().any(is_in) || requests.iter().any(|parts| is_in(&decided(parts, config)))
}

static ANOTHER: LazyLock<String> = LazyLock::new(|| token(&json!({"sid": "sess_2", "sub": "user_2"})));
static GOOD: LazyLock<String> = LazyLock::new(|| token(&json!({})));
static FORGED: LazyLock<String> = LazyLock::new(|| sign(OTHER_KEY, &header(), &claims("clerk.clerk.dev")));
static RING: LazyLock<KeyRing> = LazyLock::new(ring);
/// Development, production, a primary domain and a satellite; the last two trust their proxy.
static CONFIGS: LazyLock<[ValidatedConfig; 4]> = LazyLock::new(|| {
    let behind_proxy = |publishable_key: &str, is_satellite: bool| {
        let mut config = config_for(publishable_key);
        config.trust_forwarded = std::sync::Arc::new(|_| true);
        config.authorized_parties = Vec::new();
        config.is_satellite = is_satellite;
        config.satellite_auto_sync = true;
        config.domain = Some("example.net".to_owned());
        config.sign_in_url = Some(Url::parse("https://www.example.org/sign-in").unwrap());
        ValidatedConfig::new(config).unwrap()
    };
    [validated(DEVELOPMENT), validated(PRODUCTION), behind_proxy(DEVELOPMENT, false), behind_proxy(PRODUCTION, true)]
});

/// Names of headers that are read, and of some that are not.
fn header_name() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "accept",
        "authorization",
        "cookie",
        "host",
        "origin",
        "referer",
        "sec-fetch-dest",
        "user-agent",
        "x-forwarded-host",
        "x-forwarded-proto",
        "x-other",
    ])
}

fn keys() -> KeySource<'static> {
    KeySource { ring: &RING, on_miss: KeyMiss::Unknown }
}

/// Checks that the request is not signed in and its handshake not accepted.
fn stays_signed_out(parts: &Parts) -> Result<(), TestCaseError> {
    for config in CONFIGS.iter() {
        let auth_request = AuthRequest::new(parts, config, NOW * 1_000);
        for decision in [
            decide(&auth_request, config, keys(), NOW * 1_000),
            decide_by_cookies(&auth_request, config, keys(), NOW * 1_000),
        ] {
            let is_in = matches!(decision, Decision::SignedIn(_) | Decision::Resolved(_));
            prop_assert!(!is_in, "{}", summary(&decision));
        }
        let _ = handshake::sign_in_url(&auth_request, config);
        let _ = handshake::without_handshake_params(&auth_request);
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
        stays_signed_out(&parts)?;
    }

    #[test]
    fn no_mutated_token_signs_in(token in mutated()) {
        prop_assert!(!signs_in_anywhere(&token), "{token}");
    }

    #[test]
    fn no_bytes_in_any_header_panic_or_sign_in(
        headers in prop::collection::vec((header_name(), value()), 0..12),
        method in prop::sample::select(vec!["GET", "POST"]),
    ) {
        let mut parts = request(method, "/?__clerk_synced=false", &[]);
        for (name, value) in headers {
            if let Ok(value) = HeaderValue::from_bytes(&value) {
                parts.headers.append(name, value);
            }
        }
        stays_signed_out(&parts)?;
    }

    #[test]
    fn no_set_cookie_lines_panic_or_sign_in(lines in prop::collection::vec(prop_oneof![
        any::<String>(),
        value().prop_map(|value| format!("__session={}; Path=/", String::from_utf8_lossy(&value))),
    ], 0..4)) {
        let parts = document("/", "__client_uat=5");
        for config in CONFIGS.iter() {
            let auth_request = AuthRequest::new(&parts, config, NOW * 1_000);
            let resolved = after_handshake(&lines, &auth_request, config, keys(), NOW * 1_000);
            let refreshed = after_refresh(Ok(&lines), &auth_request, config, keys(), NOW * 1_000);
            let is_in = [&resolved, &refreshed].iter().any(|decision| matches!(decision, Decision::SignedIn(_)));
            prop_assert!(!is_in);
            let _ = cookies_to_set(&lines);
        }
    }

    #[test]
    fn no_text_panics(text in any::<String>(), bytes: Vec<u8>) {
        let _ = Token::parse(&text);
        let _ = PublishableKey::parse(&text);
        let _ = PublishableKey::parse(&format!("pk_test_{}", data_encoding::BASE64.encode(&bytes)));
        let pem = format!("-----BEGIN PUBLIC KEY-----{}-----END PUBLIC KEY-----", data_encoding::BASE64.encode(&bytes));
        let _ = PublicKey::from_pem(&pem);
    }
}

/// Shows that the mutations are what [`signs_in_anywhere`] refuses.
#[test]
fn unchanged_token_signs_in_everywhere() {
    assert!(signs_in_anywhere(&GOOD));
    assert!(signs_in_anywhere(&ANOTHER));
}
