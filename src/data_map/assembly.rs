//! Puts the parts of SQL together that statements on personal rows are made of. Everything was checked before.

use super::address::{AddressColumns, AddressKind};
use super::catalog::{Column, PgCatalog, Relation};
use super::column_names;
use super::erase::{Erase, RowAction};
use super::erasure_order::ErasureOrder;
use super::ghosts;
use super::index::{IndexedVec, TableIndex};
use super::mapped::{MappedTable, MappedTables};
use super::mentions::Mentions;
use super::owners::Owners;
use super::path::OwnerPath;
use super::path_finder::FoundPath;
use super::resolved::{
    ExportColumn, Forget, MentionExport, Placeholder, ReferenceTarget, Resolved, ResolvedAction, ResolvedOwner,
    ResolvedPath, ResolvedReference, SearchableTable, Table,
};
use super::rules::{DataMap, ExportRule, Mention, MentionAction, Owner, TableRule};
use super::searches::{Searches, TextColumns};
use super::sql::{Parameters, quote_identifier};
use super::update::{self, Assignment, Update};
use super::value::{NewValue, ReferencedGhosts};

/// A map whose rules were checked, and all that was found about them.
pub(super) struct Parts<'a> {
    pub(super) map: &'a DataMap,
    pub(super) mapped: &'a MappedTables<'a>,
    pub(super) catalog: &'a PgCatalog,
    pub(super) owners: Owners,
    pub(super) mentions: Mentions,
    pub(super) references: IndexedVec<TableIndex, Vec<ResolvedReference>>,
    pub(super) order: ErasureOrder,
}

impl Parts<'_> {
    pub(super) fn assemble(mut self, searches: Searches) -> Resolved {
        let mut parameters = Parameters::default();
        let mut references: Vec<Vec<ResolvedReference>> =
            std::mem::replace(&mut self.references, Vec::new().into_iter().collect()).into_iter().collect();
        let tables = self.mapped.enumerate().map(|(index, table)| {
            let references = std::mem::take(&mut references[super::index::Position::get(index)]);
            self.assemble_table(index, table, references, &mut parameters)
        });
        let tables = tables.collect();
        let ErasureOrder { tables: order, deferred_constraints, .. } = self.order;
        let Searches { unsearched, user_ids, tables: searchable } = searches;
        let mut resolved = Resolved {
            tables,
            order,
            user_id_searches: user_ids,
            unsearched,
            searchable_tables: Vec::new(),
            deferred_constraints,
            parameters,
        };
        resolved.searchable_tables = searchable.into_iter().map(|table| searchable_table(table, &resolved)).collect();
        resolved
    }

    fn assemble_table(
        &self,
        index: TableIndex,
        table: &MappedTable<'_>,
        mut references: Vec<ResolvedReference>,
        parameters: &mut Parameters,
    ) -> Table {
        let MappedTable { rule, relation, .. } = table;
        let paths = self.owners[index].paths.iter().chain(&self.mentions[index]);
        let ghosts = ghosts::referenced_by(table, paths, self.map, self.mapped, self.catalog);
        let owners = rule.owners.iter().zip(&self.owners[index].paths);
        let owners = owners.map(|(owner, path)| {
            let may_dangle = self.may_dangle(table, path);
            resolved_owner(owner, path, may_dangle, table, &ghosts, parameters)
        });
        let owners = owners.collect();
        let mention_exports = mention_exports(table, references.len());
        for (mention, path) in rule.mentions.iter().zip(&self.mentions[index]) {
            let may_dangle = self.may_dangle(table, path);
            references.push(resolved_mention(mention, path, may_dangle, relation, &ghosts, parameters));
        }
        let row_key = relation.row_key().iter().filter_map(|name| relation.column(name));
        Table {
            rule: (*rule).clone(),
            // The rows of heirs with rules of their own aren't this table's.
            quoted_name: if self.catalog.has_separate_heirs(relation) {
                format!("ONLY {}", relation.quoted_name())
            } else {
                relation.quoted_name()
            },
            owners,
            address_columns: quoted_addresses(&rule.addresses),
            is_shareable: self.owners[index].is_shareable,
            ghost: ghosts::key(self.map, self.mapped, index)
                .into_iter()
                .map(|(column, value)| (quote_identifier(column), parameters.add(value)))
                .collect(),
            row_key: row_key.map(|column| (quote_identifier(&column.name), column.type_name.clone())).collect(),
            primary_key: quote_all(&relation.primary_key),
            export: export_columns(&rule.export, relation),
            mention_exports,
            action: rule.erase.strategy().action(relation, &ghosts, parameters),
            references,
            creation_time: creation_time(relation),
            partial_indexes: partial_indexes(relation),
            references_itself: self
                .catalog
                .foreign_keys_of(table.relation_index)
                .any(|key| key.parent == table.relation_index),
            has_triggers: self
                .catalog
                .triggers
                .iter()
                .any(|trigger| trigger.runs_in_erasures() && trigger.table == rule.name),
            unlink_columns: self.order.unlink_columns.get(&index).cloned().unwrap_or_default(),
        }
    }
}

impl Parts<'_> {
    /// Whether a path leads to a Clerk user id without a foreign key, so that the column may hold the id of somebody whose row is gone.
    fn may_dangle(&self, table: &MappedTable<'_>, path: &FoundPath) -> bool {
        let FoundPath::Parent { columns, table: parent, target } = path else { return false };
        let parent = &self.mapped[*parent];
        let mut keys = self.catalog.foreign_keys_of(table.relation_index);
        let has_key = keys.any(|key| key.parent == parent.relation_index && key.columns == *columns);
        columns.len() == 1 && !has_key && parent.rule.holds_user_id(&target[0])
    }
}

fn searchable_table(
    TextColumns { name, quoted_name, columns, table }: TextColumns,
    resolved: &Resolved,
) -> SearchableTable {
    // Where rows are deleted, those that are left aren't the person's alone.
    let own_rows = table.filter(|table| resolved.tables[*table].action != RowAction::Delete);
    SearchableTable { name, quoted_name, columns, own_rows: own_rows.map(|table| resolved.owned_rows(table, "t")) }
}

/// Returns the unique indexes that rows can move into. Those with a key of the table among their columns never conflict.
fn partial_indexes(relation: &Relation) -> Vec<(String, String)> {
    let indexes = relation.unique_indexes.iter().filter(|index| !relation.has_key_within(index, None));
    indexes.filter_map(|index| Some((index.name.clone(), index.predicate.clone()?))).collect()
}

fn quoted_addresses(addresses: &AddressColumns) -> Vec<(String, AddressKind)> {
    addresses.iter().map(|(column, kind)| (quote_identifier(column), kind)).collect()
}

fn quote_all(columns: &[String]) -> Vec<String> {
    columns.iter().map(|column| quote_identifier(column)).collect()
}

fn resolved_owner(
    owner: &Owner,
    path: &FoundPath,
    may_dangle: bool,
    table: &MappedTable<'_>,
    ghosts: &ReferencedGhosts,
    parameters: &mut Parameters,
) -> ResolvedOwner {
    let filter = owner
        .filter
        .iter()
        .map(|(column, values)| (quote_identifier(column), values.iter().map(|value| parameters.add(value)).collect()));
    let filter = filter.collect();
    let placeholders = |column: &str, parameters: &mut Parameters| placeholders(table.rule, column, ghosts, parameters);
    let path = match path {
        FoundPath::UserId(column) => {
            let placeholders = placeholders(column, parameters);
            ResolvedPath::UserId { column: quote_identifier(column), placeholders }
        }
        FoundPath::Address { column, kind } => {
            let placeholders = placeholders(column, parameters);
            ResolvedPath::Address { column: quote_identifier(column), kind: *kind, placeholders }
        }
        FoundPath::Parent { columns, table, target } => {
            let dangling = may_dangle.then(|| placeholders(&columns[0], parameters));
            ResolvedPath::Parent { columns: quote_all(columns), table: *table, target: quote_all(target), dangling }
        }
        FoundPath::Child { columns, table, referencing } => {
            ResolvedPath::Child { columns: quote_all(columns), table: *table, referencing: quote_all(referencing) }
        }
    };
    let forget = (!owner.forget.is_empty()).then(|| Forget {
        update: update::assignments(&owner.forget, table.relation, ghosts, parameters).into_iter().collect(),
        columns: owner.forget.keys().cloned().collect(),
    });
    ResolvedOwner { path, filter, forget }
}

/// Returns what the deletions of others may have written to a column that holds Clerk user ids.
fn placeholders(
    rule: &TableRule,
    column: &str,
    ghosts: &ReferencedGhosts,
    parameters: &mut Parameters,
) -> Vec<Placeholder> {
    let forgotten = rule.owners.iter().filter_map(|owner| owner.forget.get(column));
    let mentioned = rule.mentions_of(column).filter_map(|mention| match &mention.action {
        MentionAction::Overwrite(value) => Some(value),
        MentionAction::Delete | MentionAction::Keep { .. } | MentionAction::Forbid => None,
    });
    let placeholder = |value: &NewValue| match value {
        NewValue::Value(value) => Some(Placeholder::Value(parameters.add(value))),
        NewValue::Neutral => Some(Placeholder::Value(parameters.add(""))),
        NewValue::Unique(template) => Some(Placeholder::Pattern(parameters.add(&update::unique_pattern(template)))),
        NewValue::Ghost => ghosts.get(column).map(|key| Placeholder::Value(parameters.add(key))),
        NewValue::Null => None,
    };
    let scrubbed = match &rule.erase {
        Erase::Scrub(scrub) => scrub.columns.get(column),
        Erase::Delete | Erase::Stamp(_) | Erase::Keep(_) => None,
    };
    forgotten.chain(mentioned).chain(scrubbed).filter_map(placeholder).collect()
}

fn resolved_mention(
    mention: &Mention,
    path: &FoundPath,
    may_dangle: bool,
    relation: &Relation,
    ghosts: &ReferencedGhosts,
    parameters: &mut Parameters,
) -> ResolvedReference {
    let columns = mention.path.columns();
    let target = match (path, &mention.path) {
        (_, OwnerPath::Within { within, .. }) => ReferenceTarget::UserIdWithin(within.resolve(parameters)),
        (FoundPath::UserId(_) | FoundPath::Address { .. } | FoundPath::Child { .. }, _) => ReferenceTarget::UserId,
        (FoundPath::Parent { columns, table, target }, _) => {
            let pairs = quote_all(columns).into_iter().zip(quote_all(target));
            ReferenceTarget::Rows { table: *table, columns: pairs.collect(), may_dangle }
        }
    };
    let action = match &mention.action {
        MentionAction::Overwrite(value) => {
            ResolvedAction::Overwrite(overwritten(mention, value, &target, relation, ghosts, parameters))
        }
        MentionAction::Delete => ResolvedAction::Delete,
        MentionAction::Keep { reason } => ResolvedAction::Keep(reason.clone()),
        MentionAction::Forbid => ResolvedAction::Forbid,
    };
    let column = quote_identifier(columns.first().map_or("", String::as_str));
    ResolvedReference { name: mention.name(), column, target, action, is_mention: true }
}

/// Returns what a mention writes.
fn overwritten(
    mention: &Mention,
    value: &NewValue,
    target: &ReferenceTarget,
    relation: &Relation,
    ghosts: &ReferencedGhosts,
    parameters: &mut Parameters,
) -> Update {
    let columns = mention.path.columns();
    let ReferenceTarget::UserIdWithin(within) = target else {
        let named = columns.iter().map(|column| (column.clone(), value.clone()));
        let values = named.chain(mention.forget.clone()).collect();
        return update::assignments(&values, relation, ghosts, parameters).into_iter().collect();
    };
    let inside = columns.iter().filter_map(|name| relation.column(name));
    let inside: Vec<Assignment> = inside.map(|column| within.assignment(column, value, parameters)).collect();
    inside.into_iter().chain(update::assignments(&mention.forget, relation, ghosts, parameters)).collect()
}

fn export_columns(rule: &ExportRule, relation: &Relation) -> Option<Vec<ExportColumn>> {
    if matches!(rule, ExportRule::Nothing { .. }) {
        return None;
    }
    let columns = relation.columns.iter().filter(|column| rule.contains(&column.name));
    let to_export = |column: &Column| ExportColumn { name: column.name.clone(), base_type: column.base_type.clone() };
    Some(columns.map(to_export).collect())
}

/// Groups the mentions by what is exported of their rows. `first` is the position of the first one among the references.
fn mention_exports(MappedTable { rule, relation, .. }: &MappedTable<'_>, first: usize) -> Vec<MentionExport> {
    let mut groups: Vec<(&ExportRule, Vec<usize>)> = Vec::new();
    for (position, mention) in (first..).zip(&rule.mentions) {
        let Some(export) = &mention.export else { continue };
        match groups.iter_mut().find(|(rule, _)| *rule == export) {
            Some((_, mentions)) => mentions.push(position),
            None => groups.push((export, vec![position])),
        }
    }
    let to_export = |(rule, mentions)| Some(MentionExport { mentions, columns: export_columns(rule, relation)? });
    groups.into_iter().filter_map(to_export).collect()
}

/// Returns the column that says when a row was created, if a column has such a name and can hold a time. Quoted.
fn creation_time(relation: &Relation) -> Option<String> {
    let is_creation_time = |column: &&Column| column.is_time() && column_names::is_creation_time(&column.name);
    relation.columns.iter().find(is_creation_time).map(|column| quote_identifier(&column.name))
}
