//! What operators decide about deletions: `deletions hold`, `release`, `replan`, long lists, and the report of `erase`.

use lethe_demo::people::person;
use lethe_demo::testing::Fault;
use serde_json::json;

use crate::installation::{Installation, stderr_text, stdout_json, text};
use crate::support::rows_of;

fn file_of(installation: &Installation, name: &str, content: &str) -> String {
    let file = installation.directory.path().join(name);
    std::fs::write(&file, content).unwrap();
    file.to_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn deletion_is_held_with_a_reason_and_released() {
    let installation = Installation::new().await;
    let user = person(0).id;
    let ids = file_of(&installation, "ids.txt", &user);
    // It stops before anything is erased.
    installation.clerk.fail(Fault { status: Some(503), ..Fault::default() });
    let erase = ["erase", "--file", &ids, "--json"];
    assert_eq!(stdout_json(&installation.run(&erase), 3)["unfinished"], 1);
    installation.clerk.recover();
    let before = rows_of(installation.database.pool(), &user).await;

    let hold = ["deletions", "hold", &user, "--reason", "claim 17/26", "--json"];
    assert_eq!(stdout_json(&installation.run(&hold), 0), json!({"outcome": "held"}));
    assert_eq!(stdout_json(&installation.run(&hold), 0), json!({"outcome": "held_before"}));
    stdout_json(&installation.run(&["deletions", "retry", &user, "--json"]), 0);
    assert_eq!(stdout_json(&installation.run(&erase), 3)["unfinished"], 1);
    assert_eq!(rows_of(installation.database.pool(), &user).await, before);
    let listed = stdout_json(&installation.run(&["deletions", "list", "--json"]), 0);
    let deletion = &listed["deletions"][0];
    assert!(deletion["held_at"].is_string() && deletion["hold_reason"] == "claim 17/26", "{listed}");
    for command in [&["deletions", "list"][..], &["deletions", "show", &user]] {
        let printed = text(&installation.run(command).stdout);
        assert!(printed.contains("claim 17/26"), "{printed}");
    }
    let retried = text(&installation.run(&["deletions", "retry", &user]).stdout);
    assert!(retried.contains("lethe deletions release"), "{retried}");

    let receipt = deletion["receipt"].as_str().unwrap();
    let release = ["deletions", "release", receipt, "--json"];
    assert_eq!(stdout_json(&installation.run(&release), 0), json!({"outcome": "released"}));
    assert_eq!(stdout_json(&installation.run(&release), 0), json!({"outcome": "not_held"}));
    assert_eq!(stdout_json(&installation.run(&erase), 0)["erased"], 1);
    let late = ["deletions", "hold", receipt, "--reason", "late", "--json"];
    assert_eq!(stdout_json(&installation.run(&late), 3), json!({"outcome": "too_late"}));
}

#[tokio::test(flavor = "multi_thread")]
async fn operator_accepts_the_plan_of_the_present_map() {
    let mut installation = Installation::new().await;
    let user = person(1).id;
    let ids = file_of(&installation, "ids.txt", &user);
    installation.clerk.fail(Fault { status: Some(503), ..Fault::default() });
    let erase = ["erase", "--file", &ids, "--json"];
    assert_eq!(stdout_json(&installation.run(&erase), 3)["unfinished"], 1);
    installation.clerk.recover();
    let replan = ["deletions", "replan", &user, "--json"];
    assert_eq!(
        stdout_json(&installation.run(&replan), 0),
        json!({"outcome": "unnecessary"}),
        "nobody confirmed a plan"
    );
    // As if the person had confirmed another one.
    let confirmed = "update lethe.deletion_request set plan_hash = repeat('0', 64)";
    sqlx::query(confirmed).execute(installation.database.pool()).await.unwrap();
    let retry = ["deletions", "retry", &user, "--json"];
    stdout_json(&installation.run(&retry), 0);
    assert_eq!(stdout_json(&installation.run(&erase), 3)["unfinished"], 1);
    let displayed = text(&installation.run(&["deletions", "show", &user]).stdout);
    assert!(displayed.contains("plan_changed") && displayed.contains("lethe deletions replan"), "{displayed}");

    // A map that doesn't fit gives no plan.
    let good = installation.setting("LETHE_DATA_MAP");
    let misfit =
        std::fs::read_to_string(&good).unwrap() + "\n[[ignore]]\nname = \"public.nothing\"\nreason = \"none\"\n";
    let misfit = file_of(&installation, "misfit.toml", &misfit);
    installation.set("LETHE_DATA_MAP", misfit);
    let complaint = stderr_text(&installation.run(&replan), 1);
    assert!(complaint.contains("public.nothing"), "{complaint}");
    installation.set("LETHE_DATA_MAP", good);

    assert_eq!(stdout_json(&installation.run(&replan), 0), json!({"outcome": "accepted"}));
    assert_eq!(stdout_json(&installation.run(&erase), 0)["erased"], 1);
    let receipt: String = sqlx::query_scalar("select receipt_code from lethe.deletion_request")
        .fetch_one(installation.database.pool())
        .await
        .unwrap();
    let late = ["deletions", "replan", &receipt, "--json"];
    assert_eq!(stdout_json(&installation.run(&late), 3), json!({"outcome": "too_late"}));
}

#[tokio::test(flavor = "multi_thread")]
async fn long_list_has_pages() {
    let installation = Installation::new().await;
    let ids: Vec<String> = (0..3).map(|index| person(index).id).collect();
    let ids = file_of(&installation, "ids.txt", &ids.join("\n"));
    stdout_json(&installation.run(&["erase", "--file", &ids, "--json"]), 0);
    let list = ["deletions", "list", "--state", "completed", "--limit", "2"];
    let first = stdout_json(&installation.run(&[&list[..], &["--json"]].concat()), 0);
    let next = first["next"].as_str().unwrap();
    assert_eq!(first["deletions"].as_array().unwrap().len(), 2);
    let printed = text(&installation.run(&list).stdout);
    assert!(printed.contains(&format!("--after {next}")), "{printed}");
    let rest = stdout_json(&installation.run(&[&list[..], &["--after", next, "--json"]].concat()), 0);
    assert_eq!((rest["deletions"].as_array().unwrap().len(), &rest["next"]), (1, &json!(null)));
}

#[tokio::test(flavor = "multi_thread")]
async fn report_of_erase_has_a_line_for_each_id_and_is_continued() {
    let installation = Installation::new().await;
    let (done, failing, unlisted) = (person(0).id, person(2).id, person(5).id);
    let ids = file_of(&installation, "ids.txt", &format!("{done}\n{failing}\n"));
    let report = installation.directory.path().join("report.csv");
    let erase = ["erase", "--file", &ids, "--report", report.to_str().unwrap(), "--json"];
    installation.clerk.fail(Fault {
        operation: Some("DELETE /v1/users/{user_id}".to_owned()),
        path: Some(failing.clone()),
        status: Some(500),
        ..Fault::default()
    });
    stdout_json(&installation.run(&erase), 3);
    let lines = || std::fs::read_to_string(&report).unwrap().lines().map(str::to_owned).collect::<Vec<_>>();
    let first = lines();
    let fields = |line: &str| line.split(',').map(str::to_owned).collect::<Vec<_>>();
    assert_eq!((first.len(), first[0].as_str()), (3, "id,outcome,receipt,cause"), "{first:?}");
    let (erased, unfinished) = (fields(&first[1]), fields(&first[2]));
    assert_eq!((&erased[0], &*erased[1], &*erased[3]), (&done, "erased", ""));
    assert_eq!((&unfinished[0], &*unfinished[1], &*unfinished[3]), (&failing, "unfinished", "clerk_failed"));
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&report).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600, "the ids are personal data");

    // A run that was interrupted left half a line; the next one continues, with one more id.
    std::fs::write(&report, format!("{}\n{failing},requ", first.join("\n"))).unwrap();
    std::fs::write(&ids, format!("{done}\n{failing}\n{unlisted}\n")).unwrap();
    installation.clerk.recover();
    sqlx::query("update lethe.deletion_step set next_attempt_at = null")
        .execute(installation.database.pool())
        .await
        .unwrap();
    stdout_json(&installation.run(&erase), 0);
    let second = lines();
    assert_eq!(second.len(), 4, "{second:?}");
    assert_eq!(second[1], first[1], "the receipt stays");
    let continued = fields(&second[2]);
    assert_eq!((&continued[0], &*continued[1], &continued[2]), (&failing, "erased", &unfinished[2]));
    assert_eq!(fields(&second[3])[1], "erased");
    stdout_json(&installation.run(&erase), 0);
    assert_eq!(lines(), second);

    // Nothing else is overwritten.
    std::fs::write(&report, "name,address\n").unwrap();
    let complaint = stderr_text(&installation.run(&erase), 1);
    assert!(complaint.contains("isn't a report of this command"), "{complaint}");
    assert_eq!(std::fs::read_to_string(&report).unwrap(), "name,address\n");
}
