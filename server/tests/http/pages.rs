//! Pages: what they show to whom, and what they cost.

use lethe_demo::people::person;
use lethe_demo::testing::Fault;
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::support::{Browser, TestApp, displayed_texts, eventually, header, json};

const COOKIE_CHECK: &str = "lethe-cookie-check=1; Path=/; SameSite=Lax; Max-Age=600";

#[tokio::test]
async fn page_view_sends_no_request_to_clerk() {
    let app = TestApp::start().await;
    let ada = app.sign_in(0).await;
    // The first view fetches the keys that verify sessions and, in the background, the name.
    eventually("the name is cached", async || shows_name(&ada).await).await;
    app.clerk.forget_requests();
    for _ in 0..20 {
        let page = ada.navigate("/").send().await.unwrap();
        assert_eq!(page.status(), StatusCode::OK);
    }
    assert_eq!(app.clerk.all_requests(), 0);
}

#[tokio::test]
async fn page_view_works_during_a_clerk_outage() {
    let app = TestApp::start().await;
    let ada = app.sign_in(0).await;
    assert_eq!(ada.navigate("/").send().await.unwrap().status(), StatusCode::OK);
    app.clerk.fail(Fault { status: Some(503), ..Fault::default() });
    let grace = app.sign_in(1).await;
    for browser in [ada, grace] {
        let page = browser.navigate("/").send().await.unwrap();
        assert_eq!(page.status(), StatusCode::OK);
    }
}

#[tokio::test]
async fn stored_consent_is_rendered() {
    let app = TestApp::start().await;
    let ada = app.sign_in(0).await;
    let choices = json!({"marketing": true, "analytics": false});
    json(ada.post("/api/privacy/consent").json(&choices).send().await.unwrap(), StatusCode::OK).await;
    let page = ada.navigate("/").send().await.unwrap().text().await.unwrap();
    assert!(is_checked(&page, "marketing"), "{page}");
    assert!(!is_checked(&page, "analytics"), "{page}");
    assert!(!is_checked(&page, "thirdParty"), "{page}");
}

#[tokio::test]
async fn signed_out_page_links_to_the_sign_in() {
    let app = TestApp::start().await;
    let page = app.get("/").header("accept", "text/html").header("sec-fetch-dest", "empty").send().await.unwrap();
    assert_eq!(page.status(), StatusCode::OK);
    let text = page.text().await.unwrap();
    assert!(text.contains(&format!("{}/sign-in", app.clerk.url())), "{text}");
    assert!(text.contains("Northwind Journal"));
}

#[tokio::test]
async fn browser_without_cookies_gets_a_message_after_a_few_redirects() {
    let app = TestApp::start().await;
    let mut url = format!("{}/delete?a=1", app.url);
    for _ in 0..8 {
        // Without a cookie store, nothing that a response sets comes back.
        let navigation = app.http.get(&url).header("accept", "text/html").header("sec-fetch-dest", "document");
        let response = navigation.send().await.unwrap();
        if !response.status().is_redirection() {
            assert_eq!(response.status(), StatusCode::FORBIDDEN);
            assert!(
                response.headers().get_all("set-cookie").iter().any(|cookie| cookie == COOKIE_CHECK),
                "{response:?}"
            );
            let page = response.text().await.unwrap();
            assert!(page.contains("Your browser blocks cookies."), "{page}");
            return;
        }
        let location = header(response.headers(), "location");
        url = url::Url::parse(&url).unwrap().join(location).unwrap().to_string();
    }
    panic!("the browser is redirected for ever");
}

#[tokio::test]
async fn cookie_check_leaves_no_trace_in_the_address() {
    let app = TestApp::start().await;
    let ada = app.sign_in(0).await;
    let response = ada.navigate("/delete?cookie-check=1&a=1").send().await.unwrap();
    assert_eq!(response.status(), StatusCode::SEE_OTHER);
    assert_eq!(header(response.headers(), "location"), "/delete?a=1");
}

#[tokio::test]
async fn name_is_shown_once_fetched() {
    let app = TestApp::start().await;
    let ada = app.sign_in(0).await;
    eventually("the name is shown", async || shows_name(&ada).await).await;
}

#[tokio::test]
async fn deleted_user_sees_the_signed_out_page() {
    let app = TestApp::start().await;
    let ada = app.sign_in(0).await;
    json(ada.delete("/api/privacy/delete").send().await.unwrap(), StatusCode::OK).await;
    let page = ada.navigate("/").send().await.unwrap();
    assert_eq!(page.status(), StatusCode::OK);
    let text = page.text().await.unwrap();
    assert!(text.contains("/sign-in"), "{text}");
    assert!(!text.contains(&person(0).email), "{text}");
}

#[tokio::test]
async fn sign_out_revokes_the_session_at_clerk() {
    let app = TestApp::start().await;
    let ada = app.sign_in(0).await;
    let response = ada.post("/sign-out").send().await.unwrap();
    assert_eq!(response.status(), StatusCode::SEE_OTHER);
    assert_eq!(header(response.headers(), "location"), "/");
    let cleared: Vec<_> =
        response.headers().get_all("set-cookie").iter().map(|cookie| cookie.to_str().unwrap().to_owned()).collect();
    assert!(cleared.iter().any(|cookie| cookie.starts_with("__session=;")), "{cleared:?}");
    let session = cleared.iter().filter(|cookie| !cookie.starts_with("lethe-flash="));
    assert!(session.into_iter().all(|cookie| cookie.contains("Max-Age=0")), "{cleared:?}");
    assert_eq!(app.clerk.requests("POST /v1/sessions/{session_id}/revoke"), 1);
}

#[tokio::test]
async fn plain_form_is_answered_with_a_redirect() {
    let app = TestApp::start().await;
    let ada = app.sign_in(0).await;
    let user_handle = app.lethe.keys.user_handle(&lethe::ClerkUserId::parse(&person(0).id).unwrap());
    let response = ada
        .post("/api/_/save_preferences")
        .header("accept", "text/html,application/xhtml+xml")
        .header("referer", format!("{}/", app.url))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(format!("granted[0]=marketing&person={user_handle}{}", displayed_texts(&app.lethe)))
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::SEE_OTHER);
    assert!(header(response.headers(), "location").starts_with('/'), "{response:?}");
    let record = json(ada.get("/api/privacy/consent").send().await.unwrap(), StatusCode::OK).await;
    assert_eq!(record["marketing"], true);
}

#[tokio::test]
async fn forwarded_host_changes_no_redirect() {
    let app = TestApp::start().await;
    let token = app.clerk.sign_in_expired(&person(0).id).await;
    let request = app.navigate("/").header("cookie", &token.cookies).header("x-forwarded-host", "elsewhere.example");
    let response = request.header("x-forwarded-proto", "https").send().await.unwrap();
    assert!(response.status().is_redirection(), "{response:?}");
    assert!(!header(response.headers(), "location").contains("elsewhere.example"), "{response:?}");
}

#[tokio::test]
async fn page_of_another_site_is_no_target_of_a_redirect() {
    let app = TestApp::start().await;
    let ada = app.sign_in(0).await;
    for path in ["/api/_/save_preferences", "/api/_/give_up_deletion", "/api/_/request_deletion", "/sign-out"] {
        let response = ada
            .post(path)
            .header("accept", "text/html,application/xhtml+xml")
            .header("referer", "https://elsewhere.example/page")
            .header("content-type", "application/x-www-form-urlencoded")
            .body("person=")
            .send()
            .await
            .unwrap();
        let location = response.headers().get("location").map(|location| location.to_str().unwrap());
        assert!(location.is_none_or(|location| location.starts_with('/')), "{path}: {response:?}");
        assert!(!response.text().await.unwrap().contains("elsewhere.example"), "{path}");
    }
}

#[tokio::test]
async fn error_page_shows_the_incident() {
    let app = TestApp::start().await;
    let ada = app.sign_in(0).await;
    assert_eq!(ada.navigate("/").send().await.unwrap().status(), StatusCode::OK);
    sqlx::query("alter schema lethe rename to elsewhere").execute(app.pool()).await.unwrap();
    let page = ada.navigate("/").send().await.unwrap();
    assert_eq!(page.status(), StatusCode::INTERNAL_SERVER_ERROR);
    let incident = header(page.headers(), "x-incident-id").to_owned();
    assert!(!incident.is_empty());
    assert!(header(page.headers(), "content-type").starts_with("text/html"));
    let text = page.text().await.unwrap();
    assert!(text.contains(&incident), "{text}");
    assert!(!text.contains("deletion_request"), "nothing from inside is told: {text}");
}

#[tokio::test]
async fn expired_session_is_renewed_on_navigation_and_refused_on_write() {
    let app = TestApp::start().await;
    let token = app.clerk.sign_in_expired(&person(0).id).await;
    let page = app.navigate("/").header("cookie", &token.cookies).send().await.unwrap();
    assert_eq!(page.status(), StatusCode::TEMPORARY_REDIRECT);
    assert!(header(page.headers(), "location").starts_with(app.clerk.url()), "{page:?}");
    assert!(header(page.headers(), "location").contains("handshake"));
    let response = app
        .request(Method::POST, "/api/privacy/consent")
        .header("cookie", &token.cookies)
        .header("sec-fetch-site", "same-origin")
        .body("{}")
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
}

/// Returns whether the page shows the first user's name or e-mail address.
async fn shows_name(browser: &Browser<'_>) -> bool {
    let page = browser.navigate("/").send().await.unwrap();
    assert_eq!(page.status(), StatusCode::OK);
    let page = page.text().await.unwrap();
    page.contains(&person(0).email) || page.contains(&person(0).name())
}

/// Returns whether the checkbox of a purpose is ticked.
fn is_checked(page: &str, purpose: &str) -> bool {
    let boxes: Vec<_> = page
        .split("<input")
        .skip(1)
        .map(|rest| rest.split('>').next().unwrap_or_default())
        .filter(|tag| tag.contains("checkbox") && tag.contains(&format!("\"{purpose}\"")))
        .collect();
    assert_eq!(boxes.len(), 1, "{purpose}: {boxes:?}");
    boxes[0].split_whitespace().any(|word| word == "checked" || word.starts_with("checked="))
}
