//! Lethe's core: every rule and every line of SQL behind the privacy center.
//!
//! Knows Postgres, Clerk's Backend API, the archive store and SMTP. Must not know HTTP servers,
//! cookies or HTML: the crates `app` and `server` call the verbs of this one.
//!
//! A noun per operation: [`consent`], [`export`], [`deletion`] with its receipt and tombstone,
//! [`retention`], [`audit`], and the [`overview`] of a person. State, audit entry and job commit together, and nothing outside the
//! database happens inside a transaction.

#![expect(
    deprecated,
    reason = "sqlx 0.9.0 warns at every query with a time while the queue brings `chrono` along, also where a choice is configured"
)]

pub mod audit;
pub mod clerk;
mod clock;
pub mod consent;
pub mod data_map;
pub mod deletion;
mod error;
pub mod export;
pub mod jobs;
pub mod keys;
pub mod mail;
pub mod overview;
mod random;
mod receipt_code;
pub mod storage;
pub mod subject;

use std::ops::Deref;
use std::sync::Arc;

use sqlx::PgPool;
use url::Url;

pub use clock::Clock;
pub use error::{Error, Refusal, Result};
pub use random::Random;
pub use subject::{ClerkUserId, Presence};

/// Everything that an operation needs. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Lethe(Arc<Dependencies>);

/// What [`Lethe`] is made of.
#[derive(Debug)]
pub struct Dependencies {
    /// The application's database, with the schema `lethe` beside the application's.
    pub database: PgPool,
    /// Clerk's Backend API.
    pub clerk: clerk::Client,
    /// Where personal data is and what becomes of it.
    pub data_map: data_map::DataMap,
    /// What a person may decide on.
    pub purposes: consent::Purposes,
    /// What is kept outside the database.
    pub storage: storage::Storage,
    /// Messages out.
    pub mailer: mail::Mailer,
    /// What is derived from the secret.
    pub keys: keys::Keys,
    /// The time.
    pub clock: Clock,
    /// Random numbers.
    pub random: Random,
    /// The rest.
    pub config: CoreConfig,
}

/// Settings of the core.
#[derive(Clone, Debug)]
pub struct CoreConfig {
    /// The application's name, as people know it.
    pub brand: String,
    /// Where this privacy center is, for links in messages.
    pub public_url: Url,
    /// Who is told when a deletion needs attention.
    pub alert_address: Option<String>,
    /// How many jobs run at once.
    pub workers: usize,
}

impl Lethe {
    /// Puts the parts together.
    #[must_use]
    pub fn new(parts: Dependencies) -> Self {
        Self(Arc::new(parts))
    }
}

impl Deref for Lethe {
    type Target = Dependencies;

    fn deref(&self) -> &Dependencies {
        &self.0
    }
}
