//! Logging.

use super::section::section;
use super::setting::Setting;
use super::types::{LogFilter, LogFormat};

section! {
    "Logging"
    /// What is logged, and how.
    pub struct LogConfig {
        /// Filter of `tracing`, such as `info,lethe=debug`. Operators' commands log warnings only.
        filter: LogFilter = Setting::new("LETHE_LOG").default("info,sqlx=warn,graphile_worker=warn");
        /// `text`, or `json` for one object per line.
        format: LogFormat = Setting::new("LETHE_LOG_FORMAT").default("text");
    }
}
