//! The connection to Postgres.

use std::num::NonZeroU32;

use super::section::section;
use super::setting::Setting;
use super::types::PostgresUrl;

/// The URL, which `lethe doctor` reads alone.
pub const URL: Setting =
    Setting::new("DATABASE_URL").secret().example("postgres://lethe:password@localhost/application");

section! {
    "Database"
    /// How to connect to Postgres.
    pub struct DatabaseConfig {
        /// URL of the application's Postgres database, with user and password.
        url: PostgresUrl = URL;
        /// Maximum number of connections, including those of background jobs.
        connections: NonZeroU32 = Setting::new("LETHE_DATABASE_CONNECTIONS").default("20");
    }
}
