//! Checks of what Lethe depends on beside Clerk: database, data map, mail server, archive store, files for the browser.

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use anyhow::Context;
use lethe::connection::{self, Connected, Pooling, TimeLimits};
use lethe::data_map::{self, DataMap, Error, Problem};
use lethe::database::SchemaState;
use lethe::deletion::{self, Searched};
use lethe::mail::{Mailer, SmtpCheckError};
use lethe::storage::Storage;
use lethe::{Random, error_chain};
use sqlx::PgPool;
use sqlx::postgres::PgSslMode;

use super::report::CheckResult;
use super::timeout::{CHECK_TIMEOUT, with_timeout};
use crate::bootstrap;
use crate::config::{DatabaseConfig, DatabaseTls, PostgresUrl, Values, database};
use crate::routes::assets;

const DATABASE: &str = "database";
/// An `sslmode=require` in the URL changes nothing about it.
const TLS_REMEDY: &str = "certificate and host name are verified: let LETHE_DATABASE_CA name the root of a private authority, \
     connect by the name in the certificate, or say with LETHE_DATABASE_TLS what is enough";
const POOLING: &str = "database_pooling";
const MIGRATED: &str = "database_migrated";
const DATA_MAP: &str = "data_map";

pub(super) async fn check_database(values: &Values) -> Vec<CheckResult> {
    let loaded_map = load_data_map(values);
    let mut results = Vec::new();
    let (config, connected) = match connect(values).await {
        Ok(connected) => connected,
        Err(result) => {
            results.push(result);
            results.push(CheckResult::skipped(POOLING, "requires the database"));
            results.push(CheckResult::skipped(MIGRATED, "requires the database"));
            let unresolved = || CheckResult::skipped(DATA_MAP, "the file is readable; the rest requires the database");
            results.push(loaded_map.map_or_else(|result| result, |_map| unresolved()));
            return results;
        }
    };
    results.push(CheckResult::ok(DATABASE, "the connection works"));
    results.push(check_protection(&config));
    results.push(with_timeout(POOLING, check_pooling(&config, &connected)).await);
    let pool = connected.pool;
    results.push(with_timeout(MIGRATED, check_migrations(&pool)).await);
    if let Ok(map) = &loaded_map {
        results.push(check_purposes(map));
        results.extend(tokio::time::timeout(CHECK_TIMEOUT, check_owners(map, &pool)).await.unwrap_or_default());
    }
    match loaded_map {
        Ok(map) => match tokio::time::timeout(CHECK_TIMEOUT, check_data_map(&map, &pool)).await {
            Ok(map_results) => results.extend(map_results),
            Err(_) => results.push(CheckResult::wrong(
                DATA_MAP,
                format!("the schema couldn't be read within {} seconds", CHECK_TIMEOUT.as_secs()),
                "check what keeps the database busy",
            )),
        },
        Err(result) => results.push(result),
    }
    results
}

async fn connect(values: &Values) -> Result<(DatabaseConfig, Connected), CheckResult> {
    const NAME: &str = "DATABASE_URL";
    if values.text(NAME).is_none() {
        return Err(CheckResult::not_set(DATABASE, NAME));
    }
    let remedy = "check that Postgres is running there and that the role in DATABASE_URL may connect";
    let mut values = values.clone();
    let (url, ca) = (values.read::<PostgresUrl>(&database::URL), values.read::<Option<PathBuf>>(&database::CA));
    let direct_url = values.read::<Option<PostgresUrl>>(&database::DIRECT_URL);
    let tls = values.read::<Option<DatabaseTls>>(&database::TLS);
    let (Some(url), Some(direct_url), Some(tls), Some(ca)) = (url, direct_url, tls, ca) else {
        let message =
            "requires a valid DATABASE_URL, LETHE_DATABASE_DIRECT_URL, LETHE_DATABASE_TLS and LETHE_DATABASE_CA";
        return Err(CheckResult::skipped(DATABASE, message));
    };
    let config = DatabaseConfig { url, direct_url, tls, ca, connections: NonZeroU32::MIN };
    match tokio::time::timeout(CHECK_TIMEOUT, bootstrap::connect_database(&config, TimeLimits::REQUEST)).await {
        Ok(Ok(connected)) => Ok((config, connected)),
        Ok(Err(error)) => {
            let message = error_chain(error.as_ref());
            let is_about_tls = ["certificate", "TLS"].iter().any(|word| message.contains(word));
            let remedy = if is_about_tls { TLS_REMEDY } else { remedy };
            Err(CheckResult::wrong(DATABASE, message, remedy))
        }
        Err(_) => {
            let message = format!("no response within {} seconds", CHECK_TIMEOUT.as_secs());
            Err(CheckResult::wrong(DATABASE, message, remedy))
        }
    }
}

/// What protects the connection, by the settings: behind a pooler, the server knows only the pooler's.
fn check_protection(config: &DatabaseConfig) -> CheckResult {
    const CHECK: &str = "database_tls";
    let remedy = "set LETHE_DATABASE_TLS to verify-full and, where a private authority signed the certificate, \
         LETHE_DATABASE_CA to its root";
    match bootstrap::database_protection(config) {
        Some(PgSslMode::VerifyFull) => CheckResult::ok(CHECK, "encrypted, certificate and host name verified"),
        Some(PgSslMode::VerifyCa) => CheckResult::ok(CHECK, "encrypted, certificate verified, but not its host name"),
        Some(PgSslMode::Require) => {
            CheckResult::warning(CHECK, "encrypted, but nothing is verified: anybody in between could answer", remedy)
        }
        Some(PgSslMode::Disable) => CheckResult::warning(CHECK, "not encrypted", remedy),
        Some(PgSslMode::Allow | PgSslMode::Prefer) => {
            CheckResult::ok(CHECK, "the database is on this machine; encrypted if it offers that")
        }
        None => CheckResult::skipped(CHECK, "requires a valid DATABASE_URL"),
    }
}

/// Whether there is an address for what needs a session of its own, and whether statements end through the other one.
async fn check_pooling(config: &DatabaseConfig, connected: &Connected) -> CheckResult {
    if connected.pooling == Pooling::Session && config.direct_url.is_none() {
        return CheckResult::ok(POOLING, "no pooler in transaction mode was noticed");
    }
    if let Err(error) = bootstrap::connect_directly(config, NonZeroU32::MIN, TimeLimits::REQUEST).await {
        let remedy = "let LETHE_DATABASE_DIRECT_URL lead to the database itself, or to a pooler in session mode";
        return CheckResult::wrong(POOLING, error_chain(error.as_ref()), remedy);
    }
    if connected.pooling == Pooling::Session {
        return CheckResult::ok(POOLING, "LETHE_DATABASE_DIRECT_URL works; DATABASE_URL was noticed to need none");
    }
    match connection::has_statement_timeout(&connected.pool).await {
        Ok(true) => CheckResult::ok(POOLING, "a pooler in transaction mode, and LETHE_DATABASE_DIRECT_URL past it"),
        Ok(false) => CheckResult::warning(
            POOLING,
            "through the pooler, statements of pages and jobs end at no time limit",
            "run `alter role … set statement_timeout = '10s'` and `… set lock_timeout = '3s'` for the role in DATABASE_URL",
        ),
        Err(error) => CheckResult::wrong(POOLING, error_chain(&error), "check the pooler"),
    }
}

async fn check_migrations(pool: &PgPool) -> CheckResult {
    match lethe::database::schema_state(pool).await {
        Ok(SchemaState::Ready { is_newer: false }) => CheckResult::ok(MIGRATED, "Lethe's tables are up to date"),
        Ok(SchemaState::Ready { is_newer: true }) => {
            CheckResult::ok(MIGRATED, "a newer version has updated Lethe's tables; this version can use them")
        }
        Ok(SchemaState::Outdated) => {
            CheckResult::wrong(MIGRATED, "Lethe's tables are not up to date", "run `lethe migrate`")
        }
        Ok(SchemaState::TooNew { .. }) => CheckResult::wrong(
            MIGRATED,
            "a newer version has updated Lethe's tables, and this version can't use them any more",
            "run the newer version, or restore a backup from before the update",
        ),
        Err(error) => CheckResult::wrong(
            MIGRATED,
            format!("the role can't read Lethe's tables: {}", error_chain(&error)),
            "run `lethe migrate` as the role that serves, or grant it all privileges in the schemas lethe and lethe_jobs",
        ),
    }
}

/// Returns the data map, or the result that says why there is none.
fn load_data_map(values: &Values) -> Result<DataMap, CheckResult> {
    const NAME: &str = "LETHE_DATA_MAP";
    let path = values.text(NAME).ok_or_else(|| CheckResult::not_set(DATA_MAP, NAME))?;
    DataMap::load(Path::new(path)).map_err(|error| {
        let remedy = "`lethe map draft` prints a first one; `lethe map check` lists the problems";
        CheckResult::wrong(DATA_MAP, error_chain(&error), remedy)
    })
}

/// There are none that Lethe brings along: what users are asked is up to the operator.
fn check_purposes(map: &DataMap) -> CheckResult {
    const CHECK: &str = "purposes";
    match map.purposes().map(|purposes| purposes.keys().join(", ")) {
        Some(keys) => CheckResult::ok(CHECK, format!("users decide on {keys}")),
        None => CheckResult::warning(
            CHECK,
            "the data map has no [[purpose]]: users are asked for no consent",
            "add a [[purpose]] for each thing that needs consent, or that users may object to (see docs/data-map.md)",
        ),
    }
}

/// Looks for owners that no row can have. Returns nothing where the map doesn't fit, or the tables are too large to say.
async fn check_owners(map: &DataMap, pool: &PgPool) -> Vec<CheckResult> {
    let problems = async {
        let mut connection = pool.acquire().await?;
        let resolved = data_map::resolve(map, &mut connection).await?;
        data_map::check_owners(&resolved, &mut connection).await
    };
    problems.await.unwrap_or_default().into_iter().map(problem_result).collect()
}

/// Includes the role's privileges on the mapped tables.
async fn check_data_map(map: &DataMap, pool: &PgPool) -> Vec<CheckResult> {
    let resolved = async {
        let mut connection = pool.acquire().await?;
        data_map::resolve(map, &mut connection).await
    };
    match resolved.await {
        Ok(resolved) => {
            let message = format!("it fits the schema and the role's privileges: {} tables", map.tables().len());
            vec![CheckResult::ok(DATA_MAP, message), check_searched(&deletion::searched(&resolved))]
        }
        Err(Error::Mismatch(problems)) => problems.into_iter().map(problem_result).collect(),
        Err(error) => {
            vec![CheckResult::wrong(DATA_MAP, error_chain(&error), "`lethe map check` lists the problems")]
        }
    }
}

fn problem_result(problem: Problem) -> CheckResult {
    let column = problem.column.map(|column| format!(", column {column}")).unwrap_or_default();
    CheckResult::wrong(DATA_MAP, format!("{}{column}: {}", problem.table, problem.message), problem.remedy)
}

/// Names the tables in which nothing of a user would be found.
fn check_searched(searched: &Searched) -> CheckResult {
    const CHECK: &str = "data_map_search";
    let tables: Vec<&str> = searched.unsearched.iter().map(|found| found.table.as_str()).collect();
    if tables.is_empty() {
        return CheckResult::ok(CHECK, "every table can be searched for user ids");
    }
    CheckResult::warning(
        CHECK,
        format!("not searched for the ids of erased users: {}", tables.join(", ")),
        "grant the role SELECT on ignored tables too; receipts name the tables that stay unsearched",
    )
}

/// Talks to the mail server as before a message, and sends none.
pub(super) async fn check_mail(values: &Values) -> CheckResult {
    const CHECK: &str = "mail";
    let Some(url) = values.secret("LETHE_SMTP_URL") else {
        return CheckResult::warning(
            CHECK,
            "LETHE_SMTP_URL isn't set: no receipts and no alerts are sent",
            "set LETHE_SMTP_URL and LETHE_MAIL_FROM",
        );
    };
    let Some(from) = values.text("LETHE_MAIL_FROM") else { return CheckResult::not_set(CHECK, "LETHE_MAIL_FROM") };
    let mailer = match Mailer::smtp(&url, from) {
        Ok(mailer) => mailer,
        Err(error) => {
            let remedy = "use smtp://host:port or smtps://user:password@host, and a valid e-mail address";
            return CheckResult::wrong(CHECK, error.to_string(), remedy);
        }
    };
    match mailer.check().await {
        Ok(()) if values.text("LETHE_ALERT_TO").is_none() => CheckResult::warning(
            CHECK,
            "the server responds, but nobody is notified when a deletion needs attention",
            "set LETHE_ALERT_TO",
        ),
        Ok(()) => CheckResult::ok(CHECK, "the server responds and would accept a message"),
        Err(error) => CheckResult::wrong(CHECK, error.to_string(), remedy(error)),
    }
}

const fn remedy(error: SmtpCheckError) -> &'static str {
    match error {
        SmtpCheckError::Unreachable | SmtpCheckError::TimedOut => {
            "check host and port in LETHE_SMTP_URL, and whether a firewall is in between"
        }
        SmtpCheckError::Tls => {
            "check that the server's certificate is valid for this host, and that smtp:// or smtps:// fits the port"
        }
        SmtpCheckError::Refused(_) => "check user and password in LETHE_SMTP_URL; the mail server's log may say more",
    }
}

/// Writes a small file, reads it and deletes it.
pub(super) async fn check_storage(values: &Values) -> CheckResult {
    const CHECK: &str = "store";
    let folder = values.text("LETHE_STORAGE").unwrap_or_default();
    let key = format!("doctor/{}", data_encoding::HEXLOWER.encode(&Random::system().bytes::<8>()));
    let round_trip = async {
        let storage = Storage::folder(Path::new(folder)).context("it can't be opened")?;
        storage.round_trips(&key, b"lethe doctor").await.context("it can't be written")
    };
    let remedy = "set LETHE_STORAGE to a folder that the process may write to, on a disk with free space";
    match round_trip.await {
        // Started elsewhere, the process would find an empty store, and a restore wouldn't be noticed.
        Ok(true) if Path::new(folder).is_relative() => CheckResult::warning(
            CHECK,
            format!("{folder} can be written and read, but depends on the folder in which the process is started"),
            "set LETHE_STORAGE to an absolute path",
        ),
        Ok(true) => CheckResult::ok(CHECK, format!("{folder} can be written and read")),
        Ok(false) => CheckResult::wrong(CHECK, format!("{folder} returns other data than was written"), remedy),
        Err(error) => CheckResult::wrong(CHECK, format!("{folder}: {}", error_chain(error.as_ref())), remedy),
    }
}

/// Creates a temporary file as an export does.
pub(super) fn check_export_folder(values: &Values) -> CheckResult {
    const CHECK: &str = "export_folder";
    match lethe::export::check_folder(values.text("LETHE_EXPORT_FOLDER").map(Path::new)) {
        Ok(()) => CheckResult::ok(CHECK, "temporary files of exports can be created"),
        Err(error) => CheckResult::wrong(
            CHECK,
            format!("no temporary file can be created: {error}"),
            "set LETHE_EXPORT_FOLDER to a folder that the process may write to, on a disk with free space",
        ),
    }
}

/// Looks for the files that the browser loads.
pub(super) fn check_site(values: &Values) -> CheckResult {
    const CHECK: &str = "site";
    let folder = Path::new(values.text("LETHE_SITE").unwrap_or_default());
    let remedy = "set LETHE_SITE to the folder target/site as `cargo xtask build --release` made it";
    match assets::load_site(folder, "") {
        Err(error) => CheckResult::wrong(CHECK, error.to_string(), remedy),
        Ok(site) if !folder.join(site.style_path.trim_start_matches('/')).is_file() => {
            CheckResult::wrong(CHECK, format!("{} isn't in {}", site.style_path, folder.display()), remedy)
        }
        Ok(_) => CheckResult::ok(CHECK, "the files for the browser are there"),
    }
}
