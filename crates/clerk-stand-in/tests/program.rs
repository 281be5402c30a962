//! The program `clerk-stand-in`, started with only a port and an empty database.

#![expect(clippy::unwrap_used, reason = "a panic fails the test")]

use std::{
    process::{Child, Command, Stdio},
    time::Duration,
};

use clerk_stand_in::{Port, TemporaryDatabase};
use serde_json::Value;

struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "tests have no other settings")]
async fn program_starts_on_an_empty_database() {
    drop(rustls::crypto::ring::default_provider().install_default());
    let server_url = std::env::var("LETHE_TEST_DATABASE_URL").unwrap();
    let database = TemporaryDatabase::create(&server_url, "empty", "", async |_| {}).await;
    let port = Port::hold();
    let child = Command::new(env!("CARGO_BIN_EXE_clerk-stand-in"))
        .args(["--port", &port.number().to_string(), "--database-url", database.url(), "--people", "3"])
        .env_clear()
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let _process = Process(child);
    let count = format!("{}/v1/users/count", port.url());
    for _ in 0..300 {
        if let Ok(response) = reqwest::Client::new().get(&count).bearer_auth("sk_test_stand_in").send().await {
            assert_eq!(response.json::<Value>().await.unwrap()["total_count"], 3);
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("no response within 30 seconds");
}
