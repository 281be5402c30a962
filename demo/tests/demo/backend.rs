//! The Backend API, operation by operation.

use demo::{
    people::person,
    testing::{ClerkStandIn, StandInOptions},
};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{ask, client, send};

async fn clerk() -> ClerkStandIn {
    ClerkStandIn::start(StandInOptions::default()).await
}

fn code(answer: &Value) -> &str {
    answer["errors"][0]["code"].as_str().expect("errors have a code")
}

/// Moments and random ids replaced, so that a snapshot shows the shape.
fn stable(mut value: Value) -> Value {
    fn visit(value: &mut Value) {
        match value {
            Value::Object(fields) => fields.values_mut().for_each(visit),
            Value::Array(items) => items.iter_mut().for_each(visit),
            Value::Number(number) if number.as_i64().is_some_and(|number| number > 1_000_000_000_000) => {
                *value = "[ms]".into();
            }
            Value::String(text) if text.len() > 27 && !text.contains([' ', '.']) => {
                *value = format!("[{}]", text.rsplit_once('_').expect("long words are ids").0).into();
            }
            _ => {}
        }
    }
    visit(&mut value);
    value
}

#[tokio::test]
async fn a_created_user_is_the_one_that_is_read() {
    let clerk = clerk().await;
    let body = json!({
        "email_address": ["New.Person@example.org"], "first_name": "New", "last_name": "Person", "external_id": "crm-7",
        "public_metadata": { "plan": "free" }, "unsafe_metadata": { "seen": true },
    });
    let (status, user) = ask(&clerk, Method::POST, "/v1/users", Some(body)).await;
    assert_eq!(status, 200);
    let (_, read) = ask(&clerk, Method::GET, &format!("/v1/users/{}", user["id"].as_str().unwrap()), None).await;
    assert_eq!(read, user);
    insta::assert_json_snapshot!(stable(user));
}

#[tokio::test]
async fn a_session_lives_until_it_is_revoked() {
    let clerk = clerk().await;
    let user_id = person(0).id;
    let (status, session) = ask(&clerk, Method::POST, "/v1/sessions", Some(json!({ "user_id": user_id }))).await;
    assert_eq!(status, 200);
    let path = format!("/v1/sessions/{}", session["id"].as_str().unwrap());
    assert_eq!(ask(&clerk, Method::GET, &path, None).await, (200, session.clone()));

    let (_, list) = ask(&clerk, Method::GET, &format!("/v1/sessions?user_id={user_id}&status=active"), None).await;
    assert_eq!(list, json!([session]));
    let (_, page) = ask(&clerk, Method::GET, &format!("/v1/sessions?user_id={user_id}&paginated=true"), None).await;
    assert_eq!(page, json!({ "data": [session], "total_count": 1 }));

    let (status, token) = ask(&clerk, Method::POST, &format!("{path}/tokens"), None).await;
    assert_eq!((status, &token["object"]), (200, &json!("token")));
    let (status, revoked) = ask(&clerk, Method::POST, &format!("{path}/revoke"), None).await;
    assert_eq!((status, &revoked["status"]), (200, &json!("revoked")));
    let (status, answer) = ask(&clerk, Method::POST, &format!("{path}/tokens"), None).await;
    assert_eq!((status, code(&answer)), (404, "resource_not_found"));
    insta::assert_json_snapshot!(stable(session));
}

#[tokio::test]
async fn metadata_is_merged_at_every_level_and_null_removes() {
    let clerk = clerk().await;
    let path = format!("/v1/users/{}/metadata", person(0).id);
    let first = json!({ "public_metadata": { "consent": { "marketing": true, "analytics": true } }, "private_metadata": { "note": 1 } });
    let (status, user) = ask(&clerk, Method::PATCH, &path, Some(first)).await;
    assert_eq!(status, 200);
    assert_eq!(
        user["public_metadata"],
        json!({ "products": ["blog"], "consent": { "marketing": true, "analytics": true } })
    );
    let second = json!({ "public_metadata": { "consent": { "analytics": null, "thirdParty": false } } });
    let (_, user) = ask(&clerk, Method::PATCH, &path, Some(second)).await;
    assert_eq!(
        user["public_metadata"],
        json!({ "products": ["blog"], "consent": { "marketing": true, "thirdParty": false } })
    );
    assert_eq!(user["private_metadata"], json!({ "note": 1 }));
    let (_, user) = ask(&clerk, Method::PUT, &path, Some(json!({ "public_metadata": { "only": "this" } }))).await;
    assert_eq!(user["public_metadata"], json!({ "only": "this" }));
}

#[tokio::test]
async fn two_merges_at_once_both_survive() {
    let clerk = clerk().await;
    let path = format!("/v1/users/{}/metadata", person(0).id);
    let merges = (0..20).map(|number| {
        let body = json!({ "public_metadata": { format!("key{number}"): number } });
        ask(&clerk, Method::PATCH, &path, Some(body))
    });
    futures::future::join_all(merges).await;
    let user = clerk.user(&person(0).id).await.unwrap();
    assert_eq!(user["public_metadata"].as_object().unwrap().len(), 21);
}

#[tokio::test]
async fn many_users_are_found_at_once_and_unknown_ones_left_out() {
    let clerk = clerk().await;
    let query = (0..3).map(|index| format!("user_id={}", person(index).id)).collect::<Vec<_>>().join("&");
    let (_, users) = ask(&clerk, Method::GET, &format!("/v1/users?{query}&user_id=user_unknown&limit=100"), None).await;
    let mut found: Vec<_> =
        users.as_array().unwrap().iter().map(|user| user["id"].as_str().unwrap().to_owned()).collect();
    found.sort();
    let mut wanted: Vec<_> = (0..3).map(|index| person(index).id).collect();
    wanted.sort();
    assert_eq!(found, wanted);
    let (status, _) = ask(&clerk, Method::GET, &format!("/v1/users?{}", "user_id=user_x&".repeat(101)), None).await;
    assert_eq!(status, 422);
}

#[tokio::test]
async fn users_are_listed_page_by_page() {
    let clerk = clerk().await;
    let ids = |users: Value| {
        users.as_array().unwrap().iter().map(|user| user["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let newest_first: Vec<_> = (0..8).rev().map(|index| person(index).id).collect();
    let (_, all) = ask(&clerk, Method::GET, "/v1/users", None).await;
    assert_eq!(ids(all), newest_first);
    let mut seen = Vec::new();
    loop {
        let cursor = seen.last().map_or(String::new(), |last| format!("&starting_after={last}"));
        let (_, page) = ask(&clerk, Method::GET, &format!("/v1/users?limit=3{cursor}"), None).await;
        let page = ids(page);
        let last = page.len() < 3;
        seen.extend(page);
        if last {
            break;
        }
    }
    assert_eq!(seen, newest_first);
    assert_eq!(
        ask(&clerk, Method::GET, "/v1/users/count", None).await.1,
        json!({ "object": "total_count", "total_count": 8 })
    );
    let (_, ada) = ask(&clerk, Method::GET, "/v1/users?query=lovelace", None).await;
    assert_eq!(ids(ada), [person(0).id]);
    let (_, grace) = ask(&clerk, Method::GET, "/v1/users?email_address=grace@example.org", None).await;
    assert_eq!(ids(grace), [person(1).id]);
    for wrong in [
        "limit=501",
        "limit=x",
        "order_by=shoe_size",
        "order_by=username&starting_after=user_x",
        "starting_after=user_unknown",
    ] {
        assert_eq!(ask(&clerk, Method::GET, &format!("/v1/users?{wrong}"), None).await.0, 422, "{wrong}");
    }
}

#[tokio::test]
async fn a_deleted_user_is_gone_with_sessions() {
    let clerk = clerk().await;
    let user_id = person(0).id;
    let session = clerk.sign_in(&user_id).await;
    let path = format!("/v1/users/{user_id}");
    let (status, deleted) = ask(&clerk, Method::DELETE, &path, None).await;
    assert_eq!((status, deleted), (200, json!({ "object": "user", "id": user_id, "deleted": true })));
    for (method, path) in [
        (Method::GET, path.clone()),
        (Method::DELETE, path.clone()),
        (Method::PATCH, format!("{path}/metadata")),
        (Method::GET, format!("/v1/sessions/{}", session.session_id)),
        (Method::POST, format!("/v1/sessions/{}/tokens", session.session_id)),
    ] {
        let (status, answer) = ask(&clerk, method.clone(), &path, Some(json!({}))).await;
        assert_eq!((status, code(&answer)), (404, "resource_not_found"), "{method} {path}");
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
    for (method, path, body, status, wanted) in cases {
        let answer = send(&clerk, method.clone(), &path, Some(body)).await;
        assert_eq!(answer.headers()["content-type"], "application/json", "{method} {path}");
        let (given, body) = (answer.status().as_u16(), answer.json::<Value>().await.unwrap());
        assert_eq!((given, code(&body)), (status, wanted), "{method} {path}");
        assert!(body["errors"][0]["message"].is_string() && body["errors"][0]["long_message"].is_string());
    }
}

#[tokio::test]
async fn the_secret_key_is_wanted() {
    let clerk = clerk().await;
    let url = format!("{}/v1/users", clerk.url());
    let none = client().get(&url).send().await.unwrap();
    assert_eq!(none.status(), 401);
    assert_eq!(code(&none.json().await.unwrap()), "authentication_invalid");
    let wrong = client().get(&url).bearer_auth("sk_test_wrong").send().await.unwrap();
    assert_eq!(wrong.status(), 401);
    assert_eq!(code(&wrong.json().await.unwrap()), "clerk_key_invalid");
}
