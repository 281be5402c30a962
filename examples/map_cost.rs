//! Measures what a data map costs on a generated schema: drafting it, checking it, and the preview of one person; beside one plain
//! reading of the catalog. Takes the URL of an empty database and the number of tables, and prints JSON; `cargo xtask bench map`
//! builds it for release and runs it.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use lethe::data_map::{self, DataMap, DraftOptions};
use lethe::deletion;
use lethe::{ClerkUserId, Identifiers};
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use time::OffsetDateTime;

/// How often each is measured; the median counts.
const ROUNDS: usize = 5;
/// How many people have rows.
const PEOPLE: u32 = 100;
/// Columns of each table beside its keys.
const COLUMNS: usize = 10;
/// The reference: tables, columns and foreign keys, as any tool reads them.
const CATALOG: &str = "
    SELECT count(*) FROM (
        SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull
        FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
        WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace
        UNION ALL
        SELECT k.conname, array_to_string(k.conkey, ','), pg_get_constraintdef(k.oid), k.condeferrable
        FROM pg_constraint k WHERE k.connamespace = 'public'::regnamespace
    ) AS everything";

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().context("the first argument is the URL of a database")?;
    let tables: usize = arguments.next().context("the second argument is the number of tables")?.parse()?;
    let mut connection = PgConnection::connect(&url).await?;
    sqlx::raw_sql(AssertSqlSafe(schema(tables))).execute(&mut connection).await?;
    let map = DataMap::parse(&map(tables))?;
    let person = ClerkUserId::parse("user_7").map_err(|_| anyhow::anyhow!("it has the form of an id"))?;

    let (mut catalog, mut drafted, mut checked, mut previewed) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let start = Instant::now();
        sqlx::query_scalar::<_, i64>(CATALOG).fetch_one(&mut connection).await?;
        catalog.push(start.elapsed());

        let start = Instant::now();
        let text = data_map::draft(&mut connection, &DraftOptions::default()).await?.text;
        drafted.push(start.elapsed());
        ensure!(text.contains("public.t1\""), "the draft is of this schema");

        let start = Instant::now();
        let resolved = data_map::resolve(&map, &mut connection).await?;
        let problems = data_map::check_values(&resolved, &mut connection).await?;
        checked.push(start.elapsed());
        ensure!(problems.is_empty(), "the map fits: {problems:?}");

        let start = Instant::now();
        let resolved = data_map::resolve(&map, &mut connection).await?;
        let plan =
            deletion::plan(&resolved, &mut connection, &Identifiers::from(&person), OffsetDateTime::UNIX_EPOCH).await?;
        previewed.push(start.elapsed());
        ensure!(plan.lines.iter().any(|line| line.rows > 0), "the person has rows");
    }
    let milliseconds = |times: Vec<Duration>| median(times).as_secs_f64() * 1e3;
    let report = json!({
        "build": if cfg!(debug_assertions) { "development" } else { "release" },
        "tables": tables,
        "catalog_ms": milliseconds(catalog),
        "draft_ms": milliseconds(drafted),
        "check_ms": milliseconds(checked),
        "preview_ms": milliseconds(previewed),
    });
    println!("{report}");
    Ok(())
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// What the rows of a generated table are.
enum Kind {
    /// Somebody's, by a foreign key.
    Owned,
    /// Parts of the rows of the table before.
    Part,
    /// Nobody's.
    Common,
}

/// Of five tables, two are owned, two are parts of those, and one is common.
const fn kind(table: usize) -> Kind {
    match table % 5 {
        1 | 3 => Kind::Owned,
        2 | 4 => Kind::Part,
        _ => Kind::Common,
    }
}

fn schema(tables: usize) -> String {
    let mut sql = format!(
        "CREATE TABLE users (id bigint PRIMARY KEY, clerk_id text NOT NULL UNIQUE, email text);
        INSERT INTO users SELECT number, 'user_' || number, number || '@example.org' FROM generate_series(1, {PEOPLE}) number;\n"
    );
    let columns: Vec<String> = (0..COLUMNS).map(|column| format!(", value_{column} text")).collect();
    let columns = columns.concat();
    for table in 1..=tables {
        let (key, value) = match kind(table) {
            Kind::Owned => ("user_id bigint NOT NULL REFERENCES users".to_owned(), "number"),
            Kind::Part => (format!("t{0}_id bigint NOT NULL REFERENCES t{0}", table - 1), "number"),
            Kind::Common => ("position bigint NOT NULL".to_owned(), "number"),
        };
        let column = key.split(' ').next().unwrap_or_default();
        let _ = write!(
            sql,
            "CREATE TABLE t{table} (id bigint PRIMARY KEY, {key}{columns});
            CREATE INDEX ON t{table} ({column});
            INSERT INTO t{table} (id, {column}) SELECT number, {value} FROM generate_series(1, {PEOPLE}) number;\n"
        );
    }
    sql + "ANALYZE;"
}

fn map(tables: usize) -> String {
    let mut toml = "version = 2\n[[subject]]\ntable = \"public.users\"\nkey = \"clerk_id\"\nexport = \"all\"\nerase = \"delete\"\n".to_owned();
    let mut common = Vec::new();
    for table in 1..=tables {
        let owner = match kind(table) {
            Kind::Owned => "user_id -> public.users".to_owned(),
            Kind::Part => format!("t{0}_id -> public.t{0}", table - 1),
            Kind::Common => {
                common.push(format!("\"public.t{table}\""));
                continue;
            }
        };
        let _ = write!(
            toml,
            "[[table]]\nname = \"public.t{table}\"\nowner = \"{owner}\"\nexport = \"all\"\nerase = \"delete\"\n"
        );
    }
    if !common.is_empty() {
        let _ = write!(toml, "[[ignore]]\nnames = [{}]\nreason = \"nobody's\"\n", common.join(", "));
    }
    toml
}
