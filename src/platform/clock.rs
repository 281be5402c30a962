//! The time. It is injected, so that tests can set it. Nothing else in the core reads the system's clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use time::{Duration, OffsetDateTime};

/// A clock, in UTC and with the microseconds that Postgres stores.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System,
    /// Microseconds since the epoch.
    Fixed(Arc<AtomicI64>),
}

impl Clock {
    /// The system's clock.
    #[must_use]
    pub const fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that stands still until [`Clock::advance`] is called.
    #[must_use]
    pub fn fixed(at: OffsetDateTime) -> Self {
        Self(Source::Fixed(Arc::new(AtomicI64::new(microseconds(at)))))
    }

    /// Returns the current time.
    #[must_use]
    pub fn now(&self) -> OffsetDateTime {
        let at = match &self.0 {
            #[expect(clippy::disallowed_methods, reason = "the one place that reads the system's clock")]
            Source::System => microseconds(OffsetDateTime::now_utc()),
            Source::Fixed(at) => at.load(Ordering::SeqCst),
        };
        from_microseconds(at)
    }

    /// Advances a fixed clock. Does nothing to the system's.
    pub fn advance(&self, by: Duration) {
        if let Source::Fixed(at) = &self.0 {
            let by = i64::try_from(by.whole_microseconds()).unwrap_or(i64::MAX);
            at.fetch_add(by, Ordering::SeqCst);
        }
    }
}

/// Returns the microseconds since the epoch.
#[must_use]
pub(crate) fn microseconds(at: OffsetDateTime) -> i64 {
    i64::try_from(at.unix_timestamp_nanos() / 1_000).expect("a year before 292,000")
}

fn from_microseconds(at: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(at) * 1_000).expect("a year before 9999")
}
