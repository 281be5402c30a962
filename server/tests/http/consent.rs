//! Preferences over the API: reading, changing, refusing, mirroring.

use lethe::audit::{Actor, AuditEvent, Source};
use lethe::{ClerkUserId, overview};
use lethe_demo::people::person;
use lethe_demo::testing::TokenOptions;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::forms::Form;
use crate::support::{Browser, TestApp, TestOptions, displayed_texts, eventually, json, limit, masked, problem};

const PATH: &str = "/api/privacy/consent";

#[tokio::test]
async fn consent_is_off_by_default() {
    let app = TestApp::start().await;
    let ada = app.sign_in(0).await;
    let record = json(ada.get(PATH).send().await.unwrap(), StatusCode::OK).await;
    assert_eq!(record, json!({"marketing": false, "analytics": false, "thirdParty": false, "updatedAt": null}));
}

#[tokio::test]
async fn change_returns_the_whole_state_and_keeps_the_rest() {
    let app = TestApp::start().await;
    let ada = app.sign_in(0).await;
    let response = ada.post(PATH).json(&json!({"marketing": true, "analytics": true})).send().await.unwrap();
    json(response, StatusCode::OK).await;
    let response = ada.post(PATH).json(&json!({"analytics": false})).send().await.unwrap();
    let changed = json(response, StatusCode::OK).await;
    insta::assert_json_snapshot!(masked(&changed, "updatedAt"), @r#"
    {
      "analytics": false,
      "marketing": true,
      "thirdParty": false,
      "updatedAt": "[updatedAt]"
    }
    "#);
    let read = json(ada.get(PATH).send().await.unwrap(), StatusCode::OK).await;
    assert_eq!(read, changed);
    let grace = app.sign_in(1).await;
    let other = json(grace.get(PATH).send().await.unwrap(), StatusCode::OK).await;
    assert_eq!(other["updatedAt"], Value::Null);
}

#[tokio::test]
async fn impersonated_session_withdraws_consent_and_never_gives_it() {
    let app = TestApp::start().await;
    let ada = app.sign_in(0).await;
    json(ada.post(PATH).json(&json!({"marketing": true})).send().await.unwrap(), StatusCode::OK).await;
    let options = TokenOptions { actor: Some(person(5).id), ..TokenOptions::default() };
    let support = app.sign_in_with(0, options).await;
    let given = support.post(PATH).json(&json!({"marketing": false, "analytics": true}));
    problem(given.send().await.unwrap(), StatusCode::FORBIDDEN, "impersonated").await;
    let user = ClerkUserId::parse(&person(0).id).unwrap();
    let handle = app.lethe.keys.user_handle(&user);
    let form = support
        .post("/api/_/save_preferences")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(format!(
            "granted[0]=marketing&granted[1]=analytics&shown[0]=marketing&person={handle}{}",
            displayed_texts(&app.lethe)
        ));
    assert_eq!(json(form.send().await.unwrap(), StatusCode::FORBIDDEN).await["code"], "impersonated");
    let unchanged = json(ada.get(PATH).send().await.unwrap(), StatusCode::OK).await;
    assert_eq!((&unchanged["marketing"], &unchanged["analytics"]), (&json!(true), &json!(false)));

    let withdrawn = support.post(PATH).json(&json!({"marketing": false}));
    assert_eq!(json(withdrawn.send().await.unwrap(), StatusCode::OK).await["marketing"], false);
    let sources: Vec<String> =
        sqlx::query_scalar("select source from lethe.consent_entry order by id").fetch_all(app.pool()).await.unwrap();
    assert_eq!(sources, ["api", "on_behalf"]);
    let log = overview::activity(&app.lethe, &user, i64::MAX, 9).await.unwrap();
    let AuditEvent::ConsentChanged { source, .. } = &log.entries[0].event else { panic!("{log:?}") };
    let actor = Actor { issuer: None, id: Some(person(5).id) };
    assert_eq!(*source, Source::OnBehalf { actor: Some(actor) });
}

#[tokio::test]
async fn opt_out_signal_of_an_actors_browser_is_ignored() {
    let app = TestApp::start().await;
    let ada = app.sign_in(0).await;
    json(ada.post(PATH).json(&json!({"thirdParty": true})).send().await.unwrap(), StatusCode::OK).await;
    let options = TokenOptions { actor: Some(person(5).id), ..TokenOptions::default() };
    let support = app.sign_in_with(0, options).await;
    for path in ["/", PATH, "/api/privacy/purposes"] {
        let response = support.get(path).header("sec-gpc", "1").send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{path}");
    }
    let analytics = support.post(PATH).header("sec-gpc", "1").json(&json!({"analytics": false}));
    assert_eq!(json(analytics.send().await.unwrap(), StatusCode::OK).await["thirdParty"], true);
    let unchanged = json(ada.get(PATH).send().await.unwrap(), StatusCode::OK).await;
    assert_eq!(unchanged["thirdParty"], true);
}

#[tokio::test]
async fn program_names_the_text_that_it_displayed() {
    let app = TestApp::start().await;
    let ada = app.sign_in(0).await;
    let purposes = json(ada.get("/api/privacy/purposes").send().await.unwrap(), StatusCode::OK).await;
    let analytics = &purposes[1];
    assert_eq!((&analytics["key"], &analytics["version"]), (&json!("analytics"), &json!("2026-11-01")), "{purposes}");
    assert_eq!(analytics["granted"], false);
    let change = json!({"analytics": {"granted": true, "text": analytics["textId"]}, "marketing": true});
    let record = json(ada.post(PATH).json(&change).send().await.unwrap(), StatusCode::OK).await;
    assert_eq!((&record["analytics"], &record["marketing"]), (&json!(true), &json!(true)));
    let other = format!("{}:2020-01-01", "0".repeat(64));
    let change = json!({"thirdParty": {"granted": true, "text": other}});
    problem(ada.post(PATH).json(&change).send().await.unwrap(), StatusCode::CONFLICT, "text_changed").await;
}

#[tokio::test]
async fn form_without_the_text_that_it_displayed_is_refused_calmly() {
    let app = TestApp::start().await;
    let ada = app.sign_in(0).await;
    let handle = app.lethe.keys.user_handle(&ClerkUserId::parse(&person(0).id).unwrap());
    let page = ada.navigate("/").send().await.unwrap().text().await.unwrap();
    let text = page.split("value=\"marketing:").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
    let form = |text: &str| {
        ada.post("/api/_/save_preferences").header("accept", "text/html").form(&[
            ("granted[0]", "marketing"),
            ("person", handle.as_str()),
            ("texts[0]", text),
        ])
    };
    let earlier = format!("marketing:{}:2020-01-01", "0".repeat(64));
    let refused = form(&earlier).send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::SEE_OTHER);
    let cookie = refused.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    let cookies = format!("{}; {cookie}", ada.token.cookies);
    let page = app.navigate("/").header("cookie", cookies).send().await.unwrap().text().await.unwrap();
    assert!(page.contains("The text changed while this page was open"), "{page}");
    assert_eq!(form(&format!("marketing:{text}")).send().await.unwrap().status(), StatusCode::SEE_OTHER);
    let record = json(ada.get(PATH).send().await.unwrap(), StatusCode::OK).await;
    assert_eq!(record["marketing"], true);
}

/// The ledger is authoritative: whoever edits Clerk's copy finds it as it was.
#[tokio::test]
async fn edited_copy_at_clerk_is_put_right() {
    let app = TestApp::with(TestOptions { run_jobs: true, ..TestOptions::default() }).await;
    let ada = app.sign_in(0).await;
    json(ada.post(PATH).json(&json!({"analytics": true})).send().await.unwrap(), StatusCode::OK).await;
    let id = person(0).id;
    let copy = async || app.clerk.user(&id).await.unwrap()["public_metadata"]["consent"].clone();
    eventually("the mirror", async || copy().await["analytics"] == json!(true)).await;
    let mirrored = copy().await;
    let subject = ClerkUserId::parse(&id).unwrap();
    let deliver = async |delivery: &str| {
        let user = lethe::clerk::User::from_value(app.clerk.user(&id).await.unwrap()).unwrap();
        let event = lethe::clerk::webhook::Event::UserUpdated(user);
        lethe::deletion::clerk_events::receive(&app.lethe, delivery, &event).await.unwrap();
    };
    app.clerk.forget_requests();
    deliver("msg_unchanged").await;
    tokio::time::sleep(std::time::Duration::from_secs(4)).await;
    assert_eq!(
        app.clerk.requests("PATCH /v1/users/{user_id}/metadata"),
        0,
        "what Lethe itself wrote needs no correction"
    );

    let edit = json!({"consent": {"analytics": false, "marketing": true, "theirs": 1}});
    app.lethe.clerk.merge_metadata(&subject, edit).await.unwrap();
    deliver("msg_edited").await;
    eventually("the correction", async || copy().await["marketing"] == json!(false)).await;
    let corrected = copy().await;
    assert_eq!((&corrected["analytics"], &corrected["theirs"]), (&json!(true), &json!(1)));
    assert_eq!(corrected["updatedAt"], mirrored["updatedAt"]);
}

#[tokio::test]
async fn changes_of_consent_are_rate_limited_per_user() {
    let settings = vec![("LETHE_CONSENT_CHANGES_PER_MINUTE", limit(2))];
    let app = TestApp::with(TestOptions { settings, ..TestOptions::default() }).await;
    let (ada, grace) = (app.sign_in(0).await, app.sign_in(1).await);
    let save = async |user: &Browser<'_>| user.post(PATH).json(&json!({"marketing": true})).send().await.unwrap();
    for _ in 0..2 {
        assert_eq!(save(&ada).await.status(), StatusCode::OK);
    }
    problem(save(&ada).await, StatusCode::TOO_MANY_REQUESTS, "too_many_requests").await;
    assert_eq!(save(&grace).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn previews_are_rate_limited_per_user() {
    let settings = vec![("LETHE_PREVIEWS_PER_MINUTE", limit(2))];
    let app = TestApp::with(TestOptions { settings, ..TestOptions::default() }).await;
    let ada = app.sign_in(0).await;
    let handle = app.lethe.keys.user_handle(&ClerkUserId::parse(&person(0).id).unwrap());
    let preview = format!("/api/_/preview_deletion?person={handle}");
    for path in [&preview, &format!("/api/_/held_data?person={handle}")] {
        assert_eq!(ada.get(path).send().await.unwrap().status(), StatusCode::OK, "{path}");
    }
    for path in [preview.as_str(), "/delete", "/data"] {
        assert_eq!(ada.get(path).send().await.unwrap().status(), StatusCode::TOO_MANY_REQUESTS, "{path}");
    }
}

#[tokio::test]
async fn bearer_token_is_accepted() {
    let app = TestApp::start().await;
    let ada = app.sign_in(0).await;
    let response = ada.bearer(reqwest::Method::POST, PATH).json(&json!({"marketing": true})).send().await.unwrap();
    assert_eq!(json(response, StatusCode::OK).await["marketing"], true);
}

#[tokio::test]
async fn invalid_change_changes_nothing() {
    let app = TestApp::start().await;
    let ada = app.sign_in(0).await;
    for body in [
        r#"{"marketing": true, "unknown": true}"#,
        r#"{"marketing": "yes"}"#,
        r#"{"marketing": true, "analytics": null}"#,
        r#"{"marketing": true, "updatedAt": "2020-01-01T00:00:00Z"}"#,
        "[true]",
        r#"{"marketing": true"#,
        "",
    ] {
        let response = ada.post(PATH).body(body).send().await.unwrap();
        problem(response, StatusCode::BAD_REQUEST, "invalid_input").await;
    }
    let record = json(ada.get(PATH).send().await.unwrap(), StatusCode::OK).await;
    assert_eq!(record["updatedAt"], Value::Null);
}

#[tokio::test]
async fn concurrent_withdrawals_both_survive() {
    let app = TestApp::start().await;
    let ada = app.sign_in(0).await;
    for _ in 0..10 {
        let all = json!({"marketing": true, "analytics": true, "thirdParty": true});
        json(ada.post(PATH).json(&all).send().await.unwrap(), StatusCode::OK).await;
        let (one, other) = tokio::join!(
            ada.post(PATH).json(&json!({"marketing": false})).send(),
            ada.post(PATH).json(&json!({"analytics": false})).send(),
        );
        json(one.unwrap(), StatusCode::OK).await;
        json(other.unwrap(), StatusCode::OK).await;
        let record = json(ada.get(PATH).send().await.unwrap(), StatusCode::OK).await;
        assert_eq!((&record["marketing"], &record["analytics"]), (&json!(false), &json!(false)), "{record}");
        assert_eq!(record["thirdParty"], true);
    }
}

#[tokio::test]
async fn gpc_signal_keeps_sharing_off() {
    let app = TestApp::start().await;
    let ada = app.sign_in(0).await;
    let all = json!({"marketing": true, "thirdParty": true});
    let response = ada.post(PATH).header("sec-gpc", "1").json(&all).send().await.unwrap();
    let record = json(response, StatusCode::OK).await;
    assert_eq!((&record["marketing"], &record["thirdParty"]), (&json!(true), &json!(false)));
}

#[tokio::test]
async fn mirror_preserves_foreign_metadata() {
    let app = TestApp::with(TestOptions { run_jobs: true, ..TestOptions::default() }).await;
    let id = person(0).id;
    let others = json!({"public_metadata": {"plan": "gold", "consent": {"kept_by": "somebody"}}});
    let response = app
        .http
        .patch(format!("{}/v1/users/{id}/metadata", app.clerk.url()))
        .bearer_auth(app.clerk.secret_key())
        .json(&others)
        .send()
        .await
        .unwrap();
    json(response, StatusCode::OK).await;
    let ada = app.sign_in(0).await;
    let response = ada.post(PATH).json(&json!({"marketing": true})).send().await.unwrap();
    let record = json(response, StatusCode::OK).await;
    eventually("the mirror", async || {
        app.clerk.user(&id).await.unwrap()["public_metadata"]["consent"]["marketing"] == json!(true)
    })
    .await;
    let metadata = app.clerk.user(&id).await.unwrap()["public_metadata"].clone();
    assert_eq!(metadata["plan"], "gold");
    assert_eq!(metadata["consent"]["kept_by"], "somebody");
    for key in ["marketing", "analytics", "thirdParty", "updatedAt"] {
        assert_eq!(metadata["consent"][key], record[key], "{key}");
    }
}

#[tokio::test]
async fn consent_is_saved_during_a_clerk_outage_and_mirrored_later() {
    let app = TestApp::with(TestOptions { run_jobs: true, ..TestOptions::default() }).await;
    let ada = app.sign_in(0).await;
    // The keys that verify sessions are fetched once.
    json(ada.get(PATH).send().await.unwrap(), StatusCode::OK).await;
    app.clerk.fail(lethe_demo::testing::Fault { status: Some(503), ..Default::default() });
    let response = ada.post(PATH).json(&json!({"analytics": true})).send().await.unwrap();
    assert_eq!(json(response, StatusCode::OK).await["analytics"], true);
    app.clerk.recover();
    let id = person(0).id;
    eventually("the mirror", async || {
        app.clerk.user(&id).await.unwrap()["public_metadata"]["consent"]["analytics"] == json!(true)
    })
    .await;
}
