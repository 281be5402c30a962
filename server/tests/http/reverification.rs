//! Before a deletion and before a disclosure: who is it, and how long ago did they prove it?

use lethe_demo::people::person;
use lethe_demo::testing::TokenOptions;
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::{Map, Value, json};

use crate::forms::{Form as _, as_plain_form, deletion_form_fields};
use crate::support::{Browser, TestApp, header, json, masked, problem};

pub(crate) const EXPORTS: [&str; 2] = ["/api/privacy/export", "/api/compliance/gdpr-export"];
const DELETE: &str = "/api/privacy/delete";
const CONFIRMED: &str = "/api/compliance/gdpr-delete";
pub(crate) const CONFIRM: &str = "/confirm-identity";
pub(crate) const REQUEST_DELETION: &str = "/api/_/request_deletion";

/// A sign-in whose token says this about its factors' ages; `null`: nothing.
pub(crate) fn token_with_factor_ages(ages: &Value) -> TokenOptions {
    TokenOptions { claims: Map::from_iter([("fva".to_owned(), ages.clone())]), ..TokenOptions::default() }
}

pub(crate) fn stale_sign_in() -> TokenOptions {
    token_with_factor_ages(&json!([30, -1]))
}

#[tokio::test]
async fn fva_must_be_under_ten_minutes() {
    let app = TestApp::start().await;
    for (ages, passes) in [
        (json!([0, -1]), true),
        (json!([9, -1]), true),
        (json!([10, -1]), false),
        (json!([1440, -1]), false),
        // Whoever has a second factor is asked for it.
        (json!([30, 9]), true),
        (json!([0, 10]), false),
        (json!([-1, 3]), true),
        (json!([-1, 30]), false),
        // Nothing ever confirmed them, or nobody knows.
        (json!([-1, -1]), false),
        (Value::Null, false),
        (json!([3]), false),
        (json!(["3", -1]), false),
        (json!("3"), false),
    ] {
        let ada = app.sign_in_with(0, token_with_factor_ages(&ages)).await;
        for path in EXPORTS {
            for request in [ada.get(path), ada.bearer(Method::GET, path)] {
                let response = request.send().await.unwrap();
                if passes {
                    assert_eq!(response.status(), StatusCode::OK, "{ages} {path}");
                } else {
                    assert_reverification(response).await;
                }
            }
        }
        if !passes {
            for response in deletions(&ada) {
                assert_reverification(response.send().await.unwrap()).await;
            }
        }
    }
    assert!(app.clerk.user(&person(0).id).await.is_some());
    // The same ages let a deletion through, a person each.
    for (index, ages) in [json!([9, -1]), json!([30, 9]), json!([-1, 3])].into_iter().enumerate() {
        let user = app.sign_in_with(index, token_with_factor_ages(&ages)).await;
        let [by_method, by_word] = deletions(&user);
        let response = if index == 0 { by_word } else { by_method };
        assert_eq!(json(response.send().await.unwrap(), StatusCode::OK).await["deleted"], true, "{ages}");
    }
}

#[tokio::test]
async fn reverification_problem_contains_clerks_hint() {
    let app = TestApp::start().await;
    let ada = app.sign_in_with(0, stale_sign_in()).await;
    let document = assert_reverification(ada.get(EXPORTS[0]).send().await.unwrap()).await;
    insta::assert_json_snapshot!(masked(&document, "incident"), @r#"
    {
      "clerk_error": {
        "metadata": {
          "reverification": "strict"
        },
        "reason": "reverification-error",
        "type": "forbidden"
      },
      "code": "reverification_needed",
      "incident": "[incident]",
      "status": 403,
      "title": "Forbidden",
      "type": "about:blank"
    }
    "#);
}

#[tokio::test]
async fn consent_and_pages_need_no_fresh_sign_in() {
    let app = TestApp::start().await;
    let ada = app.sign_in_with(0, stale_sign_in()).await;
    let record = ada.post("/api/privacy/consent").json(&json!({"marketing": true})).send().await.unwrap();
    assert_eq!(json(record, StatusCode::OK).await["marketing"], true);
    assert_eq!(ada.navigate("/").send().await.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn impersonated_session_is_refused_before_reverification() {
    let app = TestApp::start().await;
    let options = TokenOptions { actor: Some(person(5).id), ..stale_sign_in() };
    let ada = app.sign_in_with(0, options).await;
    for request in deletions(&ada).into_iter().chain(EXPORTS.map(|path| ada.get(path))) {
        let document = problem(request.send().await.unwrap(), StatusCode::FORBIDDEN, "impersonated").await;
        assert!(document["clerk_error"].is_null());
    }
    let response = ada.post(CONFIRM).form(&[("for", "page")]).send().await.unwrap();
    problem(response, StatusCode::FORBIDDEN, "impersonated").await;
    let page = ada.navigate("/delete").send().await.unwrap().text().await.unwrap();
    assert!(!page.contains(CONFIRM) && !page.contains("name=\"confirmation\""), "{page}");
}

#[tokio::test]
async fn deletion_page_and_function_refuse_a_stale_sign_in() {
    let app = TestApp::start().await;
    let ada = app.sign_in_with(0, stale_sign_in()).await;
    let page = ada.navigate("/delete").send().await.unwrap().text().await.unwrap();
    assert!(page.contains(CONFIRM) && !page.contains("name=\"confirmation\""), "{page}");
    let fields = deletion_form_fields(&page, "delete my account");
    let response = ada.post(REQUEST_DELETION).form(&fields).send().await.unwrap();
    assert_eq!(json(response, StatusCode::FORBIDDEN).await["code"], "reverification_needed");
    let response = as_plain_form(ada.post(REQUEST_DELETION), &app).form(&fields).send().await.unwrap();
    assert_eq!(header(response.headers(), "location"), "/delete#deletion-refused");
    let preview = ada.get(&format!("/api/_/preview_deletion?person={}", fields[1].1)).send().await.unwrap();
    assert_eq!(json(preview, StatusCode::OK).await["refused"], "reverification_needed");
    assert!(app.clerk.user(&person(0).id).await.is_some());
}

/// Both ways to delete over the API.
fn deletions(browser: &Browser<'_>) -> [RequestBuilder; 2] {
    [browser.delete(DELETE), browser.post(CONFIRMED).json(&json!({"confirm": true}))]
}

async fn assert_reverification(response: Response) -> Value {
    let document = problem(response, StatusCode::FORBIDDEN, "reverification_needed").await;
    assert_eq!(document["clerk_error"]["reason"], "reverification-error");
    document
}
