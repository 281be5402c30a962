//! The data map changes, or the database does, while the server runs.

use std::path::PathBuf;
use std::time::Duration;

use lethe_demo::people::person;
use lethe_demo::testing::{Inbox, TokenOptions};
use reqwest::StatusCode;
use reqwest::header::LOCATION;
use serde_json::{Value, json};

use crate::forms::{Form, as_plain_form, deletion_form_fields};
use crate::installation::Installation;
use crate::process::{Process, wait_until};
use crate::support::{TestApp, header, json, problem};

const MAP: &str = include_str!("../../../demo/data-map.toml");
const PURPOSE: &str =
    "\n[[purpose]]\nkey = \"news\"\ntitle = \"News\"\ntext = \"We may write to you.\"\nversion = \"1\"\n";
const SURPRISE: &str =
    "create table public.surprise (id bigint primary key, user_id text references public.users (clerk_id))";
const REQUEST: &str = "/api/_/request_deletion";
const CONFIRM: &str = "/api/_/confirm_changed_plan";
const WORDS: &str = "delete my account";

/// An installation whose map can be edited.
async fn installation() -> (Installation, PathBuf) {
    let mut installation = Installation::new().await;
    let map = installation.directory.path().join("data-map.toml");
    std::fs::write(&map, MAP).unwrap();
    installation.set("LETHE_DATA_MAP", map.display().to_string());
    (installation, map)
}

async fn get(installation: &Installation, path: &str) -> Value {
    reqwest::get(format!("{}{path}", installation.url)).await.unwrap().json().await.unwrap()
}

async fn execute(installation: &Installation, statement: &'static str) {
    sqlx::query(statement).execute(installation.database.pool()).await.unwrap();
}

fn log(installation: &Installation) -> String {
    std::fs::read_to_string(installation.directory.path().join("log")).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn changed_map_is_read_without_a_restart() {
    let (installation, map) = installation().await;
    let server = Process::serve(&installation.environment, installation.directory.path(), &installation.url).await;
    let token = installation.clerk.sign_in(&person(0).id).await.jwt;
    let purposes = async || {
        let url = format!("{}/api/privacy/consent", installation.url);
        let state: Value =
            reqwest::Client::new().get(url).bearer_auth(&token).send().await.unwrap().json().await.unwrap();
        state.as_object().unwrap().keys().cloned().collect::<Vec<_>>()
    };
    assert!(purposes().await.contains(&"marketing".to_owned()));
    // By itself, when the file changes.
    std::fs::write(&map, format!("{MAP}{PURPOSE}")).unwrap();
    wait_until("the file is read", async || purposes().await.contains(&"news".to_owned())).await;
    // A withdrawal can name the text later, also where nobody decided on it.
    let stored = "select title from lethe.purpose_text where purpose = 'news'";
    wait_until("its text is stored", async || {
        let title = sqlx::query_scalar::<_, String>(stored).fetch_optional(installation.database.pool());
        title.await.unwrap().as_deref() == Some("News")
    })
    .await;
    // At once, by the signal.
    std::fs::write(&map, MAP).unwrap();
    server.signal("-HUP");
    wait_until("the file is read again", async || !purposes().await.contains(&"news".to_owned())).await;
    assert!(server.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn worker_reads_a_changed_map_too() {
    let (installation, map) = installation().await;
    let worker = Process::work(&installation.environment, installation.directory.path());
    wait_until("it runs", async || log(&installation).contains("worker started")).await;
    // The signal handler is there a moment later.
    tokio::time::sleep(Duration::from_secs(1)).await;
    std::fs::write(&map, format!("{MAP}{PURPOSE}")).unwrap();
    worker.signal("-HUP");
    wait_until("the file is read", async || log(&installation).contains("the data map was read again")).await;
    assert!(worker.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_file_keeps_the_earlier_map_and_is_reported_once() {
    let (mut installation, map) = installation().await;
    let inbox = Inbox::start().await;
    installation.set("LETHE_SMTP_URL", inbox.smtp_url().to_owned());
    installation.set("LETHE_MAIL_FROM", "privacy@northwind.example".to_owned());
    installation.set("LETHE_ALERT_TO", "operators@northwind.example".to_owned());
    installation.set("LETHE_METRICS_TOKEN", "metrics".to_owned());
    let server = Process::serve(&installation.environment, installation.directory.path(), &installation.url).await;
    assert_eq!(get(&installation, "/readyz").await["data_map_file"], "ok");
    std::fs::write(&map, "[[subject]]\ntable = ").unwrap();
    wait_until("it is noticed", async || get(&installation, "/readyz").await["data_map_file"] == "rejected").await;
    assert_eq!(get(&installation, "/readyz").await["data_map"], "ok", "the earlier map fits");
    let metrics = reqwest::Client::new().get(format!("{}/metrics", installation.url)).bearer_auth("metrics");
    let metrics = metrics.send().await.unwrap().text().await.unwrap();
    assert!(
        metrics.contains("lethe_data_map_file_accepted 0") && metrics.contains("lethe_data_map_fits 1"),
        "{metrics}"
    );
    let token = installation.clerk.sign_in(&person(0).id).await.jwt;
    let export = reqwest::Client::new().get(format!("{}/api/privacy/export", installation.url)).bearer_auth(&token);
    assert_eq!(export.send().await.unwrap().status(), StatusCode::OK);
    let mails = format!("{:?}", inbox.wait_for(1).await);
    assert!(mails.contains("The earlier map stays in force") && mails.contains("line 2"), "{mails}");

    // Several looks later, there is still one line and one mail.
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(log(&installation).matches("can't be used: the earlier map stays in force").count(), 1);
    assert_eq!(inbox.messages().await.len(), 1);
    std::fs::write(&map, MAP).unwrap();
    wait_until("it is corrected", async || get(&installation, "/readyz").await["data_map_file"] == "ok").await;
    assert!(server.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn deletion_goes_on_within_a_minute_once_the_map_fits() {
    let (installation, map) = installation().await;
    execute(&installation, SURPRISE).await;
    let server = Process::serve(&installation.environment, installation.directory.path(), &installation.url).await;
    let delete = async |index| -> String {
        let token = installation.clerk.sign_in(&person(index).id).await.jwt;
        let request = reqwest::Client::new().delete(format!("{}/api/privacy/delete", installation.url));
        let document: Value = request.bearer_auth(&token).send().await.unwrap().json().await.unwrap();
        assert_eq!(document["deleted"], false, "{document}");
        document["receipt"].as_str().unwrap().to_owned()
    };
    let is_finished = async |receipt: &str| {
        let code = receipt.trim_start_matches("/receipt/");
        get(&installation, &format!("/api/_/deletion_progress?code={code}")).await["finished"] == true
    };
    // The file is corrected.
    let receipt = delete(0).await;
    let rule = "\n[[table]]\nname = \"public.surprise\"\nowner = \"user_id\"\nexport = \"all\"\nerase = \"delete\"\n";
    std::fs::write(&map, format!("{MAP}{rule}")).unwrap();
    let corrected = std::time::Instant::now();
    wait_until("it goes on", async || is_finished(&receipt).await).await;
    assert!(corrected.elapsed() < Duration::from_mins(1), "{:?}", corrected.elapsed());

    // The database is.
    execute(&installation, "alter table public.surprise rename to surprise_of_another_kind").await;
    let receipt = delete(2).await;
    wait_until("it is noticed", async || {
        log(&installation).matches("the data map doesn't fit the database").count() == 2
    })
    .await;
    execute(&installation, "alter table public.surprise_of_another_kind rename to surprise").await;
    let corrected = std::time::Instant::now();
    wait_until("it goes on", async || is_finished(&receipt).await).await;
    assert!(corrected.elapsed() < Duration::from_mins(1), "{:?}", corrected.elapsed());
    assert!(server.stop().await);
}

#[tokio::test]
async fn page_takes_a_request_while_the_map_misfits_and_says_what_it_cannot_say() {
    let app = TestApp::start().await;
    let ada = app.sign_in(0).await;
    let listed = ada.navigate("/delete").send().await.unwrap().text().await.unwrap();
    sqlx::query(SURPRISE).execute(app.pool()).await.unwrap();
    let preview = json(ada.get(&preview_path(&listed)).send().await.unwrap(), StatusCode::OK).await;
    assert_eq!((&preview["plan"], &preview["table"]), (&json!(""), &json!("")));

    let page = ada.navigate("/delete").send().await.unwrap();
    assert_eq!(page.status(), StatusCode::OK);
    let page = page.text().await.unwrap();
    assert!(
        page.contains("Our list of the data we hold is out of date right now") && !page.contains("<table"),
        "{page}"
    );
    // What was listed before can't be promised.
    let outdated = ada.post(REQUEST).form(&deletion_form_fields(&listed, WORDS)).send().await.unwrap();
    assert_eq!(outdated.status(), StatusCode::CONFLICT);
    let sent = as_plain_form(ada.post(REQUEST), &app).form(&deletion_form_fields(&page, WORDS)).send().await.unwrap();
    assert_eq!(sent.status(), StatusCode::SEE_OTHER);
    let receipt = header(sent.headers(), LOCATION.as_str()).to_owned();
    assert!(receipt.starts_with("/receipt/"), "{receipt}");

    lethe::deletion::resume_all(&app.lethe).await.unwrap();
    let request: uuid::Uuid =
        sqlx::query_scalar("select id from lethe.deletion_request").fetch_one(app.pool()).await.unwrap();
    lethe::deletion::run(&app.lethe, request, Duration::from_secs(20)).await.unwrap();
    let waiting = app.navigate(&receipt).send().await.unwrap().text().await.unwrap();
    assert!(waiting.contains("Your request is recorded.") && !waiting.contains("taking longer"), "{waiting}");
    assert!(!app.rows_of(0).await["users"].is_empty());
    // An export says that it isn't possible now.
    let grace = app.sign_in(1).await;
    problem(grace.get("/api/privacy/export").send().await.unwrap(), StatusCode::SERVICE_UNAVAILABLE, "unavailable")
        .await;
}

fn preview_path(page: &str) -> String {
    let [_, (_, person), _] = deletion_form_fields(page, "");
    format!("/api/_/preview_deletion?person={person}")
}

/// Somebody confirmed the sample's plan; then the operator decided that work stays longer.
async fn app_with_changed_plan(index: usize) -> TestApp {
    let app = TestApp::start().await;
    let subject = lethe::ClerkUserId::parse(&person(index).id).unwrap();
    let plan = lethe::deletion::preview(&app.lethe, &subject).await.unwrap();
    let new = lethe::deletion::NewRequest {
        subject: &subject,
        origin: lethe::deletion::Origin::Page,
        confirmed_plan: Some(&plan.hash),
        contact: None,
        idempotency_key: None,
    };
    let request = lethe::deletion::request(&app.lethe, new).await.unwrap();
    let edited = MAP.replace("purge_after = \"30 days\"", "purge_after = \"90 days\"");
    let edited = lethe::data_map::DataMap::parse(&edited).unwrap();
    app.lethe.active_map.replace(edited, lethe::purposes::Purposes::default());
    let progress = lethe::deletion::run(&app.lethe.refreshed(), request.id, Duration::from_secs(20)).await.unwrap();
    assert!(!progress.finished);
    app
}

#[tokio::test]
async fn user_who_signs_in_again_sees_what_changed_and_confirms_it() {
    let app = app_with_changed_plan(1).await;
    // Their sessions have ended; they sign in once more.
    let grace = app.sign_in(1).await;
    let home = grace.navigate("/").send().await.unwrap().text().await.unwrap();
    assert!(home.contains("Your account is being deleted.") && home.contains("/receipt/"), "{home}");
    assert!(!home.contains(">Sign in<"), "it would lead straight back here: {home}");
    let page = grace.navigate("/delete").send().await.unwrap();
    assert_eq!(page.status(), StatusCode::OK);
    let page = page.text().await.unwrap();
    assert!(
        page.contains("What has changed since you confirmed") && page.contains("You confirmed: Hidden now"),
        "{page}"
    );

    let banner = page.split("<main").next().unwrap();
    assert!(banner.contains(&format!("Signed in as {}", person(1).email)), "{banner}");

    let typo =
        as_plain_form(grace.post(CONFIRM), &app).form(&deletion_form_fields(&page, "delete")).send().await.unwrap();
    assert_eq!(header(typo.headers(), "location"), "/delete");
    let others = app.sign_in(0).await;
    let refused = others.post(CONFIRM).form(&deletion_form_fields(&page, WORDS)).send().await.unwrap();
    assert!(refused.status().is_client_error(), "{}", refused.status());
    let impersonated =
        app.sign_in_with(1, TokenOptions { actor: Some("user_support".to_owned()), ..TokenOptions::default() }).await;
    let refused = impersonated.post(CONFIRM).form(&deletion_form_fields(&page, WORDS)).send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);

    let confirmed =
        as_plain_form(grace.post(CONFIRM), &app).form(&deletion_form_fields(&page, WORDS)).send().await.unwrap();
    assert_eq!(confirmed.status(), StatusCode::SEE_OTHER);
    let receipt = header(confirmed.headers(), "location").to_owned();
    let request: uuid::Uuid =
        sqlx::query_scalar("select id from lethe.deletion_request").fetch_one(app.pool()).await.unwrap();
    assert!(lethe::deletion::run(&app.lethe.refreshed(), request, Duration::from_secs(20)).await.unwrap().finished);
    let page = app.navigate(&receipt).send().await.unwrap().text().await.unwrap();
    assert!(page.contains("You confirmed the change on"), "{page}");
}

#[tokio::test]
async fn page_of_a_deletion_without_a_question_leads_to_its_progress() {
    let app = TestApp::start().await;
    let subject = lethe::ClerkUserId::parse(&person(0).id).unwrap();
    let new = lethe::deletion::NewRequest {
        subject: &subject,
        origin: lethe::deletion::Origin::Api,
        confirmed_plan: None,
        contact: None,
        idempotency_key: None,
    };
    lethe::deletion::request(&app.lethe, new).await.unwrap();
    let ada = app.sign_in(0).await;
    let page = ada.navigate("/delete").send().await.unwrap();
    assert_eq!(page.status(), StatusCode::UNAUTHORIZED);
    let page = page.text().await.unwrap();
    assert!(page.contains("See the progress") && !page.contains(">Sign in<"), "{page}");
}
