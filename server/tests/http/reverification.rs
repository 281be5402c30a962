//! Before a deletion and before a disclosure: who is it, and how long ago did they prove it?

use demo::people::person;
use demo::testing::{Fault, TokenOptions};
use reqwest::header::{ACCEPT, CONTENT_TYPE, COOKIE, HeaderMap, REFERER, SET_COOKIE};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::{Map, Value, json};

use crate::support::{Browser, TestApp, TestOptions, header, json, limit, masked, problem};

const EXPORTS: [&str; 2] = ["/api/privacy/export", "/api/compliance/gdpr-export"];
const DELETE: &str = "/api/privacy/delete";
const CONFIRMED: &str = "/api/compliance/gdpr-delete";
const CONFIRM: &str = "/confirm-identity";
const REQUEST_DELETION: &str = "/api/_/request_deletion";

/// A sign-in whose token says this about its factors' ages; `null`: nothing.
fn token_with_factor_ages(ages: &Value) -> TokenOptions {
    TokenOptions { claims: Map::from_iter([("fva".to_owned(), ages.clone())]), ..TokenOptions::default() }
}

fn stale_sign_in() -> TokenOptions {
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
    assert_eq!(header(response.headers(), "location"), "/delete?refused=reverification_needed");
    let preview = ada.get(&format!("/api/_/preview_deletion?person={}", fields[1].1)).send().await.unwrap();
    assert_eq!(json(preview, StatusCode::OK).await["refused"], "reverification_needed");
    assert!(app.clerk.user(&person(0).id).await.is_some());
}

#[tokio::test]
async fn confirmed_user_returns_to_where_they_were() {
    let app = TestApp::start().await;
    for (return_to, path, back, notice) in [
        ("page", "/delete", "/delete", "You confirmed that it's you. Nothing is deleted yet."),
        ("export", "/", "/#copy", "Your download is ready to start."),
        ("dialog", "/", "/#deletion", "\"reopened\":true"),
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
        assert!(text.contains("Somebody else is signed in now."), "{return_to} {path}: {text}");
        assert!(!text.contains("\"reopened\":true") && !text.contains("You confirmed"), "{return_to} {path}");
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
        assert!(text.contains("nothing confirmed that it") && text.contains("write to us"), "{ages}: {text}");
        assert!(!text.contains(CONFIRM), "{ages}");
        // Neither after a reload, nor in the dialog, nor at the download.
        let page = navigate_with_cookie(&app, &again, "/delete", &remembered).await.text().await.unwrap();
        assert!(page.contains("write to us") && !page.contains(CONFIRM), "{ages}");
        let page = navigate_with_cookie(&app, &again, "/?export=reverification_needed", &remembered).await;
        let page = unescaped_text(page).await;
        assert!(page.contains("write to us"), "{ages}: {page}");
        assert!(!page.contains("\"reopened\":true") && !page.contains("value=\"export\""), "{ages}");
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
        assert!(!page.contains("You confirmed") && !page.contains("Somebody else is signed in now"), "{made_up}");
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
    assert_eq!(header(response.headers(), "location"), "/delete?refused=another_person");
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
    assert_eq!(header(sent.headers(), "location"), "/?unsaved=not_signed_in#preferences");
    let page = navigate_with_cookie(&app, &ada, "/?unsaved=not_signed_in", &resume_cookie(sent.headers()))
        .await
        .text()
        .await
        .unwrap();
    assert!(page.contains("Your choice is filled in again."), "{page}");
    let ticked = |page: &str, key: &str| {
        let tag = page.split("<input").find(|tag| tag.contains(&format!("purpose-{key}\""))).unwrap();
        tag.split('>').next().unwrap().contains(" checked")
    };
    assert!(ticked(&page, "analytics") && !ticked(&page, "marketing"));
    let record = json(ada.get("/api/privacy/consent").send().await.unwrap(), StatusCode::OK).await;
    assert_eq!(record["analytics"], false, "filled in, not saved");

    let typed = [("plan", "0"), ("person", user_handle.as_str()), ("confirmation", "delete my accou")];
    let sent = interrupted(REQUEST_DELETION).form(&typed).send().await.unwrap();
    assert_eq!(header(sent.headers(), "location"), "/delete?refused=not_signed_in");
    let cookie = resume_cookie(sent.headers());
    let page = navigate_with_cookie(&app, &ada, "/delete?refused=not_signed_in", &cookie).await.text().await.unwrap();
    assert!(page.contains("value=\"delete my accou\"") && page.contains("Your session had ended in between"), "{page}");

    let grace = app.sign_in(1).await;
    let page = navigate_with_cookie(&app, &grace, "/delete", &cookie).await.text().await.unwrap();
    assert!(!page.contains("delete my accou\"") && page.contains("Somebody else is signed in now."), "{page}");

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
    let location = async |browser: &Browser<'_>| {
        let response = browser.navigate(EXPORTS[0]).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::SEE_OTHER, "{response:?}");
        header(response.headers(), "location").to_owned()
    };
    let words =
        async |browser: &Browser<'_>, path: &str| browser.navigate(path).send().await.unwrap().text().await.unwrap();

    let old = app.sign_in_with(0, stale_sign_in()).await;
    assert_eq!(location(&old).await, "/?export=reverification_needed#copy");
    let page = words(&old, "/?export=reverification_needed").await;
    assert!(page.contains("id=\"copy-refused\"") && page.contains("value=\"export\""), "{page}");

    let ada = app.sign_in(0).await;
    let page = words(&ada, "/?export=reverification_needed").await;
    assert!(!page.contains("id=\"copy-refused\""), "the address may be old: {page}");
    json(ada.get(EXPORTS[0]).send().await.unwrap(), StatusCode::OK).await;
    assert_eq!(location(&ada).await, "/?export=too_many_requests#copy");
    assert!(words(&ada, "/?export=too_many_requests").await.contains("Not downloaded. Too many requests"));

    let options = TokenOptions { actor: Some(person(5).id), ..TokenOptions::default() };
    assert_eq!(location(&app.sign_in_with(0, options).await).await, "/?export=impersonated#copy");

    let grace = app.sign_in(1).await;
    app.clerk.fail(Fault { status: Some(503), ..Fault::default() });
    assert_eq!(location(&grace).await, "/?export=unavailable#copy");
    assert!(words(&grace, "/?export=unavailable").await.contains("Not downloaded. Something that this needs"));
    // Programs get the document.
    let user = app.sign_in(2).await;
    problem(user.get(EXPORTS[0]).send().await.unwrap(), StatusCode::SERVICE_UNAVAILABLE, "unavailable").await;
}

trait Form {
    /// Sends these fields as a form.
    fn form<Value: AsRef<str>>(self, fields: &[(&str, Value)]) -> Self;
}

impl Form for RequestBuilder {
    fn form<Value: AsRef<str>>(self, fields: &[(&str, Value)]) -> Self {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(body)
    }
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

/// As a browser sends a form without script.
fn as_plain_form(request: RequestBuilder, app: &TestApp) -> RequestBuilder {
    request.header(ACCEPT, "text/html,application/xhtml+xml").header(REFERER, format!("{}/", app.url))
}

/// The fields of the form that deletes.
fn deletion_form_fields(page: &str, typed: &str) -> [(&'static str, String); 3] {
    let hidden = |name: &str| {
        let tag = page.split("<input").find(|tag| tag.contains(&format!("name=\"{name}\""))).unwrap_or_default();
        let value = tag.split("value=\"").nth(1).and_then(|rest| rest.split('"').next());
        value.unwrap_or_else(|| panic!("{name} is in the form: {page}")).to_owned()
    };
    [("plan", hidden("plan")), ("person", hidden("person")), ("confirmation", typed.to_owned())]
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
