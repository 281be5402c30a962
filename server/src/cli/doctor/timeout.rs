//! The time limit of a check.

use std::future::Future;
use std::time::Duration;

use super::report::CheckResult;

/// How long one check may take.
pub(super) const CHECK_TIMEOUT: Duration = Duration::from_secs(5);

/// Runs a check, and reports it as wrong when it takes too long.
pub(super) async fn with_timeout(check: &'static str, result: impl Future<Output = CheckResult>) -> CheckResult {
    tokio::time::timeout(CHECK_TIMEOUT, result).await.unwrap_or_else(|_| {
        let message = format!("no response within {} seconds", CHECK_TIMEOUT.as_secs());
        CheckResult::wrong(check, message, "check host and port, and whether a firewall is in between")
    })
}
