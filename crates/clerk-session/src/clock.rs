//! The current time, which the caller may supply.

use std::sync::Arc;

#[expect(clippy::disallowed_types, reason = "the one type of time that every caller has; nothing else here uses it")]
type SystemTime = std::time::SystemTime;

/// Returns the current time.
pub type Clock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// The operating system's clock.
pub(crate) fn system() -> Clock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the operating system's clock")]
    Arc::new(SystemTime::now)
}

/// Milliseconds since the Unix epoch; 0 for earlier times.
pub(crate) fn unix_milliseconds(clock: &Clock) -> i64 {
    let since_epoch = clock().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX)
}
