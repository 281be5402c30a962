//! Rate limits.

use std::num::NonZeroU32;

use super::section::section;
use super::setting::Setting;

section! {
    "Rate limits"
    /// How many expensive requests a user or an IP address may send.
    pub struct LimitConfig {
        /// Exports per user and hour.
        exports_per_hour: NonZeroU32 = Setting::new("LETHE_EXPORTS_PER_HOUR").default("20");
        /// Deletion requests per user and hour.
        deletions_per_hour: NonZeroU32 = Setting::new("LETHE_DELETIONS_PER_HOUR").default("10");
        /// Saved preferences per user and minute.
        consent_changes_per_minute: NonZeroU32 = Setting::new("LETHE_CONSENT_CHANGES_PER_MINUTE").default("120");
        /// Counts of what is stored about a user, per user and minute.
        previews_per_minute: NonZeroU32 = Setting::new("LETHE_PREVIEWS_PER_MINUTE").default("120");
        /// Writes without a session, and rejected webhooks, per IP address and minute.
        anonymous_writes_per_minute: NonZeroU32 = Setting::new("LETHE_ANONYMOUS_WRITES_PER_MINUTE").default("60");
    }
}
