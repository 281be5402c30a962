//! The list of deletions for dashboards.

use lethe::deletion::{self, NewRequest, Origin};
use lethe_demo::people::person;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{TestApp, TestOptions, json, problem};

const PATH: &str = "/api/operator/deletions";

async fn app_with_deletions(count: usize) -> TestApp {
    let settings = vec![("LETHE_OPERATOR_TOKEN", "a token of the dashboard".to_owned())];
    let app = TestApp::with(TestOptions { settings, ..TestOptions::default() }).await;
    for index in 0..count {
        let subject = lethe::ClerkUserId::parse(&person(index).id).unwrap();
        let new = NewRequest {
            subject: &subject,
            origin: Origin::Api,
            confirmed_plan: None,
            contact: Some("ada@example.org"),
            idempotency_key: None,
        };
        deletion::request(&app.lethe, new).await.unwrap();
    }
    app
}

async fn list(app: &TestApp, query: &str) -> Value {
    let request = app.get(&format!("{PATH}{query}")).bearer_auth("a token of the dashboard");
    json(request.send().await.unwrap(), StatusCode::OK).await
}

#[tokio::test]
async fn deletions_are_listed_with_the_token_and_name_no_user() {
    let app = app_with_deletions(3).await;
    sqlx::query("update lethe.deletion_request set held_at = now(), hold_reason = 'a court'")
        .execute(app.pool())
        .await
        .unwrap();
    let page = list(&app, "?limit=2").await;
    let deletions = page["deletions"].as_array().unwrap();
    assert_eq!((deletions.len(), &page["attention"], &page["next"]), (2, &json!(0), &deletions[1]["request"]));
    let first = &deletions[0];
    assert_eq!(
        (&first["state"], &first["step"], &first["attempts"]),
        (&json!("open"), &json!("end_sessions"), &json!(0))
    );
    assert!(first["held_at"].is_string() && first["due_at"].is_string() && first["failure"].is_null(), "{first}");
    let receipts: Vec<String> =
        sqlx::query_scalar("select receipt_code from lethe.deletion_request").fetch_all(app.pool()).await.unwrap();
    for private in receipts.iter().map(String::as_str).chain([person(0).id.as_str(), "example.org", "a court"]) {
        assert!(!page.to_string().contains(private), "{private}: {page}");
    }
    let rest = list(&app, &format!("?limit=2&after={}", page["next"].as_str().unwrap())).await;
    assert_eq!((rest["deletions"].as_array().unwrap().len(), &rest["next"]), (1, &Value::Null));
    assert_eq!(list(&app, "?state=completed").await["deletions"], json!([]));
    for wrong in ["?state=lost", "?limit=0", "?limit=1001", "?after=ada", "?name=ada"] {
        let request = app.get(&format!("{PATH}{wrong}")).bearer_auth("a token of the dashboard");
        problem(request.send().await.unwrap(), StatusCode::BAD_REQUEST, "invalid_input").await;
    }
}

#[tokio::test]
async fn without_the_token_there_is_no_list() {
    let app = app_with_deletions(1).await;
    let ada = app.sign_in(1).await;
    for request in
        [app.get(PATH), app.get(PATH).bearer_auth("another"), ada.get(PATH), ada.bearer(reqwest::Method::GET, PATH)]
    {
        problem(request.send().await.unwrap(), StatusCode::NOT_FOUND, "not_found").await;
    }
    let unset = TestApp::start().await;
    for token in ["", "a token of the dashboard"] {
        let response = unset.get(PATH).bearer_auth(token).send().await.unwrap();
        problem(response, StatusCode::NOT_FOUND, "not_found").await;
    }
}
