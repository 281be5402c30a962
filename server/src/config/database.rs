//! The connection to Postgres.

use std::num::NonZeroU32;
use std::path::PathBuf;

use super::section::section;
use super::setting::Setting;
use super::types::{DatabaseTls, PostgresUrl};

/// The URL, which `lethe doctor` reads alone.
pub const URL: Setting =
    Setting::new("DATABASE_URL").secret().example("postgres://lethe:password@localhost/application");

/// The URL past a pooler, which `lethe doctor` reads with the other one.
pub const DIRECT_URL: Setting = Setting::new("LETHE_DATABASE_DIRECT_URL")
    .secret()
    .unset("`DATABASE_URL`")
    .example("postgres://lethe:password@database.internal/application");

/// The root certificates, which `lethe doctor` reads with the URL.
pub const CA: Setting =
    Setting::new("LETHE_DATABASE_CA").unset("the public roots").example("/etc/lethe/database-ca.pem");

/// What the certificate has to prove, which `lethe doctor` reads with the URL.
pub const TLS: Setting =
    Setting::new("LETHE_DATABASE_TLS").unset("`verify-full`; on this machine what the URL says").example("verify-full");

section! {
    "Database"
    /// How to connect to Postgres.
    pub struct DatabaseConfig {
        /// URL of the application's Postgres database, with user and password.
        url: PostgresUrl = URL;
        /// URL of the same database past a connection pooler. Needed if `DATABASE_URL` leads to one in transaction mode, which
        /// carries neither migrations nor the notifications of the job queue. Commands use it too.
        direct_url: Option<PostgresUrl> = DIRECT_URL;
        /// How the connection is protected: `verify-full`, `verify-ca`, `require` (encrypted; whoever is in between can read
        /// along) or `disable`, as Postgres' `sslmode`. An `sslmode` in the URL counts if it is stricter than `require`, or
        /// `disable`: the weaker ones are in the URLs of many hosting services, and wouldn't be anybody's decision.
        tls: Option<DatabaseTls> = TLS;
        /// File with root certificates in PEM, in addition to the public ones, to verify the database's certificate with.
        ca: Option<PathBuf> = CA;
        /// Maximum number of connections, including those of background jobs.
        connections: NonZeroU32 = Setting::new("LETHE_DATABASE_CONNECTIONS").default("20");
    }
}
