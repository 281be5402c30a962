//! Lethe's core: the rules of the privacy center, and every SQL statement behind them.
//!
//! Knows Postgres, Clerk's Backend API, the archive store and SMTP. Knows nothing of HTTP servers, cookies or
//! HTML: the crates `lethe-app` and `lethe-server` call the functions of this one and present the results.
//!
//! There is a module for each operation: [`consent`], [`export`], and [`deletion`] with retention,
//! orphans and Clerk's events, each recorded by [`audit`]. State, audit entry and job are committed
//! together, and no call to another system happens inside a transaction.
//!
//! Modules depend on each other in one direction only: [`platform`], [`purposes`] and [`ids`], then [`clerk`],
//! the [`data_map`], [`audit`], the operations, [`drift`], which watches whether map and database still fit each other, and
//! [`jobs`], which lists the work of them all.

#![expect(
    deprecated,
    reason = "sqlx 0.9.0 warns at every query with a time while the queue brings `chrono` along, also where a choice is configured"
)]

mod active_map;
pub mod audit;
pub mod clerk;
mod clerk_recovery;
pub mod consent;
pub mod data_map;
pub mod deletion;
pub mod drift;
mod error;
pub mod export;
pub mod identifiers;
pub mod ids;
pub mod jobs;
mod map_alert;
pub mod overview;
pub mod platform;
pub mod purposes;
pub mod rate_limit;
mod receipt_code;
pub mod subject;

use std::num::NonZeroU32;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::Arc;

use sqlx::PgPool;
use url::Url;

pub use active_map::ActiveMap;
pub use error::{Error, Result};
pub use identifiers::Identifiers;
pub use ids::{ClerkUserId, DataSubjectId, UserHandle};
pub use lethe_error_code::ErrorCode;
pub use platform::{
    Clock, Random, connection, crockford, database, error_chain, is_database_away, is_loopback, keys, mail, queue,
    secrets, storage,
};
pub use subject::Presence;

/// Everything that an operation needs, and the request or job that it belongs to. Cheap to clone.
///
/// The data map and its purposes are those of the moment at which the handle was made. A clone has the same; a handle that
/// lives longer than a request or a job is [refreshed](Lethe::refreshed) for each.
#[derive(Clone, Debug)]
pub struct Lethe {
    dependencies: Arc<Dependencies>,
    incident: Option<Arc<str>>,
    /// Where personal data is, and what an export and a deletion do with it.
    pub data_map: Arc<data_map::DataMap>,
    /// What a person can consent to.
    pub purposes: Arc<purposes::Purposes>,
}

/// What [`Lethe`] is made of.
#[derive(Debug)]
pub struct Dependencies {
    /// The application's database, which also has the schemas `lethe` and `lethe_jobs`.
    pub database: PgPool,
    /// Connections of the same database with a session of their own each, for the job queue: it is notified of new jobs.
    /// A copy of [`Dependencies::database`] unless a pooler in transaction mode is in between.
    pub queue_database: PgPool,
    /// The client of Clerk's Backend API.
    pub clerk: clerk::Client,
    /// The data map, with the purposes. Operations use the handle's.
    pub active_map: ActiveMap,
    /// The archive store, which must outlive the database.
    pub storage: storage::Storage,
    /// Sends receipts and alerts.
    pub mailer: mail::Mailer,
    /// The keys that are derived from the configured secret.
    pub keys: keys::Keys,
    /// Tells the time. Tests set it.
    pub clock: Clock,
    /// The source of random ids and keys.
    pub random: Random,
    /// Settings that no other part holds.
    pub config: CoreConfig,
}

/// Settings of the core.
#[derive(Clone, Debug)]
pub struct CoreConfig {
    /// The application's name as its users know it.
    pub brand: String,
    /// Base URL of the privacy center, for links in messages.
    pub public_url: Url,
    /// Where alerts about deletions are sent. Without it they are only logged.
    pub alert_address: Option<String>,
    /// How many deletions run at the same time, and how many copies of consent to Clerk beside them.
    pub workers: usize,
    /// How many users may be deleted at Clerk in an hour. The data of further ones waits for an operator.
    pub clerk_deletions_per_hour: NonZeroU32,
    /// Where the temporary files of exports are; by default in the system's folder for such files.
    pub export_folder: Option<PathBuf>,
    /// After how many minutes an export that isn't finished is ended.
    pub export_minutes: NonZeroU32,
    /// Up to which size of all tables, in megabytes, their texts are searched after an erasure.
    pub content_search_megabytes: NonZeroU32,
}

impl Lethe {
    /// Puts the parts together.
    #[must_use]
    pub fn new(dependencies: Dependencies) -> Self {
        Self::of(Arc::new(dependencies), None)
    }

    fn of(dependencies: Arc<Dependencies>, incident: Option<Arc<str>>) -> Self {
        let active_map::Snapshot { data_map, purposes } = dependencies.active_map.snapshot();
        Self { dependencies, incident, data_map, purposes }
    }

    /// Returns a handle for the request with this incident id. Jobs that are enqueued through it log under the
    /// same id. It has the data map that is in force now.
    #[must_use]
    pub fn with_incident(&self, incident: &str) -> Self {
        Self::of(self.dependencies.clone(), Some(incident.into()))
    }

    /// Returns the same handle with the data map that is in force now.
    #[must_use]
    pub fn refreshed(&self) -> Self {
        Self::of(self.dependencies.clone(), self.incident.clone())
    }

    /// The incident id of the request or job that this handle was made for.
    #[must_use]
    pub fn incident(&self) -> Option<&str> {
        self.incident.as_deref()
    }

    /// The queue, for jobs of the same request.
    pub(crate) fn queue(&self) -> platform::queue::Queue<'_> {
        platform::queue::Queue { pool: &self.database, incident: self.incident() }
    }
}

impl Deref for Lethe {
    type Target = Dependencies;

    fn deref(&self) -> &Dependencies {
        &self.dependencies
    }
}
