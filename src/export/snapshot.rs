//! A person's rows as of one instant.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_stream::try_stream;
use futures::{Stream, TryStreamExt};
use sqlx::{Connection, PgConnection, PgPool};
use time::OffsetDateTime;
use tokio_util::bytes::{BufMut, Bytes, BytesMut};

use super::exact_numbers::quote_inexact_numbers;
use crate::Result;
use crate::data_map::sql::{self, BindParams as _};
use crate::data_map::{self, DataMap, ExportColumn, Resolved, Table};
use crate::identifiers::Identifiers;
use crate::platform::connection::TimeLimits;

/// Chunks are sent when they reach this size.
const CHUNK_BYTES: usize = 32 * 1024;

const BEGIN_SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
/// The text forms of values don't depend on the server's settings: times are ISO 8601 in UTC.
const SETTINGS: &str = "SET LOCAL timezone = 'UTC'; SET LOCAL datestyle = 'ISO'; \
    SET LOCAL intervalstyle = 'iso_8601'; SET LOCAL bytea_output = 'hex'; SET LOCAL extra_float_digits = 1; SET LOCAL lc_monetary = 'C'";

/// A person's rows as of one instant: a read-only transaction on a connection of its own. Dropping it closes
/// the connection, which ends the transaction.
pub struct Snapshot {
    connection: PgConnection,
    resolved: Resolved,
    subject: Identifiers,
    rows: Tally,
}

/// Counts the rows that were written so far.
#[derive(Clone, Debug, Default)]
pub struct Tally(Arc<AtomicU64>);

impl Tally {
    /// The number of rows.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Snapshot {
    /// Opens a snapshot. Its connection is taken out of the pool for good, so that large exports don't use up
    /// the pool.
    pub async fn open(database: &PgPool, map: &DataMap, subject: &Identifiers) -> Result<Self> {
        let mut connection = database.acquire().await?.detach();
        sqlx::raw_sql(BEGIN_SNAPSHOT).execute(&mut connection).await?;
        sqlx::raw_sql(SETTINGS).execute(&mut connection).await?;
        TimeLimits::EXPORT.apply(&mut connection).await?;
        let resolved = data_map::resolve(map, &mut connection).await?;
        let subject = resolved.identify(&mut connection, subject.clone()).await?;
        Ok(Self { connection, resolved, subject, rows: Tally::default() })
    }

    /// Returns a counter that follows the stream.
    #[must_use]
    pub fn tally(&self) -> Tally {
        self.rows.clone()
    }

    /// Streams `before`, `{table: [row, …], …}` and `after`.
    ///
    /// Tables are in the order of the map, named without their schema where that is unambiguous; rows in the
    /// order of the primary key; columns in the order of the table. A table without rows is an empty array.
    /// Times are ISO 8601 in UTC and bytes are base64, within lists and composite values hexadecimal. Numbers that a double
    /// can't hold are strings, since JSON readers would round them.
    pub fn write(self, prefix: String, suffix: &'static str) -> impl Stream<Item = Result<Bytes>> + Send + 'static {
        let Self { mut connection, resolved, subject, rows: tally } = self;
        try_stream! {
            let mut chunk = BytesMut::with_capacity(CHUNK_BYTES + CHUNK_BYTES / 4);
            chunk.put_slice(prefix.as_bytes());
            chunk.put_u8(b'{');
            for (index, (name, queries)) in arrays(&resolved).into_iter().enumerate() {
                chunk.put_slice(if index == 0 { b"\n" } else { b",\n" });
                chunk.put_slice(serde_json::Value::from(name).to_string().as_bytes());
                chunk.put_slice(b":[");
                let mut first = true;
                for query in queries {
                    // No export uses the time.
                    let query = sql::query_scalar::<String>(query)
                        .bind_params(&resolved.parameters, &subject, OffsetDateTime::UNIX_EPOCH);
                    let mut rows = query.fetch(&mut connection);
                    while let Some(row) = rows.try_next().await? {
                        let row = quote_inexact_numbers(row);
                        chunk.put_slice(if first { b"\n" } else { b",\n" });
                        first = false;
                        tally.0.fetch_add(1, Ordering::Relaxed);
                        if row.len() <= CHUNK_BYTES {
                            chunk.put_slice(row.as_bytes());
                        } else {
                            // A large row isn't copied.
                            yield chunk.split().freeze();
                            let mut row = Bytes::from(row);
                            while !row.is_empty() {
                                yield row.split_to(row.len().min(CHUNK_BYTES));
                            }
                        }
                        if chunk.len() >= CHUNK_BYTES {
                            yield chunk.split().freeze();
                        }
                    }
                }
                chunk.put_u8(b']');
            }
            // Everything was read. What is left can't fail.
            sqlx::raw_sql("COMMIT").execute(&mut connection).await?;
            connection.close().await?;
            chunk.put_u8(b'}');
            chunk.put_slice(suffix.as_bytes());
            yield chunk.freeze();
        }
    }
}

/// Returns the arrays of the file, each with its key and the queries for its rows. Rows of others that name the person have one of
/// their own, beside the table's.
fn arrays(resolved: &Resolved) -> Vec<(String, Vec<String>)> {
    let is_exported = |table: &Table| table.export.is_some() || !table.mention_exports.is_empty();
    let exported = resolved.tables.enumerate().filter(|(_, table)| is_exported(table));
    let short =
        |table: &Table| table.rule.name.rsplit_once('.').map_or(table.rule.name.clone(), |(_, name)| name.to_owned());
    let mut uses: BTreeMap<String, usize> = BTreeMap::new();
    for (_, table) in exported.clone() {
        *uses.entry(short(table)).or_default() += 1;
    }
    let mut arrays = Vec::new();
    for (index, table) in exported {
        let name = Some(short(table)).filter(|name| uses[name] == 1).unwrap_or_else(|| table.rule.name.clone());
        if let Some(columns) = &table.export {
            arrays.push((name.clone(), vec![select(resolved, table, columns, &resolved.owned_rows(index, "t"))]));
        }
        if !table.mention_exports.is_empty() {
            let exports = table.mention_exports.iter();
            let queries = exports
                .map(|export| select(resolved, table, &export.columns, &resolved.mentioning_rows(index, export, "t")));
            arrays.push((format!("{name} (mentions)"), queries.collect()));
        }
    }
    arrays
}

/// The rows for which `condition` holds, each as JSON text.
fn select(resolved: &Resolved, table: &Table, columns: &[ExportColumn], condition: &str) -> String {
    let columns: Vec<String> = columns.iter().map(|column| column.json("t")).collect();
    // `r.*` and not `r`, which would be a column of that name where there is one.
    let query = format!(
        "SELECT to_json(r.*)::text FROM (SELECT {} FROM {} AS t WHERE {condition} ORDER BY {}) AS r",
        columns.join(", "),
        table.quoted_name,
        table.order_by("t")
    );
    resolved.row_sets(&query).before(&query)
}
