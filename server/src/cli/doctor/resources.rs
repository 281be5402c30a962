//! Where Lethe keeps things: the database, the store, the mail server, the site's files.

use std::path::Path;

use anyhow::Context;
use lethe::Random;
use lethe::data_map::{self, DataMap, Error};
use lethe::mail::{Mailer, SmtpCheckError};
use lethe::storage::Storage;
use sqlx::PgPool;

use super::report::CheckResult;
use super::settings::not_set;
use super::{CHECK_TIMEOUT, with_timeout};
use crate::bootstrap;
use crate::config::{DatabaseConfig, Values};
use crate::problem::error_chain;
use crate::routes::assets;

const MIGRATED: &str = "database_migrated";
const DATA_MAP: &str = "data_map";

/// The database, and what is in it.
pub(super) async fn check_database(values: &Values) -> Vec<CheckResult> {
    const CHECK: &str = "database";
    let (map_line, map) = load_data_map(values);
    let mut lines = Vec::new();
    let pool = match connect(values).await {
        None => {
            lines.push(not_set(CHECK, "DATABASE_URL"));
            None
        }
        Some(Err(reason)) => {
            lines.push(CheckResult::wrong(
                CHECK,
                reason,
                "see that Postgres runs there and that DATABASE_URL's role may sign in",
            ));
            None
        }
        Some(Ok(pool)) => {
            lines.push(CheckResult::ok(CHECK, "it can be reached"));
            Some(pool)
        }
    };
    let Some(pool) = pool else {
        lines.push(CheckResult::skipped(MIGRATED, "needs the database"));
        lines
            .push(map_line.unwrap_or_else(|| {
                CheckResult::skipped(DATA_MAP, "the file can be read; the rest needs the database")
            }));
        return lines;
    };
    lines.push(with_timeout(MIGRATED, check_migrations(&pool)).await);
    match (map_line, map) {
        (None, Some(map)) => match tokio::time::timeout(CHECK_TIMEOUT, check_data_map(&map, &pool)).await {
            Ok(fit) => lines.extend(fit),
            Err(_) => {
                lines.push(CheckResult::wrong(
                    DATA_MAP,
                    "the catalog wasn't read in time",
                    "see what keeps the database busy",
                ));
            }
        },
        (line, _) => lines.extend(line),
    }
    lines
}

async fn connect(values: &Values) -> Option<Result<PgPool, String>> {
    let settings = DatabaseConfig { url: values.secret("DATABASE_URL")?, connections: 1 };
    Some(match tokio::time::timeout(CHECK_TIMEOUT, bootstrap::connect_database(&settings)).await {
        Ok(opened) => opened.map_err(|error| error_chain(error.as_ref())),
        Err(_) => Err(format!("no answer within {} seconds", CHECK_TIMEOUT.as_secs())),
    })
}

async fn check_migrations(pool: &PgPool) -> CheckResult {
    match lethe::database::is_migrated(pool).await {
        Ok(true) => CheckResult::ok(MIGRATED, "Lethe's tables are as this version needs them"),
        Ok(false) => {
            CheckResult::wrong(MIGRATED, "Lethe's tables aren't as this version needs them", "run `lethe migrate`")
        }
        Err(error) => CheckResult::wrong(
            MIGRATED,
            format!("the role can't read Lethe's own tables: {}", error_chain(&error)),
            "run `lethe migrate` with the role that serves, or grant it everything in the schemas lethe and lethe_jobs",
        ),
    }
}

/// The map, or the line that says why there is none.
fn load_data_map(values: &Values) -> (Option<CheckResult>, Option<DataMap>) {
    let Some(path) = values.text("LETHE_DATA_MAP") else { return (Some(not_set(DATA_MAP, "LETHE_DATA_MAP")), None) };
    match DataMap::load(Path::new(path)) {
        Ok(map) => (None, Some(map)),
        Err(error) => {
            let remedy = "`lethe map draft` writes a first one; `lethe map check` tells more";
            (Some(CheckResult::wrong(DATA_MAP, error_chain(&error), remedy)), None)
        }
    }
}

/// The role's rights on the mapped tables are part of it.
async fn check_data_map(map: &DataMap, pool: &PgPool) -> Vec<CheckResult> {
    let resolved = async {
        let mut connection = pool.acquire().await?;
        data_map::resolve(map, &mut connection).await.map(drop)
    };
    match resolved.await {
        Ok(()) => {
            vec![CheckResult::ok(
                DATA_MAP,
                format!("it fits the database and the role's rights: {} tables", map.tables().len()),
            )]
        }
        Err(Error::Mismatch(problems)) => problems
            .into_iter()
            .map(|problem| {
                let column = problem.column.map(|column| format!(", column {column}")).unwrap_or_default();
                CheckResult::wrong(DATA_MAP, format!("{}{column}: {}", problem.table, problem.message), problem.remedy)
            })
            .collect(),
        Err(error) => vec![CheckResult::wrong(DATA_MAP, error_chain(&error), "`lethe map check` tells more")],
    }
}

/// Speaks to the mail server as for a message, and sends none.
pub(super) async fn check_mail(values: &Values) -> CheckResult {
    const CHECK: &str = "mail";
    let Some(url) = values.secret("LETHE_SMTP_URL") else {
        return CheckResult::warning(
            CHECK,
            "LETHE_SMTP_URL isn't set: nobody gets a receipt by mail, and no alert is sent",
            "set LETHE_SMTP_URL and LETHE_MAIL_FROM",
        );
    };
    let Some(from) = values.text("LETHE_MAIL_FROM") else { return not_set(CHECK, "LETHE_MAIL_FROM") };
    let mailer = match Mailer::smtp(&url, from) {
        Ok(mailer) => mailer,
        Err(error) => {
            return CheckResult::wrong(
                CHECK,
                error.to_string(),
                "write smtp://host:port or smtps://user:password@host, and an address",
            );
        }
    };
    match mailer.check().await {
        Ok(()) if values.text("LETHE_ALERT_TO").is_none() => CheckResult::warning(
            CHECK,
            "the server answers, but nobody is told when a deletion needs attention",
            "set LETHE_ALERT_TO",
        ),
        Ok(()) => CheckResult::ok(CHECK, "the server answers and would take a message"),
        Err(error) => CheckResult::wrong(CHECK, error.to_string(), remedy(error)),
    }
}

const fn remedy(error: SmtpCheckError) -> &'static str {
    match error {
        SmtpCheckError::Unreachable | SmtpCheckError::TimedOut => {
            "see that host and port in LETHE_SMTP_URL are right and not behind a firewall"
        }
        SmtpCheckError::Tls => {
            "see that the server's certificate is valid for this host, and that smtp:// or smtps:// fits the port"
        }
        SmtpCheckError::Refused(_) => {
            "see that user and password in LETHE_SMTP_URL are right; the mail server's log tells more"
        }
    }
}

/// Writes a small file, reads it and deletes it.
pub(super) async fn check_storage(values: &Values) -> CheckResult {
    const CHECK: &str = "store";
    let folder = values.text("LETHE_STORAGE").unwrap_or("storage");
    let key = format!("doctor/{}", data_encoding::HEXLOWER.encode(&Random::system().bytes::<8>()));
    let held = async {
        let storage = Storage::folder(Path::new(folder)).context("it can't be opened")?;
        storage.round_trips(&key, b"lethe doctor").await.context("it can't be written")
    };
    let remedy = "let LETHE_STORAGE name a folder that the process may write to, on a disk with room";
    match held.await {
        Ok(true) => CheckResult::ok(CHECK, format!("{folder} takes files and gives them back")),
        Ok(false) => CheckResult::wrong(CHECK, format!("{folder} gives back something else than it took"), remedy),
        Err(error) => CheckResult::wrong(CHECK, format!("{folder}: {}", error_chain(error.as_ref())), remedy),
    }
}

/// What the browser loads.
pub(super) fn check_site(values: &Values) -> CheckResult {
    const CHECK: &str = "site";
    let folder = Path::new(values.text("LETHE_SITE").unwrap_or("target/site"));
    let remedy = "let LETHE_SITE name what `cargo xtask build --release` put into target/site";
    match assets::load_site(folder, "") {
        Err(error) => CheckResult::wrong(CHECK, error.to_string(), remedy),
        Ok(site) if !folder.join(site.style_path.trim_start_matches('/')).is_file() => {
            CheckResult::wrong(CHECK, format!("{} isn't in {}", site.style_path, folder.display()), remedy)
        }
        Ok(_) => CheckResult::ok(CHECK, "what the browser loads is there"),
    }
}
