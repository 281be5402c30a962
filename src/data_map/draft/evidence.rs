//! What the values of a bounded number of rows say about columns.

use std::collections::BTreeMap;

use serde::Deserialize;
use sqlx::PgConnection;
use sqlx::types::Json;

use crate::data_map::catalog::{PgCatalog, Relation, RelationKind};
use crate::data_map::index::RelationIndex;
use crate::data_map::sql::{self, quote_identifier};

/// The most rows of a table that a draft or a check looks at.
pub const SAMPLE_ROWS: i64 = 1000;

/// What the values of columns are. Empty where nothing was looked at.
#[derive(Default)]
pub(in crate::data_map) struct Evidence {
    columns: BTreeMap<(RelationIndex, String), Values>,
}

/// What the values of a column are, as far as they were looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::data_map) enum Values {
    /// Clerk user ids: `user_…`.
    UserIds,
    /// Ids of Clerk's organizations: `org_…`.
    OrganizationIds,
    /// E-mail addresses.
    Addresses,
    /// Something else.
    Other,
}

/// The values of one column that were counted.
#[derive(Deserialize)]
struct Counts {
    values: i64,
    users: i64,
    organizations: i64,
    addresses: i64,
}

impl Evidence {
    pub(in crate::data_map) async fn read(catalog: &PgCatalog, connection: &mut PgConnection) -> sqlx::Result<Self> {
        let mut evidence = Self::default();
        for (index, relation) in catalog.relations.enumerate() {
            if relation.kind == RelationKind::Table && relation.privileges.select {
                evidence.read_table(index, relation, connection).await?;
            }
        }
        Ok(evidence)
    }

    async fn read_table(
        &mut self,
        index: RelationIndex,
        relation: &Relation,
        connection: &mut PgConnection,
    ) -> sqlx::Result<()> {
        let columns: Vec<_> = relation.columns.iter().filter(|column| column.may_hold_text()).collect();
        if columns.is_empty() {
            return Ok(());
        }
        let counts = columns.iter().map(|column| {
            let value = format!("sample.{}::text", quote_identifier(&column.name));
            format!(
                "json_build_object('values', count({value}), 'users', count(*) FILTER (WHERE {value} ~ 'user_[0-9A-Za-z]'), \
                 'organizations', count(*) FILTER (WHERE {value} ~ 'org_[0-9A-Za-z]'), \
                 'addresses', count(*) FILTER (WHERE {value} ~ '[^@[:space:]]@[^@[:space:]]+[.][^@[:space:]]'))"
            )
        });
        let query = format!(
            "SELECT json_build_array({}) FROM (SELECT * FROM {} LIMIT {SAMPLE_ROWS}) AS sample",
            counts.collect::<Vec<_>>().join(", "),
            relation.quoted_name()
        );
        let Json(counts) = sql::query_scalar::<Json<Vec<Counts>>>(query).fetch_one(connection).await?;
        for (column, counts) in columns.iter().zip(counts) {
            let values = match counts {
                Counts { values: 0, .. } => continue,
                // A free text may contain one now and then.
                Counts { values, users, .. } if users > 0 && (!column.is_text() || users * 2 >= values) => {
                    Values::UserIds
                }
                Counts { organizations: 1.., .. } => Values::OrganizationIds,
                Counts { addresses: 1.., .. } => Values::Addresses,
                Counts { .. } => Values::Other,
            };
            self.columns.insert((index, column.name.clone()), values);
        }
        Ok(())
    }

    /// Returns what the values of a column are, if it was looked at and has any.
    pub(in crate::data_map) fn of(&self, relation: RelationIndex, column: &str) -> Option<Values> {
        self.columns.get(&(relation, column.to_owned())).copied()
    }
}
