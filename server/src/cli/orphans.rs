//! `lethe orphans`.

use lethe::deletion::{Origin, orphans};
use lethe::{ClerkUserId, Lethe};
use serde_json::json;

use super::erase::{self, BatchOutcome};
use super::exit::Exit;
use super::output;

pub(super) async fn run(lethe: &Lethe, erase_orphans: bool, as_json: bool) -> anyhow::Result<Exit> {
    let mut progress = output::Progress::new();
    let report = orphans::search(lethe, |report| {
        progress.show(&format!("{} users checked, {} unknown to Clerk", report.people, report.orphans.len()));
    })
    .await;
    progress.clear();
    let report = report?;
    let outcome = if erase_orphans {
        erase::delete_all(lethe, &report.orphans, Origin::Orphan).await?
    } else {
        BatchOutcome::default()
    };
    if as_json {
        let orphans: Vec<_> = report.orphans.iter().map(ClerkUserId::as_str).collect();
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
        eprintln!("{} users checked, {} unknown to Clerk.", report.people, report.orphans.len());
        if report.unrecognised > 0 {
            eprintln!("{} keys are not Clerk user ids and were ignored.", report.unrecognised);
        }
        if erase_orphans {
            eprintln!("{outcome}");
        } else if !report.orphans.is_empty() {
            eprintln!("Nothing was changed. Run `lethe orphans --erase` to delete them.");
        }
    }
    let needs_attention = if erase_orphans { outcome.unfinished > 0 } else { !report.orphans.is_empty() };
    Ok(if needs_attention { Exit::Attention } else { Exit::Success })
}
