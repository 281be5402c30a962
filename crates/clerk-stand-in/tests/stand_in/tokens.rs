//! Session tokens and key sets.

use clerk_stand_in::{StandInOptions, TokenOptions, people::person};
use data_encoding::BASE64URL_NOPAD;
use reqwest::Method;
use ring::{rsa::PublicKeyComponents, signature::RSA_PKCS1_2048_8192_SHA256};
use serde_json::{Value, json};

use crate::support::{call, client, start};

fn part(token: &str, number: usize) -> Value {
    let part = token.split('.').nth(number).unwrap();
    serde_json::from_slice(&BASE64URL_NOPAD.decode(part.as_bytes()).unwrap()).unwrap()
}

fn is_signed_by(token: &str, key: &Value) -> bool {
    let bytes = |name: &str| BASE64URL_NOPAD.decode(key[name].as_str().unwrap().as_bytes()).unwrap();
    let (message, signature) = token.rsplit_once('.').unwrap();
    let signature = BASE64URL_NOPAD.decode(signature.as_bytes()).unwrap();
    let public = PublicKeyComponents { n: bytes("n"), e: bytes("e") };
    public.verify(&RSA_PKCS1_2048_8192_SHA256, message.as_bytes(), &signature).is_ok()
}

#[tokio::test]
async fn session_token_has_the_claims_of_version_two() {
    let options =
        StandInOptions { application_origin: Some("http://127.0.0.1:3000".to_owned()), ..StandInOptions::default() };
    let clerk = start(options).await;
    let session = clerk.sign_in(&person(0).id).await;
    let (_, keys) = call(&clerk, Method::GET, "/v1/jwks", None).await;
    assert!(is_signed_by(&session.jwt, &keys["keys"][0]));
    let header = part(&session.jwt, 0);
    assert_eq!(
        header,
        json!({ "alg": "RS256", "cat": "cl_B7d4PD111AAA", "kid": keys["keys"][0]["kid"], "typ": "JWT" })
    );
    let claims = part(&session.jwt, 1);
    let issued_at = claims["iat"].as_i64().unwrap();
    assert_eq!(claims["jti"].as_str().unwrap().len(), 20);
    let expected = json!({
        "azp": "http://127.0.0.1:3000", "exp": issued_at + 60, "fva": [0, -1], "iat": issued_at, "iss": clerk.url(), "jti": claims["jti"],
        "nbf": issued_at - 10, "sid": session.session_id, "sts": "active", "sub": session.user_id, "v": 2,
    });
    assert_eq!(claims, expected);
}

#[tokio::test]
async fn token_options_override_claims_and_header() {
    let clerk = start(StandInOptions::default()).await;
    let options = TokenOptions {
        issued_at: Some(1000),
        lifetime: Some(5),
        factor_ages: Some([11, -1]),
        actor: Some("user_support".to_owned()),
        status: Some("pending".to_owned()),
        claims: json!({ "nbf": null, "aud": "other" }).as_object().unwrap().clone(),
        header: json!({ "cat": null }).as_object().unwrap().clone(),
        ..TokenOptions::default()
    };
    let session = clerk.token_for(&person(0).id, options).await;
    let claims = part(&session.jwt, 1);
    assert_eq!((&claims["iat"], &claims["exp"], &claims["fva"]), (&json!(1000), &json!(1005), &json!([11, -1])));
    assert_eq!(
        (&claims["act"]["sub"], &claims["sts"], &claims["aud"]),
        (&json!("user_support"), &json!("pending"), &json!("other"))
    );
    assert!(claims.get("nbf").is_none() && part(&session.jwt, 0).get("cat").is_none());
}

#[tokio::test]
async fn both_key_sets_are_equal_and_keys_can_be_rotated() {
    let clerk = start(StandInOptions::default()).await;
    let public = || async {
        client()
            .get(format!("{}/.well-known/jwks.json", clerk.url()))
            .send()
            .await
            .unwrap()
            .json::<Value>()
            .await
            .unwrap()
    };
    let first = public().await;
    assert_eq!(call(&clerk, Method::GET, "/v1/jwks", None).await.1, first);
    assert!(clerk.jwt_key().starts_with("-----BEGIN PUBLIC KEY-----\nMII"));
    let rotate =
        |forget: bool| client().post(format!("{}/control/keys", clerk.url())).json(&json!({ "forget": forget })).send();
    rotate(false).await.unwrap();
    let second = public().await;
    assert_eq!(second["keys"].as_array().unwrap().len(), 2);
    assert!(is_signed_by(&clerk.sign_in(&person(0).id).await.jwt, &second["keys"][0]));
    rotate(true).await.unwrap();
    assert_eq!(public().await["keys"].as_array().unwrap().len(), 1);
}
