//! `lethe orphans`.

use anyhow::bail;
use lethe::deletion::{Origin, orphans};
use lethe::{ClerkUserId, Lethe};
use serde_json::json;

use super::erase::{self, BatchOutcome};
use super::exit::Exit;
use super::output;

/// How many may be erased at once unless the operator says otherwise: this many, or this share of the users.
const DEFAULT_MAX_ORPHANS: usize = 50;
const DEFAULT_MAX_PERCENT: usize = 2;

pub(super) async fn run(
    lethe: &Lethe,
    erase_orphans: bool,
    at_most: Option<usize>,
    as_json: bool,
) -> anyhow::Result<Exit> {
    let mut progress = output::Progress::new();
    let report = orphans::search(lethe, |report| {
        progress.show(&format!("{} users checked, {} unknown to Clerk", report.people, report.orphans.len()));
    })
    .await;
    progress.clear();
    let report = report?;
    if erase_orphans {
        let at_most = at_most.unwrap_or_else(|| default_limit(report.people));
        if report.orphans.len() > at_most {
            bail!(
                "{} of {} users are unknown to Clerk, and at most {at_most} may be deleted at once. Nothing was changed. \
                 Look at the list without `--erase`; if it is right, add `--at-most {}`",
                report.orphans.len(),
                report.people,
                report.orphans.len(),
            );
        }
    }
    let outcome = if erase_orphans {
        erase::delete_all(lethe, &report.orphans, Origin::Orphan, None).await?
    } else {
        BatchOutcome::default()
    };
    if as_json {
        let orphans: Vec<_> = report.orphans.iter().map(ClerkUserId::as_str).collect();
        output::print_json(&json!({
            "people": report.people,
            "orphans": orphans,
            "erased_before": report.erased,
            "unrecognised": report.unrecognised,
            "erased": outcome.completed,
            "unfinished": outcome.unfinished,
        }))?;
    } else {
        for orphan in &report.orphans {
            println!("{}", orphan.as_str());
        }
        eprintln!("{} users checked, {} unknown to Clerk.", report.people, report.orphans.len());
        if report.erased > 0 {
            eprintln!("{} were erased before; what is left of them stays by the data map.", report.erased);
        }
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

/// The smaller of the two limits, but one in any case.
fn default_limit(people: u64) -> usize {
    let share = usize::try_from(people).unwrap_or(usize::MAX) / 100 * DEFAULT_MAX_PERCENT;
    share.clamp(1, DEFAULT_MAX_ORPHANS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn default_limit_is_a_share_of_the_users_and_never_large() {
        assert_eq!([0, 8, 100, 1000, 1_000_000].map(default_limit), [1, 1, 2, 20, 50]);
    }
}
