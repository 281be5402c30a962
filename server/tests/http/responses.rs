//! What every response has, and the routes that need no session.

use lethe::ErrorCode;
use lethe::deletion::ReceiptCode;
use reqwest::header::{ACCEPT, HeaderMap, ORIGIN};
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::middleware::USER_ROUTES;
use crate::support::{TestApp, TestOptions, header, json, problem};

#[tokio::test]
async fn page_has_security_headers() {
    let app = TestApp::start().await;
    let page = app.get("/").header(ACCEPT, "text/html").header("sec-fetch-dest", "empty").send().await.unwrap();
    insta::assert_snapshot!(guard_headers(&app, page.headers()), @r"
    cache-control: no-store, private
    content-security-policy: default-src 'none'; script-src 'nonce-[nonce]' 'strict-dynamic' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; manifest-src 'self'; frame-src 'self' [clerk]; form-action 'self' [clerk]; base-uri 'none'; frame-ancestors 'none'
    cross-origin-opener-policy: same-origin
    cross-origin-resource-policy: same-origin
    permissions-policy: accelerometer=(), autoplay=(), browsing-topics=(), camera=(), display-capture=(), fullscreen=(), geolocation=(), gyroscope=(), magnetometer=(), microphone=(), midi=(), payment=(), publickey-credentials-get=(), screen-wake-lock=(), serial=(), usb=()
    referrer-policy: same-origin
    x-content-type-options: nosniff
    x-frame-options: DENY
    ");
}

#[tokio::test]
async fn document_has_stricter_security_headers() {
    let app = TestApp::start().await;
    let response = app.get("/api/privacy/consent").send().await.unwrap();
    assert_eq!(
        header(response.headers(), "content-security-policy"),
        "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    );
    assert_eq!(header(response.headers(), "cache-control"), "no-store, private");
}

#[tokio::test]
async fn nonce_differs_per_request() {
    let app = TestApp::start().await;
    let mut nonces = Vec::new();
    for _ in 0..2 {
        let page = app.get("/").header(ACCEPT, "text/html").header("sec-fetch-dest", "empty").send().await.unwrap();
        let policy = header(page.headers(), "content-security-policy").to_owned();
        let nonce = policy.split("'nonce-").nth(1).unwrap().split('\'').next().unwrap().to_owned();
        let text = page.text().await.unwrap();
        assert!(text.contains(&format!("nonce=\"{nonce}\"")), "{text}");
        for script in text.split("<script").skip(1) {
            let tag = script.split('>').next().unwrap();
            assert!(tag.contains("nonce="), "<script{tag}>");
        }
        nonces.push(nonce);
    }
    assert_ne!(nonces[0], nonces[1]);
}

#[tokio::test]
async fn https_installation_sends_hsts() {
    let settings = vec![("LETHE_URL", "https://privacy.example.org".to_owned())];
    let app = TestApp::with(TestOptions { settings, ..TestOptions::default() }).await;
    let response = app.get("/healthz").send().await.unwrap();
    assert_eq!(header(response.headers(), "strict-transport-security"), "max-age=31536000");
    // A proxy may rewrite the host; the browser's origin is the public one.
    let response = app
        .request(Method::POST, "/api/privacy/consent")
        .header(ORIGIN, "https://privacy.example.org")
        .send()
        .await
        .unwrap();
    problem(response, StatusCode::UNAUTHORIZED, "not_signed_in").await;
}

#[tokio::test]
async fn health_endpoints_need_no_session() {
    let app = TestApp::start().await;
    assert_eq!(json(app.get("/healthz").send().await.unwrap(), StatusCode::OK).await, json!({"status": "ok"}));
    assert_eq!(
        json(app.get("/readyz").send().await.unwrap(), StatusCode::OK).await,
        json!({"status": "ready", "clerk": "ok", "data_map": "ok", "data_map_file": "ok"})
    );
    sqlx::query("alter schema lethe rename to elsewhere").execute(app.pool()).await.unwrap();
    problem(app.get("/readyz").send().await.unwrap(), StatusCode::SERVICE_UNAVAILABLE, "unavailable").await;
    assert_eq!(json(app.get("/healthz").send().await.unwrap(), StatusCode::OK).await, json!({"status": "ok"}));
}

#[tokio::test]
async fn gpc_statement_is_served() {
    let app = TestApp::start().await;
    let statement = json(app.get("/.well-known/gpc.json").send().await.unwrap(), StatusCode::OK).await;
    assert_eq!(statement["gpc"], true);
}

/// A proxy on this machine looks like a local program.
#[tokio::test]
async fn without_a_token_there_are_no_metrics() {
    let app = TestApp::start().await;
    problem(app.get("/metrics").send().await.unwrap(), StatusCode::NOT_FOUND, "not_found").await;
}

#[tokio::test]
async fn metrics_require_the_token() {
    let settings = vec![("LETHE_METRICS_TOKEN", "number-reader".to_owned())];
    let app = TestApp::with(TestOptions { settings, ..TestOptions::default() }).await;
    json(app.get("/healthz").send().await.unwrap(), StatusCode::OK).await;
    problem(app.get("/metrics").send().await.unwrap(), StatusCode::NOT_FOUND, "not_found").await;
    let response = app.get("/metrics").bearer_auth("number-reader").send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let text = response.text().await.unwrap();
    assert!(text.contains(r#"lethe_http_requests_total{method="GET",route="/healthz",status="200"}"#), "{text}");
    for gauge in [
        "lethe_database_connections",
        r#"lethe_deletions{state="open"} 0"#,
        r#"lethe_deletions{state="attention"} 0"#,
        r#"lethe_deletions{state="overdue"} 0"#,
        "lethe_deletions_oldest_seconds 0",
        "lethe_purges_overdue 0",
    ] {
        assert!(text.contains(gauge), "{gauge}: {text}");
    }

    let forwarded =
        |token: &str| app.get("/metrics").header("x-forwarded-for", "203.0.113.1").bearer_auth(token).send();
    problem(forwarded("wrong").await.unwrap(), StatusCode::NOT_FOUND, "not_found").await;
    assert_eq!(forwarded("number-reader").await.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn openapi_describes_every_user_route() {
    let app = TestApp::start().await;
    let description = json(app.get("/api/openapi.json").send().await.unwrap(), StatusCode::OK).await;
    for (method, path) in USER_ROUTES {
        let operation = &description["paths"][path][method.to_lowercase()];
        assert!(operation["responses"]["401"].is_object(), "{method} {path}");
    }
}

/// The examples in the API description are made by hand where the values are random: they must have the real form.
#[tokio::test]
async fn openapi_examples_have_the_form_of_real_values() {
    let app = TestApp::start().await;
    let response = app.get("/api/openapi.json").send().await.unwrap();
    let schemas = json(response, StatusCode::OK).await["components"]["schemas"].clone();
    let codes: Vec<_> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(schemas["Document"]["properties"]["code"]["enum"], json!(codes));
    let response = app.get("/api/privacy/consent").send().await.unwrap();
    let incident = header(response.headers(), "x-incident-id");
    let example = schemas["Document"]["properties"]["incident"]["examples"][0].as_str().unwrap();
    assert_eq!(example.len(), incident.len(), "{example} {incident}");
    assert!(example.chars().all(|character| "0123456789ABCDEFGHJKMNPQRSTVWXYZ".contains(character)), "{example}");
    let example = schemas["Deletion"]["properties"]["receipt"]["examples"][0].as_str().unwrap();
    let code = example.strip_prefix("/receipt/").unwrap();
    assert_eq!(ReceiptCode::parse(code).unwrap().as_str(), code);
}

#[tokio::test]
async fn hashed_assets_are_immutable_and_precompressed() {
    let app = TestApp::start().await;
    let response = app.get("/pkg/lethe-1.css").header("accept-encoding", "br").send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(header(response.headers(), "content-encoding"), "br");
    assert_eq!(header(response.headers(), "cache-control"), "public, max-age=31536000, immutable");
    assert_eq!(response.text().await.unwrap(), "compressed");
    let response = app.get("/robots.txt").send().await.unwrap();
    assert_eq!(header(response.headers(), "cache-control"), "public, max-age=3600");
    for path in ["/pkg/lethe-2.css", "/pkg/../assets.json", "/pkg/%2e%2e/assets.json", "/assets.json"] {
        let response = app.get(path).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::NOT_FOUND, "{path}");
        assert!(!header(response.headers(), "cache-control").contains("immutable"), "{path}");
    }
}

fn guard_headers(app: &TestApp, headers: &HeaderMap) -> String {
    let mut lines: Vec<_> = headers
        .iter()
        .filter(|(name, _)| {
            ![
                "content-type",
                "content-length",
                "transfer-encoding",
                "date",
                "vary",
                "x-clerk-auth-status",
                "x-clerk-auth-reason",
            ]
            .contains(&name.as_str())
        })
        .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap().replace(app.clerk.url(), "[clerk]")))
        .collect();
    lines.sort();
    let text = lines.join("\n");
    match text.split_once("'nonce-") {
        Some((before, after)) => {
            format!("{before}'nonce-[nonce]'{}", after.split_once('\'').unwrap().1)
        }
        None => text,
    }
}
