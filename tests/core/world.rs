//! Everything that the core needs, started afresh for each test.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use lethe::clerk::ClientSettings;
use lethe::connection::TimeLimits;
use lethe::data_map::DataMap;
use lethe::deletion::{NewRequest, Origin};
use lethe::mail::Mailer;
use lethe::storage::Storage;
use lethe::{ActiveMap, ClerkUserId, Clock, CoreConfig, Dependencies, Lethe, Random, connection, database, jobs, keys};
use lethe_demo::people::person;
use lethe_demo::sample::{SeedOptions, seed};
use lethe_demo::testing::{ClerkStandIn, Database, Inbox, StandInOptions};
use secrecy::SecretString;
use sqlx::PgPool;
use tokio::task::JoinHandle;
use url::Url;

pub(crate) use lethe_demo::testing::eventually;

pub(crate) const PEOPLE: usize = 8;
pub(crate) const SECRET: &str = "dGhlIHNlY3JldCBvZiB0aGUgdGVzdHMsIDMyIGJ5dGVzIG9yIG1vcmU=";

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
        let (tables, _) = map.split_once("[[purpose]]").expect("the purposes are at the end of the sample's map");
        self.with_map_text(&format!("{tables}\n{purposes}"))
    }

    /// The same installation with other secrets, the newest first.
    pub(crate) fn with_secrets(&self, secrets: &str) -> Lethe {
        self.with_secrets_and_data(secrets, &self.database)
    }

    /// The same installation with other secrets and another database.
    pub(crate) fn with_secrets_and_data(&self, secrets: &str, database: &Database) -> Lethe {
        self.with(|dependencies| {
            dependencies.keys = keys::Keys::derive(&SecretString::from(secrets)).unwrap();
            dependencies.database = database.pool().clone();
            dependencies.queue_database = database.pool().clone();
        })
    }

    /// The same installation after the operator has edited the map.
    pub(crate) fn with_map_text(&self, map: &str) -> Lethe {
        lethe(&self.clerk, &self.inbox, map, self.pool().clone(), self.lethe.storage.clone())
    }

    /// The same installation with another map, and connections of another role.
    pub(crate) fn with_map_and_pool(&self, map: &str, pool: PgPool) -> Lethe {
        lethe(&self.clerk, &self.inbox, map, pool, self.lethe.storage.clone())
    }

    /// The same installation with another database and store.
    pub(crate) fn with_data(&self, database: &Database, storage: Storage) -> Lethe {
        lethe(&self.clerk, &self.inbox, include_str!("../../demo/data-map.toml"), database.pool().clone(), storage)
    }

    /// The same installation on a server whose clock stands at this time.
    pub(crate) fn with_clock(&self, clock: Clock) -> Lethe {
        self.with(|dependencies| dependencies.clock = clock)
    }

    /// The same installation as a server connects to the database, with the limits of requests.
    pub(crate) async fn connected(&self) -> Lethe {
        let options = self.database.url().parse().unwrap();
        let connected = connection::connect(options, NonZeroU32::new(8).unwrap(), TimeLimits::REQUEST).await.unwrap();
        self.with_pool(connected.pool)
    }

    /// The same installation with a clock that stands still until it is advanced. It starts at the system's time, which the
    /// queue has.
    pub(crate) fn at_fixed_time(&self) -> Lethe {
        self.with(|dependencies| dependencies.clock = Clock::fixed(self.lethe.clock.now()))
    }

    /// The same installation with other connections.
    pub(crate) fn with_pool(&self, pool: PgPool) -> Lethe {
        self.with(|dependencies| {
            dependencies.queue_database = pool.clone();
            dependencies.database = pool;
        })
    }

    /// The same installation with another limit for `user.deleted` events.
    pub(crate) fn with_clerk_deletions_per_hour(&self, limit: u32) -> Lethe {
        self.with(|dependencies| {
            dependencies.config.clerk_deletions_per_hour = NonZeroU32::new(limit).unwrap();
        })
    }

    /// The same installation with another data map, and another size from which on texts aren't searched.
    pub(crate) fn with_content_search_megabytes(&self, map: &str, megabytes: u32) -> Lethe {
        let mut dependencies =
            dependencies(&self.clerk, &self.inbox, map, self.pool().clone(), self.lethe.storage.clone());
        dependencies.config.content_search_megabytes = NonZeroU32::new(megabytes).unwrap();
        Lethe::new(dependencies)
    }

    /// The same installation without a mail server.
    pub(crate) fn without_mail(&self) -> Lethe {
        self.with(|dependencies| dependencies.mailer = Mailer::none())
    }

    fn with(&self, change: impl FnOnce(&mut Dependencies)) -> Lethe {
        let map = include_str!("../../demo/data-map.toml");
        let mut dependencies =
            dependencies(&self.clerk, &self.inbox, map, self.pool().clone(), self.lethe.storage.clone());
        change(&mut dependencies);
        Lethe::new(dependencies)
    }

    pub(crate) fn pool(&self) -> &PgPool {
        &self.lethe.database
    }

    /// Runs the job worker until the returned value is dropped.
    pub(crate) fn start_worker(&self) -> RunningWorker {
        RunningWorker::start(&self.lethe)
    }

    /// Everything that the sample application has about a person, by table.
    pub(crate) async fn rows_of(&self, subject: &ClerkUserId) -> BTreeMap<&'static str, Vec<String>> {
        lethe_demo::testing::rows_of(self.pool(), subject.as_str()).await
    }
}

/// A worker that ends with the test.
pub(crate) struct RunningWorker(JoinHandle<()>);

impl RunningWorker {
    pub(crate) fn start(lethe: &Lethe) -> Self {
        let lethe = lethe.clone();
        Self(tokio::spawn(async move { jobs::run_worker(lethe, std::future::pending()).await }))
    }
}

impl Drop for RunningWorker {
    fn drop(&mut self) {
        self.0.abort();
    }
}

pub(crate) fn empty_storage() -> Storage {
    Storage::new(Arc::new(object_store::memory::InMemory::new()))
}

pub(crate) fn lethe(clerk: &ClerkStandIn, inbox: &Inbox, map: &str, database: PgPool, storage: Storage) -> Lethe {
    Lethe::new(dependencies(clerk, inbox, map, database, storage))
}

fn dependencies(clerk: &ClerkStandIn, inbox: &Inbox, map: &str, database: PgPool, storage: Storage) -> Dependencies {
    let data_map = DataMap::parse(map).unwrap();
    let client = ClientSettings {
        api_url: Url::parse(clerk.url()).unwrap(),
        timeout: Duration::from_secs(2),
        budget: NonZeroU32::new(10_000),
        ..ClientSettings::new(SecretString::from(clerk.secret_key()))
    };
    Dependencies {
        queue_database: database.clone(),
        database,
        clerk: lethe::clerk::Client::new(&client).unwrap(),
        active_map: ActiveMap::new(data_map.clone(), data_map.purposes().cloned().unwrap_or_default()),
        storage,
        mailer: Mailer::smtp(&SecretString::from(inbox.smtp_url()), "Privacy <privacy@example.org>").unwrap(),
        keys: keys::Keys::derive(&SecretString::from(SECRET)).unwrap(),
        clock: Clock::system(),
        random: Random::system(),
        config: CoreConfig {
            brand: "Northwind Journal".to_owned(),
            public_url: Url::parse("https://privacy.example.org").unwrap(),
            alert_address: Some("operator@example.org".to_owned()),
            workers: 4,
            export_folder: None,
            export_minutes: NonZeroU32::new(60).unwrap(),
            content_search_megabytes: NonZeroU32::new(1_000).unwrap(),
            clerk_deletions_per_hour: NonZeroU32::new(100).unwrap(),
        },
    }
}

pub(crate) fn subject(index: usize) -> ClerkUserId {
    ClerkUserId::parse(&person(index).id).unwrap()
}

/// A request without a confirmed plan.
pub(crate) fn by(subject: &ClerkUserId, origin: Origin) -> NewRequest<'_> {
    NewRequest { subject, origin, confirmed_plan: None, contact: Some("ada@example.org"), idempotency_key: None }
}

pub(crate) async fn count(world: &World, query: &'static str) -> i64 {
    sqlx::query_scalar(query).fetch_one(world.pool()).await.unwrap()
}
