//! What surrounds every operation, probed from outside, route by route: who is let in, and what a failure looks like.

use std::collections::{BTreeMap, BTreeSet};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::routing::get;
use leptos::server_fn::axum::server_fn_paths;
use lethe::ClerkUserId;
use lethe_demo::people::person;
use lethe_server::routes;
use reqwest::header::ACCEPT;
use reqwest::{Method, StatusCode};
use serde_json::json;
use tower::ServiceExt;

use crate::support::{TestApp, TestOptions, header, json, lethe_rows, limit, masked, problem};

/// Every route of the API that acts for a person.
pub(crate) const USER_ROUTES: [(&str, &str); 7] = [
    ("GET", "/api/privacy/consent"),
    ("GET", "/api/privacy/purposes"),
    ("POST", "/api/privacy/consent"),
    ("GET", "/api/privacy/export"),
    ("DELETE", "/api/privacy/delete"),
    ("GET", "/api/compliance/gdpr-export"),
    ("POST", "/api/compliance/gdpr-delete"),
];

/// Server functions that need a receipt's code in place of a session.
const OPEN_FUNCTIONS: [&str; 1] = ["/api/_/deletion_progress"];

fn method(name: &str) -> Method {
    name.parse().unwrap()
}

#[tokio::test]
async fn route_without_a_session_is_refused() {
    let app = TestApp::start().await;
    for (name, path) in USER_ROUTES {
        let response = app.request(method(name), path).send().await.unwrap();
        problem(response, StatusCode::UNAUTHORIZED, "not_signed_in").await;
        for token in ["nonsense", "a.b.c", "eyJhbGciOiJub25lIn0.e30."] {
            let response = app.request(method(name), path).bearer_auth(token).send().await.unwrap();
            problem(response, StatusCode::UNAUTHORIZED, "not_signed_in").await;
        }
    }
}

#[tokio::test]
async fn server_function_without_a_session_is_refused() {
    let app = TestApp::start().await;
    let functions: Vec<_> = server_fn_paths().collect();
    assert!(functions.len() >= 5, "the app's functions are linked: {functions:?}");
    for (path, name) in functions {
        assert!(path.starts_with("/api/_/"), "{path}");
        let response =
            app.request(name, path).header("content-type", "application/x-www-form-urlencoded").send().await.unwrap();
        let status = response.status();
        if OPEN_FUNCTIONS.contains(&path) {
            assert_eq!(status, StatusCode::BAD_REQUEST, "{path} wants a code");
        } else {
            assert_eq!(status, StatusCode::UNAUTHORIZED, "{path}: {}", response.text().await.unwrap());
        }
    }
}

#[tokio::test]
async fn cross_origin_write_is_refused() {
    let app = TestApp::start().await;
    let ada = app.sign_in(0).await;
    let personal = USER_ROUTES.map(|(name, path)| (method(name), path.to_owned())).into_iter();
    let functions = server_fn_paths().map(|(path, method)| (method, path.to_owned()));
    let others = [(Method::POST, "/sign-out".to_owned()), (Method::POST, "/confirm-identity".to_owned())].into_iter();
    for (method, path) in personal.chain(functions).chain(others).filter(|(method, _)| *method != Method::GET) {
        for (name, value) in [
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
            ("origin", "https://evil.example"),
            ("origin", "null"),
        ] {
            let response = app
                .request(method.clone(), &path)
                .header("cookie", &ada.token.cookies)
                .header(name, value)
                .body("{\"confirm\": true}")
                .send()
                .await
                .unwrap();
            problem(response, StatusCode::FORBIDDEN, "cross_origin").await;
        }
    }
    assert!(app.clerk.user(&ada.token.user_id).await.is_some());
}

#[tokio::test]
async fn get_server_function_changes_nothing() {
    let app = TestApp::start().await;
    let grace = app.sign_in(1).await;
    let deletion = json(grace.delete("/api/privacy/delete").send().await.unwrap(), StatusCode::OK).await;
    let receipt_code = deletion["receipt"].as_str().unwrap().trim_start_matches("/receipt/");
    let ada = app.sign_in(0).await;
    json(ada.post("/api/privacy/consent").json(&json!({"marketing": true})).send().await.unwrap(), StatusCode::OK)
        .await;
    let user_handle = app.lethe.keys.user_handle(&ClerkUserId::parse(&person(0).id).unwrap());
    let arguments = BTreeMap::from([
        ("/api/_/deletion_progress", format!("code={receipt_code}")),
        ("/api/_/latest_export", String::new()),
        ("/api/_/recent_activity", String::new()),
        ("/api/_/held_data", format!("person={user_handle}")),
        ("/api/_/preferences", format!("person={user_handle}")),
        ("/api/_/preview_deletion", format!("person={user_handle}")),
    ]);
    let functions: BTreeSet<_> =
        server_fn_paths().filter(|(_, method)| *method == Method::GET).map(|(path, _)| path).collect();
    assert_eq!(
        functions,
        arguments.keys().copied().collect(),
        "each function is called with arguments that it accepts"
    );
    // All but the counters of rate limits.
    let rows = async || {
        let mut rows = lethe_rows(app.pool()).await;
        rows.remove("lethe.rate_limit").expect("they are counted there");
        rows
    };
    let before = rows().await;
    for (path, query) in &arguments {
        let response = ada.get(&format!("{path}?{query}")).send().await.unwrap();
        json(response, StatusCode::OK).await;
    }
    assert_eq!(rows().await, before);
}

#[tokio::test]
async fn unknown_path_is_a_document_for_programs_and_a_page_for_browsers() {
    let app = TestApp::start().await;
    for path in
        ["/api/", "/api/unknown", "/api/privacy", "/api/privacy/exports", "/api/_/unknown", "/api/webhooks/stripe"]
    {
        problem(app.get(path).send().await.unwrap(), StatusCode::NOT_FOUND, "not_found").await;
        let response = app.request(Method::POST, path).send().await.unwrap();
        problem(response, StatusCode::NOT_FOUND, "not_found").await;
    }
    let page = app.navigate("/nothing/here").send().await.unwrap();
    assert_eq!(page.status(), StatusCode::NOT_FOUND);
    assert!(header(page.headers(), "content-type").starts_with("text/html"));
}

#[tokio::test]
async fn wrong_method_gets_the_allowed_ones() {
    let app = TestApp::start().await;
    for (name, path, allowed) in [
        ("PUT", "/api/privacy/consent", "GET,HEAD,POST"),
        ("POST", "/api/privacy/export", "GET,HEAD"),
        ("GET", "/api/privacy/delete", "DELETE"),
        ("GET", "/api/compliance/gdpr-delete", "POST"),
        ("GET", "/api/webhooks/clerk", "POST"),
        ("GET", "/sign-out", "POST"),
        ("GET", "/confirm-identity", "POST"),
    ] {
        let response = app.request(method(name), path).send().await.unwrap();
        let mut given: Vec<_> = header(response.headers(), "allow").split(',').map(str::to_owned).collect();
        given.sort();
        assert_eq!(given.join(","), allowed, "{name} {path}");
        problem(response, StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed").await;
    }
}

#[tokio::test]
async fn oversized_body_is_refused() {
    let app = TestApp::start().await;
    let ada = app.sign_in(0).await;
    let body = "x".repeat(64 * 1024 + 1);
    let functions = server_fn_paths().map(|(path, method)| (method, path.to_owned()));
    let personal = USER_ROUTES.map(|(name, path)| (method(name), path.to_owned())).into_iter();
    for (method, path) in functions.chain(personal).filter(|(method, _)| *method == Method::POST) {
        let response = ada.request(method, &path).body(body.clone()).send().await.unwrap();
        problem(response, StatusCode::PAYLOAD_TOO_LARGE, "too_large").await;
    }
}

#[tokio::test]
async fn anonymous_writes_are_limited_by_ip_address() {
    let settings =
        vec![("LETHE_ANONYMOUS_WRITES_PER_MINUTE", limit(3)), ("LETHE_TRUSTED_PROXIES", "127.0.0.0/8".to_owned())];
    let app = TestApp::with(TestOptions { settings, ..TestOptions::default() }).await;
    let write = |address: &str| {
        app.request(Method::POST, "/api/privacy/consent").header("x-forwarded-for", address).body("{}").send()
    };
    for _ in 0..3 {
        problem(write("198.51.100.7").await.unwrap(), StatusCode::UNAUTHORIZED, "not_signed_in").await;
    }
    let response = write("198.51.100.7").await.unwrap();
    assert!(!header(response.headers(), "retry-after").is_empty());
    problem(response, StatusCode::TOO_MANY_REQUESTS, "too_many_requests").await;
    problem(write("198.51.100.8").await.unwrap(), StatusCode::UNAUTHORIZED, "not_signed_in").await;
    // Reading isn't limited.
    problem(
        app.get("/api/privacy/consent").header("x-forwarded-for", "198.51.100.7").send().await.unwrap(),
        StatusCode::UNAUTHORIZED,
        "not_signed_in",
    )
    .await;
}

#[tokio::test]
async fn problem_document_has_this_shape() {
    let app = TestApp::start().await;
    let response = app.get("/api/privacy/consent").send().await.unwrap();
    let document = problem(response, StatusCode::UNAUTHORIZED, "not_signed_in").await;
    insta::assert_json_snapshot!(masked(&document, "incident"), @r#"
    {
      "code": "not_signed_in",
      "incident": "[incident]",
      "status": 401,
      "title": "Unauthorized",
      "type": "about:blank"
    }
    "#);
}

#[tokio::test]
async fn panic_fails_one_request_and_reveals_nothing() {
    let app = TestApp::start().await;
    let router = Router::new().route("/api/panics", get(panicking_handler)).route("/panics", get(panicking_handler));
    let router = routes::wrap(router, &app.state).with_state(app.state.clone());
    for (path, accept, kind) in
        [("/api/panics", "*/*", "application/problem+json"), ("/panics", "text/html", "text/html; charset=utf-8")]
    {
        let request = Request::get(path).header(ACCEPT, accept).body(Body::empty()).unwrap();
        let response = router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(header(response.headers(), "content-type"), kind);
        let incident = header(response.headers(), "x-incident-id").to_owned();
        let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
        let body = String::from_utf8_lossy(&body);
        assert!(body.contains(&incident) && !body.contains("inside"), "{body}");
    }
}

/// The same cause has the same status whether a page, a server function or the API reports it.
#[tokio::test]
async fn defect_is_an_internal_error_on_page_and_api() {
    let app = TestApp::start().await;
    let ada = app.sign_in(0).await;
    let user_handle = app.lethe.keys.user_handle(&ClerkUserId::parse(&person(0).id).unwrap());
    // Authentication doesn't read this table.
    sqlx::query("alter table lethe.consent_entry rename to renamed").execute(app.pool()).await.unwrap();
    let page = ada.navigate("/").send().await.unwrap();
    let function = ada
        .post("/api/_/save_preferences")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(format!("granted[0]=marketing&person={user_handle}"));
    let function = json(function.send().await.unwrap(), StatusCode::INTERNAL_SERVER_ERROR).await;
    let api = ada.get("/api/privacy/consent").send().await.unwrap();
    assert_eq!(page.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(function["code"], "internal");
    problem(api, StatusCode::INTERNAL_SERVER_ERROR, "internal").await;
}

#[tokio::test]
async fn unreachable_database_is_unavailable_on_page_and_api() {
    let app = TestApp::start().await;
    let ada = app.sign_in(0).await;
    app.lethe.database.close().await;
    let code = "7Q2M-9KXA-41TD-8ZRC-5V3N";
    let page = app.navigate(&format!("/receipt/{code}")).send().await.unwrap();
    let function = app.get(&format!("/api/_/deletion_progress?code={code}")).send().await.unwrap();
    let api = ada.get("/api/privacy/consent").send().await.unwrap();
    assert_eq!(page.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(json(function, StatusCode::SERVICE_UNAVAILABLE).await["code"], "unavailable");
    problem(api, StatusCode::SERVICE_UNAVAILABLE, "unavailable").await;
}

async fn panicking_handler() {
    panic!("inside")
}
