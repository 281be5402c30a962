//! The checks of a token, one by one and in their order.

use super::super::reason::TokenError;
use super::super::token::Token;
use super::super::{PublicKey, RefreshFailure};
use super::*;

/// What a bearer token leads to where no handshake is possible.
fn carried(token: &str, rules: &Rules) -> Decision {
    let authorization = format!("Bearer {token}");
    decided(&request("GET", "/api/privacy/consent", &[("authorization", &authorization)]), rules)
}

fn failing(error: TokenError) -> Decision {
    signed_out(Reason::Token(error))
}

#[test]
fn a_token_in_order_signs_in() {
    let Decision::SignedIn(session) =
        carried(&token(&json!({"email": "ada@example.org", "name": 5})), &rules(DEVELOPMENT))
    else {
        panic!("not signed in");
    };
    assert_eq!(session.subject.as_str(), "user_1");
    assert_eq!(session.id, "sess_1");
    assert_eq!((session.issued_at, session.expires_at), (Some(NOW - 10), NOW + 50));
    assert_eq!((session.email.as_deref(), session.name), (Some("ada@example.org"), None));
    assert!(!session.is_impersonated);
}

#[test]
fn header_and_signature_come_before_the_claims() {
    let rules = rules(DEVELOPMENT);
    let claims = claims("clerk.clerk.dev");
    for (changes, expected) in [
        (json!({"typ": "absent"}), None),
        (json!({"typ": "jwt"}), Some(TokenError::Invalid)),
        (json!({"typ": null}), Some(TokenError::Invalid)),
        (json!({"alg": "HS256"}), Some(TokenError::InvalidAlgorithm)),
        (json!({"alg": "none"}), Some(TokenError::InvalidAlgorithm)),
        (json!({"alg": "absent"}), Some(TokenError::InvalidAlgorithm)),
        (json!({"alg": "RS384"}), Some(TokenError::VerificationFailed)),
        (json!({"alg": "RS384", "kid": "any_algorithm"}), None),
        (json!({"alg": "RS512", "kid": "any_algorithm"}), None),
        (json!({"kid": "ins_2"}), Some(TokenError::UnknownKey)),
        (json!({"kid": "absent"}), Some(TokenError::UnknownKey)),
        (json!({"kid": 5}), Some(TokenError::UnknownKey)),
        (json!({"cat": "absent"}), None),
        (json!({"cat": "cl_I7d4PD111III"}), None),
    ] {
        let decision = carried(&sign(KEY, &with(header(), &changes), &claims), &rules);
        match expected {
            None => assert!(matches!(decision, Decision::SignedIn(_)), "{changes}: {decision:?}"),
            Some(error) => assert_eq!(decision, failing(error), "{changes}"),
        }
    }
    for changes in [
        json!({"cat": "cl_B7d4PD222AAA"}),
        json!({"cat": "cl_B7d4PD333AAA"}),
        json!({"cat": null}),
        json!({"typ": "at+jwt"}),
    ] {
        let decision = carried(&sign(KEY, &with(header(), &changes), &claims), &rules);
        assert_eq!(decision, signed_out(Reason::TokenTypeMismatch), "{changes}");
    }
    let forged = sign(OTHER_KEY, &header(), &with(claims, &json!({"sub": 5, "exp": 0})));
    assert_eq!(carried(&forged, &rules), failing(TokenError::InvalidSignature));
}

/// Each token has the fault of its line and of all later lines, so the order shows.
#[test]
fn claims_are_checked_in_clerks_order() {
    let mut settings = settings_for(DEVELOPMENT);
    settings.audiences = vec!["lethe".to_owned()];
    settings.issuers = vec!["https://clerk.clerk.dev".to_owned()];
    let rules = Rules::new(settings).unwrap();
    let expired = Reason::SessionTokenExpired(RefreshFailure::NoCookie);
    let faults = [
        (json!({"sub": "absent"}), Reason::Token(TokenError::VerificationFailed)),
        (json!({"aud": "other"}), Reason::Token(TokenError::VerificationFailed)),
        (json!({"azp": "https://other.org"}), Reason::Token(TokenError::InvalidAuthorizedParties)),
        (json!({"iss": "https://clerk.other.org"}), Reason::Token(TokenError::InvalidIssuer)),
        (json!({"exp": NOW - 5}), expired),
        (json!({"nbf": NOW + 6}), Reason::SessionTokenNotBefore),
        (json!({"iat": NOW + 6}), Reason::SessionTokenIatInTheFuture),
    ];
    for (index, (_, expected)) in faults.iter().enumerate() {
        let changes = faults[index..].iter().fold(json!({}), |all, (changes, _)| with(all, changes));
        // `with` took "absent" for an instruction; it is wanted as one later.
        let changes = if index == 0 { with(changes, &json!({"sub": 5})) } else { changes };
        assert_eq!(carried(&token(&changes), &rules), signed_out(expected.clone()), "from {index}");
    }
}

#[test]
fn five_seconds_are_forgiven() {
    let rules = rules(DEVELOPMENT);
    for (changes, signs_in) in [
        (json!({"exp": NOW - 4}), true),
        (json!({"exp": NOW - 5}), false),
        (json!({"nbf": NOW + 5}), true),
        (json!({"nbf": NOW + 6}), false),
        (json!({"nbf": "absent"}), true),
        (json!({"iat": NOW + 5}), true),
        (json!({"iat": NOW + 6}), false),
        (json!({"iat": "absent"}), true),
    ] {
        let decision = carried(&token(&changes), &rules);
        assert_eq!(matches!(decision, Decision::SignedIn(_)), signs_in, "{changes}: {decision:?}");
    }
}

#[test]
fn claims_of_another_type_fail() {
    let rules = rules(DEVELOPMENT);
    for changes in [
        json!({"sub": 5}),
        json!({"sub": "org_1"}),
        json!({"sub": "user_../.."}),
        json!({"exp": "tomorrow"}),
        json!({"exp": null}),
        json!({"exp": "absent"}),
        json!({"nbf": null}),
        json!({"iat": "now"}),
    ] {
        assert_eq!(carried(&token(&changes), &rules), failing(TokenError::VerificationFailed), "{changes}");
    }
    assert_eq!(carried(&token(&json!({"sub": "mch_1"})), &rules), signed_out(Reason::TokenTypeMismatch));
    assert_eq!(carried(&token(&json!({"sid": "absent"})), &rules), signed_out(Reason::TokenTypeMismatch));
    assert_eq!(carried(&token(&json!({"sts": "pending"})), &rules), signed_out(Reason::SessionPending));
    assert!(matches!(carried(&token(&json!({"sts": "active"})), &rules), Decision::SignedIn(_)));
}

#[test]
fn a_token_must_be_for_this_origin_unless_set_otherwise() {
    let changed = |change: &dyn Fn(&mut Settings)| {
        let mut settings = settings_for(DEVELOPMENT);
        change(&mut settings);
        Rules::new(settings).unwrap()
    };
    let strict = changed(&|_| {});
    let lenient = changed(&|settings| settings.accept_missing_authorized_party = true);
    let open = changed(&|settings| settings.authorized_parties.clear());
    for (party, outcomes) in [
        (json!(ORIGIN), [true, true, true]),
        (json!("absent"), [false, true, true]),
        (json!(""), [false, false, true]),
        (json!(null), [false, false, true]),
        (json!("https://evil.example.org"), [false, false, true]),
    ] {
        let token = token(&json!({"azp": party}));
        let signs_in = [&strict, &lenient, &open].map(|rules| matches!(carried(&token, rules), Decision::SignedIn(_)));
        assert_eq!(signs_in, outcomes, "{party}");
    }
}

#[test]
fn audiences_count_only_where_a_token_names_some() {
    let mut settings = settings_for(DEVELOPMENT);
    settings.audiences = vec!["lethe".to_owned()];
    let rules = Rules::new(settings).unwrap();
    for (audience, signs_in) in [
        (json!("absent"), true),
        (json!("lethe"), true),
        (json!(["other", "lethe"]), true),
        (json!([]), true),
        (json!("other"), false),
        (json!(["other"]), false),
    ] {
        let decision = carried(&token(&json!({"aud": audience})), &rules);
        assert_eq!(matches!(decision, Decision::SignedIn(_)), signs_in, "{audience}");
    }
}

#[test]
fn a_pem_needs_no_network() {
    let mut settings = settings_for(DEVELOPMENT);
    settings.jwt_key = Some(pem(KEY));
    let rules = Rules::new(settings.clone()).unwrap();
    let parts = request(
        "GET",
        "/",
        &[(
            "authorization",
            &format!("Bearer {}", sign(KEY, &with(header(), &json!({"kid": "absent"})), &claims("clerk.clerk.dev"))),
        )],
    );
    assert!(matches!(decided_with(&parts, &rules, Absent::Ask), Decision::SignedIn(_)));
    let forged = request(
        "GET",
        "/",
        &[("authorization", &format!("Bearer {}", sign(OTHER_KEY, &header(), &claims("clerk.clerk.dev"))))],
    );
    assert_eq!(decided_with(&forged, &rules, Absent::Ask), failing(TokenError::InvalidSignature));
    settings.jwt_key = Some(pem(KEY).replace('\n', "\\n"));
    assert!(Rules::new(settings).is_ok());
}

fn pem(der: &[u8]) -> String {
    let key = pair(der).public_key().as_ref().to_vec();
    let wrapped = |tag: u8, content: Vec<u8>| {
        let length = u16::try_from(content.len()).unwrap().to_be_bytes();
        [vec![tag, 0x82], length.to_vec(), content].concat()
    };
    let algorithm = data_encoding::HEXLOWER.decode(b"300d06092a864886f70d0101010500").unwrap();
    let bits = wrapped(0x03, [vec![0], key].concat());
    let der = wrapped(0x30, [algorithm, bits].concat());
    let body = data_encoding::BASE64.encode(&der);
    let lines: Vec<&str> = body.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", lines.join("\n"))
}

#[test]
fn a_damaged_pem_is_refused() {
    let good = pem(KEY);
    assert!(PublicKey::from_pem(&good).is_some());
    for wrong in [
        "",
        "-----BEGIN PUBLIC KEY-----",
        &good.replace("BEGIN PUBLIC", "BEGIN PRIVATE"),
        &good.replacen('A', "B", 1),
        &good.replace("IDAQAB", ""),
    ] {
        assert!(PublicKey::from_pem(wrong).is_none(), "{wrong}");
    }
}

#[test]
fn unknown_keys_are_asked_for_once() {
    let rules = rules(DEVELOPMENT);
    let token = sign(KEY, &with(header(), &json!({"kid": "ins_new"})), &claims("clerk.clerk.dev"));
    let parts = request("GET", "/", &[("authorization", &format!("Bearer {token}"))]);
    assert_eq!(decided_with(&parts, &rules, Absent::Ask), Decision::FetchKeys);
    assert_eq!(decided_with(&parts, &rules, Absent::Unknown), failing(TokenError::UnknownKey));
    assert_eq!(decided_with(&parts, &rules, Absent::Unavailable), failing(TokenError::KeysUnavailable));
}

#[test]
fn only_strict_base64url_is_read() {
    let good = token(&json!({}));
    assert!(Token::read(&good).is_some());
    let [head, claims, signature]: [&str; 3] = good.split('.').collect::<Vec<_>>().try_into().unwrap();
    for wrong in [
        String::new(),
        "..".to_owned(),
        format!("{head}.{claims}"),
        format!("{good}.{signature}"),
        format!("{head}.{claims}.{signature}="),
        format!(" {good}"),
        format!("{good}\n"),
        format!("{head}.{claims}+.{signature}"),
        format!("{head}.bnVsbA.{signature}"),
        format!("{head}.{}.{signature}", BASE64URL_NOPAD.encode(br#"{"sub":"user_1","sub":"user_2"}"#)),
        format!("{head}.{}.{signature}", BASE64URL_NOPAD.encode(&[0xff, 0xfe])),
        format!("{head}.{}.{signature}", "A".repeat(20_000)),
    ] {
        assert!(Token::read(&wrong).is_none(), "{wrong}");
    }
}

#[test]
fn proving_anew_who_one_is_holds_for_ten_minutes() {
    let rules = rules(DEVELOPMENT);
    for (ages, strict, age) in [
        (json!([0, 0]), true, Some(0)),
        (json!([500, 9]), true, Some(9)),
        (json!([0, 10]), false, Some(10)),
        (json!([9, -1]), true, Some(9)),
        (json!([10, -1]), false, Some(10)),
        (json!([-1, 3]), true, Some(3)),
        (json!([-1, -1]), false, None),
        (json!([-2, 3]), false, None),
        (json!([1]), false, None),
        (json!(["0", "0"]), false, None),
        (json!([0.5, 0]), false, None),
        (json!(null), false, None),
        (json!("absent"), false, None),
    ] {
        let Decision::SignedIn(session) = carried(&token(&json!({"fva": ages})), &rules) else { panic!("{ages}") };
        assert_eq!((session.is_verified_strictly(), session.verification_age()), (strict, age), "{ages}");
    }
}

#[test]
fn acting_for_somebody_shows() {
    let rules = rules(DEVELOPMENT);
    for (actor, impersonated) in [
        (json!({"sub": "user_2"}), true),
        (json!({}), true),
        (json!("x"), true),
        (json!(null), false),
        (json!("absent"), false),
    ] {
        let Decision::SignedIn(session) = carried(&token(&json!({"act": actor})), &rules) else { panic!("{actor}") };
        assert_eq!(session.is_impersonated, impersonated, "{actor}");
    }
}
