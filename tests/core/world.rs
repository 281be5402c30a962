//! Everything that the core needs, started afresh for each test.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use lethe::clerk::ClientSettings;
use lethe::data_map::DataMap;
use lethe::mail::Mailer;
use lethe::storage::Storage;
use lethe::{ClerkUserId, Clock, CoreConfig, Dependencies, Lethe, Random, database, jobs, keys};
use lethe_demo::people::person;
use lethe_demo::sample::{SeedOptions, seed};
use lethe_demo::testing::{ClerkStandIn, Database, Inbox, StandInOptions};
use secrecy::SecretString;
use sqlx::PgPool;
use tokio::task::JoinHandle;
use url::Url;

pub(crate) use lethe_demo::testing::eventually;

pub(crate) const PEOPLE: usize = 8;

pub(crate) struct World {
    pub(crate) lethe: Lethe,
    pub(crate) clerk: ClerkStandIn,
    pub(crate) inbox: Inbox,
    pub(crate) database: Database,
}

impl World {
    pub(crate) async fn start() -> Self {
        Self::with_map(include_str!("../../demo/data-map.toml")).await
    }

    pub(crate) async fn with_map(map: &str) -> Self {
        let database = Database::create().await;
        let (clerk, inbox) = tokio::join!(
            ClerkStandIn::start(StandInOptions { people: PEOPLE, ..StandInOptions::default() }),
            Inbox::start()
        );
        let pool = database.pool().clone();
        seed(&pool, &SeedOptions { people: PEOPLE, rows_per_person: 5 }).await.unwrap();
        database::migrate(&pool).await.unwrap();
        let lethe = lethe(&clerk, &inbox, map, pool, empty_storage());
        Self { lethe, clerk, inbox, database }
    }

    /// The same installation after the operator has put these purposes into the map.
    pub(crate) fn with_purposes(&self, purposes: &str) -> Lethe {
        let map = include_str!("../../demo/data-map.toml");
        assert!(!map.contains("[[purpose]]"), "the sample has the default purposes");
        lethe(&self.clerk, &self.inbox, &format!("{map}\n{purposes}"), self.pool().clone(), self.lethe.storage.clone())
    }

    /// The same installation after the operator has edited the map.
    pub(crate) fn with_map_text(&self, map: &str) -> Lethe {
        lethe(&self.clerk, &self.inbox, map, self.pool().clone(), self.lethe.storage.clone())
    }

    /// The same installation with another database and store.
    pub(crate) fn with_data(&self, database: &Database, storage: Storage) -> Lethe {
        lethe(&self.clerk, &self.inbox, include_str!("../../demo/data-map.toml"), database.pool().clone(), storage)
    }

    pub(crate) fn pool(&self) -> &PgPool {
        &self.lethe.database
    }

    /// Runs the job worker until the returned value is dropped.
    pub(crate) fn start_worker(&self) -> RunningWorker {
        let lethe = self.lethe.clone();
        RunningWorker(tokio::spawn(async move { jobs::run_worker(lethe, std::future::pending()).await }))
    }

    /// Everything that the sample application has about a person, by table.
    pub(crate) async fn rows_of(&self, subject: &ClerkUserId) -> BTreeMap<&'static str, Vec<String>> {
        lethe_demo::testing::rows_of(self.pool(), subject.as_str()).await
    }
}

/// A worker that ends with the test.
pub(crate) struct RunningWorker(JoinHandle<()>);

impl Drop for RunningWorker {
    fn drop(&mut self) {
        self.0.abort();
    }
}

pub(crate) fn empty_storage() -> Storage {
    Storage::new(Arc::new(object_store::memory::InMemory::new()))
}

pub(crate) fn lethe(clerk: &ClerkStandIn, inbox: &Inbox, map: &str, database: PgPool, storage: Storage) -> Lethe {
    let data_map = DataMap::parse(map).unwrap();
    let client = ClientSettings {
        api_url: Url::parse(clerk.url()).unwrap(),
        timeout: Duration::from_secs(2),
        budget: NonZeroU32::new(10_000),
        ..ClientSettings::new(SecretString::from(clerk.secret_key()))
    };
    let secret = SecretString::from("dGhlIHNlY3JldCBvZiB0aGUgdGVzdHMsIDMyIGJ5dGVzIG9yIG1vcmU=");
    Lethe::new(Dependencies {
        database,
        clerk: lethe::clerk::Client::new(&client).unwrap(),
        purposes: data_map.purposes().cloned().unwrap_or_default(),
        data_map,
        storage,
        mailer: Mailer::smtp(&SecretString::from(inbox.smtp_url()), "Privacy <privacy@example.org>").unwrap(),
        keys: keys::Keys::derive(&secret).unwrap(),
        clock: Clock::system(),
        random: Random::system(),
        config: CoreConfig {
            brand: "Northwind Journal".to_owned(),
            public_url: Url::parse("https://privacy.example.org").unwrap(),
            alert_address: Some("operator@example.org".to_owned()),
            workers: 4,
        },
    })
}

pub(crate) fn subject(index: usize) -> ClerkUserId {
    ClerkUserId::parse(&person(index).id).unwrap()
}
