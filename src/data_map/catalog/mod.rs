//! Reads tables, columns, keys and foreign keys from `pg_catalog`, for every schema except the system's and Lethe's.

mod read;
mod schema;

pub(super) use read::read;
pub(crate) use schema::{Column, PgCatalog, Relation};
pub(super) use schema::{ForeignKey, OnDelete, RelationKind};
