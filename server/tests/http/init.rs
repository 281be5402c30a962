//! `lethe init`: questions that are answered on standard input, by options and by hand.

use std::io::Write as _;
use std::process::{Output, Stdio};

use crate::installation::{Installation, run, stdout_json, text};
use crate::process::lethe;

/// An installation whose map isn't there yet.
async fn without_map() -> Installation {
    let mut installation = Installation::new().await;
    let map = installation.directory.path().join("new-map.toml");
    let setting = installation.environment.iter_mut().find(|(name, _)| *name == "LETHE_DATA_MAP").unwrap();
    map.to_str().unwrap().clone_into(&mut setting.1);
    installation
}

fn map_of(installation: &Installation) -> String {
    std::fs::read_to_string(installation.directory.path().join("new-map.toml")).unwrap()
}

/// Runs the command with lines on its standard input.
fn enter(installation: &Installation, lines: &str) -> Output {
    enter_with(installation, &["init"], lines)
}

fn enter_with(installation: &Installation, arguments: &[&str], lines: &str) -> Output {
    let mut command = lethe(&installation.environment, installation.directory.path(), arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = command.spawn().unwrap();
    process.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    process.wait_with_output().unwrap()
}

fn open_questions(installation: &Installation, exit: i32) -> Vec<serde_json::Value> {
    let found = stdout_json(&installation.run(&["init", "--json"]), exit);
    found["open"].as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_are_begun_where_that_is_wanted_and_never_overwritten() {
    let mut installation = without_map().await;
    let url = installation.url.clone();
    installation.environment.retain(|(name, _)| !matches!(*name, "LETHE_URL" | "LETHE_SECRET"));
    let path = installation.directory.path().join("lethe.toml");
    let begin = ["init", "--settings", path.to_str().unwrap()];
    let entered = enter_with(&installation, &begin, &format!("{url}\nq\n"));
    let printed = text(&entered.stdout);
    assert!(printed.contains("Settings that Lethe needs") && printed.contains("lethe.toml: new"), "{printed}");
    assert!(!printed.contains("It still lacks"), "{printed}");
    let written = std::fs::read_to_string(&path).unwrap();
    assert!(written.contains(&format!("url = \"{url}\"")) && written.contains("\nsecret = \""), "{written}");
    let mode = std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(&path).unwrap());
    assert_eq!(mode & 0o777, 0o600);

    // The file alone is enough.
    let environment = [("LETHE_CONFIG", path.display().to_string())];
    let checked = run(&environment, installation.directory.path(), &["doctor", "--json"]);
    let checks: serde_json::Value = serde_json::from_slice(&checked.stdout).unwrap();
    let settings = checks["checks"].as_array().unwrap().iter().find(|check| check["check"] == "settings").unwrap();
    assert_eq!(settings["status"], "ok", "{settings}");

    let again = enter_with(&installation, &begin, "");
    assert!(
        !again.status.success() && text(&again.stderr).contains("exists; it is left as it is"),
        "{}",
        text(&again.stderr)
    );
    assert_eq!(std::fs::read_to_string(&path).unwrap(), written);

    // Without the option it is offered once every question was asked, and not before.
    std::fs::remove_file(&path).unwrap();
    enter(&installation, "q\n");
    enter(&installation, &["s\n".repeat(30), "n\n".to_owned()].concat());
    assert!(!path.exists());
    let questions = open_questions(&installation, 3).len();
    let offered = enter(&installation, &["s\n".repeat(questions), format!("y\n{url}\n")].concat());
    let printed = text(&offered.stdout);
    assert!(printed.contains("Begin a file of settings") && path.exists(), "{printed}");
}

/// Rows of others reference those of a table, which shows once it is decided whose those are.
const TEAM: &str = "
    create table public.teams (id bigint primary key, approved_by text not null, assigned_to text not null);
    create table public.tasks (id bigint primary key, team_id bigint references public.teams, author text references public.users (clerk_id));
    insert into public.teams values (1, 'user_2abcdefghijklmnopqrstuvwxyz', 'user_2zyxwvutsrqponmlkjihgfedcba');
    insert into public.tasks values (1, 1, null)";

#[tokio::test(flavor = "multi_thread")]
async fn what_decisions_lead_to_is_asked_as_well() {
    let installation = without_map().await;
    sqlx::raw_sql(TEAM).execute(installation.database.pool()).await.unwrap();
    let open = open_questions(&installation, 3);
    let decisions: Vec<String> = open
        .iter()
        .map(|question| {
            let choices = question["choices"].as_array().unwrap();
            let is_approver =
                |choice: &serde_json::Value| choice["description"].as_str().unwrap().contains("approved_by");
            let index = choices.iter().position(is_approver).unwrap_or_default();
            let reason = if choices[index]["needs"].is_null() { "" } else { "=decided" };
            format!("{}={}{reason}", question["question"].as_str().unwrap(), index + 1)
        })
        .collect();
    let mut arguments = vec!["init"];
    for decision in &decisions {
        arguments.extend(["--decide", decision]);
    }
    installation.run(&arguments);
    let follow_up = open_questions(&installation, 3);
    let asked: Vec<&str> = follow_up.iter().map(|question| question["question"].as_str().unwrap()).collect();
    assert!(asked.contains(&"public.tasks team_id"), "{follow_up:#?}");
    let reference = follow_up.iter().find(|question| question["question"] == "public.tasks team_id").unwrap();
    assert_eq!((&reference["rows"], &reference["choices"][0]["needs"]), (&1.into(), &"a reason".into()), "{reference}");

    // One by an option, the rest on the terminal.
    let decided = installation.run(&["init", "--decide", "public.tasks team_id=1=a task outlives its team"]);
    assert!(
        map_of(&installation).contains("others = \"detach\"\nreason = \"a task outlives its team\""),
        "{}",
        text(&decided.stderr)
    );
    let finished = enter(&installation, &"1\nyes\n".repeat(20));
    let printed = text(&finished.stdout);
    assert!(printed.contains("0 open questions") && printed.contains("fits"), "{printed}\n{}", text(&finished.stderr));
    assert_eq!(open_questions(&installation, 0), Vec::<serde_json::Value>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn questions_are_answered_one_by_one_left_and_resumed() {
    let installation = without_map().await;
    sqlx::raw_sql("create table public.visits (id bigint primary key, visitor_email text); insert into public.visits values (1, 'a@b.example')")
        .execute(installation.database.pool())
        .await
        .unwrap();
    let stopped = enter(&installation, "q\n");
    assert_eq!(stopped.status.code(), Some(3), "{}", text(&stopped.stderr));
    let open = open_questions(&installation, 3);
    assert!(open.len() > 2, "{open:?}");
    let visits = open.iter().find(|question| question["question"] == "public.visits").unwrap();
    assert_eq!(visits["rows"], 1);
    assert_eq!(
        visits["choices"][0]["description"],
        "whoever has the address in \"visitor_email\", with whom they are deleted"
    );

    // The first answer of the first question; then the input ends.
    let first = &open[0];
    let reason = if first["choices"][0]["needs"].is_null() { "" } else { "decided \"here\"\n" };
    let entered = enter(&installation, &format!("nonsense\n99\n1\n{reason}"));
    let printed = text(&entered.stdout);
    assert!(printed.contains("Enter a number from 1 to") && printed.contains("open question"), "{printed}");
    let left = open_questions(&installation, 3);
    assert_eq!(left.len(), open.len() - 1);
    assert!(left.iter().all(|question| question["question"] != first["question"]));

    // One by an option, and one by hand.
    let ignored = installation.run(&["init", "--decide", "public.visits=2=counted, not read"]);
    assert_eq!(ignored.status.code(), Some(3), "{}", text(&ignored.stderr));
    assert!(map_of(&installation).contains("name   = \"public.visits\"\nreason = \"counted, not read\""));
    for wrong in ["public.visits=1", "public.nowhere=1", "public.visits"] {
        assert!(!installation.run(&["init", "--decide", wrong]).status.success(), "{wrong}");
    }
    let left = open_questions(&installation, 3);
    // The rest, each with its first answer.
    let rest =
        left.iter().map(|question| if question["choices"][0]["needs"].is_null() { "1\n" } else { "1\ndecided\n" });
    let finished = enter(&installation, &rest.collect::<String>());
    let printed = text(&finished.stdout);
    assert!(printed.contains("0 open questions") && printed.contains("fits"), "{printed}\n{}", text(&finished.stderr));
    assert_eq!(finished.status.code(), Some(0));
    assert_eq!(open_questions(&installation, 0), Vec::<serde_json::Value>::new());
    assert!(lethe::data_map::DataMap::parse(&map_of(&installation)).is_ok());
}
