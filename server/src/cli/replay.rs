//! `lethe replay`.

use lethe::deletion::{Origin, replay, restore};
use lethe::{ClerkUserId, Lethe};
use serde_json::json;

use super::erase::{self, BatchOutcome};
use super::exit::Exit;
use super::output;

pub(super) async fn run(lethe: &Lethe, dry_run: bool, as_json: bool) -> anyhow::Result<Exit> {
    let mut progress = output::Progress::new();
    let report = replay::search(lethe, |report| {
        progress.show(&format!("{} users checked, {} erased before", report.people, report.restored.len()));
    })
    .await;
    progress.clear();
    let report = report?;
    let outcome = if dry_run {
        BatchOutcome::default()
    } else {
        let outcome = erase::delete_all(lethe, &report.restored, Origin::Operator, None).await?;
        replay::write_tombstones(lethe, &report).await?;
        outcome
    };
    if as_json {
        let restored: Vec<_> = report.restored.iter().map(ClerkUserId::as_str).collect();
        output::print_json(&json!({
            "people": report.people,
            "tombstones": report.tombstones,
            "restored": restored,
            "missing_in_database": report.missing_in_database(),
            "missing_in_store": report.missing_in_store(),
            "unrecognised": report.unrecognised,
            "unrecognised_objects": report.unrecognised_objects,
            "erased": outcome.completed,
            "unfinished": outcome.unfinished,
        }))?;
    } else {
        print_report(&report, outcome, dry_run);
    }
    let needs_attention = if dry_run { !report.restored.is_empty() } else { outcome.unfinished > 0 };
    Ok(if needs_attention || report.missing_in_store() > 0 { Exit::Attention } else { Exit::Success })
}

/// `lethe replay --waive`.
pub(super) async fn waive(lethe: &Lethe, as_json: bool) -> anyhow::Result<Exit> {
    let tombstones = restore::waive(lethe).await?;
    if as_json {
        output::print_json(&json!({"waived": tombstones}))?;
    } else {
        println!("{tombstones} tombstones were waived. Nobody was deleted; `lethe replay` still can.");
    }
    Ok(Exit::Success)
}

fn print_report(report: &replay::Report, outcome: BatchOutcome, dry_run: bool) {
    for user in &report.restored {
        println!("{}", user.as_str());
    }
    eprintln!(
        "{} users compared with {} tombstones in the store, {} were erased and have rows again.",
        report.people,
        report.tombstones,
        report.restored.len()
    );
    if report.unrecognised > 0 {
        eprintln!("{} keys are not Clerk user ids and were ignored.", report.unrecognised);
    }
    if report.unrecognised_objects > 0 {
        eprintln!("{} objects in the store are not tombstones and were ignored.", report.unrecognised_objects);
    }
    if report.missing_in_store() > 0 {
        eprintln!(
            "{} tombstones of the database were not in the store. Is LETHE_STORAGE the store of this installation?",
            report.missing_in_store()
        );
    }
    if dry_run {
        eprintln!(
            "{} tombstones of users without rows are missing in the database. Nothing was changed.",
            report.missing_in_database()
        );
    } else {
        eprintln!("{outcome}");
        eprintln!("{} tombstones of users without rows written to the database.", report.missing_in_database());
    }
}
