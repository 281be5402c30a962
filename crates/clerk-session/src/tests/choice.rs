//! The choice between cookies with the instance's suffix and those without.

use super::*;

/// The cookies of a request; `None` if a cookie is absent.
struct Cookies {
    session: Option<Value>,
    suffixed_session: Option<Value>,
    uat: Option<&'static str>,
    suffixed_uat: Option<&'static str>,
}

const NOTHING: Cookies = Cookies { session: None, suffixed_session: None, uat: None, suffixed_uat: None };

fn suffixed(cookies: &Cookies, publishable_key: &str) -> bool {
    let validated = validated(publishable_key);
    let suffix = &validated.key.cookie_suffix;
    let token = |changes: &Value| sign(KEY, &header(), &with(claims(&validated.key.frontend_api), changes));
    let header: Vec<String> = [
        cookies.session.as_ref().map(|changes| format!("__session={}", token(changes))),
        cookies.suffixed_session.as_ref().map(|changes| format!("__session_{suffix}={}", token(changes))),
        cookies.uat.map(|uat| format!("__client_uat={uat}")),
        cookies.suffixed_uat.map(|uat| format!("__client_uat_{suffix}={uat}")),
    ]
    .into_iter()
    .flatten()
    .collect();
    let parts = document("/", &header.join("; "));
    AuthRequest::new(&parts, &validated, NOW * 1_000).uses_suffixed_cookies
}

#[test]
fn suffixed_cookies_are_chosen_by_eight_checks_in_order() {
    let at = |seconds: i64| Some(json!({"iat": NOW - seconds}));
    let over = |seconds: i64| Some(json!({"iat": NOW - 100, "exp": NOW - seconds}));
    for (rule, expected, cookies) in [
        (
            "1: without issuer",
            false,
            Cookies {
                session: Some(json!({"iss": "absent"})),
                suffixed_session: at(1),
                suffixed_uat: Some("1"),
                ..NOTHING
            },
        ),
        (
            "1: with an empty issuer",
            false,
            Cookies { session: Some(json!({"iss": ""})), suffixed_session: at(1), suffixed_uat: Some("1"), ..NOTHING },
        ),
        (
            "2: of another instance",
            true,
            Cookies { session: Some(json!({"iss": "https://clerk.other.org"})), ..NOTHING },
        ),
        ("2: of a strange issuer", true, Cookies { session: Some(json!({"iss": 5})), ..NOTHING }),
        ("3: nothing", false, NOTHING),
        ("3: nothing suffixed", false, Cookies { session: at(1), uat: Some("5"), ..NOTHING }),
        (
            "4: plain is newer",
            false,
            Cookies { session: at(1), suffixed_session: at(2), uat: Some("5"), suffixed_uat: Some("5") },
        ),
        (
            "8: suffixed is newer",
            true,
            Cookies { session: at(2), suffixed_session: at(1), uat: Some("5"), suffixed_uat: Some("5") },
        ),
        (
            "8: of the same age",
            true,
            Cookies { session: at(1), suffixed_session: at(1), uat: Some("5"), suffixed_uat: Some("5") },
        ),
        ("4: absence isn't signed out", false, Cookies { session: at(1), suffixed_session: at(2), ..NOTHING }),
        (
            "5: suffixed is signed out",
            false,
            Cookies { suffixed_session: at(1), uat: Some("5"), suffixed_uat: Some("0"), ..NOTHING },
        ),
        ("8: both are signed out", true, Cookies { uat: Some("0"), suffixed_uat: Some("0"), ..NOTHING }),
        (
            "6: plain is signed out, suffixed over",
            false,
            Cookies { suffixed_session: over(1), uat: Some("0"), suffixed_uat: Some("5"), ..NOTHING },
        ),
        (
            "8: plain is signed out, suffixed good",
            true,
            Cookies { suffixed_session: at(1), uat: Some("0"), suffixed_uat: Some("5"), ..NOTHING },
        ),
        ("7: suffixed session without its time", false, Cookies { suffixed_session: at(1), uat: Some("0"), ..NOTHING }),
        ("8: suffixed time alone", true, Cookies { suffixed_uat: Some("5"), ..NOTHING }),
    ] {
        assert_eq!(suffixed(&cookies, DEVELOPMENT), expected, "{rule}");
    }
}

#[test]
fn expired_suffixed_token_still_counts_in_production() {
    let over =
        Cookies { suffixed_session: Some(json!({"exp": NOW - 1})), uat: Some("0"), suffixed_uat: Some("5"), ..NOTHING };
    assert!(!suffixed(&over, DEVELOPMENT));
    assert!(suffixed(&over, PRODUCTION));
}

#[test]
fn unreadable_token_has_no_issuer() {
    let validated = validated(DEVELOPMENT);
    let parts = document("/", "__session=nonsense; __client_uat_QvfNY2dr=5");
    assert!(!AuthRequest::new(&parts, &validated, NOW * 1_000).uses_suffixed_cookies);
}

#[test]
fn first_of_two_cookies_counts_and_an_empty_one_is_missing() {
    let validated = validated(DEVELOPMENT);
    let parts = document(
        "/",
        " __clerk_db_jwt = a%20b ; __clerk_db_jwt=c; __client_uat=; broken; __client_uat=7; __refresh_QvfNY2dr=%zz",
    );
    let auth_request = AuthRequest::new(&parts, &validated, NOW * 1_000);
    assert_eq!(auth_request.dev_browser(), Some("a b"));
    assert_eq!(auth_request.client_uat(), 0);
    assert_eq!(auth_request.cookies.refresh.as_deref(), Some("%zz"));
}

/// A list and a hexadecimal text are numbers in JavaScript, and `inf` isn't.
#[test]
fn newer_session_is_chosen_by_numbers_and_decimal_texts() {
    for (plain, suffixed_session, expected) in [
        (json!("9"), json!(8), false),
        (json!("9"), json!(10), true),
        (json!(12), json!("9"), false),
        // Chosen by the SDK: plain, plain, plain, suffixed, suffixed.
        (json!([9]), json!(8), true),
        (json!("0x10"), json!(8), true),
        (json!(12), json!([9]), true),
        (json!(12), json!("-inf"), false),
        (json!("inf"), json!(8), false),
    ] {
        let cookies = Cookies {
            session: Some(json!({"iat": plain})),
            suffixed_session: Some(json!({"iat": suffixed_session})),
            uat: Some("5"),
            suffixed_uat: Some("5"),
        };
        assert_eq!(suffixed(&cookies, DEVELOPMENT), expected, "{plain} {suffixed_session}");
    }
}

/// The SDK removes every scheme.
#[test]
fn issuer_loses_one_scheme_at_its_beginning() {
    for (issuer, is_of_another_instance) in [
        ("https://clerk.clerk.dev", false),
        ("HTTP://clerk.clerk.dev", false),
        ("clerk.clerk.dev", false),
        ("https://https://clerk.clerk.dev", true),
        ("clerk.https://clerk.dev", true),
    ] {
        let cookies = Cookies { session: Some(json!({"iss": issuer})), ..NOTHING };
        assert_eq!(suffixed(&cookies, DEVELOPMENT), is_of_another_instance, "{issuer}");
    }
}

/// The SDK's seconds overflow 32 bits then, and no token has expired for it.
#[test]
fn expired_token_is_recognized_after_2038() {
    let validated = validated(DEVELOPMENT);
    for now in [NOW, i64::from(i32::MAX) + 100, i64::from(u32::MAX) + 100] {
        for (expires, expected) in [(now - 30, false), (now + 30, true)] {
            let session = token(&json!({"iat": now - 90, "exp": expires}));
            let cookies = format!("__session_QvfNY2dr={session}; __client_uat=0; __client_uat_QvfNY2dr=5");
            let parts = document("/", &cookies);
            let auth_request = AuthRequest::new(&parts, &validated, now * 1_000);
            assert_eq!(auth_request.uses_suffixed_cookies, expected, "{expires} at {now}");
        }
    }
}

#[test]
fn client_uat_is_a_decimal_number_of_64_bits() {
    let validated = validated(DEVELOPMENT);
    for (text, expected) in [
        ("5", 5),
        ("%20+5", 5),
        ("-5", -5),
        ("5.9", 5),
        ("5abc", 5),
        ("abc", 0),
        ("9223372036854775807", i64::MAX),
        // Numbers in JavaScript.
        ("0x10", 0),
        ("9223372036854775808", 0),
        ("%EF%BB%BF5", 0),
    ] {
        let parts = document("/", &format!("__client_uat={text}"));
        assert_eq!(AuthRequest::new(&parts, &validated, NOW * 1_000).client_uat(), expected, "{text}");
    }
}

/// The SDK reads them as Latin-1, and leaves a value with a broken percent escape as it is.
#[test]
fn cookies_are_read_as_utf_8() {
    let validated = validated(DEVELOPMENT);
    for (value, expected) in [
        ("é".as_bytes(), "é"),
        (b"\xe9", "\u{fffd}"),
        (b"%C3%A9", "é"),
        (b"%E9", "%E9"),
        (b"%31%ZZ", "1%ZZ"),
        (b"%31%FF", "%31%FF"),
    ] {
        let mut parts = document("/", "");
        let cookie = [b"__clerk_db_jwt=", value].concat();
        parts.headers.insert("cookie", http::HeaderValue::from_bytes(&cookie).unwrap());
        assert_eq!(AuthRequest::new(&parts, &validated, NOW * 1_000).dev_browser(), Some(expected), "{value:?}");
    }
}
