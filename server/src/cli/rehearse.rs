//! `lethe map rehearse`: an erasure that is rolled back.

use lethe::data_map::{self, DataMap, Problem};
use lethe::deletion::{self, Disposition, Leftover, PlanLine, Rehearsal, SideEffect};
use lethe::{ClerkUserId, Error, Identifiers};
use serde_json::json;
use sqlx::PgConnection;

use super::exit::Exit;
use super::output::{print_json, print_table};

pub(super) async fn run(
    map: &DataMap,
    connection: &mut PgConnection,
    as_json: bool,
    user: &ClerkUserId,
) -> anyhow::Result<Exit> {
    let resolved = match data_map::resolve(map, connection).await {
        Err(data_map::Error::Mismatch(problems)) => return refused(as_json, &problems),
        resolved => resolved?,
    };
    match deletion::rehearse(&resolved, connection, &Identifiers::from(user)).await {
        Ok(rehearsal) => report(as_json, &rehearsal),
        Err(Error::Map(data_map::Error::Mismatch(problems))) => refused(as_json, &problems),
        Err(error) => Err(error.into()),
    }
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

fn report(as_json: bool, rehearsal: &Rehearsal) -> anyhow::Result<Exit> {
    let Rehearsal { results, side_effects, leftovers } = rehearsal;
    if as_json {
        print_json(&json!({"results": results, "side_effects": side_effects, "leftovers": leftovers}))?;
    } else {
        let lines = results.iter().map(|result| &result.line).filter(|line| line.rows > 0);
        let rows: Vec<_> = lines.map(line_row).collect();
        if rows.is_empty() {
            println!("The database has no rows of this user.");
        } else {
            println!("By the data map's rules:");
            print_table(["table", "rows", "whose", "outcome"], &rows);
        }
        if !side_effects.is_empty() {
            println!("\nBeside them, by triggers, rules or foreign keys:");
            let row = |SideEffect { table, inserted, updated, deleted }: &SideEffect| {
                [table.clone(), inserted.to_string(), updated.to_string(), deleted.to_string()]
            };
            print_table(["table", "added", "changed", "deleted"], &side_effects.iter().map(row).collect::<Vec<_>>());
        }
        if !leftovers.is_empty() {
            println!("\nWhat should have gone and was still there:");
            let row = |Leftover { table, column, rows }: &Leftover| {
                [table.clone(), column.clone().unwrap_or_default(), rows.to_string()]
            };
            print_table(["table", "column", "rows"], &leftovers.iter().map(row).collect::<Vec<_>>());
        }
        println!("\nEverything was rolled back: nothing was changed.");
    }
    Ok(if leftovers.is_empty() { Exit::Success } else { Exit::Attention })
}

fn line_row(line: &PlanLine) -> [String; 4] {
    let outcome = match line.disposition() {
        Disposition::Deleted => "deleted".to_owned(),
        Disposition::DeletedLater(at) => format!("deleted on {}", at.date()),
        Disposition::Retained(Some(at)) => format!("stay, whole or in part, until {}", at.date()),
        Disposition::Retained(None) => "stay, whole or in part".to_owned(),
    };
    let whose = if line.others { "other people's" } else { "the user's" };
    [line.table.clone(), line.rows.to_string(), whose.to_owned(), outcome]
}
