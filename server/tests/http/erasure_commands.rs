//! The commands that erase: `orphans`, `erase`, `replay`, `purge`, and `deletions`, which looks at what they began.

use lethe_demo::people::person;
use lethe_demo::testing::{ClerkStandIn, StandInOptions};
use serde_json::{Value, json};

use crate::installation::{Installation, stderr_text, stdout_json, text};
use crate::process::{Process, wait_until};
use crate::support::{limit, rows_of};

#[tokio::test(flavor = "multi_thread")]
async fn orphans_are_listed_and_deleted_with_erase() {
    let installation = Installation::new().await;
    let (gone, there) = (person(2).id, person(0).id);
    installation.clerk.delete_user(&gone).await;
    let before = rows_of(installation.database.pool(), &gone).await;
    let neighbour = rows_of(installation.database.pool(), &there).await;
    assert!(before.iter().any(|(_, rows)| !rows.is_empty()));

    installation.clerk.forget_requests();
    let found = stdout_json(&installation.run(&["orphans", "--json"]), 3);
    assert_eq!(found["orphans"], json!([gone]));
    assert_eq!(found["people"], 8);
    assert_eq!(
        installation.clerk.all_requests(),
        2,
        "eight people are one call, and who is missing is looked up alone"
    );
    assert_eq!(rows_of(installation.database.pool(), &gone).await, before, "looking changes nothing");

    let erased = stdout_json(&installation.run(&["orphans", "--erase", "--json"]), 0);
    assert_eq!((&erased["erased"], &erased["unfinished"]), (&json!(1), &json!(0)));
    assert!(rows_of(installation.database.pool(), &gone).await.iter().all(|(_, rows)| rows.is_empty()));
    assert_eq!(rows_of(installation.database.pool(), &there).await, neighbour);
    assert_eq!(stdout_json(&installation.run(&["orphans", "--json"]), 0)["orphans"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_orphans_stop_before_anything_is_deleted() {
    let installation = Installation::new().await;
    for index in [2, 5] {
        installation.clerk.delete_user(&person(index).id).await;
    }
    let before = rows_of(installation.database.pool(), &person(2).id).await;
    let refused = stderr_text(&installation.run(&["orphans", "--erase"]), 1);
    assert!(refused.contains("2 of 8 users are unknown to Clerk") && refused.contains("--at-most 2"), "{refused}");
    assert_eq!(rows_of(installation.database.pool(), &person(2).id).await, before);
    let erased = stdout_json(&installation.run(&["orphans", "--erase", "--at-most", "2", "--json"]), 0);
    assert_eq!(erased["erased"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn clerk_outage_reports_no_orphans() {
    let installation = Installation::new().await;
    installation.clerk.fail(lethe_demo::testing::Fault { status: Some(503), ..Default::default() });
    stderr_text(&installation.run(&["orphans", "--erase"]), 1);
    let requests: i64 = sqlx::query_scalar("select count(*) from lethe.deletion_request")
        .fetch_one(installation.database.pool())
        .await
        .unwrap();
    assert_eq!(requests, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn erase_deletes_all_users_and_can_be_repeated() {
    let installation = Installation::new().await;
    let file = installation.directory.path().join("ids.txt");
    std::fs::write(&file, format!("# March\n{}\n\n{}\n", person(0).id, person(2).id)).unwrap();
    let file = file.to_str().unwrap();
    let neighbour = rows_of(installation.database.pool(), &person(7).id).await;
    for erased_before in [0, 2] {
        let erased = stdout_json(&installation.run(&["erase", "--file", file, "--json"]), 0);
        assert_eq!((&erased["people"], &erased["unfinished"]), (&json!(2), &json!(0)));
        assert_eq!(erased["erased_before"], erased_before, "who was erased before is left alone");
    }
    let requests: i64 = sqlx::query_scalar("select count(*) from lethe.deletion_request")
        .fetch_one(installation.database.pool())
        .await
        .unwrap();
    assert_eq!(requests, 2);
    for index in [0, 2] {
        assert!(rows_of(installation.database.pool(), &person(index).id).await.iter().all(|(_, rows)| rows.is_empty()));
        assert!(installation.clerk.user(&person(index).id).await.is_none());
    }
    assert_eq!(rows_of(installation.database.pool(), &person(7).id).await, neighbour);
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_line_prevents_all_deletions() {
    let installation = Installation::new().await;
    let file = installation.directory.path().join("ids.txt");
    std::fs::write(&file, format!("{}\nada@example.org\n", person(0).id)).unwrap();
    let refused = stderr_text(&installation.run(&["erase", "--file", file.to_str().unwrap()]), 1);
    assert!(refused.contains("line 2") && !refused.contains("ada@example.org"), "{refused}");
    assert!(installation.clerk.user(&person(0).id).await.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn unusually_many_deletions_at_clerk_wait_for_an_operator() {
    let mut installation = Installation::new().await;
    installation.environment.push(("LETHE_CLERK_DELETIONS_PER_HOUR", limit(2)));
    let (environment, url) = (&installation.environment, &installation.url);
    let server = Process::serve(environment, installation.directory.path(), url).await;
    installation.clerk.set_webhook_url(&format!("{url}/api/webhooks/clerk"));
    let pool = installation.database.pool();
    let erased = async || -> i64 {
        sqlx::query_scalar("select count(*) from lethe.deletion_request where finished_at is not null")
            .fetch_one(pool)
            .await
            .unwrap()
    };
    for index in 0..5 {
        installation.clerk.delete_user(&person(index).id).await;
    }
    wait_until("every event is received", async || {
        let received = "select count(*) from lethe.webhook_delivery where kind = 'user.deleted'";
        sqlx::query_scalar::<_, i64>(received).fetch_one(pool).await.unwrap() == 5
    })
    .await;
    wait_until("two erasures", async || erased().await == 2).await;
    let listed = stdout_json(&installation.run(&["deletions", "list", "--json"]), 3);
    assert_eq!(listed["waiting_clerk_events"], 3);
    let listed = text(&installation.run(&["deletions", "list"]).stdout);
    assert!(listed.contains("lethe deletions resume-clerk-events"), "{listed}");
    let held: String =
        sqlx::query_scalar("select clerk_id from lethe.held_clerk_event limit 1").fetch_one(pool).await.unwrap();
    assert_eq!(erased().await, 2);
    assert!(rows_of(pool, &held).await.iter().any(|(_, rows)| !rows.is_empty()));

    let resumed = stdout_json(&installation.run(&["deletions", "resume-clerk-events", "--json"]), 0);
    assert_eq!(resumed, json!({"requested": 3, "obsolete": 0, "still_at_clerk": 0}));
    wait_until("the other erasures", async || erased().await == 5).await;
    assert_eq!(stdout_json(&installation.run(&["deletions", "list", "--json"]), 0)["waiting_clerk_events"], 0);
    let nothing = stdout_json(&installation.run(&["deletions", "resume-clerk-events", "--discard", "--json"]), 0);
    assert_eq!(nothing, json!({"discarded": 0}));
    assert!(server.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn replay_erases_who_was_erased_since_the_backup() {
    let mut installation = Installation::new().await;
    let backup = installation.database.copy().await;
    let (erased, neighbour) = (person(0).id, person(7).id);
    let file = installation.directory.path().join("ids.txt");
    std::fs::write(&file, &erased).unwrap();
    stdout_json(&installation.run(&["erase", "--file", file.to_str().unwrap(), "--json"]), 0);
    assert_eq!(stdout_json(&installation.run(&["replay", "--json"]), 0)["restored"], json!([]));

    // The restore.
    for (name, value) in &mut installation.environment {
        if *name == "DATABASE_URL" {
            backup.url().clone_into(value);
        }
    }
    let before = rows_of(backup.pool(), &erased).await;
    let rows_of_neighbour = rows_of(backup.pool(), &neighbour).await;
    let listed = installation.run(&["replay", "--dry-run"]);
    assert_eq!(text(&listed.stdout), format!("{erased}\n"));
    assert!(!stderr_text(&listed, 3).contains(&erased));
    let found = stdout_json(&installation.run(&["replay", "--dry-run", "--json"]), 3);
    assert_eq!((&found["restored"], &found["erased"], &found["tombstones"]), (&json!([erased]), &json!(0), &json!(1)));
    assert_eq!(rows_of(backup.pool(), &erased).await, before);

    let replayed = stdout_json(&installation.run(&["replay", "--json"]), 0);
    assert_eq!((&replayed["erased"], &replayed["unfinished"]), (&json!(1), &json!(0)));
    assert!(rows_of(backup.pool(), &erased).await.iter().all(|(_, rows)| rows.is_empty()));
    assert_eq!(rows_of(backup.pool(), &neighbour).await, rows_of_neighbour);
    let found = stdout_json(&installation.run(&["replay", "--dry-run", "--json"]), 0);
    assert_eq!((&found["restored"], &found["missing_in_database"]), (&json!([]), &json!(0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn replay_with_an_unfinished_deletion_needs_attention() {
    let mut installation = Installation::new().await;
    let backup = installation.database.copy().await;
    let file = installation.directory.path().join("ids.txt");
    std::fs::write(&file, &person(0).id).unwrap();
    stdout_json(&installation.run(&["erase", "--file", file.to_str().unwrap(), "--json"]), 0);
    for (name, value) in &mut installation.environment {
        if *name == "DATABASE_URL" {
            backup.url().clone_into(value);
        }
    }
    installation.clerk.fail(lethe_demo::testing::Fault {
        operation: Some("DELETE /v1/users/{user_id}".to_owned()),
        status: Some(500),
        ..Default::default()
    });
    let replayed = stdout_json(&installation.run(&["replay", "--json"]), 3);
    assert_eq!((&replayed["erased"], &replayed["unfinished"]), (&json!(0), &json!(1)));
}

#[tokio::test(flavor = "multi_thread")]
async fn deletion_that_fails_is_listed_displayed_and_retried() {
    let installation = Installation::new().await;
    let file = installation.directory.path().join("ids.txt");
    let user = person(0).id;
    std::fs::write(&file, &user).unwrap();
    let erase = ["erase", "--file", file.to_str().unwrap(), "--json"];
    assert_eq!(
        stdout_json(&installation.run(&["deletions", "list", "--json"]), 0),
        json!({"deletions": [], "attention": 0, "next": null, "waiting_clerk_events": 0})
    );
    installation.clerk.fail(lethe_demo::testing::Fault {
        operation: Some("DELETE /v1/users/{user_id}".to_owned()),
        status: Some(503),
        ..Default::default()
    });
    assert_eq!(stdout_json(&installation.run(&erase), 3)["unfinished"], 1);
    installation.clerk.recover();

    let listed = stdout_json(&installation.run(&["deletions", "list", "--json"]), 0);
    let deletion = &listed["deletions"][0];
    assert_eq!((&deletion["state"], &deletion["step"]), (&json!("open"), &json!("clerk_user")), "{listed}");
    assert_eq!((&deletion["attempts"], &deletion["failure"]["code"]), (&json!(1), &json!("clerk_failed")));
    let (receipt, request) = (deletion["receipt"].as_str().unwrap(), deletion["request"].as_str().unwrap());
    let pool = installation.database.pool();
    sqlx::query("update lethe.deletion_request set attention_since = now()").execute(pool).await.unwrap();
    for state in ["open", "attention", "completed"] {
        let listed = stdout_json(&installation.run(&["deletions", "list", "--state", state, "--json"]), 3);
        assert_eq!(listed["attention"], 1, "{listed}");
        assert_eq!(listed["deletions"].as_array().unwrap().is_empty(), state == "completed", "{listed}");
    }
    let displayed = installation.run(&["deletions", "list"]);
    let table = text(&displayed.stdout);
    assert!(table.contains(receipt) && table.contains("needs attention"), "{table}");
    assert!(table.contains("a call to Clerk failed"), "{table}");

    for reference in [user.as_str(), receipt, request] {
        let output = installation.run(&["deletions", "show", reference, "--json"]);
        let document = stdout_json(&output, 0);
        assert_eq!((&document["receipt"], document["steps"].as_array().unwrap().len()), (&json!(receipt), 7));
        assert_eq!(document["steps"][4]["status"], "retrying", "{document}");
        let printed = installation.run(&["deletions", "show", reference]);
        assert!(text(&printed.stdout).contains("Nothing while Clerk is unavailable"), "{}", text(&printed.stdout));
        for output in [output, printed] {
            assert!(!format!("{}{}", text(&output.stdout), text(&output.stderr)).contains(&user));
        }
    }

    sqlx::query("update lethe.deletion_step set next_attempt_at = now() + interval '1 hour' where failure is not null")
        .execute(pool)
        .await
        .unwrap();
    assert_eq!(stdout_json(&installation.run(&erase), 3)["unfinished"], 1, "the next attempt isn't due");
    let retried = stdout_json(&installation.run(&["deletions", "retry", &user, "--json"]), 0);
    assert_eq!((&retried["step"], &retried["purges"]), (&json!("clerk_user"), &json!(0)), "{retried}");
    assert_eq!(stdout_json(&installation.run(&erase), 0)["erased"], 1);

    let listed = stdout_json(&installation.run(&["deletions", "list", "--state", "completed", "--json"]), 0);
    assert_eq!(listed["deletions"][0]["receipt"], receipt, "{listed}");
    assert_eq!(stdout_json(&installation.run(&["deletions", "show", receipt, "--json"]), 0)["state"], "completed");
    assert_eq!(stdout_json(&installation.run(&["deletions", "retry", receipt, "--json"]), 0)["step"], Value::Null);
    let retried = installation.run(&["deletions", "retry", receipt]);
    assert!(text(&retried.stdout).contains("is completed"), "{}", text(&retried.stdout));
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_deletion_is_a_failure_that_repeats_no_input() {
    let installation = Installation::new().await;
    let user = person(0).id;
    for command in ["show", "retry", "replan", "release"] {
        for reference in [user.as_str(), lethe::deletion::ReceiptCode::EXAMPLE] {
            let complaint = stderr_text(&installation.run(&["deletions", command, reference]), 1);
            assert!(complaint.contains("there is no such deletion") && !complaint.contains(&user), "{complaint}");
        }
        let complaint = stderr_text(&installation.run(&["deletions", command, "ada@example.org"]), 1);
        assert!(complaint.contains("neither a receipt code") && !complaint.contains("ada@"), "{complaint}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn purge_erases_expired_rows() {
    let installation = Installation::new().await;
    let file = installation.directory.path().join("ids.txt");
    std::fs::write(&file, &person(1).id).unwrap();
    stdout_json(&installation.run(&["erase", "--file", file.to_str().unwrap(), "--json"]), 0);
    assert_eq!(stdout_json(&installation.run(&["purge", "--json"]), 0), json!({"ended": 0, "rows": 0, "failed": 0}));
    sqlx::query("update lethe.retention set due_at = now() - interval '1 day'")
        .execute(installation.database.pool())
        .await
        .unwrap();
    let purged = stdout_json(&installation.run(&["purge", "--json"]), 0);
    assert!(purged["rows"].as_u64().unwrap() > 0, "{purged}");
    let rows = rows_of(installation.database.pool(), &person(1).id).await;
    let left: Vec<_> = rows.iter().filter(|(_, rows)| !rows.is_empty()).map(|(table, _)| *table).collect();
    for table in ["projects", "reports", "experiments", "pipelines", "datasets", "usage_logs"] {
        assert!(!left.contains(&table), "{table}: {left:?}");
    }
}

/// In both formats: the cause without what the application's trigger quotes.
#[tokio::test(flavor = "multi_thread")]
async fn log_of_a_failed_step_quotes_no_row() {
    let mut installation = Installation::new().await;
    sqlx::raw_sql(
        "create function lethe.quote() returns trigger language plpgsql as $$ begin
            raise exception 'not now, ada@example.org';
        end $$;
        create trigger quote before delete on public.posts for each row execute function lethe.quote();",
    )
    .execute(installation.database.pool())
    .await
    .unwrap();
    for (format, index) in [("text", 0), ("json", 2)] {
        installation.set("LETHE_LOG_FORMAT", format.to_owned());
        let file = installation.directory.path().join("ids");
        std::fs::write(&file, person(index).id).unwrap();
        let output = installation.run(&["erase", "--file", file.to_str().unwrap()]);
        let (log, printed) = (text(&output.stderr), text(&output.stdout));
        assert!(log.contains("database error P0001"), "{format}: {log}");
        assert!(!log.contains("ada@example.org") && !printed.contains("ada@example.org"), "{format}: {log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_id_is_not_reported_as_erased() {
    let installation = Installation::new().await;
    let file = installation.directory.path().join("ids");
    let report = installation.directory.path().join("report.csv");
    let (known, unknown) = (person(0).id, "user_2doesnotexist000000000001");
    std::fs::write(&file, format!("{unknown}\n{known}\n")).unwrap();
    let command = ["erase", "--file", file.to_str().unwrap(), "--report", report.to_str().unwrap(), "--json"];
    let outcome = stdout_json(&installation.run(&command), 3);
    assert_eq!((&outcome["erased"], &outcome["unknown"]), (&json!(1), &json!(1)));
    let report = std::fs::read_to_string(&report).unwrap();
    assert!(report.contains(&format!("\n{unknown},unknown,,\n")), "{report}");
    let requests: i64 = sqlx::query_scalar("select count(*) from lethe.deletion_request")
        .fetch_one(installation.database.pool())
        .await
        .unwrap();
    assert_eq!(requests, 1, "nothing was recorded about the other one");
    // Who has rows is known although Clerk doesn't know them.
    installation.clerk.delete_user(&person(2).id).await;
    std::fs::write(&file, person(2).id).unwrap();
    let outcome = stdout_json(&installation.run(&["erase", "--file", file.to_str().unwrap(), "--json"]), 0);
    assert_eq!((&outcome["erased"], &outcome["unknown"]), (&json!(1), &json!(0)));
}

/// To the other instance every user is unknown, so that each deletion would seem complete while the accounts live.
#[tokio::test(flavor = "multi_thread")]
async fn keys_of_two_instances_are_refused_before_anything_is_erased() {
    let mut installation = Installation::new().await;
    let other = ClerkStandIn::start(StandInOptions::default()).await;
    // Stand-ins are copies of one template: only with a new key is this one another instance.
    let rotated = reqwest::Client::new().post(format!("{}/control/keys", other.url())).json(&json!({"forget": true}));
    assert!(rotated.send().await.unwrap().status().is_success());
    installation.set("CLERK_PUBLISHABLE_KEY", other.publishable_key().to_owned());
    installation.set("CLERK_PROXY_URL", other.url().to_owned());
    let file = installation.directory.path().join("ids");
    std::fs::write(&file, person(0).id).unwrap();
    let before = rows_of(installation.database.pool(), &person(0).id).await;
    for command in [&["erase", "--file", file.to_str().unwrap()][..], &["orphans", "--erase"], &["work"], &["serve"]] {
        let refused = stderr_text(&installation.run(command), 1);
        assert!(refused.contains("of different instances"), "{command:?}: {refused}");
    }
    assert_eq!(rows_of(installation.database.pool(), &person(0).id).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_that_no_rule_erases_are_listed_and_need_attention() {
    let installation = Installation::new().await;
    let (ada, other) = (person(0).id, person(2).id);
    sqlx::query("update public.comments set body = 'thanks, ' || $1 where author_id = $2")
        .bind(&ada)
        .bind(&other)
        .execute(installation.database.pool())
        .await
        .unwrap();
    let file = installation.directory.path().join("ids.txt");
    std::fs::write(&file, &ada).unwrap();
    let erased = stdout_json(&installation.run(&["erase", "--file", file.to_str().unwrap(), "--json"]), 3);
    assert_eq!((&erased["erased"], &erased["with_texts"]), (&json!(1), &json!(1)), "{erased}");
    let listed = stdout_json(&installation.run(&["deletions", "list", "--state", "completed", "--json"]), 0);
    let receipt = listed["deletions"][0]["receipt"].as_str().unwrap();
    let details = stdout_json(&installation.run(&["deletions", "show", receipt, "--json"]), 0);
    let found = &details["found"][0];
    assert_eq!((&found["table"], &found["column"]), (&json!("public.comments"), &json!("body")), "{details}");
    let printed = text(&installation.run(&["deletions", "show", receipt]).stdout);
    assert!(printed.contains("Texts that still have the user's id or address"), "{printed}");
}
