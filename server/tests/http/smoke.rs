//! What every installation must do, in one pass over HTTP.

use std::time::{Duration, Instant};

use lethe_demo::people::person;
use lethe_demo::testing::{ClerkStandIn, Database};
use reqwest::StatusCode;
use serde_json::json;

use crate::process::wait_until;

/// How soon a job starts, on a machine that runs other tests too.
const JOB_LIMIT: Duration = Duration::from_secs(15);

/// Reads and saves preferences, downloads, and deletes an account; then the other one's data is there still.
pub(crate) async fn use_everything(url: &str, clerk: &ClerkStandIn, database: &Database, people: [usize; 2]) {
    let http = reqwest::Client::new();
    let [subject, neighbour] = people.map(|index| person(index).id);
    let token = clerk.sign_in(&subject).await.jwt;
    let page = http.get(format!("{url}/healthz")).send().await.unwrap();
    assert_eq!(page.status(), StatusCode::OK);
    let saved = http.post(format!("{url}/api/privacy/consent")).bearer_auth(&token).json(&json!({"marketing": true}));
    assert_eq!(saved.send().await.unwrap().status(), StatusCode::OK);
    let mirrored = async || {
        clerk.user(&subject).await.is_some_and(|user| user["public_metadata"]["consent"]["marketing"] == json!(true))
    };
    let started = Instant::now();
    wait_until("the consent is mirrored", mirrored).await;
    assert!(started.elapsed() < JOB_LIMIT, "{:?}", started.elapsed());
    let export = http.get(format!("{url}/api/privacy/export")).bearer_auth(&token).send().await.unwrap();
    assert_eq!(export.status(), StatusCode::OK);
    assert!(export.text().await.unwrap().contains("applicationData"));
    let deleted = http.delete(format!("{url}/api/privacy/delete")).bearer_auth(&token).send().await.unwrap();
    assert!(deleted.status().is_success(), "{}", deleted.status());
    wait_until("the deletion ends", async || {
        let open = "select count(*) from lethe.deletion_request where finished_at is null";
        sqlx::query_scalar::<_, i64>(open).fetch_one(database.pool()).await.unwrap() == 0
    })
    .await;
    assert!(clerk.user(&subject).await.is_none() && clerk.user(&neighbour).await.is_some());
}
