//! After a restore: a real backup, and the real binary.

use std::path::PathBuf;
use std::process::Command;

use lethe_demo::people::person;
use reqwest::StatusCode;
use serde_json::json;

use crate::installation::{Installation, stderr_text, stdout_json, text};
use crate::process::{Process, wait_until};
use crate::support::{header, problem, rows_of};

/// The programs of the newest Postgres, as `cargo xtask` installs it.
fn postgres_program(name: &str) -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<(u32, PathBuf)> = versions
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin").join(name))))
        .filter(|(_, program)| program.is_file())
        .collect();
    found.sort();
    found.pop().map_or_else(|| name.into(), |(_, program)| program)
}

fn run_postgres(name: &str, arguments: &[&str]) {
    let output = Command::new(postgres_program(name)).args(arguments).output().unwrap();
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
}

fn dump(installation: &Installation) -> String {
    let file = installation.directory.path().join("backup").display().to_string();
    run_postgres("pg_dump", &["--format=custom", "--file", &file, "--dbname", installation.database.url()]);
    file
}

/// Restores the backup over the database, as it was.
fn restore(installation: &Installation, file: &str) {
    let arguments = ["--clean", "--if-exists", "--exit-on-error", "--dbname", installation.database.url(), file];
    run_postgres("pg_restore", &arguments);
}

fn erase(installation: &Installation, people: &[String]) {
    let file = installation.directory.path().join("ids.txt");
    std::fs::write(&file, people.join("\n")).unwrap();
    let erased = stdout_json(&installation.run(&["erase", "--file", file.to_str().unwrap(), "--json"]), 0);
    assert_eq!(erased["erased"], people.len());
}

async fn remaining_rows(installation: &Installation, people: &[String]) -> usize {
    let mut rows = 0;
    for id in people {
        rows += rows_of(installation.database.pool(), id).await.values().map(Vec::len).sum::<usize>();
    }
    rows
}

async fn readiness(installation: &Installation) -> StatusCode {
    reqwest::get(format!("{}/readyz", installation.url)).await.unwrap().status()
}

#[tokio::test(flavor = "multi_thread")]
async fn restored_database_is_not_served_until_it_is_replayed() {
    let installation = Installation::with_people(24).await;
    // Users of the blog, whose rows all go.
    let people: Vec<String> = (0..12).map(|index| person(2 * index).id).collect();
    let erased = &people[..10];
    let backup = dump(&installation);
    assert!(remaining_rows(&installation, erased).await >= 10);
    erase(&installation, erased);
    // Their comments under posts of erased people are detached from these.
    let neighbour = rows_of(installation.database.pool(), &people[10]).await;
    assert_eq!(remaining_rows(&installation, erased).await, 0);
    restore(&installation, &backup);
    assert!(remaining_rows(&installation, erased).await >= 10, "they are back");

    let server = Process::serve(&installation.environment, installation.directory.path(), &installation.url).await;
    let get = async |path: &str, accept: &str| {
        let request = reqwest::Client::new().get(format!("{}{path}", installation.url)).header("accept", accept);
        request.send().await.unwrap()
    };
    for path in ["/", "/receipt/7Q2M-9KXA-41TD-0000-ABCD", "/nothing"] {
        let page = get(path, "text/html").await;
        assert_eq!(
            (page.status(), header(page.headers(), "retry-after")),
            (StatusCode::SERVICE_UNAVAILABLE, "60"),
            "{path}"
        );
        let text = page.text().await.unwrap();
        assert!(text.contains("Back soon") && text.contains("We’re doing maintenance"), "{path}: {text}");
    }
    let document = get("/api/privacy/consent", "application/json").await;
    problem(document, StatusCode::SERVICE_UNAVAILABLE, "maintenance").await;
    let webhook = reqwest::Client::new().post(format!("{}/api/webhooks/clerk", installation.url)).body("{}");
    problem(webhook.send().await.unwrap(), StatusCode::SERVICE_UNAVAILABLE, "maintenance").await;
    let doctor = text(&installation.run(&["doctor"]).stdout);
    assert!(doctor.contains("the database lacks 10 tombstones"), "{doctor}");
    let ready = reqwest::get(format!("{}/readyz", installation.url)).await.unwrap();
    problem(ready, StatusCode::SERVICE_UNAVAILABLE, "maintenance").await;
    assert_eq!(get("/healthz", "*/*").await.status(), StatusCode::OK);

    let replayed = stdout_json(&installation.run(&["replay", "--json"]), 0);
    assert_eq!((&replayed["erased"], &replayed["unfinished"]), (&json!(10), &json!(0)), "{replayed}");
    assert_eq!(remaining_rows(&installation, erased).await, 0, "nobody is back");
    assert_eq!(rows_of(installation.database.pool(), &people[10]).await, neighbour);
    wait_until("it serves again", async || readiness(&installation).await == StatusCode::OK).await;
    let document = get("/api/privacy/consent", "application/json").await;
    problem(document, StatusCode::UNAUTHORIZED, "not_signed_in").await;
    assert!(server.stop().await);
    let found = stdout_json(&installation.run(&["replay", "--dry-run", "--json"]), 0);
    assert_eq!((&found["restored"], &found["missing_in_database"]), (&json!([]), &json!(0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn waived_replay_is_recorded_and_ends_maintenance() {
    let installation = Installation::new().await;
    let backup = dump(&installation);
    erase(&installation, &[person(0).id]);
    restore(&installation, &backup);
    stderr_text(&installation.run(&["replay", "--waive", "--dry-run"]), 2);
    for waived in [1, 0] {
        assert_eq!(stdout_json(&installation.run(&["replay", "--waive", "--json"]), 0), json!({"waived": waived}));
    }
    let recorded: Vec<String> =
        sqlx::query_scalar("select open::text from lethe.audit_entry where kind = 'restore.waived'")
            .fetch_all(installation.database.pool())
            .await
            .unwrap();
    assert_eq!(recorded, [r#"{"tombstones":1}"#]);
    let server = Process::serve(&installation.environment, installation.directory.path(), &installation.url).await;
    wait_until("it serves", async || readiness(&installation).await == StatusCode::OK).await;
    assert!(server.stop().await);
    let found = stdout_json(&installation.run(&["replay", "--dry-run", "--json"]), 3);
    assert_eq!(found["restored"], json!([person(0).id]), "a replay can still be run");
}

/// A restore from an earlier backup wouldn't be noticed with this store.
#[tokio::test(flavor = "multi_thread")]
async fn store_that_lacks_tombstones_of_the_database_is_logged_at_the_start() {
    let mut installation = Installation::new().await;
    erase(&installation, &[person(0).id]);
    let log = installation.directory.path().join("log");
    let starts = async |installation: &Installation| {
        let _ = std::fs::remove_file(&log);
        let server = Process::serve(&installation.environment, installation.directory.path(), &installation.url).await;
        assert!(server.stop().await);
        std::fs::read_to_string(&log).unwrap()
    };
    assert!(!starts(&installation).await.contains("the store lacks tombstones"));
    let other = installation.directory.path().join("other-store");
    installation.set("LETHE_STORAGE", other.to_str().unwrap().to_owned());
    let doctor = text(&installation.run(&["doctor"]).stdout);
    assert!(doctor.contains("the store lacks 1 tombstones"), "{doctor}");
    let logged = starts(&installation).await;
    assert!(logged.contains("the store lacks tombstones") && logged.contains("tombstones=1"), "{logged}");
}
