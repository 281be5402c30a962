//! `lethe orphans`.

use lethe::Lethe;
use lethe::deletion::{Origin, orphans};
use serde_json::json;

use super::erase::{self, BatchOutcome};
use super::{Exit, output};

pub(super) async fn run(lethe: &Lethe, erase_found: bool, as_json: bool) -> anyhow::Result<Exit> {
    let mut progress = output::Progress::new();
    let report = orphans::search(lethe, |report| {
        progress.show(&format!("{} people looked up, {} unknown to Clerk", report.people, report.orphans.len()));
    })
    .await;
    progress.clear();
    let report = report?;
    let outcome = if erase_found {
        erase::delete_all(lethe, &report.orphans, Origin::Orphan).await?
    } else {
        BatchOutcome::default()
    };
    if as_json {
        let orphans: Vec<_> = report.orphans.iter().map(lethe::ClerkUserId::as_str).collect();
        output::print_json(&json!({
            "people": report.people,
            "orphans": orphans,
            "unrecognised": report.unrecognised,
            "erased": outcome.completed,
            "unfinished": outcome.unfinished,
        }))?;
    } else {
        for orphan in &report.orphans {
            println!("{}", orphan.as_str());
        }
        eprintln!("{} people, {} unknown to Clerk.", report.people, report.orphans.len());
        if report.unrecognised > 0 {
            eprintln!("{} keys are no Clerk user ids and were left alone.", report.unrecognised);
        }
        if erase_found {
            eprintln!("{outcome}");
        } else if !report.orphans.is_empty() {
            eprintln!("Nothing was changed. `lethe orphans --erase` deletes them.");
        }
    }
    let is_left = if erase_found { outcome.unfinished > 0 } else { !report.orphans.is_empty() };
    Ok(if is_left { Exit::Attention } else { Exit::Success })
}
