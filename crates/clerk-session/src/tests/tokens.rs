//! The checks of a token, one by one and in their order.

use super::*;
use crate::token::Token;
use crate::{Actor, ConfigError, PublicKey, RefreshFailure, TokenError};

/// A JSON list would fill in the members of header and claims by their position.
#[test]
fn list_in_place_of_an_object_is_refused() {
    let claims = json!([
        "user_1",
        "sess_1",
        null,
        ORIGIN,
        "https://clerk.clerk.dev",
        NOW + 50,
        NOW - 20,
        NOW - 10,
        "active",
        [3, -1]
    ]);
    for (header, claims) in [
        (header(), claims.clone()),
        (json!(["JWT", "RS256", "ins_1", "cl_B7d4PD111AAA"]), self::claims("clerk.clerk.dev")),
        (json!(["JWT", "RS256", "ins_1"]), claims),
    ] {
        let decision = decided_by_bearer(&sign(KEY, &header, &claims), &validated(DEVELOPMENT));
        assert_eq!(decision, signed_out(Reason::Token(TokenError::Invalid)));
    }
}

/// `fetch` joins them to one value, which is no token.
#[test]
fn several_authorization_headers_are_no_token() {
    let good = format!("Bearer {}", token(&json!({})));
    for second in [&*good, "Bearer other", "nonsense"] {
        let parts = request("GET", "/", &[("authorization", &good), ("authorization", second)]);
        assert_eq!(
            decided(&parts, &validated(DEVELOPMENT)),
            signed_out(Reason::Token(TokenError::Invalid)),
            "{second}"
        );
    }
}

#[test]
fn key_that_is_not_for_signatures_verifies_nothing() {
    let key = |changes: Value| {
        let jwks: Jwks = serde_json::from_value(json!({"keys": [with(jwk("ins_1", KEY), &changes)]})).unwrap();
        KeyRing::new(&jwks)
    };
    for changes in [json!({}), json!({"use": "absent"}), json!({"use": "absent", "key_ops": ["verify"]})] {
        assert!(key(changes.clone()).get("ins_1").is_some(), "{changes}");
    }
    for changes in
        [json!({"use": "enc"}), json!({"key_ops": ["encrypt"]}), json!({"key_ops": ["sign"]}), json!({"d": "AQ"})]
    {
        assert!(key(changes.clone()).get("ins_1").is_none(), "{changes}");
    }
}

#[test]
fn of_two_keys_with_one_id_the_last_counts() {
    let ring_of = |first: &[u8], last: &[u8]| {
        let jwks: Jwks = serde_json::from_value(json!({"keys": [jwk("ins_1", first), jwk("ins_1", last)]})).unwrap();
        KeyRing::new(&jwks)
    };
    let single = ring();
    let expected = single.get("ins_1").unwrap();
    assert!(ring_of(OTHER_KEY, KEY).get("ins_1").unwrap().is_same_key(expected));
    assert!(!ring_of(KEY, OTHER_KEY).get("ins_1").unwrap().is_same_key(expected));
}

/// The decision for a bearer token, where no handshake is possible.
pub(crate) fn decided_by_bearer(token: &str, validated: &ValidatedConfig) -> Decision {
    let authorization = format!("Bearer {token}");
    decided(&request("GET", "/api/privacy/consent", &[("authorization", &authorization)]), validated)
}

pub(crate) fn failing(error: TokenError) -> Decision {
    signed_out(Reason::Token(error))
}

#[test]
fn valid_token_signs_in() {
    let Decision::SignedIn(session) =
        decided_by_bearer(&token(&json!({"email": "ada@example.org", "name": 5})), &validated(DEVELOPMENT))
    else {
        panic!("not signed in");
    };
    assert_eq!(session.user_id, "user_1");
    assert_eq!(session.id, "sess_1");
    assert_eq!((session.issued_at, session.expires_at), (Some(NOW - 10), NOW + 50));
    assert_eq!((session.email.as_deref(), session.name), (Some("ada@example.org"), None));
    assert!(session.actor.is_none());
}

#[test]
fn header_and_signature_are_checked_before_the_claims() {
    let validated = validated(DEVELOPMENT);
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
        let decision = decided_by_bearer(&sign(KEY, &with(header(), &changes), &claims), &validated);
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
        let decision = decided_by_bearer(&sign(KEY, &with(header(), &changes), &claims), &validated);
        assert_eq!(decision, signed_out(Reason::TokenTypeMismatch), "{changes}");
    }
    let forged = sign(OTHER_KEY, &header(), &with(claims, &json!({"sub": 5, "exp": 0})));
    assert_eq!(decided_by_bearer(&forged, &validated), failing(TokenError::InvalidSignature));
}

/// Each token has the fault of its line and of all later lines, so the order shows.
#[test]
fn claims_are_checked_in_the_sdks_order() {
    let mut config = config_for(DEVELOPMENT);
    config.audiences = vec!["this_app".to_owned()];
    config.issuers = vec!["https://clerk.clerk.dev".to_owned()];
    let validated = ValidatedConfig::new(config).unwrap();
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
        // Folding has consumed "absent", so an invalid `sub` takes its place.
        let changes = if index == 0 { with(changes, &json!({"sub": 5})) } else { changes };
        assert_eq!(decided_by_bearer(&token(&changes), &validated), signed_out(expected.clone()), "from {index}");
    }
}

#[test]
fn clock_skew_of_five_seconds_is_tolerated() {
    let validated = validated(DEVELOPMENT);
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
        let decision = decided_by_bearer(&token(&changes), &validated);
        assert_eq!(matches!(decision, Decision::SignedIn(_)), signs_in, "{changes}: {decision:?}");
    }
}

#[test]
fn claims_of_the_wrong_type_are_refused() {
    let validated = validated(DEVELOPMENT);
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
        assert_eq!(
            decided_by_bearer(&token(&changes), &validated),
            failing(TokenError::VerificationFailed),
            "{changes}"
        );
    }
    assert_eq!(decided_by_bearer(&token(&json!({"sub": "mch_1"})), &validated), signed_out(Reason::TokenTypeMismatch));
    assert_eq!(decided_by_bearer(&token(&json!({"sid": "absent"})), &validated), signed_out(Reason::TokenTypeMismatch));
    assert_eq!(decided_by_bearer(&token(&json!({"sts": "pending"})), &validated), signed_out(Reason::SessionPending));
    assert!(matches!(decided_by_bearer(&token(&json!({"sts": "active"})), &validated), Decision::SignedIn(_)));
}

#[test]
fn azp_must_be_an_authorized_party_unless_configured_otherwise() {
    let changed = |change: &dyn Fn(&mut Config)| {
        let mut config = config_for(DEVELOPMENT);
        change(&mut config);
        ValidatedConfig::new(config).unwrap()
    };
    let strict = changed(&|_| {});
    let lenient = changed(&|config| config.accept_missing_authorized_party = true);
    let open = changed(&|config| config.authorized_parties.clear());
    for (party, outcomes) in [
        (json!(ORIGIN), [true, true, true]),
        (json!("absent"), [false, true, true]),
        (json!(""), [false, false, true]),
        (json!(null), [false, false, true]),
        (json!("https://evil.example.org"), [false, false, true]),
    ] {
        let token = token(&json!({"azp": party}));
        let signs_in = [&strict, &lenient, &open]
            .map(|validated| matches!(decided_by_bearer(&token, validated), Decision::SignedIn(_)));
        assert_eq!(signs_in, outcomes, "{party}");
    }
}

#[test]
fn audience_is_checked_only_if_the_token_has_one() {
    let mut config = config_for(DEVELOPMENT);
    config.audiences = vec!["this_app".to_owned()];
    let validated = ValidatedConfig::new(config).unwrap();
    for (audience, signs_in) in [
        (json!("absent"), true),
        (json!("this_app"), true),
        (json!(["other", "this_app"]), true),
        (json!([]), true),
        (json!("other"), false),
        (json!(["other"]), false),
    ] {
        let decision = decided_by_bearer(&token(&json!({"aud": audience})), &validated);
        assert_eq!(matches!(decision, Decision::SignedIn(_)), signs_in, "{audience}");
    }
}

/// The SDK leaves empty texts out, on both sides, and doesn't check what is empty then.
#[test]
fn empty_audience_is_compared_like_any_other() {
    for (audience, accepted, signs_in) in [
        (json!([""]), vec!["this_app"], false),
        (json!(["", ""]), vec!["this_app"], false),
        (json!(["", "this_app"]), vec!["this_app"], true),
        // As in the SDK.
        (json!(""), vec!["this_app"], true),
        (json!("other"), vec!["that_app", "this_app"], false),
    ] {
        let mut config = config_for(DEVELOPMENT);
        config.audiences = accepted.iter().map(|&audience| audience.to_owned()).collect();
        let decision = decided_by_bearer(&token(&json!({"aud": audience})), &ValidatedConfig::new(config).unwrap());
        if signs_in {
            assert!(matches!(decision, Decision::SignedIn(_)), "{audience} {accepted:?}");
        } else {
            assert_eq!(decision, failing(TokenError::VerificationFailed), "{audience} {accepted:?}");
        }
    }
}

#[test]
fn empty_text_of_the_configuration_is_refused() {
    let change = |change: fn(&mut Config)| {
        let mut config = config_for(DEVELOPMENT);
        change(&mut config);
        ValidatedConfig::new(config).err()
    };
    let refused = [
        (change(|config| config.issuers = vec![String::new()]), "an issuer"),
        (change(|config| config.audiences = vec!["this_app".to_owned(), String::new()]), "an audience"),
        (change(|config| config.authorized_parties = vec![String::new()]), "an authorized party"),
        (change(|config| config.domain = Some(String::new())), "the domain"),
    ];
    for (error, name) in refused {
        assert_eq!(error, Some(ConfigError::Empty(name)));
    }
}

#[test]
fn jwt_key_verifies_without_fetched_keys() {
    let mut config = config_for(DEVELOPMENT);
    config.jwt_key = Some(pem(KEY));
    let validated = ValidatedConfig::new(config.clone()).unwrap();
    let parts = request(
        "GET",
        "/",
        &[(
            "authorization",
            &format!("Bearer {}", sign(KEY, &with(header(), &json!({"kid": "absent"})), &claims("clerk.clerk.dev"))),
        )],
    );
    assert!(matches!(decided_with(&parts, &validated, KeyMiss::Fetch), Decision::SignedIn(_)));
    let forged = request(
        "GET",
        "/",
        &[("authorization", &format!("Bearer {}", sign(OTHER_KEY, &header(), &claims("clerk.clerk.dev"))))],
    );
    assert_eq!(decided_with(&forged, &validated, KeyMiss::Fetch), failing(TokenError::InvalidSignature));
    // Without line breaks, as Clerk's SDK accepts, and with escaped ones, as in environment variables.
    for line_break in ["", " ", "\\n", "\r\n"] {
        config.jwt_key = Some(pem(KEY).replace('\n', line_break));
        assert!(ValidatedConfig::new(config.clone()).is_ok(), "{line_break:?}");
    }
}

pub(crate) fn pem(der: &[u8]) -> String {
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
fn damaged_pem_is_refused() {
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
fn pem_and_jwk_of_one_key_are_the_same_key() {
    let key = PublicKey::from_pem(&pem(KEY)).unwrap();
    assert!(key.is_same_key(ring().get("any_algorithm").unwrap()));
    assert!(!key.is_same_key(&PublicKey::from_pem(&pem(OTHER_KEY)).unwrap()));
}

#[test]
fn unknown_key_is_fetched_once() {
    let validated = validated(DEVELOPMENT);
    let token = sign(KEY, &with(header(), &json!({"kid": "ins_new"})), &claims("clerk.clerk.dev"));
    let parts = request("GET", "/", &[("authorization", &format!("Bearer {token}"))]);
    assert_eq!(decided_with(&parts, &validated, KeyMiss::Fetch), Decision::FetchKeys);
    assert_eq!(decided_with(&parts, &validated, KeyMiss::Unknown), failing(TokenError::UnknownKey));
    assert_eq!(decided_with(&parts, &validated, KeyMiss::Unavailable), failing(TokenError::KeysUnavailable));
}

#[test]
fn token_that_is_not_strict_is_refused() {
    let good = token(&json!({}));
    assert!(Token::parse(&good).is_some());
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
        format!("{head}.{}.{signature}", BASE64URL_NOPAD.encode(br#"["user_1","sess_1"]"#)),
        format!("{}.{claims}.{signature}", BASE64URL_NOPAD.encode(br#"["JWT","RS256","ins_1"]"#)),
        format!("{head}.{}.{signature}", BASE64URL_NOPAD.encode(br#"{"sub":"user_1","sub":"user_2"}"#)),
        format!("{head}.{}.{signature}", BASE64URL_NOPAD.encode(&[0xff, 0xfe])),
        format!("{head}.{}.{signature}", "A".repeat(20_000)),
    ] {
        assert!(Token::parse(&wrong).is_none(), "{wrong}");
    }
}

#[test]
fn strict_verification_lasts_ten_minutes() {
    let validated = validated(DEVELOPMENT);
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
        let Decision::SignedIn(session) = decided_by_bearer(&token(&json!({"fva": ages})), &validated) else {
            panic!("{ages}")
        };
        assert_eq!((session.is_verified_strictly(), session.verification_age()), (strict, age), "{ages}");
    }
}

#[test]
fn act_claim_means_impersonation() {
    let validated = validated(DEVELOPMENT);
    let actor = |issuer: Option<&str>, id: Option<&str>| {
        Some(Actor { issuer: issuer.map(str::to_owned), id: id.map(str::to_owned) })
    };
    for (claim, expected) in [
        (json!({"sub": "user_2"}), actor(None, Some("user_2"))),
        (
            json!({"iss": "https://dashboard.clerk.com", "sub": "user_2", "x": 1}),
            actor(Some("https://dashboard.clerk.com"), Some("user_2")),
        ),
        (json!({}), actor(None, None)),
        (json!({"sub": 2}), actor(None, None)),
        (json!("x"), actor(None, None)),
        (json!(null), None),
        (json!("absent"), None),
    ] {
        let Decision::SignedIn(session) = decided_by_bearer(&token(&json!({"act": claim})), &validated) else {
            panic!("{claim}")
        };
        assert!(session.actor == expected, "{claim}");
    }
}
