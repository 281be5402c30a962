//! What the obvious design gets wrong, where no other file shows it; and that `docs/traps.md` names tests that exist.

use std::path::Path;

use lethe::ClerkUserId;
use lethe::clerk::{Client, ClientSettings};
use lethe_demo::people::person;
use lethe_demo::testing::Fault;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{TestApp, TestOptions, eventually, json, limit};

const CONSENT: &str = "/api/privacy/consent";

/// Two tabs, fifty milliseconds to Clerk, and somebody else who writes to the same metadata.
#[tokio::test]
async fn concurrent_withdrawals_survive_a_slow_clerk() {
    let settings = vec![("LETHE_CONSENT_CHANGES_PER_MINUTE", limit(1000))];
    let app = TestApp::with(TestOptions { run_jobs: true, settings, ..TestOptions::default() }).await;
    let ada = app.sign_in(0).await;
    let id = person(0).id;
    // Another application's server, with a budget of its own.
    let settings = ClientSettings {
        api_url: app.clerk.url().parse().unwrap(),
        ..ClientSettings::new(app.clerk.secret_key().to_owned().into())
    };
    let others = Client::new(&settings).unwrap();
    app.clerk.fail(Fault { latency: 50, ..Fault::default() });
    let save = async |choice: Value| json(ada.post(CONSENT).json(&choice).send().await.unwrap(), StatusCode::OK).await;
    for round in 0..50 {
        save(json!({"marketing": true, "analytics": true, "thirdParty": true})).await;
        // Clerk takes ten changes of one person in ten seconds, so they write now and then.
        let write = async {
            if round % 10 == 0 {
                others
                    .merge_metadata(&ClerkUserId::parse(&id).unwrap(), json!({"theirs": {"round": round}}))
                    .await
                    .map(drop)
            } else {
                Ok(())
            }
        };
        let (_, _, written) = tokio::join!(save(json!({"marketing": false})), save(json!({"analytics": false})), write);
        written.unwrap();
        let record = json(ada.get(CONSENT).send().await.unwrap(), StatusCode::OK).await;
        assert_eq!((&record["marketing"], &record["analytics"]), (&json!(false), &json!(false)), "round {round}");
    }
    app.clerk.recover();
    eventually("the mirror", async || {
        let metadata = app.clerk.user(&id).await.unwrap()["public_metadata"].clone();
        let consent = &metadata["consent"];
        consent["marketing"] == json!(false)
            && consent["analytics"] == json!(false)
            && consent["thirdParty"] == json!(true)
            && metadata["theirs"]["round"] == json!(40)
    })
    .await;
}

/// A file that its reader takes slowly: it has begun, it isn't finished, and others are served meanwhile.
#[tokio::test]
async fn export_streams_while_others_are_served() {
    const ROWS: i64 = 100_000;
    let app = TestApp::start().await;
    lethe_demo::sample::fill_usage_logs(app.pool(), &person(1).id, ROWS).await.unwrap();
    let (large, other) = (app.sign_in(1).await, app.sign_in(0).await);
    let mut file = large.get("/api/privacy/export").send().await.unwrap();
    assert_eq!(file.status(), StatusCode::OK);
    let first = file.chunk().await.unwrap().unwrap();
    let is_finished = async || {
        let finished = "select count(*) from lethe.audit_entry where kind = 'export.completed'";
        sqlx::query_scalar::<_, i64>(finished).fetch_one(app.pool()).await.unwrap() > 0
    };
    assert!(!is_finished().await, "the first bytes come before the last row is read");
    for _ in 0..20 {
        assert_eq!(other.navigate("/").send().await.unwrap().status(), StatusCode::OK);
    }
    assert!(!is_finished().await, "the others were served while it went on");
    let mut text = first.to_vec();
    while let Some(chunk) = file.chunk().await.unwrap() {
        text.extend_from_slice(&chunk);
    }
    let export: Value = serde_json::from_slice(&text).unwrap();
    let rows = export["applicationData"]["usage_logs"].as_array().unwrap().len();
    assert!(i64::try_from(rows).unwrap() >= ROWS, "{rows}");
    assert!(is_finished().await);
}

#[test]
fn document_names_existing_tests() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let document = std::fs::read_to_string(root.join("docs/traps.md")).unwrap();
    let (mut file, mut tests) = (String::new(), 0);
    // Every other piece stands between backticks: files, and after each its tests.
    for name in document.split('`').skip(1).step_by(2).filter(|name| !name.starts_with("cargo ")) {
        if Path::new(name).extension().is_some_and(|kind| kind == "rs" || kind == "ts") {
            file = std::fs::read_to_string(root.join(name)).expect(name);
        } else {
            let (rust, script) = (format!("fn {name}("), format!("test('{name}'"));
            assert!(file.contains(&rust) || file.contains(&script), "no test is named {name}");
            tests += 1;
        }
    }
    assert!(tests >= 10, "each of the ten lines names a test");
}
