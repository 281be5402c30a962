//! Checks of what belongs together: the secret, the store and the database. `serve` and the commands refuse what is wrong here.

use lethe::Lethe;
use lethe::deletion::restore;
use lethe::secrets::{self, Recognition};

use super::report::CheckResult;
use super::timeout::CHECK_TIMEOUT;
use crate::bootstrap;
use crate::config::{ServerConfig, Values};

const SECRET: &str = "secret_of_the_database";
const RESTORE: &str = "restored_database";
const STORE: &str = "store_of_the_database";

/// Returns nothing where other checks say what is missing.
pub(super) async fn check_installation(values: &Values) -> Vec<CheckResult> {
    tokio::time::timeout(CHECK_TIMEOUT, compare(values)).await.unwrap_or_default()
}

async fn compare(values: &Values) -> Vec<CheckResult> {
    let mut values = values.clone();
    let Some(config) = ServerConfig::read(&mut values) else { return Vec::new() };
    let Ok(lethe) = bootstrap::build_for_batch(&config).await else { return Vec::new() };
    let mut results = vec![check_secret(&lethe).await];
    results.extend(check_store(&lethe).await);
    lethe.database.close().await;
    results
}

async fn check_secret(lethe: &Lethe) -> CheckResult {
    match secrets::look(&lethe.database, &lethe.keys).await {
        Ok(Recognition::Complete) => CheckResult::ok(SECRET, "LETHE_SECRET is what this database was used with"),
        Ok(Recognition::Unknown) => CheckResult::wrong(
            SECRET,
            "LETHE_SECRET isn't the secret that this database was used with; erased users would count as active",
            "set the secret that you stored apart from the database",
        ),
        Ok(Recognition::Missing(ids)) => CheckResult::wrong(
            SECRET,
            format!("LETHE_SECRET lacks {} secrets that this database was used with", ids.len()),
            "add them after the newest one; `lethe keys list` names them",
        ),
        Err(_) => CheckResult::skipped(SECRET, "requires Lethe's tables"),
    }
}

async fn check_store(lethe: &Lethe) -> [CheckResult; 2] {
    let restored = match restore::missing_tombstones(lethe).await {
        Ok(0) => CheckResult::ok(RESTORE, "the database has every tombstone of the store"),
        Ok(missing) => CheckResult::wrong(
            RESTORE,
            format!("the database lacks {missing} tombstones of the store: it was restored, and nothing is served"),
            "run `lethe replay`, or `lethe replay --waive`",
        ),
        Err(_) => CheckResult::skipped(RESTORE, "requires Lethe's tables and the store"),
    };
    let store = match restore::tombstones_missing_in_store(lethe).await {
        Ok(0) => CheckResult::ok(STORE, "the store has every tombstone of the database"),
        Ok(missing) => CheckResult::wrong(
            STORE,
            format!("the store lacks {missing} tombstones of the database: a restore might not be noticed"),
            "let LETHE_STORAGE name the folder that all servers share, or run `lethe replay`, which copies them",
        ),
        Err(_) => CheckResult::skipped(STORE, "requires Lethe's tables and the store"),
    };
    [restored, store]
}
