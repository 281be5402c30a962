//! The data map: one file that says where personal data is stored, what users get of it, and what a deletion does with
//! it. Export and deletion both work from it, and [`resolve`] checks it against the live catalog before each, so
//! that neither misses a change of the schema.
//!
//! Knows `pg_catalog`. Must not know what columns mean, and changes no row.

mod address;
mod amend;
mod assembly;
mod catalog;
mod check;
mod choice;
mod column_names;
mod deletion_set;
mod draft;
mod entry;
mod erase;
mod erasure_order;
mod error;
mod explain;
mod export_entry;
mod file;
mod foreign_keys;
mod forget;
mod ghost_rows;
mod ghosts;
mod grammar;
mod graph;
mod identify;
mod index;
mod lifetimes;
mod mapped;
mod mention_entry;
mod mentions;
mod owners;
mod ownership;
mod path;
mod path_finder;
mod period;
mod plan_hash;
mod privileges;
mod references;
mod resolved;
mod row_sets;
mod rules;
mod searches;
pub(crate) mod sql;
mod toml_text;
mod topology;
mod update;
mod upgrade;
mod value;
mod value_target;
mod values_check;
mod version;
mod warnings;
mod within;

use sqlx::PgConnection;

pub use address::{AddressColumns, AddressKind};
pub use amend::amend;
pub use choice::{Choice, Input};
pub use draft::{Draft, DraftOptions, MOST_COUNTED_ROWS, Question, SAMPLE_ROWS, draft};
pub use erase::{Disposition, Erase, Keep, Outcome, Scrub, Stamp};
pub use error::{Error, Problem};
pub use explain::explain;
pub use grammar::ReferenceAction;
pub use graph::{Graph, GraphEdge, GraphTable};
pub use path::{OwnerPath, PathTarget};
pub use period::{Period, Unit};
pub use plan_hash::PlanHash;
pub use privileges::grants;
pub(crate) use resolved::SearchableTable;
pub use resolved::{Resolved, Table, Unsearched, UnsearchedReason};
pub use rules::{DataMap, ExportRule, IgnoredTable, Mention, MentionAction, Owner, Reference, TableRule};
pub use upgrade::upgrade;
pub use value::NewValue;
pub use values_check::{check_owners, check_values};
pub use version::Version;
pub use warnings::warnings;
pub use within::Within;

pub(crate) use deletion_set::DeletionSet;
pub(crate) use erase::{Removal, RowAction};
pub(crate) use index::TableIndex;
pub(crate) use ownership::and_filter;
pub(crate) use resolved::{ExportColumn, ResolvedAction, ResolvedPath, ResolvedReference, UserIdSearch};
pub(crate) use row_sets::RowSets;
pub(crate) use update::Update;

/// Checks `map` against the live catalog and returns what SQL is made of, or every mismatch.
///
/// Costs four queries on `pg_catalog`, and one on each table with a ghost row, so it runs before every export and every deletion,
/// within their transaction.
pub async fn resolve(map: &DataMap, connection: &mut PgConnection) -> Result<Resolved, Error> {
    let mut catalog = catalog::read(connection).await?;
    catalog.merge_inheriting(|name| {
        map.tables.iter().any(|rule| rule.name == name) || map.ignored.iter().any(|ignored| ignored.name == name)
    });
    let resolved = check::resolve(map, &catalog)?;
    ghost_rows::check(&resolved, connection).await?;
    Ok(resolved)
}
