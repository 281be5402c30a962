//! Clerk is down: what goes on, what waits, and what people and operators are told of it.

use std::time::{Duration, Instant};

use lethe_demo::people::person;
use lethe_demo::testing::{ClerkStandIn, Fault, Port, StandInOptions};
use reqwest::StatusCode;
use serde_json::json;

use crate::installation::Installation;
use crate::process::Process;
use crate::support::{TestApp, TestOptions, eventually, json};

const CONSENT: &str = "/api/privacy/consent";

async fn readiness(app: &TestApp) -> serde_json::Value {
    json(app.get("/readyz").send().await.unwrap(), StatusCode::OK).await
}

#[tokio::test]
async fn clerk_outage_is_shown_and_sessions_and_consent_still_work() {
    let mut app = TestApp::with(TestOptions { run_jobs: true, ..TestOptions::default() }).await;
    let id = person(0).id;
    let ada = app.sign_in(0).await.token;
    let page = async |app: &TestApp| {
        app.navigate("/").header("cookie", &ada.cookies).send().await.unwrap().text().await.unwrap()
    };
    assert_eq!(
        readiness(&app).await,
        json!({"status": "ready", "clerk": "ok", "data_map": "ok", "data_map_file": "ok"})
    );
    assert!(!page(&app).await.contains("a little longer"));

    app.clerk.stop().await;
    let saved = app
        .request(reqwest::Method::POST, CONSENT)
        .header("cookie", &ada.cookies)
        .header("origin", &app.url)
        .header("sec-fetch-site", "same-origin")
        .json(&json!({"marketing": true}));
    assert_eq!(json(saved.send().await.unwrap(), StatusCode::OK).await["marketing"], true);
    eventually("readiness tells that Clerk is down", async || readiness(&app).await["clerk"] == "down").await;
    // The keys are cached, so the session still counts; and what is delayed is said.
    assert!(page(&app).await.contains("Our sign-in service is down."));

    app.clerk.restart().await;
    eventually("the mirror", async || {
        app.clerk.user(&id).await.unwrap()["public_metadata"]["consent"]["marketing"] == json!(true)
    })
    .await;
    eventually("the page is as before", async || !page(&app).await.contains("Our sign-in service is down.")).await;
    assert_eq!(readiness(&app).await["clerk"], "ok");
    let waiting: i64 =
        sqlx::query_scalar("select count(*) from lethe.data_subject where mirror_delayed_since is not null")
            .fetch_one(app.pool())
            .await
            .unwrap();
    assert_eq!(waiting, 0);
}

#[tokio::test]
async fn known_outage_refuses_the_export_at_once() {
    let app = TestApp::start().await;
    let ada = app.sign_in(0).await;
    json(ada.get(CONSENT).send().await.unwrap(), StatusCode::OK).await;
    app.clerk.fail(Fault { status: Some(503), ..Fault::default() });
    while readiness(&app).await["clerk"] == "ok" {
        let refused = ada.get("/api/privacy/export").send().await.unwrap();
        assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    }
    app.clerk.forget_requests();
    let began = Instant::now();
    let refused = ada.get("/api/privacy/export").send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(app.clerk.all_requests(), 0, "nobody is asked");
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
}

/// What Clerk refuses for good is tried on, counted, and told to the person.
#[tokio::test]
async fn consent_that_clerk_refuses_is_shown_as_delayed() {
    let app = TestApp::with(TestOptions { run_jobs: true, ..TestOptions::default() }).await;
    let ada = app.sign_in(0).await;
    let full = Fault {
        operation: Some("PATCH /v1/users/{user_id}/metadata".to_owned()),
        status: Some(422),
        code: Some("form_param_exceeds_allowed_size".to_owned()),
        ..Fault::default()
    };
    app.clerk.fail(full);
    let saved = ada.post(CONSENT).json(&json!({"analytics": true})).send().await.unwrap();
    assert_eq!(json(saved, StatusCode::OK).await["analytics"], true);
    eventually("the page tells it", async || {
        let page = ada.navigate("/").send().await.unwrap().text().await.unwrap();
        page.contains("It may take a little longer until they apply everywhere.")
    })
    .await;
    assert_eq!(readiness(&app).await["clerk"], "ok", "a refusal isn't an outage");
}

/// Keys of two instances are refused at the start. What can't be reached proves nothing, and an outage keeps nobody from their
/// pages.
#[tokio::test(flavor = "multi_thread")]
async fn server_starts_while_the_frontend_api_cannot_be_reached() {
    let mut installation = Installation::new().await;
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let failing = ClerkStandIn::start(StandInOptions::default()).await;
    failing.fail(Fault { status: Some(503), ..Fault::default() });
    let closed = Port::hold();
    let urls = [closed.url(), format!("http://{}", silent.local_addr().unwrap()), failing.url().to_owned()];
    for url in urls {
        installation.set("CLERK_PROXY_URL", url.clone());
        let server = Process::serve(&installation.environment, installation.directory.path(), &installation.url).await;
        let ready = reqwest::get(format!("{}/readyz", installation.url)).await.unwrap();
        assert_eq!(ready.status(), StatusCode::OK, "{url}");
        assert!(server.stop().await, "{url}");
    }
}
