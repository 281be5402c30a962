//! The stand-in as a process of its own, started with nothing but a port and a database.

use std::{
    process::{Child, Command, Stdio},
    time::Duration,
};

use demo::testing::{Database, Port};
use serde_json::Value;

use crate::support::client;

struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[tokio::test]
async fn it_starts_alone() {
    let database = Database::create().await;
    // It brings its tables along, into a database that has none.
    sqlx::raw_sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public").execute(database.pool()).await.unwrap();
    let port = Port::hold();
    let child = Command::new(env!("CARGO_BIN_EXE_demo"))
        .args(["clerk", "--port", &port.number().to_string(), "--database-url", database.url()])
        .env_clear()
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let _process = Process(child);
    let url = port.url();
    for _ in 0..300 {
        let asked = client().get(format!("{url}/v1/users/count")).bearer_auth("sk_test_stand_in").send().await;
        if let Ok(answer) = asked {
            assert_eq!(answer.json::<Value>().await.unwrap()["total_count"], 40);
            let page = client().get(format!("{url}/sign-in?redirect_url={url}")).send().await.unwrap();
            assert!(page.text().await.unwrap().contains("Ada Lovelace"));
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("it doesn't answer within half a minute");
}
