//! The Backend API, operation by operation.

use clerk_stand_in::{ClerkStandIn, StandInOptions, people::person};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{call, client, send, start};

async fn clerk() -> ClerkStandIn {
    start(StandInOptions::default()).await
}

fn code(response: &Value) -> &str {
    response["errors"][0]["code"].as_str().expect("errors have a code")
}

/// Replaces timestamps and random ids, so that a snapshot is the same on every run.
fn redacted(mut value: Value) -> Value {
    fn redact(value: &mut Value) {
        match value {
            Value::Object(fields) => fields.values_mut().for_each(redact),
            Value::Array(items) => items.iter_mut().for_each(redact),
            Value::Number(number) if number.as_i64().is_some_and(|number| number > 1_000_000_000_000) => {
                *value = "[ms]".into();
            }
            Value::String(text) if text.len() > 27 && !text.contains([' ', '.']) => {
                *value = format!("[{}]", text.rsplit_once('_').expect("long texts without spaces are ids").0).into();
            }
            _ => {}
        }
    }
    redact(&mut value);
    value
}

#[tokio::test]
async fn created_user_can_be_read() {
    let clerk = clerk().await;
    let body = json!({
        "email_address": ["New.Person@example.org"], "first_name": "New", "last_name": "Person", "external_id": "crm-7",
        "public_metadata": { "plan": "free" }, "unsafe_metadata": { "seen": true },
    });
    let (status, user) = call(&clerk, Method::POST, "/v1/users", Some(body)).await;
    assert_eq!(status, 200);
    let (_, read) = call(&clerk, Method::GET, &format!("/v1/users/{}", user["id"].as_str().unwrap()), None).await;
    assert_eq!(read, user);
    insta::assert_json_snapshot!(redacted(user));
}

#[tokio::test]
async fn session_is_active_until_it_is_revoked() {
    let clerk = clerk().await;
    let user_id = person(0).id;
    let (status, session) = call(&clerk, Method::POST, "/v1/sessions", Some(json!({ "user_id": user_id }))).await;
    assert_eq!(status, 200);
    let path = format!("/v1/sessions/{}", session["id"].as_str().unwrap());
    assert_eq!(call(&clerk, Method::GET, &path, None).await, (200, session.clone()));

    let (_, list) = call(&clerk, Method::GET, &format!("/v1/sessions?user_id={user_id}&status=active"), None).await;
    assert_eq!(list, json!([session]));
    let (_, page) = call(&clerk, Method::GET, &format!("/v1/sessions?user_id={user_id}&paginated=true"), None).await;
    assert_eq!(page, json!({ "data": [session], "total_count": 1 }));

    let (status, token) = call(&clerk, Method::POST, &format!("{path}/tokens"), None).await;
    assert_eq!((status, &token["object"]), (200, &json!("token")));
    let (status, revoked) = call(&clerk, Method::POST, &format!("{path}/revoke"), None).await;
    assert_eq!((status, &revoked["status"]), (200, &json!("revoked")));
    let (status, response) = call(&clerk, Method::POST, &format!("{path}/tokens"), None).await;
    assert_eq!((status, code(&response)), (404, "resource_not_found"));
    insta::assert_json_snapshot!(redacted(session));
}

#[tokio::test]
async fn metadata_is_merged_at_every_level_and_null_removes() {
    let clerk = clerk().await;
    let path = format!("/v1/users/{}/metadata", person(0).id);
    let first = json!({ "public_metadata": { "consent": { "marketing": true, "analytics": true } }, "private_metadata": { "note": 1 } });
    let (status, user) = call(&clerk, Method::PATCH, &path, Some(first)).await;
    assert_eq!(status, 200);
    assert_eq!(
        user["public_metadata"],
        json!({ "roles": ["member"], "consent": { "marketing": true, "analytics": true } })
    );
    let second = json!({ "public_metadata": { "consent": { "analytics": null, "thirdParty": false } } });
    let (_, user) = call(&clerk, Method::PATCH, &path, Some(second)).await;
    assert_eq!(
        user["public_metadata"],
        json!({ "roles": ["member"], "consent": { "marketing": true, "thirdParty": false } })
    );
    assert_eq!(user["private_metadata"], json!({ "note": 1 }));
    let (_, user) = call(&clerk, Method::PUT, &path, Some(json!({ "public_metadata": { "only": "this" } }))).await;
    assert_eq!(user["public_metadata"], json!({ "only": "this" }));
}

#[tokio::test]
async fn concurrent_metadata_merges_all_survive() {
    let clerk = clerk().await;
    let path = format!("/v1/users/{}/metadata", person(0).id);
    let merges = (0..20).map(|number| {
        let body = json!({ "public_metadata": { format!("key{number}"): number } });
        call(&clerk, Method::PATCH, &path, Some(body))
    });
    futures::future::join_all(merges).await;
    let user = clerk.user(&person(0).id).await.unwrap();
    assert_eq!(user["public_metadata"].as_object().unwrap().len(), 21);
}

#[tokio::test]
async fn users_are_listed_by_id_without_unknown_ones() {
    let clerk = clerk().await;
    let query = (0..3).map(|index| format!("user_id={}", person(index).id)).collect::<Vec<_>>().join("&");
    let (_, users) =
        call(&clerk, Method::GET, &format!("/v1/users?{query}&user_id=user_unknown&limit=100"), None).await;
    let mut found: Vec<_> =
        users.as_array().unwrap().iter().map(|user| user["id"].as_str().unwrap().to_owned()).collect();
    found.sort();
    let mut expected: Vec<_> = (0..3).map(|index| person(index).id).collect();
    expected.sort();
    assert_eq!(found, expected);
    let (status, _) = call(&clerk, Method::GET, &format!("/v1/users?{}", "user_id=user_x&".repeat(101)), None).await;
    assert_eq!(status, 422);
}

#[tokio::test]
async fn users_are_listed_page_by_page() {
    let clerk = clerk().await;
    let ids = |users: Value| {
        users.as_array().unwrap().iter().map(|user| user["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let newest_first: Vec<_> = (0..8).rev().map(|index| person(index).id).collect();
    let (_, all) = call(&clerk, Method::GET, "/v1/users", None).await;
    assert_eq!(ids(all), newest_first);
    let mut seen = Vec::new();
    loop {
        let cursor = seen.last().map_or(String::new(), |last| format!("&starting_after={last}"));
        let (_, page) = call(&clerk, Method::GET, &format!("/v1/users?limit=3{cursor}"), None).await;
        let page = ids(page);
        let last = page.len() < 3;
        seen.extend(page);
        if last {
            break;
        }
    }
    assert_eq!(seen, newest_first);
    assert_eq!(
        call(&clerk, Method::GET, "/v1/users/count", None).await.1,
        json!({ "object": "total_count", "total_count": 8 })
    );
    let (_, ada) = call(&clerk, Method::GET, "/v1/users?query=lovelace", None).await;
    assert_eq!(ids(ada), [person(0).id]);
    let (_, grace) = call(&clerk, Method::GET, "/v1/users?email_address=grace@example.org", None).await;
    assert_eq!(ids(grace), [person(1).id]);
    for wrong in [
        "limit=501",
        "limit=x",
        "order_by=shoe_size",
        "order_by=username&starting_after=user_x",
        "starting_after=user_unknown",
    ] {
        assert_eq!(call(&clerk, Method::GET, &format!("/v1/users?{wrong}"), None).await.0, 422, "{wrong}");
    }
}

#[tokio::test]
async fn deleted_user_and_their_sessions_are_not_found() {
    let clerk = clerk().await;
    let user_id = person(0).id;
    let session = clerk.sign_in(&user_id).await;
    let path = format!("/v1/users/{user_id}");
    let (status, deleted) = call(&clerk, Method::DELETE, &path, None).await;
    assert_eq!((status, deleted), (200, json!({ "object": "user", "id": user_id, "deleted": true })));
    for (method, path) in [
        (Method::GET, path.clone()),
        (Method::DELETE, path.clone()),
        (Method::PATCH, format!("{path}/metadata")),
        (Method::GET, format!("/v1/sessions/{}", session.session_id)),
        (Method::POST, format!("/v1/sessions/{}/tokens", session.session_id)),
    ] {
        let (status, response) = call(&clerk, method.clone(), &path, Some(json!({}))).await;
        assert_eq!((status, code(&response)), (404, "resource_not_found"), "{method} {path}");
    }
}

#[tokio::test]
async fn errors_have_clerks_codes_and_its_content_type() {
    let clerk = clerk().await;
    let ada = person(0).id;
    let large = "x".repeat(9000);
    let cases = [
        (Method::POST, "/v1/users".to_owned(), json!({ "shoe_size": 41 }), 422, "form_param_unknown"),
        (Method::POST, "/v1/users".to_owned(), json!({}), 422, "form_param_missing"),
        (
            Method::POST,
            "/v1/users".to_owned(),
            json!({ "email_address": ["nobody"] }),
            422,
            "form_param_format_invalid",
        ),
        (
            Method::POST,
            "/v1/users".to_owned(),
            json!({ "email_address": ["ADA@example.org"] }),
            422,
            "form_identifier_exists",
        ),
        (Method::PATCH, format!("/v1/users/{ada}"), json!({ "public_metadata": {} }), 422, "form_param_unknown"),
        (Method::PATCH, format!("/v1/users/{ada}/metadata"), json!({ "metadata": {} }), 422, "form_param_unknown"),
        (
            Method::PATCH,
            format!("/v1/users/{ada}/metadata"),
            json!({ "public_metadata": { "a": large } }),
            422,
            "form_param_exceeds_allowed_size",
        ),
        (
            Method::PATCH,
            format!("/v1/users/{ada}/metadata"),
            json!({ "public_metadata": 1 }),
            422,
            "form_param_type_invalid",
        ),
        (Method::PATCH, format!("/v1/users/{ada}/metadata"), json!([]), 400, "request_body_invalid"),
        (
            Method::PATCH,
            format!("/v1/users/{ada}/metadata"),
            json!({ "public_metadata": { "a": "x".repeat(2_000_000) } }),
            413,
            "request_body_too_large",
        ),
        (Method::POST, "/v1/sessions".to_owned(), json!({ "user_id": "user_unknown" }), 404, "resource_not_found"),
        (Method::GET, "/v1/sessions".to_owned(), json!({}), 422, "form_param_missing"),
        (Method::GET, "/v1/clients/handshake_payload?nonce=unknown".to_owned(), json!({}), 404, "resource_not_found"),
        (Method::GET, "/v1/nothing".to_owned(), json!({}), 404, "resource_not_found"),
        (Method::DELETE, "/v1/jwks".to_owned(), json!({}), 405, "method_not_allowed"),
    ];
    for (method, path, body, status, expected) in cases {
        let response = send(&clerk, method.clone(), &path, Some(body)).await;
        assert_eq!(response.headers()["content-type"], "application/json", "{method} {path}");
        let (actual, body) = (response.status().as_u16(), response.json::<Value>().await.unwrap());
        assert_eq!((actual, code(&body)), (status, expected), "{method} {path}");
        assert!(body["errors"][0]["message"].is_string() && body["errors"][0]["long_message"].is_string());
    }
}

#[tokio::test]
async fn secret_key_is_required() {
    let clerk = clerk().await;
    let url = format!("{}/v1/users", clerk.url());
    let none = client().get(&url).send().await.unwrap();
    assert_eq!(none.status(), 401);
    assert_eq!(code(&none.json().await.unwrap()), "authentication_invalid");
    let wrong = client().get(&url).bearer_auth("sk_test_wrong").send().await.unwrap();
    assert_eq!(wrong.status(), 401);
    assert_eq!(code(&wrong.json().await.unwrap()), "clerk_key_invalid");
}
