//! Downloads: everything of one person, and nothing of anybody else.

use lethe_demo::people::person;
use lethe_demo::sample::PERSONAL_TABLES;
use lethe_demo::testing::{Fault, TokenOptions};
use reqwest::{Method, StatusCode};
use serde_json::{Map, Value};

use crate::support::{TestApp, TestOptions, header, json, limit, problem};

const FULL: &str = "/api/privacy/export";
const TABLES: &str = "/api/compliance/gdpr-export";

/// What must never be in an export.
const NEVER_EXPORTED: [&str; 1] = ["secret_hash"];

#[tokio::test]
async fn export_contains_exactly_the_users_rows() {
    let app = TestApp::start().await;
    // A person of the blog, one of the lab, one of both.
    for index in [0, 1, 3] {
        let browser = app.sign_in(index).await;
        let response = browser.get(FULL).send().await.unwrap();
        assert_eq!(header(response.headers(), "content-type"), "application/json");
        assert!(header(response.headers(), "content-disposition").starts_with("attachment"));
        assert_eq!(header(response.headers(), "cache-control"), "no-store, private");
        let export = json(response, StatusCode::OK).await;
        let keys: Vec<_> = export.as_object().unwrap().keys().cloned().collect();
        assert_eq!(keys, ["applicationData", "clerkProfile", "exportDate"]);
        assert_eq!(export["applicationData"], expected(&app, index).await, "person {index}");
        let profile = export["clerkProfile"].to_string();
        assert!(profile.contains(&person(index).email), "{profile}");

        let tables = json(browser.get(TABLES).send().await.unwrap(), StatusCode::OK).await;
        assert_eq!(tables, export["applicationData"]);
    }
}

#[tokio::test]
async fn export_contains_nothing_of_others() {
    let app = TestApp::start().await;
    let ada = app.sign_in(0).await;
    let text = ada.get(FULL).send().await.unwrap().text().await.unwrap();
    for index in 1..8 {
        let other = person(index);
        for theirs in [&other.id, &other.email, &other.name()] {
            assert!(!text.contains(theirs.as_str()), "{theirs} of person {index}");
        }
    }
    for never in NEVER_EXPORTED {
        assert!(!text.contains(never), "{never}");
    }
}

#[tokio::test]
async fn export_is_recorded() {
    let app = TestApp::start().await;
    let ada = app.sign_in(0).await;
    let bytes = ada.get(FULL).send().await.unwrap().bytes().await.unwrap();
    let latest = lethe::export::latest(&app.lethe, &lethe::ClerkUserId::parse(&person(0).id).unwrap()).await.unwrap();
    let latest = latest.expect("it was written down");
    assert_eq!(latest.bytes, bytes.len() as u64);
}

#[tokio::test]
async fn clerk_outage_refuses_the_export() {
    let app = TestApp::start().await;
    let ada = app.sign_in(0).await;
    json(ada.get("/api/privacy/consent").send().await.unwrap(), StatusCode::OK).await;
    app.clerk.fail(Fault { status: Some(503), ..Fault::default() });
    let response = ada.get(FULL).send().await.unwrap();
    assert!(!header(response.headers(), "retry-after").is_empty());
    problem(response, StatusCode::SERVICE_UNAVAILABLE, "unavailable").await;
}

#[tokio::test]
async fn exports_are_rate_limited() {
    let settings = vec![("LETHE_EXPORTS_PER_HOUR", limit(2))];
    let app = TestApp::with(TestOptions { settings, ..TestOptions::default() }).await;
    let ada = app.sign_in(0).await;
    for path in [FULL, TABLES] {
        json(ada.get(path).send().await.unwrap(), StatusCode::OK).await;
    }
    let response = ada.get(FULL).send().await.unwrap();
    let wait: u64 = header(response.headers(), "retry-after").parse().unwrap();
    assert!((1..=1_801).contains(&wait), "{wait}");
    problem(response, StatusCode::TOO_MANY_REQUESTS, "too_many_requests").await;
    // Somebody else's turn.
    let grace = app.sign_in(1).await;
    json(grace.get(FULL).send().await.unwrap(), StatusCode::OK).await;
}

#[tokio::test]
async fn impersonated_session_cannot_export() {
    let app = TestApp::start().await;
    let options = TokenOptions { actor: Some(person(5).id), ..TokenOptions::default() };
    let ada = app.sign_in_with(0, options).await;
    for path in [FULL, TABLES] {
        problem(ada.get(path).send().await.unwrap(), StatusCode::FORBIDDEN, "impersonated").await;
    }
}

/// Cookies come along with such a navigation.
#[tokio::test]
async fn navigation_from_another_site_starts_no_export() {
    let app = TestApp::start().await;
    let ada = app.sign_in(0).await;
    let before = app.audit_entries().await;
    for path in [FULL, TABLES] {
        for site in ["cross-site", "same-site"] {
            let response = ada.get(path).header("sec-fetch-site", site).send().await.unwrap();
            problem(response, StatusCode::FORBIDDEN, "cross_origin").await;
            // The state of a handshake is of no use without the cookie, nor the cookie without the state.
            let with_state = format!("{path}?handshake_state=AAAAAAAAAAAAAAAAAAAAAA");
            let response = ada.get(&with_state).header("sec-fetch-site", site).send().await.unwrap();
            problem(response, StatusCode::FORBIDDEN, "cross_origin").await;
        }
    }
    assert_eq!(app.audit_entries().await, before);
    for site in ["none", "same-origin"] {
        json(ada.get(FULL).header("sec-fetch-site", site).send().await.unwrap(), StatusCode::OK).await;
    }
}

/// The redirects by way of Clerk count as another site's, but they began here.
#[tokio::test]
async fn browser_that_comes_back_from_a_handshake_gets_its_export() {
    let app = TestApp::start().await;
    let expired = app.clerk.sign_in_expired(&person(0).id).await.cookies;
    let mut jar: Vec<(String, String)> = expired
        .split("; ")
        .filter(|pair| !pair.starts_with("__refresh"))
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let (mut url, mut site) = (format!("{}{FULL}", app.url), "same-origin");
    for _ in 0..8 {
        let cookies = jar.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ");
        let request = app.http.get(&url).header("cookie", cookies).header("sec-fetch-site", site);
        let request = request.header("sec-fetch-dest", "document").header("accept", "text/html");
        let response = request.send().await.unwrap();
        for line in response.headers().get_all("set-cookie") {
            let (name, value) = line.to_str().unwrap().split(';').next().unwrap().split_once('=').unwrap();
            jar.retain(|(known, _)| known != name);
            jar.push((name.to_owned(), value.to_owned()));
        }
        let location = header(response.headers(), "location").to_owned();
        if location.is_empty() {
            let file = json(response, StatusCode::OK).await;
            assert!(file["applicationData"].is_object());
            return;
        }
        url = reqwest::Url::parse(&url).unwrap().join(&location).unwrap().into();
        if !url.starts_with(&app.url) {
            site = "cross-site";
        }
    }
    panic!("no download: {url}");
}

#[tokio::test]
async fn head_request_starts_no_export() {
    let app = TestApp::start().await;
    let ada = app.sign_in(0).await;
    let before = app.audit_entries().await;
    let response = ada.request(Method::HEAD, FULL).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(app.audit_entries().await, before);
}

/// The person's rows of every table in which they have any, straight from the database.
async fn expected(app: &TestApp, index: usize) -> Value {
    let mut tables = Map::new();
    for (table, column) in PERSONAL_TABLES {
        let query = format!(
            "select coalesce(jsonb_agg(to_jsonb(row) order by row.id), '[]') from public.{table} row where {column} = $1"
        );
        let mut rows: Value =
            sqlx::query_scalar(sqlx::AssertSqlSafe(query)).bind(person(index).id).fetch_one(app.pool()).await.unwrap();
        for row in rows.as_array_mut().unwrap() {
            for never in NEVER_EXPORTED {
                row.as_object_mut().unwrap().remove(never);
            }
        }
        tables.insert(table.to_owned(), rows);
    }
    Value::Object(tables)
}
