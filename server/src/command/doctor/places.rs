//! Where Lethe keeps things: the database, the store, the mail server, the site's files.

use std::path::Path;

use anyhow::Context;
use lethe::Random;
use lethe::data_map::{self, DataMap, Error};
use lethe::mail::{Mailer, SmtpCheckError};
use lethe::storage::Storage;
use sqlx::PgPool;

use super::keys::not_set;
use super::report::Line;
use super::{PATIENCE, in_time};
use crate::open;
use crate::problem::chain;
use crate::routes::assets;
use crate::settings::{DatabaseSettings, Values};

const MIGRATED: &str = "database_migrated";
const MAP: &str = "data_map";

/// The database, and what is in it.
pub(super) async fn database(values: &Values) -> Vec<Line> {
    const CHECK: &str = "database";
    let (map_line, map) = map(values);
    let mut lines = Vec::new();
    let pool = match connect(values).await {
        None => {
            lines.push(not_set(CHECK, "DATABASE_URL"));
            None
        }
        Some(Err(reason)) => {
            lines.push(Line::wrong(
                CHECK,
                reason,
                "see that Postgres runs there and that DATABASE_URL's role may sign in",
            ));
            None
        }
        Some(Ok(pool)) => {
            lines.push(Line::ok(CHECK, "it can be reached"));
            Some(pool)
        }
    };
    let Some(pool) = pool else {
        lines.push(Line::skipped(MIGRATED, "needs the database"));
        lines.push(map_line.unwrap_or_else(|| Line::skipped(MAP, "the file can be read; the rest needs the database")));
        return lines;
    };
    lines.push(in_time(MIGRATED, migrated(&pool)).await);
    match (map_line, map) {
        (None, Some(map)) => match tokio::time::timeout(PATIENCE, fit(&map, &pool)).await {
            Ok(fit) => lines.extend(fit),
            Err(_) => {
                lines.push(Line::wrong(MAP, "the catalog wasn't read in time", "see what keeps the database busy"));
            }
        },
        (line, _) => lines.extend(line),
    }
    lines
}

async fn connect(values: &Values) -> Option<Result<PgPool, String>> {
    let settings = DatabaseSettings { url: values.secret("DATABASE_URL")?, connections: 1 };
    Some(match tokio::time::timeout(PATIENCE, open::database(&settings)).await {
        Ok(opened) => opened.map_err(|error| chain(error.as_ref())),
        Err(_) => Err(format!("no answer within {} seconds", PATIENCE.as_secs())),
    })
}

async fn migrated(pool: &PgPool) -> Line {
    match lethe::jobs::is_migrated(pool).await {
        Ok(true) => Line::ok(MIGRATED, "Lethe's tables are as this version needs them"),
        Ok(false) => Line::wrong(MIGRATED, "Lethe's tables aren't as this version needs them", "run `lethe migrate`"),
        Err(error) => Line::wrong(
            MIGRATED,
            format!("the role can't read Lethe's own tables: {}", chain(&error)),
            "run `lethe migrate` with the role that serves, or grant it everything in the schemas lethe and lethe_jobs",
        ),
    }
}

/// The map, or the line that says why there is none.
fn map(values: &Values) -> (Option<Line>, Option<DataMap>) {
    let Some(path) = values.text("LETHE_DATA_MAP") else { return (Some(not_set(MAP, "LETHE_DATA_MAP")), None) };
    match DataMap::load(Path::new(path)) {
        Ok(map) => (None, Some(map)),
        Err(error) => {
            let remedy = "`lethe map draft` writes a first one; `lethe map check` tells more";
            (Some(Line::wrong(MAP, chain(&error), remedy)), None)
        }
    }
}

/// The role's rights on the mapped tables are part of it.
async fn fit(map: &DataMap, pool: &PgPool) -> Vec<Line> {
    let resolved = async {
        let mut connection = pool.acquire().await?;
        data_map::resolve(map, &mut connection).await.map(drop)
    };
    match resolved.await {
        Ok(()) => {
            vec![Line::ok(MAP, format!("it fits the database and the role's rights: {} tables", map.tables().len()))]
        }
        Err(Error::Mismatch(problems)) => problems
            .into_iter()
            .map(|problem| {
                let column = problem.column.map(|column| format!(", column {column}")).unwrap_or_default();
                Line::wrong(MAP, format!("{}{column}: {}", problem.table, problem.message), problem.remedy)
            })
            .collect(),
        Err(error) => vec![Line::wrong(MAP, chain(&error), "`lethe map check` tells more")],
    }
}

/// Speaks to the mail server as for a message, and sends none.
pub(super) async fn mail(values: &Values) -> Line {
    const CHECK: &str = "mail";
    let Some(url) = values.secret("LETHE_SMTP_URL") else {
        return Line::warning(
            CHECK,
            "LETHE_SMTP_URL isn't set: nobody gets a receipt by mail, and no alert is sent",
            "set LETHE_SMTP_URL and LETHE_MAIL_FROM",
        );
    };
    let Some(from) = values.text("LETHE_MAIL_FROM") else { return not_set(CHECK, "LETHE_MAIL_FROM") };
    let mailer = match Mailer::smtp(&url, from) {
        Ok(mailer) => mailer,
        Err(error) => {
            return Line::wrong(
                CHECK,
                error.to_string(),
                "write smtp://host:port or smtps://user:password@host, and an address",
            );
        }
    };
    match mailer.check().await {
        Ok(()) if values.text("LETHE_ALERT_TO").is_none() => Line::warning(
            CHECK,
            "the server answers, but nobody is told when a deletion needs attention",
            "set LETHE_ALERT_TO",
        ),
        Ok(()) => Line::ok(CHECK, "the server answers and would take a message"),
        Err(error) => Line::wrong(CHECK, error.to_string(), mend(error)),
    }
}

const fn mend(error: SmtpCheckError) -> &'static str {
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
pub(super) async fn store(values: &Values) -> Line {
    const CHECK: &str = "store";
    let folder = values.text("LETHE_STORAGE").unwrap_or("storage");
    let key = format!("doctor/{}", data_encoding::HEXLOWER.encode(&Random::system().bytes::<8>()));
    let held = async {
        let storage = Storage::folder(Path::new(folder)).context("it can't be opened")?;
        storage.holds(&key, b"lethe doctor").await.context("it can't be written")
    };
    let remedy = "let LETHE_STORAGE name a folder that the process may write to, on a disk with room";
    match held.await {
        Ok(true) => Line::ok(CHECK, format!("{folder} takes files and gives them back")),
        Ok(false) => Line::wrong(CHECK, format!("{folder} gives back something else than it took"), remedy),
        Err(error) => Line::wrong(CHECK, format!("{folder}: {}", chain(error.as_ref())), remedy),
    }
}

/// What the browser loads.
pub(super) fn site(values: &Values) -> Line {
    const CHECK: &str = "site";
    let folder = Path::new(values.text("LETHE_SITE").unwrap_or("target/site"));
    let remedy = "let LETHE_SITE name what `cargo xtask build --release` put into target/site";
    match assets::site(folder, "") {
        Err(error) => Line::wrong(CHECK, error.to_string(), remedy),
        Ok(site) if !folder.join(site.style_path.trim_start_matches('/')).is_file() => {
            Line::wrong(CHECK, format!("{} isn't in {}", site.style_path, folder.display()), remedy)
        }
        Ok(_) => Line::ok(CHECK, "what the browser loads is there"),
    }
}
