//! Foreign keys beside those that lead to the owner: to any table, with one column or several, in circles and to the table
//! itself.

use super::names::Unused;
use super::random::Random;
use super::tables::{DEFERRABLE, ON_DELETE};
use super::{Draft, has_several_owners};
use crate::map::Path;
use crate::schema::{Column, ForeignKey, Table};

pub(super) fn add(random: &mut Random, draft: &mut Draft) {
    for position in 0..draft.schema.tables.len() {
        let count = random.one_of(&[0, 0, 1, 1, 1, 2]);
        for _ in 0..count {
            add_one(random, draft, position);
        }
    }
}

fn add_one(random: &mut Random, draft: &mut Draft, position: usize) {
    let parent = random.pick(&draft.schema.tables).clone();
    let parent_name = parent.full_name();
    // What a row that stays with others forgets can't be referenced.
    let is_forgotten = |column: &String| {
        has_several_owners(&draft.owners[&parent_name]) && draft.is_owner_column(&parent_name, column)
    };
    let keys: Vec<Vec<String>> =
        parent.keys().filter(|key| parent.primary_key == **key || !key.iter().any(is_forgotten)).cloned().collect();
    let Some(parent_columns) = random.try_pick(&keys).cloned() else { return };
    let child_name = draft.schema.tables[position].full_name();
    let owner = draft.owners[&child_name].first().map(|owner| owner.path.clone());
    let owner_column = match owner.expect("every table has an owner") {
        Path::Column(column) => Some(column),
        Path::To { columns, .. } => Some(columns[0].clone()),
        Path::Email(_) | Path::From { .. } => None,
    };
    let nullable = random.percent(65);
    // With more than one column, often the tenant and the rest.
    let shares_owner = parent_columns.len() > 1 && random.percent(60);
    let child = &mut draft.schema.tables[position];
    let mut columns = Vec::new();
    for parent_column in &parent_columns {
        let kind = parent.column(parent_column).kind;
        let shared = owner_column
            .as_ref()
            .filter(|column| shares_owner && columns.is_empty() && child.column(column).kind == kind);
        columns.push(match shared {
            Some(column) => column.clone(),
            None => add_column(random, child, kind, nullable),
        });
    }
    let key = ForeignKey {
        columns,
        parent: parent_name,
        parent_columns,
        on_delete: random.one_of(&ON_DELETE),
        deferrable: random.one_of(&DEFERRABLE),
    };
    if random.percent(15) && key.columns.iter().all(|column| Some(column) != owner_column.as_ref()) {
        child.uniques.push(key.columns.clone());
    }
    child.foreign_keys.push(key);
}

pub(super) fn add_column(random: &mut Random, table: &mut Table, kind: crate::value::Kind, nullable: bool) -> String {
    let mut names = Unused::of(table.columns.iter().map(|column| column.name.clone()));
    let name = names.one_of(&["ref", "Ref Id", "linked", "reply_to", "first", "\"", "rel'n"], random);
    table.columns.push(Column { name: name.clone(), kind, nullable });
    name
}
