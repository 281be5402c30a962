//! The stand-in as a process of its own, started with only a port and a database.

use std::{
    process::{Child, Command, Stdio},
    time::Duration,
};

use lethe_demo::testing::{Database, Port};
use serde_json::Value;

use crate::client;

struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[tokio::test]
async fn clerk_command_starts_on_an_empty_database() {
    let database = Database::create().await;
    // The stand-in creates its own tables.
    sqlx::raw_sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public").execute(database.pool()).await.unwrap();
    let port = Port::hold();
    let child = Command::new(env!("CARGO_BIN_EXE_lethe-demo"))
        .args(["clerk", "--port", &port.number().to_string(), "--database-url", database.url()])
        .env_clear()
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let _process = Process(child);
    let url = port.url();
    for _ in 0..300 {
        let response = client().get(format!("{url}/v1/users/count")).bearer_auth("sk_test_stand_in").send().await;
        if let Ok(response) = response {
            assert_eq!(response.json::<Value>().await.unwrap()["total_count"], 40);
            let page = client().get(format!("{url}/sign-in?redirect_url={url}")).send().await.unwrap();
            let page = page.text().await.unwrap();
            assert!(page.contains("Ada Lovelace") && page.contains("<span class=\"tag\">lab</span>"), "{page}");
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("no response within 30 seconds");
}
