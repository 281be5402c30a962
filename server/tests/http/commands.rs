//! The command line, as operators and their scripts use it.

use lethe_demo::people::person;
use lethe_demo::testing::TokenOptions;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::installation::{Installation, run, stderr_text, stdout_json, text};
use crate::process::Process;
use crate::support::{Directory, rows_of};

#[tokio::test(flavor = "multi_thread")]
async fn migrate_is_idempotent_and_required_before_serve() {
    let installation = Installation::unmigrated().await;
    let refused = stderr_text(&installation.run(&["serve"]), 1);
    assert!(refused.contains("run `lethe migrate` first"), "{refused}");
    for _ in 0..2 {
        assert!(installation.run(&["migrate"]).status.success());
    }
    let server = Process::serve(&installation.environment, installation.directory.path(), &installation.url).await;
    assert!(server.stop().await, "SIGTERM ends it well");
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_settings_are_reported_together() {
    let directory = Directory::new();
    let refused = stderr_text(&run(&[], directory.path(), &["serve"]), 2);
    for name in ["DATABASE_URL", "CLERK_SECRET_KEY", "LETHE_URL", "LETHE_SECRET", "LETHE_DATA_MAP"] {
        assert!(refused.contains(&format!("{name} is missing")), "{refused}");
    }
    let elsewhere = [("DATABASE_URL", "postgres://nobody:hidden@127.0.0.1:1/nothing".to_owned())];
    let refused = stderr_text(&run(&elsewhere, directory.path(), &["migrate"]), 1);
    assert!(refused.contains("127.0.0.1:1/nothing") && !refused.contains("hidden"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn mismatching_data_map_stops_only_what_needs_it() {
    let installation = Installation::new().await;
    assert_eq!(stdout_json(&installation.run(&["map", "check", "--json"]), 0)["fits"], true);
    sqlx::query(
        "create table public.surprise (id bigint primary key, user_id text references public.users (clerk_id))",
    )
    .execute(installation.database.pool())
    .await
    .unwrap();
    let found = stdout_json(&installation.run(&["map", "check", "--json"]), 3);
    assert_eq!(found["problems"][0]["table"], "public.surprise");
    let annotated = installation.run(&["map", "check", "--github"]);
    let annotated = text(&annotated.stdout);
    assert!(annotated.starts_with("::error file=") && annotated.contains("title=public.surprise::"), "{annotated}");
    let printed = installation.run(&["map", "check"]);
    assert!(text(&printed.stdout).contains("public.surprise"), "{}", text(&printed.stdout));

    let server = Process::serve(&installation.environment, installation.directory.path(), &installation.url).await;
    let log = std::fs::read_to_string(installation.directory.path().join("log")).unwrap();
    assert!(log.contains("public.surprise"), "{log}");
    let http = reqwest::Client::new();
    let at = |path: &str| format!("{}{path}", installation.url);
    let ready: Value = http.get(at("/readyz")).send().await.unwrap().json().await.unwrap();
    assert_eq!((&ready["status"], &ready["data_map"]), (&json!("ready"), &json!("mismatch")));
    let token = installation.clerk.sign_in(&person(0).id).await.jwt;
    let saved = http.post(at("/api/privacy/consent")).bearer_auth(&token).json(&json!({"marketing": true}));
    assert_eq!(saved.send().await.unwrap().status(), StatusCode::OK);
    let export = http.get(at("/api/privacy/export")).bearer_auth(&token).send().await.unwrap();
    assert_eq!(export.status(), StatusCode::SERVICE_UNAVAILABLE);

    // The request is stored, waits, and goes on once the map fits.
    let requested = http.delete(at("/api/privacy/delete")).bearer_auth(&token).send().await.unwrap();
    let requested: Value = requested.json().await.unwrap();
    let receipt = at(requested["receipt"].as_str().unwrap());
    assert_eq!(requested["deleted"], false, "{requested}");
    assert_eq!(http.get(&receipt).send().await.unwrap().status(), StatusCode::OK);
    sqlx::query("drop table public.surprise").execute(installation.database.pool()).await.unwrap();
    sqlx::query("update lethe.deletion_step set next_attempt_at = now() where status <> 'done'")
        .execute(installation.database.pool())
        .await
        .unwrap();
    assert!(server.stop().await);
    let file = installation.directory.path().join("ids.txt");
    std::fs::write(&file, &person(0).id).unwrap();
    assert_eq!(stdout_json(&installation.run(&["erase", "--file", file.to_str().unwrap(), "--json"]), 0)["erased"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_secret_is_refused() {
    let mut installation = Installation::new().await;
    stdout_json(&installation.run(&["purge", "--json"]), 0);
    let secret = installation.environment.iter_mut().find(|(name, _)| *name == "LETHE_SECRET").unwrap();
    secret.1 = "YW5vdGhlciBzZWNyZXQgb2YgdGhlIHRlc3RzLCAzMiBieXRlcyBsb25n".to_owned();
    for command in [&["serve"][..], &["work"], &["purge"], &["orphans"]] {
        let refused = stderr_text(&installation.run(command), 1);
        assert!(refused.contains("LETHE_SECRET isn't the secret that this database was used with"), "{refused}");
    }
    let doctor = installation.run(&["doctor"]);
    let printed = text(&doctor.stdout);
    assert!(printed.contains("LETHE_SECRET isn't the secret that this database was used with"), "{printed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn drafted_and_upgraded_maps_are_valid() {
    let installation = Installation::new().await;
    for command in [&["map", "draft"][..], &["map", "draft", "--sample"], &["map", "upgrade"]] {
        let drafted = installation.run(command);
        assert!(drafted.status.success(), "{}", text(&drafted.stderr));
        let map = lethe::data_map::DataMap::parse(&text(&drafted.stdout)).unwrap();
        assert!(map.tables().len() > 3);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn map_rehearse_prints_what_an_erasure_changes_and_changes_nothing() {
    let mut installation = Installation::new().await;
    let map = std::fs::read_to_string(installation.setting("LETHE_DATA_MAP")).unwrap();
    let ignored = "[[ignore]]\nnames = [\"public.outbox\"]\nreason = \"emptied every minute\"\n\n[[purpose]]";
    let path = installation.directory.path().join("map.toml");
    std::fs::write(&path, map.replacen("[[purpose]]", ignored, 1)).unwrap();
    installation.set("LETHE_DATA_MAP", path.display().to_string());
    let pool = installation.database.pool();
    let trigger = "create function public.on_post() returns trigger language plpgsql as $f$
            begin execute 'delete ' || 'from public.comments where author_id <> $1' using old.author_id; return old; end $f$;
        create table public.outbox (event text);
        create function public.on_comment() returns trigger language plpgsql as $f$
            begin execute 'insert ' || 'into public.outbox values ($1)' using old.id::text; return old; end $f$;
        create trigger on_comment after delete on public.comments for each row execute function public.on_comment()";
    sqlx::raw_sql(trigger).execute(pool).await.unwrap();
    let ada = person(0).id;
    let before = rows_of(pool, &ada).await;
    let rehearsed = stdout_json(&installation.run(&["map", "rehearse", &ada, "--json"]), 0);
    assert_eq!(rehearsed["leftovers"], json!([]));
    let effect = &rehearsed["side_effects"][0];
    assert_eq!((&effect["table"], &effect["deleted"]), (&json!("public.outbox"), &json!(0)), "{rehearsed}");
    assert!(effect["inserted"].as_u64().unwrap() > 0);
    let printed = text(&installation.run(&["map", "rehearse", &ada]).stdout);
    for part in ["public.comments", "Beside them", "public.outbox", "nothing was changed"] {
        assert!(printed.contains(part), "{part}: {printed}");
    }
    assert_eq!(rows_of(pool, &ada).await, before);

    // A trigger that takes along what others wrote.
    sqlx::raw_sql("create trigger on_post after delete on public.posts for each row execute function public.on_post()")
        .execute(pool)
        .await
        .unwrap();
    let refused = text(&installation.run(&["map", "rehearse", &ada]).stdout);
    assert!(refused.contains("public.comments") && refused.contains("would be refused"), "{refused}");

    // A trigger that raises, at the commit.
    sqlx::raw_sql(
        "drop trigger on_post on public.posts;
         create function public.refuse() returns trigger language plpgsql as 'begin raise ''the last author stays''; end';
         create constraint trigger refuse after delete on public.posts deferrable initially deferred
            for each row execute function public.refuse()",
    )
    .execute(pool)
    .await
    .unwrap();
    let raised = stdout_json(&installation.run(&["map", "rehearse", &ada, "--json"]), 3);
    assert_eq!(raised["refused_by_database"]["message"], "the last author stays");
    let printed = text(&installation.run(&["map", "rehearse", &ada]).stdout);
    assert!(printed.contains("the last author stays") && printed.contains("function refuse()"), "{printed}");
    assert_eq!(rows_of(pool, &ada).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn audit_list_names_who_acted_for_a_user() {
    let installation = Installation::new().await;
    let server = Process::serve(&installation.environment, installation.directory.path(), &installation.url).await;
    let ada = person(0).id;
    let options = TokenOptions { actor: Some(person(5).id), ..TokenOptions::default() };
    let token = installation.clerk.token_for(&ada, options).await;
    let request =
        reqwest::Client::new().post(format!("{}/api/privacy/consent", installation.url)).bearer_auth(&token.jwt);
    let response = request.json(&json!({"marketing": false})).send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert!(server.stop().await);
    let listed = stdout_json(&installation.run(&["audit", "list", &ada, "--json"]), 0);
    assert_eq!((&listed[0]["kind"], &listed[1]), (&json!("consent.changed"), &Value::Null), "{listed}");
    let fields = &listed[0]["fields"];
    assert_eq!((&fields["source"], &fields["actor"]), (&json!("on_behalf"), &json!({"sub": person(5).id})), "{listed}");
    let printed = text(&installation.run(&["audit", "list", &ada]).stdout);
    assert!(printed.contains(&person(5).id), "{printed}");
    let of_other_user = text(&installation.run(&["audit", "list", &person(1).id]).stdout);
    assert_eq!(of_other_user, "The log has nothing about this user.\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn audit_verify_detects_a_change() {
    let installation = Installation::new().await;
    let file = installation.directory.path().join("ids.txt");
    std::fs::write(&file, &person(0).id).unwrap();
    stdout_json(&installation.run(&["erase", "--file", file.to_str().unwrap(), "--json"]), 0);
    let found = stdout_json(&installation.run(&["audit", "verify", "--json"]), 0);
    assert!(found["links"].as_u64().unwrap() > 0);
    // As somebody would who may do anything in the database.
    sqlx::raw_sql(
        "set session_replication_role = replica;
         update lethe.audit_entry set open = '{\"forged\": true}' where id = (select min(id) from lethe.audit_entry)",
    )
    .execute(&mut *installation.database.pool().acquire().await.unwrap())
    .await
    .unwrap();
    let found = stdout_json(&installation.run(&["audit", "verify", "--json"]), 3);
    assert!(!found["broken"].as_array().unwrap().is_empty(), "{found}");
}

#[tokio::test(flavor = "multi_thread")]
async fn log_contains_no_personal_data_and_no_secrets() {
    let mut installation = Installation::new().await;
    installation.environment.push(("LETHE_LOG", "info,lethe=debug,lethe_server=debug,lethe_app=debug".to_owned()));
    let server = Process::serve(&installation.environment, installation.directory.path(), &installation.url).await;
    let http = reqwest::Client::new();
    let token = installation.clerk.sign_in(&person(0).id).await;
    let get = |path: &str| http.get(format!("{}{path}", installation.url)).bearer_auth(&token.jwt);
    let consent = format!("{}/api/privacy/consent", installation.url);
    // Some things that go well, some that don't.
    get(&format!("/?address={}", person(0).email)).header("accept", "text/html").send().await.unwrap();
    get("/api/privacy/export").send().await.unwrap().bytes().await.unwrap();
    get(&format!("/receipt/{}", person(0).id)).send().await.unwrap();
    for body in [r#"{"marketing": true}"#, r#"{"ada@example.org": 1}"#] {
        http.post(&consent).bearer_auth(&token.jwt).body(body).send().await.unwrap();
    }
    http.post(&consent).bearer_auth(&token.jwt).header("origin", "https://evil.example").send().await.unwrap();
    http.post(format!("{}/api/webhooks/clerk", installation.url)).body(person(0).email).send().await.unwrap();
    installation.clerk.fail(lethe_demo::testing::Fault {
        operation: Some("DELETE /v1/users/{user_id}".to_owned()),
        status: Some(500),
        ..Default::default()
    });
    let response =
        http.delete(format!("{}/api/privacy/delete", installation.url)).bearer_auth(&token.jwt).send().await.unwrap();
    let document: Value = response.json().await.unwrap();
    assert!(server.stop().await);

    let log = std::fs::read_to_string(installation.directory.path().join("log")).unwrap();
    let incident = document["incident"].as_str().unwrap();
    let lines_with = |parts: &[&str]| log.lines().filter(|line| parts.iter().all(|part| line.contains(part))).count();
    assert_eq!(lines_with(&["request failed", incident]), 1, "{log}");
    assert_eq!(
        lines_with(&["lethe::access", incident, "method=DELETE", "/api/privacy/delete", "status=500"]),
        1,
        "{log}"
    );
    assert_eq!(lines_with(&["lethe::access", "method=GET", "/receipt/{code}", "duration_ms="]), 1, "{log}");
    assert_eq!(lines_with(&["step failed", incident]), 1, "{log}");
    let ada = person(0);
    let [header, ..] = token.jwt.split('.').collect::<Vec<_>>()[..] else { panic!("a token has parts") };
    for personal in [&ada.id, &ada.email, &ada.first_name, &ada.last_name, &token.session_id, &token.jwt] {
        assert!(!log.contains(personal.as_str()), "{personal}: {log}");
    }
    for secret in [header, installation.clerk.secret_key(), installation.clerk.webhook_secret(), crate::support::SECRET]
    {
        assert!(!log.contains(secret), "a secret is in the log: {log}");
    }
}
