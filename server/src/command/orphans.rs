//! `lethe orphans`.

use lethe::Lethe;
use lethe::deletion::Origin;
use lethe::orphan;
use serde_json::json;

use super::erase::{self, Outcome};
use super::{Finding, output};

pub(super) async fn run(lethe: &Lethe, erase_found: bool, as_json: bool) -> anyhow::Result<Finding> {
    let mut progress = output::Progress::new();
    let report = orphan::search(lethe, |report| {
        progress.show(&format!("{} people looked up, {} unknown to Clerk", report.people, report.orphans.len()));
    })
    .await;
    progress.end();
    let report = report?;
    let outcome =
        if erase_found { erase::all(lethe, &report.orphans, Origin::Orphan).await? } else { Outcome::default() };
    if as_json {
        let orphans: Vec<_> = report.orphans.iter().map(lethe::SubjectId::as_str).collect();
        output::json(&json!({
            "people": report.people,
            "orphans": orphans,
            "unrecognised": report.unrecognised,
            "erased": outcome.finished,
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
    Ok(if is_left { Finding::Something } else { Finding::Nothing })
}
