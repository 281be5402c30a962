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
