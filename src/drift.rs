//! Watches whether the data map in force still fits the database, and wakes what waited when it does again.
//!
//! The map drifts from the database when either changes without the other. Knows deletions, which wait for the map, and how
//! operators are alerted. Must not know where the map's file is.

use crate::data_map::PlanHash;
use crate::deletion::Woken;
use crate::{Lethe, Result, data_map, deletion, error_chain, map_alert};

/// Whether the data map in force fits the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// It does.
    Fits,
    /// It doesn't: exports and erasures wait.
    Mismatch,
}

impl Fit {
    /// Returns the word for monitoring.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fits => "ok",
            Self::Mismatch => "mismatch",
        }
    }
}

/// Returns whether the map in force fits the database, and sets the metric. Changes nothing.
pub async fn look(lethe: &Lethe) -> Result<Fit, data_map::Error> {
    Ok(match inspect(lethe).await? {
        Ok(_) => Fit::Fits,
        Err(_) => Fit::Mismatch,
    })
}

/// Checks the map in force. If it doesn't fit, operators are alerted, once for each cause. If it fits, deletions that waited
/// for it go on. `before` is what the latest check found, if there was one: only changes are logged.
pub async fn check(lethe: &Lethe, before: Option<Fit>) -> Result<Fit> {
    match inspect(lethe).await? {
        Ok(plan) => {
            // Also if it fitted before: a deletion may have met a mismatch between two checks.
            let woken = deletion::wake_waiting(lethe, &plan, before.is_none()).await?;
            if before == Some(Fit::Mismatch) || woken != Woken::default() {
                let Woken { deletions, purges, rechecks } = woken;
                tracing::info!(
                    deletions,
                    purges,
                    rechecks,
                    "the data map fits the database; what waited for it goes on"
                );
            }
            Ok(Fit::Fits)
        }
        Err(error) => {
            map_alert::report_now(lethe, &error).await?;
            if before != Some(Fit::Mismatch) {
                tracing::error!(
                    error = error_chain(&error),
                    "the data map doesn't fit the database: exports and erasures wait until `lethe map check` finds no problem"
                );
            }
            Ok(Fit::Mismatch)
        }
    }
}

/// Records that the file has another content than the map in force, which can't be used, and alerts operators, once for each
/// cause. The map in force stays.
pub async fn reject_file(lethe: &Lethe, error: &data_map::Error) -> Result<()> {
    lethe.active_map.set_file_rejected(true);
    map_alert::report_now(lethe, error).await?;
    Ok(())
}

/// Records that the file again has the content of the map in force.
pub fn accept_file(lethe: &Lethe) {
    lethe.active_map.set_file_rejected(false);
}

/// Resolves the map and sets the metric. The outer error means that nothing is known.
async fn inspect(lethe: &Lethe) -> Result<Result<PlanHash, data_map::Error>, data_map::Error> {
    let lethe = lethe.refreshed();
    let mut connection = lethe.database.acquire().await.map_err(data_map::Error::Database)?;
    let resolved = data_map::resolve(&lethe.data_map, &mut connection).await;
    let checked = resolved.and_then(|resolved| deletion::check_keys(&resolved).map(|()| resolved.hash()));
    let (result, fits) = match checked {
        Ok(hash) => (Ok(hash), 1.0),
        Err(error @ data_map::Error::Mismatch(_)) => (Err(error), 0.0),
        Err(error) => return Err(error),
    };
    metrics::gauge!("lethe_data_map_fits").set(fits);
    Ok(result)
}
