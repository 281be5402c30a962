//! `lethe map rehearse`: an erasure that is rolled back.

use lethe::data_map::{self, DataMap, Problem};
use lethe::deletion::{self, ContentSearch, FoundContent, Leftover, Outcome, PlanLine, Rehearsal, SideEffect};
use lethe::{ClerkUserId, Error, Identifiers};
use serde_json::json;
use sqlx::PgConnection;
use sqlx::postgres::PgDatabaseError;

use super::exit::Exit;
use super::output::{print_json, print_table};

pub(super) async fn run(
    map: &DataMap,
    connection: &mut PgConnection,
    as_json: bool,
    user: &ClerkUserId,
    content_search_limit: u64,
) -> anyhow::Result<Exit> {
    let resolved = match data_map::resolve(map, connection).await {
        Err(data_map::Error::Mismatch(problems)) => return refused(as_json, &problems),
        resolved => resolved?,
    };
    match deletion::rehearse(&resolved, connection, &Identifiers::from(user), content_search_limit).await {
        Ok(rehearsal) => report(as_json, &rehearsal),
        Err(Error::Map(data_map::Error::Mismatch(problems))) => refused(as_json, &problems),
        Err(error) => match database_error(&error) {
            Some(cause) => refused_by_database(as_json, cause),
            None => Err(error.into()),
        },
    }
}

/// Returns the error of the database that is the cause, if its constraints or triggers refused a change.
fn database_error<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a PgDatabaseError> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(sqlx::Error::Database(error)) = error.downcast_ref() {
            // Integrity constraint violations, and what functions raise.
            return error
                .try_downcast_ref()
                .filter(|error: &&PgDatabaseError| ["23", "P0"].iter().any(|class| error.code().starts_with(class)));
        }
        cause = error.source();
    }
    None
}

/// Prints why nothing would be erased.
fn refused(as_json: bool, problems: &[Problem]) -> anyhow::Result<Exit> {
    if as_json {
        print_json(&json!({"problems": problems}))?;
    } else {
        for problem in problems {
            println!("{problem}");
        }
        println!("The erasure would be refused. Nothing was changed.");
    }
    Ok(Exit::Attention)
}

/// The message may be about rows, and is for the terminal of whoever asked.
fn refused_by_database(as_json: bool, error: &PgDatabaseError) -> anyhow::Result<Exit> {
    let (table, constraint, context) = (error.table(), error.constraint(), error.r#where());
    if as_json {
        let refusal = json!({"message": error.message(), "table": table, "constraint": constraint, "context": context});
        print_json(&json!({"refused_by_database": refusal}))?;
    } else {
        println!("The database refuses: {}", error.message());
        for (name, value) in [("table", table), ("constraint", constraint), ("context", context)] {
            if let Some(value) = value {
                println!("{name}: {value}");
            }
        }
        println!("The erasure would fail. Nothing was changed.");
    }
    Ok(Exit::Attention)
}

fn report(as_json: bool, rehearsal: &Rehearsal) -> anyhow::Result<Exit> {
    let exit = if rehearsal.is_complete() { Exit::Success } else { Exit::Attention };
    let Rehearsal { results, side_effects, leftovers, content } = rehearsal;
    if as_json {
        print_json(&json!({
            "results": results, "side_effects": side_effects, "leftovers": leftovers, "content": content,
        }))?;
        return Ok(exit);
    }
    let rows: Vec<_> = results.iter().map(|result| &result.line).filter(|line| line.rows > 0).map(line_row).collect();
    if rows.is_empty() {
        println!("No rule of the data map finds a row of this user.");
    } else {
        println!("By the data map's rules:");
        print_table(["table", "rows", "whose", "outcome"], &rows);
    }
    if !side_effects.is_empty() {
        println!("\nBeside them, by triggers or foreign keys:");
        print_table(
            ["table", "added", "changed", "deleted"],
            &side_effects.iter().map(side_effect_row).collect::<Vec<_>>(),
        );
    }
    if !leftovers.is_empty() {
        println!("\nWhat should have gone and was still there:");
        let row = |Leftover { table, column, rows }: &Leftover| {
            [table.clone(), column.clone().unwrap_or_default(), rows.to_string()]
        };
        print_table(["table", "column", "rows"], &leftovers.iter().map(row).collect::<Vec<_>>());
    }
    print_content(content);
    println!("\nEverything was rolled back: nothing was changed.");
    Ok(exit)
}

fn print_content(content: &ContentSearch) {
    println!();
    match content {
        ContentSearch::TooLarge => {
            println!("Texts weren't searched: the tables are larger than LETHE_CONTENT_SEARCH_MEGABYTES.");
        }
        ContentSearch::TimedOut => println!("Texts weren't searched to the end: it took too long."),
        ContentSearch::Searched { found, .. } if found.is_empty() => {
            println!(
                "No text has the Clerk user id, or an address that the data map names. Addresses that only Clerk knows weren't searched for."
            );
        }
        ContentSearch::Searched { found, .. } => {
            println!("Texts that would still have the Clerk user id or an address:");
            let row =
                |FoundContent { table, column, rows }: &FoundContent| [table.clone(), column.clone(), rows.to_string()];
            print_table(["table", "column", "rows"], &found.iter().map(row).collect::<Vec<_>>());
        }
    }
}

fn side_effect_row(effect: &SideEffect) -> [String; 4] {
    let SideEffect { table, inserted, updated, deleted, truncated } = effect;
    let deleted = if *truncated { "all (TRUNCATE)".to_owned() } else { deleted.to_string() };
    [table.clone(), inserted.to_string(), updated.to_string(), deleted]
}

fn line_row(line: &PlanLine) -> [String; 4] {
    let whose = if line.others { "other people's" } else { "the user's" };
    [line.table.clone(), line.rows.to_string(), whose.to_owned(), outcome(&line.outcome)]
}

fn outcome(outcome: &Outcome) -> String {
    let list = |columns: &[String]| columns.join(", ");
    match outcome {
        Outcome::Deleted => "deleted".to_owned(),
        Outcome::Scrubbed { columns, until: None, .. } => format!("stay without {}", list(columns)),
        Outcome::Scrubbed { columns, until: Some(until), .. } => {
            format!("stay without {} until {}", list(columns), until.date())
        }
        Outcome::Stamped { columns, purge_at: None } => format!("stay, with the time in {}", list(columns)),
        Outcome::Stamped { columns, purge_at: Some(at) } => {
            format!("get the time in {}, deleted on {}", list(columns), at.date())
        }
        Outcome::Retained { reason, until: None } => format!("stay: {reason}"),
        Outcome::Retained { reason, until: Some(until) } => format!("stay until {}: {reason}", until.date()),
        Outcome::Detached => "stay, and no longer lead to the user or their rows".to_owned(),
        Outcome::Shared { columns } if columns.is_empty() => "stay with their other owners".to_owned(),
        Outcome::Shared { columns } => format!("stay with their other owners, without {}", list(columns)),
    }
}
