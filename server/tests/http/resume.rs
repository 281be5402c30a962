//! What a person was about to do before signing in again is taken up afterwards, by nobody else.

use lethe_demo::people::person;
use lethe_demo::testing::Fault;
use reqwest::header::{ACCEPT, COOKIE, HeaderMap, SET_COOKIE};
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};

use crate::forms::{Form as _, as_plain_form, deletion_form_fields};
use crate::reverification::{CONFIRM, EXPORTS, REQUEST_DELETION, stale_sign_in, token_with_factor_ages};
use crate::support::{Browser, TestApp, TestOptions, header, json, limit, problem};

#[tokio::test]
async fn confirmed_user_returns_to_where_they_were() {
    let app = TestApp::start().await;
    for (return_to, path, back, notice) in [
        ("page", "/delete", "/delete", "Thanks, it’s you. Nothing has been deleted yet."),
        ("export", "/", "/#copy", "Press Download my data to start."),
        ("dialog", "/", "/#deletion", "data-reopened"),
    ] {
        let ada = app.sign_in_with(0, stale_sign_in()).await;
        let sent = ada.post(CONFIRM).form(&[("for", return_to)]).send().await.unwrap();
        assert_eq!(sent.status(), StatusCode::SEE_OTHER);
        assert_eq!(redirect_url(&app, sent.headers()), format!("{}{back}", app.url));
        let cookie = resume_cookie(sent.headers());
        assert!(!cookie.contains(&person(0).id), "{cookie}");
        let lines = set_cookies(sent.headers());
        assert!(lines.iter().any(|line| line.starts_with("__session=;")), "{lines:?}");
        assert!(lines.iter().any(|line| line.starts_with("lethe-errand=") && line.contains("HttpOnly; SameSite=Lax")));
        // The old session is over, also for whoever has kept its token and its refresh token.
        let session = session_at_clerk(&app, &ada.token.session_id).await;
        assert_eq!(session["status"], "revoked");

        let again = app.sign_in(0).await;
        let page = navigate_with_cookie(&app, &again, path, &cookie).await;
        assert!(set_cookies(page.headers()).iter().any(|line| line.starts_with("lethe-errand=; ")), "{page:?}");
        let text = unescaped_text(page).await;
        assert!(text.contains(notice), "{return_to}: {text}");
        // Once.
        let text = unescaped_text(again.navigate(path).send().await.unwrap()).await;
        assert!(!text.contains(notice), "{return_to}");
    }
    assert!(app.clerk.user(&person(0).id).await.is_some(), "confirming deletes nobody");
}

#[tokio::test]
async fn pending_action_is_dropped_for_another_user() {
    let app = TestApp::start().await;
    for (return_to, path) in
        [("page", "/delete"), ("export", "/"), ("dialog", "/"), ("page", "/"), ("dialog", "/delete")]
    {
        let ada = app.sign_in_with(0, stale_sign_in()).await;
        let sent = ada.post(CONFIRM).form(&[("for", return_to)]).send().await.unwrap();
        let grace = app.sign_in(1).await;
        let page = navigate_with_cookie(&app, &grace, path, &resume_cookie(sent.headers())).await;
        assert!(set_cookies(page.headers()).iter().any(|line| line.starts_with("lethe-errand=; ")));
        let text = unescaped_text(page).await;
        assert!(text.contains("You’re now signed in as"), "{return_to} {path}: {text}");
        assert!(!text.contains("data-reopened") && !text.contains("Thanks, it’s you"), "{return_to} {path}");
    }
}

#[tokio::test]
async fn unverified_user_is_not_redirected_again() {
    let app = TestApp::start().await;
    for ages in [json!([-1, -1]), Value::Null, json!([30, -1])] {
        let ada = app.sign_in_with(0, token_with_factor_ages(&ages)).await;
        let sent = ada.post(CONFIRM).form(&[("for", "page")]).send().await.unwrap();
        let again = app.sign_in_with(0, token_with_factor_ages(&ages)).await;
        let page = navigate_with_cookie(&app, &again, "/delete", &resume_cookie(sent.headers())).await;
        let remembered = resume_cookie(page.headers());
        let text = page.text().await.unwrap();
        assert!(text.contains("in a way we can’t check again") && text.contains("contact us"), "{ages}: {text}");
        assert!(!text.contains(CONFIRM), "{ages}");
        // Neither after a reload, nor in the dialog, nor at the download.
        let page = navigate_with_cookie(&app, &again, "/delete", &remembered).await.text().await.unwrap();
        assert!(page.contains("contact us") && !page.contains(CONFIRM), "{ages}");
        let page = navigate_with_cookie(&app, &again, "/", &remembered).await;
        let page = unescaped_text(page).await;
        assert!(page.contains("contact us"), "{ages}: {page}");
        assert!(!page.contains("data-reopened") && !page.contains("value=\"export\""), "{ages}");
    }
}

#[tokio::test]
async fn forged_pending_action_is_ignored() {
    let app = TestApp::start().await;
    let ada = app.sign_in_with(0, stale_sign_in()).await;
    let sent = ada.post(CONFIRM).form(&[("for", "page")]).send().await.unwrap();
    let real = resume_cookie(sent.headers());
    let again = app.sign_in(0).await;
    for made_up in ["", "e30", &real[..real.len() - 1], &format!("{real}A"), &real.to_uppercase()] {
        let page = navigate_with_cookie(&app, &again, "/delete", made_up).await.text().await.unwrap();
        assert!(!page.contains("Thanks, it’s you") && !page.contains("You’re now signed in as"), "{made_up}");
    }
    for (return_to, status) in [("nowhere", 400), ("https://evil.example", 400), ("", 400)] {
        let response = again.post(CONFIRM).form(&[("for", return_to)]).send().await.unwrap();
        assert_eq!(response.status().as_u16(), status, "{return_to}");
    }
    assert_eq!(session_at_clerk(&app, &again.token.session_id).await["status"], "active");
}

#[tokio::test]
async fn signed_out_user_is_redirected_to_the_page() {
    let app = TestApp::start().await;
    let request = app.request(Method::POST, CONFIRM).header("sec-fetch-site", "same-origin");
    let response = request.form(&[("for", "page")]).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::SEE_OTHER);
    assert_eq!(header(response.headers(), "location"), "/delete");
    assert!(!set_cookies(response.headers()).iter().any(|line| line.starts_with("lethe-errand")));
}

#[tokio::test]
async fn form_of_another_user_is_refused() {
    let app = TestApp::start().await;
    let (ada, grace) = (app.sign_in(0).await, app.sign_in(1).await);
    let page = ada.navigate("/delete").send().await.unwrap().text().await.unwrap();
    let fields = deletion_form_fields(&page, "delete my account");
    // In the meantime somebody else has signed in, in another tab.
    let response = grace.post(REQUEST_DELETION).form(&fields).send().await.unwrap();
    assert_eq!(json(response, StatusCode::CONFLICT).await["code"], "another_person");
    let response = as_plain_form(grace.post(REQUEST_DELETION), &app).form(&fields).send().await.unwrap();
    assert_eq!(header(response.headers(), "location"), "/delete#deletion-refused");
    let choices = [("granted[0]", "marketing"), ("person", fields[1].1.as_str())];
    let response = grace.post("/api/_/save_preferences").form(&choices).send().await.unwrap();
    assert_eq!(json(response, StatusCode::CONFLICT).await["code"], "another_person");
    let record = json(grace.get("/api/privacy/consent").send().await.unwrap(), StatusCode::OK).await;
    assert_eq!(record["marketing"], false);
    for index in [0, 1] {
        assert!(app.clerk.user(&person(index).id).await.is_some());
    }
    // It is for nobody else, and for nobody in particular neither.
    let response = ada.post(REQUEST_DELETION).form(&fields[..1]).send().await.unwrap();
    assert_eq!(json(response, StatusCode::CONFLICT).await["code"], "another_person");
}

#[tokio::test]
async fn form_sent_after_the_session_ended_is_restored() {
    let app = TestApp::start().await;
    let ada = app.sign_in(0).await;
    let user_handle =
        deletion_form_fields(&ada.navigate("/delete").send().await.unwrap().text().await.unwrap(), "")[1].1.clone();
    let expired = app.clerk.sign_in_expired(&person(0).id).await;
    let interrupted = |path: &str| {
        let request = app.request(Method::POST, path).header(COOKIE, &expired.cookies);
        as_plain_form(request.header("sec-fetch-site", "same-origin"), &app)
    };

    let choices = [("granted[0]", "analytics"), ("person", user_handle.as_str())];
    let sent = interrupted("/api/_/save_preferences").form(&choices).send().await.unwrap();
    assert_eq!(header(sent.headers(), "location"), "/#preferences");
    let page = navigate_with_cookie(&app, &ada, "/", &resume_cookie(sent.headers())).await.text().await.unwrap();
    assert!(page.contains("We’ve filled in your choices"), "{page}");
    let ticked = |page: &str, key: &str| {
        let tag = page.split("<input").find(|tag| tag.contains(&format!("purpose-{key}\""))).unwrap();
        tag.split('>').next().unwrap().contains(" checked")
    };
    assert!(ticked(&page, "analytics") && !ticked(&page, "marketing"));
    let record = json(ada.get("/api/privacy/consent").send().await.unwrap(), StatusCode::OK).await;
    assert_eq!(record["analytics"], false, "filled in, not saved");

    let typed = [("plan", "0"), ("person", user_handle.as_str()), ("confirmation", "delete my accou")];
    let sent = interrupted(REQUEST_DELETION).form(&typed).send().await.unwrap();
    assert_eq!(header(sent.headers(), "location"), "/delete#deletion-refused");
    let cookie = resume_cookie(sent.headers());
    let page = navigate_with_cookie(&app, &ada, "/delete", &cookie).await.text().await.unwrap();
    assert!(
        page.contains("value=\"delete my accou\"") && page.contains("You’d been signed out, so nothing was deleted."),
        "{page}"
    );

    let grace = app.sign_in(1).await;
    let page = navigate_with_cookie(&app, &grace, "/delete", &cookie).await.text().await.unwrap();
    assert!(!page.contains("delete my accou\"") && page.contains("You’re now signed in as"), "{page}");

    // A script has its form still.
    let request = app.request(Method::POST, REQUEST_DELETION).header(COOKIE, &expired.cookies);
    let response = request.header("sec-fetch-site", "same-origin").form(&typed).send().await.unwrap();
    assert!(!set_cookies(response.headers()).iter().any(|line| line.starts_with("lethe-errand")));
    assert_eq!(json(response, StatusCode::UNAUTHORIZED).await["code"], "not_signed_in");
}

#[tokio::test]
async fn same_origin_frame_renews_the_session() {
    let app = TestApp::start().await;
    let expired = app.clerk.sign_in_expired(&person(0).id).await;
    let frame = |cookies: &str| app.get("/session").header("sec-fetch-dest", "iframe").header(COOKIE, cookies);
    let sent = frame(&expired.cookies).send().await.unwrap();
    assert_eq!(sent.status(), StatusCode::TEMPORARY_REDIRECT);
    assert!(header(sent.headers(), "location").contains("/v1/client/handshake"));
    let page = frame(&app.sign_in(0).await.token.cookies).send().await.unwrap();
    assert_eq!(page.status(), StatusCode::OK);
    for headers in [sent.headers(), page.headers()] {
        assert_eq!(header(headers, "x-frame-options"), "SAMEORIGIN");
        assert!(header(headers, "content-security-policy").contains("frame-ancestors 'self'"));
    }
    // A script's request can't take that way.
    let response = app.get("/session").header("sec-fetch-dest", "empty").header(COOKIE, &expired.cookies).send().await;
    assert_eq!(response.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn refused_export_redirects_the_browser_to_the_card() {
    let settings = vec![("LETHE_EXPORTS_PER_HOUR", limit(1))];
    let app = TestApp::with(TestOptions { settings, ..TestOptions::default() }).await;
    // Returns what the card says after the redirect.
    let refused = async |browser: &Browser<'_>| {
        let response = browser.navigate(EXPORTS[0]).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::SEE_OTHER, "{response:?}");
        assert_eq!(header(response.headers(), "location"), "/#copy");
        let flash = flash_cookie(response.headers());
        let cookies = format!("{}; lethe-flash={flash}", browser.token.cookies);
        let page = app.navigate("/").header(COOKIE, cookies).send().await.unwrap();
        assert!(set_cookies(page.headers()).iter().any(|line| line.starts_with("lethe-flash=; ")), "shown once");
        (flash, page.text().await.unwrap())
    };

    let old = app.sign_in_with(0, stale_sign_in()).await;
    let (flash, page) = refused(&old).await;
    assert!(page.contains("id=\"copy-refused\"") && page.contains("value=\"export\""), "{page}");

    let ada = app.sign_in(0).await;
    let cookies = format!("{}; lethe-flash={flash}", ada.token.cookies);
    let page = app.navigate("/").header(COOKIE, cookies).send().await.unwrap().text().await.unwrap();
    assert!(
        !page.contains("id=\"copy-refused\"") && !page.contains("Not downloaded"),
        "she has signed in since: {page}"
    );
    json(ada.get(EXPORTS[0]).send().await.unwrap(), StatusCode::OK).await;
    let (flash, page) = refused(&ada).await;
    assert!(page.contains("Not downloaded. Too many requests"), "{page}");

    // Another user's message is nobody's, and a forged one is none.
    let grace = app.sign_in(1).await;
    for flash in [flash.as_str(), "e30", &flash.to_uppercase()] {
        let cookies = format!("{}; lethe-flash={flash}", grace.token.cookies);
        let page = app.navigate("/").header(COOKIE, cookies).send().await.unwrap().text().await.unwrap();
        assert!(!page.contains("Not downloaded"), "{flash}");
    }

    app.clerk.fail(Fault { status: Some(503), ..Fault::default() });
    assert!(refused(&grace).await.1.contains("Not downloaded. A service we need isn’t responding."));
    // In a frame the page around it stays, and loads itself again.
    let user = app.sign_in(2).await;
    let framed =
        user.get(EXPORTS[0]).header(ACCEPT, "text/html").header("sec-fetch-dest", "iframe").send().await.unwrap();
    assert_eq!(framed.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(header(framed.headers(), "x-frame-options"), "SAMEORIGIN");
    assert!(!flash_cookie(framed.headers()).is_empty());
    // Programs get the document.
    let user = app.sign_in(3).await;
    problem(user.get(EXPORTS[0]).send().await.unwrap(), StatusCode::SERVICE_UNAVAILABLE, "unavailable").await;
}

fn flash_cookie(headers: &HeaderMap) -> String {
    let lines = set_cookies(headers);
    let cookie = lines.iter().find_map(|line| line.strip_prefix("lethe-flash=")?.split(';').next());
    cookie.unwrap_or_else(|| panic!("there is a cookie: {lines:?}")).to_owned()
}

async fn navigate_with_cookie(app: &TestApp, browser: &Browser<'_>, path: &str, cookie: &str) -> Response {
    let cookies = format!("{}; lethe-errand={cookie}", browser.token.cookies);
    app.navigate(path).header(COOKIE, cookies).send().await.unwrap()
}

/// A page's text without the marks that stand for quotes.
async fn unescaped_text(page: Response) -> String {
    page.text().await.unwrap().replace("&quot;", "\"").replace("&#x27;", "'")
}

fn set_cookies(headers: &HeaderMap) -> Vec<String> {
    headers.get_all(SET_COOKIE).iter().map(|line| line.to_str().unwrap().to_owned()).collect()
}

/// What the browser keeps from now on.
fn resume_cookie(headers: &HeaderMap) -> String {
    let lines = set_cookies(headers);
    let cookie = lines.iter().find_map(|line| line.strip_prefix("lethe-errand=")?.split(';').next());
    cookie.filter(|cookie| !cookie.is_empty()).unwrap_or_else(|| panic!("there is a cookie: {lines:?}")).to_owned()
}

/// Where the sign-in page is to lead back to.
fn redirect_url(app: &TestApp, headers: &HeaderMap) -> String {
    let location = url::Url::parse(header(headers, "location")).unwrap();
    assert!(location.as_str().starts_with(&format!("{}/sign-in", app.clerk.url())), "{location}");
    let (_, back) = location.query_pairs().find(|(name, _)| name == "redirect_url").unwrap();
    back.into_owned()
}

async fn session_at_clerk(app: &TestApp, session: &str) -> Value {
    let request = app.http.get(format!("{}/v1/sessions/{session}", app.clerk.url()));
    json(request.bearer_auth(app.clerk.secret_key()).send().await.unwrap(), StatusCode::OK).await
}
