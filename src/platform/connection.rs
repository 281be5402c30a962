//! Connections to Postgres: what each session sets, how long each kind of work may take, and which poolers can be in
//! between.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions as _, Connection as _, Executor as _, PgConnection, PgPool, PgTransaction, Row as _};
use time::OffsetDateTime;

use super::session_check::SessionCheck;

/// How long a connection may take, and how long a request waits for a free one.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How often two connections are compared to find out whether they share a session. Other clients of a busy pooler can keep
/// two connections apart for a while.
const SESSION_COMPARISONS: usize = 5;

/// How often each of two connections uses a prepared statement to find out whether what is in between carries it.
const STATEMENT_CHECKS: usize = 3;

/// What every session sets beside its [`TimeLimits`]: a host that is gone is noticed after 25 seconds where the session is
/// idle, after 30 where data is under way, and its transaction is rolled back.
const SESSION_SETTINGS: [(&str, &str); 5] = [
    ("tcp_keepalives_idle", "10s"),
    ("tcp_keepalives_interval", "5s"),
    ("tcp_keepalives_count", "3"),
    ("tcp_user_timeout", "30s"),
    // A statement ends with its client.
    ("client_connection_check_interval", "10s"),
];

/// How long one kind of work may take. Postgres enforces it, so that it also holds for a process that hangs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeLimits {
    /// One statement. `None`: however long it takes.
    pub statement: Option<Duration>,
    /// The wait for one lock that somebody else holds.
    pub lock: Duration,
    /// How long a transaction may stay open without a statement. Then the session is ended.
    pub idle_in_transaction: Duration,
}

impl TimeLimits {
    /// Reads and saves of pages, of the HTTP interface and of jobs: what a session has that sets nothing else.
    pub const REQUEST: Self = Self::new(Some(10), 3, 30);
    /// Counting a person's rows, for the page that lists what would be deleted.
    pub const PREVIEW: Self = Self::new(Some(20), 3, 30);
    /// Reading a person's rows, at the speed of whoever downloads them.
    pub const EXPORT: Self = Self::new(Some(60 * 60), 3, 120);
    /// A step of a deletion, a purge, and other changes of many rows.
    pub const ERASURE: Self = Self::new(Some(15 * 60), 5, 30);
    /// Searching one table of the application for what an erasure may have left in its texts.
    pub const CONTENT_SEARCH: Self = Self::new(Some(60), 3, 30);
    /// Operators' commands that read everything.
    pub const BATCH: Self = Self::new(None, 10, 120);
    /// Changes of Lethe's own tables. While one waits for a lock, everybody who needs the table waits behind it.
    pub const MIGRATION: Self = Self::new(None, 5, 120);

    const fn new(statement_seconds: Option<u64>, lock_seconds: u64, idle_seconds: u64) -> Self {
        let statement = match statement_seconds {
            Some(seconds) => Some(Duration::from_secs(seconds)),
            None => None,
        };
        Self {
            statement,
            lock: Duration::from_secs(lock_seconds),
            idle_in_transaction: Duration::from_secs(idle_seconds),
        }
    }

    /// Begins a transaction with these limits.
    pub async fn begin(self, pool: &PgPool) -> Result<PgTransaction<'static>, sqlx::Error> {
        let mut transaction = pool.begin().await?;
        self.apply(&mut transaction).await?;
        Ok(transaction)
    }

    /// Sets the limits until the current transaction ends.
    pub(crate) async fn apply(self, transaction: &mut PgConnection) -> Result<(), sqlx::Error> {
        set_all(transaction, &self.settings(), true).await
    }

    /// The settings of Postgres. Zero means no limit. Compiling a statement, which Postgres does where it expects much work, takes
    /// longer than the search for one person's rows.
    fn settings(self) -> [(&'static str, String); 4] {
        let milliseconds = |limit: Duration| format!("{}ms", limit.as_millis());
        [
            ("statement_timeout", milliseconds(self.statement.unwrap_or_default())),
            ("lock_timeout", milliseconds(self.lock)),
            ("idle_in_transaction_session_timeout", milliseconds(self.idle_in_transaction)),
            ("jit", "off".to_owned()),
        ]
    }
}

/// Sets what the server knows of `settings`, for the session or for the transaction.
async fn set_all(
    connection: &mut PgConnection,
    settings: &[(&'static str, String)],
    for_transaction: bool,
) -> Result<(), sqlx::Error> {
    let names: Vec<_> = settings.iter().map(|(name, _)| *name).collect();
    let values: Vec<_> = settings.iter().map(|(_, value)| value.as_str()).collect();
    sqlx::query("select set_config(name, value, $3) from unnest($1::text[], $2::text[]) as setting (name, value)")
        .bind(names)
        .bind(values)
        .bind(for_transaction)
        .execute(connection)
        .await?;
    Ok(())
}

/// The database's clock, by which leases and due times are compared.
pub(crate) async fn now(connection: &mut PgConnection) -> Result<OffsetDateTime, sqlx::Error> {
    sqlx::query_scalar("select clock_timestamp()").fetch_one(connection).await
}

/// What lies between Lethe and the server, as far as connections tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pooling {
    /// Each connection has a session of its own: there is no pooler, or one in session mode.
    Session,
    /// A pooler lends a session for each transaction, and carries prepared statements from one to the next. Settings of a
    /// session, its locks and its notifications are lost.
    Transaction,
    /// A pooler lends sessions for transactions or statements, and doesn't carry prepared statements, which every query
    /// uses.
    Unsupported,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The server can't be reached, or refuses the connection.
    #[error("no connection to the database")]
    Unreachable(#[from] sqlx::Error),
    /// See [`Pooling::Unsupported`].
    #[error(
        "a connection pooler in transaction or statement mode doesn't carry prepared statements; use PgBouncer 1.21 or newer \
         with max_prepared_statements above 0, its session mode, or a direct connection"
    )]
    UnsupportedPooler,
}

/// A pool, and what it goes through.
#[derive(Clone, Debug)]
pub struct Connected {
    /// The connections.
    pub pool: PgPool,
    /// What is in between: [`Pooling::Session`] or [`Pooling::Transaction`].
    pub pooling: Pooling,
}

/// Opens a pool of at most `connections`, whose sessions have these limits unless a transaction sets others.
///
/// Behind a pooler in transaction mode sessions set nothing, as it would concern whoever has the session next. The limits of
/// transactions hold there all the same.
pub async fn connect(
    options: PgConnectOptions,
    connections: NonZeroU32,
    limits: TimeLimits,
) -> Result<Connected, ConnectError> {
    // Poolers refuse this parameter, and no value is read in a form that it changes.
    let options = options.application_name("lethe").extra_float_digits(None);
    let pooling =
        tokio::time::timeout(CONNECT_TIMEOUT, pooling(&options)).await.map_err(|_| sqlx::Error::PoolTimedOut)??;
    if pooling == Pooling::Unsupported {
        return Err(ConnectError::UnsupportedPooler);
    }
    let settings: Vec<_> = match pooling {
        Pooling::Session => SESSION_SETTINGS
            .map(|(name, value)| (name, value.to_owned()))
            .into_iter()
            .chain(limits.settings())
            .collect(),
        Pooling::Transaction | Pooling::Unsupported => Vec::new(),
    };
    let check = Arc::new(SessionCheck::default());
    let pool = PgPoolOptions::new()
        .max_connections(connections.get())
        .acquire_timeout(CONNECT_TIMEOUT)
        .test_before_acquire(false)
        .before_acquire(move |connection, usage| {
            let check = check.clone();
            Box::pin(async move { check.accepts(connection, usage).await })
        })
        .after_connect(move |connection, _| {
            let settings = settings.clone();
            Box::pin(async move { set_all(connection, &settings, false).await })
        })
        .connect_with(options)
        .await?;
    Ok(Connected { pool, pooling })
}

/// Whether sessions of `pool` have a time limit for statements.
pub async fn has_statement_timeout(pool: &PgPool) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("select current_setting('statement_timeout') not in ('0', '0ms')").fetch_one(pool).await
}

/// Finds out what is in between by two connections: direct ones never have the same session. A busy pooler can hide it, but
/// never is a direct connection taken for a pooler.
async fn pooling(options: &PgConnectOptions) -> Result<Pooling, sqlx::Error> {
    let (mut one, mut other) = (options.connect().await?, options.connect().await?);
    let pooling = compare_sessions(&mut one, &mut other).await;
    let _ = tokio::join!(one.close(), other.close());
    pooling
}

async fn compare_sessions(one: &mut PgConnection, other: &mut PgConnection) -> Result<Pooling, sqlx::Error> {
    let shared = share_sessions(one, other).await?;
    // Also where no sharing was noticed: a pool whose sessions can't be set up would be tried again until its time is over.
    Ok(match (carries_statements(one, other).await?, shared) {
        (false, _) => Pooling::Unsupported,
        (true, true) => Pooling::Transaction,
        (true, false) => Pooling::Session,
    })
}

async fn share_sessions(one: &mut PgConnection, other: &mut PgConnection) -> Result<bool, sqlx::Error> {
    let sessions = (session_id(one).await?, session_id(other).await?);
    let mut shared = sessions.0 == sessions.1;
    for _ in 0..SESSION_COMPARISONS {
        shared = shared || (session_id(one).await?, session_id(other).await?) != sessions;
    }
    Ok(shared)
}

/// The server's process. Without a prepared statement, which some poolers don't carry.
async fn session_id(connection: &mut PgConnection) -> Result<i32, sqlx::Error> {
    connection.fetch_one(sqlx::raw_sql("select pg_backend_pid()")).await?.try_get(0)
}

/// Whether two connections that may share sessions can use prepared statements, and transactions.
async fn carries_statements(one: &mut PgConnection, other: &mut PgConnection) -> Result<bool, sqlx::Error> {
    for _ in 0..STATEMENT_CHECKS {
        for connection in [&mut *one, &mut *other] {
            let executed = async {
                let mut transaction = connection.begin().await?;
                sqlx::query("select $1::int4").bind(1).execute(&mut *transaction).await?;
                transaction.commit().await
            };
            match executed.await {
                Ok(()) => {}
                // Everything else than a lost connection is the pooler's refusal of what it doesn't carry.
                Err(error @ sqlx::Error::Io(_)) => return Err(error),
                Err(_) => return Ok(false),
            }
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_limit_is_zero_for_postgres() {
        assert_eq!(TimeLimits::BATCH.settings()[0], ("statement_timeout", "0ms".to_owned()));
        assert_eq!(TimeLimits::REQUEST.settings().map(|(_, value)| value), ["10000ms", "3000ms", "30000ms", "off"]);
    }
}
