//! A rule of the map and the table of the catalog that it is about.

use super::catalog::{PgCatalog, Relation};
use super::erase::EraseTarget;
use super::index::{IndexedVec, RelationIndex, TableIndex};
use super::rules::TableRule;
use super::value::ReferencedGhosts;

/// A rule and its table.
pub(super) struct MappedTable<'a> {
    pub(super) rule: &'a TableRule,
    pub(super) relation: &'a Relation,
    pub(super) relation_index: RelationIndex,
}

/// Every mapped table, in the order of the file.
pub(super) type MappedTables<'a> = IndexedVec<TableIndex, MappedTable<'a>>;

impl<'a> MappedTables<'a> {
    pub(super) fn of_relation(&self, relation: RelationIndex) -> Option<&MappedTable<'a>> {
        self.iter().find(|table| table.relation_index == relation)
    }

    pub(super) fn index_of_relation(&self, relation: RelationIndex) -> Option<TableIndex> {
        self.position(|table| table.relation_index == relation)
    }
}

impl MappedTable<'_> {
    /// What the erase strategy is checked against.
    pub(super) fn erase_target<'b>(
        &'b self,
        mapped: &MappedTables<'_>,
        catalog: &'b PgCatalog,
        ghosts: ReferencedGhosts,
    ) -> EraseTarget<'b> {
        let keys = catalog.foreign_keys_of(self.relation_index);
        let keys = keys.filter(|key| mapped.index_of_relation(key.parent).is_some());
        let composite = catalog.foreign_keys_of(self.relation_index).filter(|key| key.columns.len() > 1);
        EraseTarget {
            name: &self.rule.name,
            owner_columns: self.rule.owner_columns().map(String::as_str).collect(),
            ghosts,
            composite_columns: composite.flat_map(|key| key.columns.iter().cloned()).collect(),
            referencing_columns: keys.flat_map(|key| key.columns.iter().cloned()).collect(),
            relation: self.relation,
            relation_index: self.relation_index,
            catalog,
            path_targets: Vec::new(),
        }
    }
}
