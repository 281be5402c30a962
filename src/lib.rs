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
//! the [`data_map`], [`audit`], the operations, and [`jobs`], which lists the work of them all.

#![expect(
    deprecated,
    reason = "sqlx 0.9.0 warns at every query with a time while the queue brings `chrono` along, also where a choice is configured"
)]

pub mod audit;
pub mod clerk;
pub mod consent;
pub mod data_map;
pub mod deletion;
mod error;
pub mod export;
pub mod ids;
pub mod jobs;
pub mod overview;
pub mod platform;
pub mod purposes;
mod receipt_code;
pub mod subject;

use std::ops::Deref;
use std::sync::Arc;

use sqlx::PgPool;
use url::Url;

pub use error::{Error, Result};
pub use ids::{ClerkUserId, DataSubjectId, UserHandle};
pub use lethe_error_code::ErrorCode;
pub use platform::{Clock, Random, crockford, database, error_chain, is_loopback, keys, mail, queue, storage};
pub use subject::Presence;

/// Everything that an operation needs, and the request or job that it belongs to. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Lethe {
    dependencies: Arc<Dependencies>,
    incident: Option<Arc<str>>,
}

/// What [`Lethe`] is made of.
#[derive(Debug)]
pub struct Dependencies {
    /// The application's database, which also has the schemas `lethe` and `lethe_jobs`.
    pub database: PgPool,
    /// The client of Clerk's Backend API.
    pub clerk: clerk::Client,
    /// Where personal data is, and what an export and a deletion do with it.
    pub data_map: data_map::DataMap,
    /// What a person can consent to.
    pub purposes: purposes::Purposes,
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
    /// How many jobs run at the same time.
    pub workers: usize,
}

impl Lethe {
    /// Puts the parts together.
    #[must_use]
    pub fn new(dependencies: Dependencies) -> Self {
        Self { dependencies: Arc::new(dependencies), incident: None }
    }

    /// Returns a handle for the request with this incident id. Jobs that are enqueued through it log under the
    /// same id.
    #[must_use]
    pub fn with_incident(&self, incident: &str) -> Self {
        Self { dependencies: self.dependencies.clone(), incident: Some(incident.into()) }
    }

    /// The incident id of the request or job that this handle was made for.
    #[must_use]
    pub fn incident(&self) -> Option<&str> {
        self.incident.as_deref()
    }

    /// The queue, for jobs of the same request.
    pub(crate) fn queue(&self) -> platform::queue::Queue<'_> {
        platform::queue::Queue { pool: &self.database, clock: &self.clock, incident: self.incident() }
    }
}

impl Deref for Lethe {
    type Target = Dependencies;

    fn deref(&self) -> &Dependencies {
        &self.dependencies
    }
}
