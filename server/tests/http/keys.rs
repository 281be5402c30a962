//! `lethe keys`, and a secret that is rotated, through the real binary.

use lethe_demo::people::person;
use serde_json::{Value, json};

use crate::installation::{Installation, stderr_text, stdout_json};
use crate::support::SECRET;

const NEW: &str = "bmV3LXNlY3JldC1uZXctc2VjcmV0LW5ldy1zZWNyZXQtbmV3";

fn set_secret(installation: &mut Installation, secret: &str) {
    for (name, value) in &mut installation.environment {
        if *name == "LETHE_SECRET" {
            secret.clone_into(value);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn secret_is_rotated_and_the_old_one_dropped() {
    let mut installation = Installation::new().await;
    let file = installation.directory.path().join("ids.txt");
    std::fs::write(&file, person(0).id).unwrap();
    let erase = ["erase", "--file", file.to_str().unwrap(), "--json"];
    assert_eq!(stdout_json(&installation.run(&erase), 0)["erased"], 1);

    set_secret(&mut installation, NEW);
    assert!(stderr_text(&installation.run(&erase), 1).contains("isn't the secret"));
    set_secret(&mut installation, &format!("{NEW},{SECRET}"));
    assert_eq!(stdout_json(&installation.run(&erase), 0)["erased_before"], 1, "the old tombstone goes on working");
    let rotated = stdout_json(&installation.run(&["keys", "rotate", "--json"]), 0);
    let [old, new]: [Value; 2] = serde_json::from_value(rotated["secrets"].clone()).unwrap();
    assert_eq!(
        (&old["tombstones"], &old["newest"], &old["unused"]),
        (&json!(1), &json!(false), &json!(false)),
        "{rotated}"
    );
    assert_eq!((&new["newest"], &new["configured"]), (&json!(true), &json!(true)));

    set_secret(&mut installation, NEW);
    let refused = stderr_text(&installation.run(&erase), 1);
    let id = old["id"].as_str().unwrap();
    assert!(refused.contains("lacks a secret") && refused.contains(id), "{refused}");
    let refused = stderr_text(&installation.run(&["keys", "drop", id]), 1);
    assert!(refused.contains("1 tombstones") && refused.contains("--forget-tombstones"), "{refused}");
    assert!(stderr_text(&installation.run(&["keys", "drop", new["id"].as_str().unwrap()]), 1).contains("newest"));
    assert!(stderr_text(&installation.run(&["keys", "drop", "00000000"]), 1).contains("never used"));
    let dropped = stdout_json(&installation.run(&["keys", "drop", id, "--forget-tombstones", "--json"]), 0);
    assert_eq!(dropped, json!({"id": id, "dropped": true}));
    assert!(installation.run(&["keys", "list"]).status.success());
    assert_eq!(stdout_json(&installation.run(&["deletions", "list", "--json"]), 0)["attention"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_read_from_files() {
    let mut installation = Installation::new().await;
    let folder = installation.directory.path().to_owned();
    let names = ["DATABASE_URL", "CLERK_SECRET_KEY", "CLERK_WEBHOOK_SIGNING_SECRET", "LETHE_SECRET"];
    let files =
        ["DATABASE_URL_FILE", "CLERK_SECRET_KEY_FILE", "CLERK_WEBHOOK_SIGNING_SECRET_FILE", "LETHE_SECRET_FILE"];
    for (name, value) in &mut installation.environment {
        let Some(index) = names.iter().position(|secret| secret == name) else { continue };
        let path = folder.join(names[index]);
        std::fs::write(&path, format!("{value}\n")).unwrap();
        (*name, *value) = (files[index], path.display().to_string());
    }
    assert_eq!(stdout_json(&installation.run(&["deletions", "list", "--json"]), 0)["attention"], 0);
    let document: Value = serde_json::from_slice(&installation.run(&["doctor", "--json"]).stdout).unwrap();
    assert!(document.to_string().contains("every user of this machine can read"), "{document:#}");
    installation.environment.push(("LETHE_SECRET", SECRET.to_owned()));
    assert!(stderr_text(&installation.run(&["deletions", "list"]), 2).contains("are both set"));
}
