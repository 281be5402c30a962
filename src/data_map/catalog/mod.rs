//! Reads tables, columns, keys and foreign keys from `pg_catalog`, for every schema except the system's and Lethe's.

mod read;
mod schema;
mod side_effects;
mod trigger;

pub(super) use read::read;
pub(crate) use schema::{Column, PgCatalog, Relation};
pub(super) use schema::{ForeignKey, OnDelete, RelationKind};
pub(super) use side_effects::SideEffects;
pub(super) use trigger::Trigger;
