//! What rows forget of an owner when they stay with others.

use std::collections::BTreeMap;

use super::random::Random;
use super::{Draft, has_several_owners, values};
use crate::map::{NewValue, Owner, Path};
use crate::schema::{Column, Table};

/// Lets columns of tables whose rows can have several owners become NULL where nothing else could be written to them.
pub(super) fn allow(draft: &mut Draft) {
    let mut random = Random::new(0);
    for position in 0..draft.schema.tables.len() {
        let name = draft.schema.tables[position].full_name();
        if !has_several_owners(&draft.owners[&name]) {
            continue;
        }
        for owner in draft.owners[&name].clone() {
            let is_cuttable = |column: &String| {
                let table = &draft.schema.tables[position];
                !cuts(&mut random, draft, table, &owner.path, table.column(column)).is_empty()
            };
            if matches!(owner.path, Path::From { .. }) {
                continue;
            }
            let mut needed = draft.columns_with_user_id(&draft.schema.tables[position], &owner.path);
            if needed.is_empty() && !owner.path.own_columns().iter().any(is_cuttable) {
                needed.push(owner.path.own_columns()[0].clone());
            }
            for column in &mut draft.schema.tables[position].columns {
                column.nullable |= needed.contains(&column.name);
            }
        }
    }
}

/// Returns the owners of a table, with what rows forget of them.
pub(super) fn choose(random: &mut Random, draft: &Draft, table: &Table) -> Vec<Owner> {
    let mut owners = draft.owners[&table.full_name()].clone();
    if has_several_owners(&owners) {
        for owner in &mut owners {
            owner.forget = choose_one(random, draft, table, &owner.path);
        }
    }
    owners
}

fn choose_one(random: &mut Random, draft: &Draft, table: &Table, path: &Path) -> BTreeMap<String, NewValue> {
    let mut forget = payload(random, draft, table, 20);
    if matches!(path, Path::From { .. }) {
        return forget;
    }
    let needed = draft.columns_with_user_id(table, path);
    for column in &needed {
        let values = cuts(random, draft, table, path, table.column(column));
        forget.insert(column.clone(), random.pick(&values).clone());
    }
    if !needed.is_empty() {
        return forget;
    }
    let mut options = Vec::new();
    for column in path.own_columns() {
        let values = cuts(random, draft, table, path, table.column(column));
        options.extend(values.into_iter().map(|value| (column.clone(), value)));
    }
    let (column, value) = random.pick(&options).clone();
    forget.insert(column, value);
    forget
}

/// Returns new values of columns that lead to nobody and decide about nothing.
pub(super) fn payload(random: &mut Random, draft: &Draft, table: &Table, chance: usize) -> BTreeMap<String, NewValue> {
    let name = table.full_name();
    let leads = |column: &String| {
        draft.is_owner_column(&name, column)
            || draft.condition_columns(&name).any(|other| other == column)
            || draft.user_ids[&name].contains(column)
            || draft.links[&name].iter().any(|link| link.columns.contains(column))
    };
    let mut new_values = BTreeMap::new();
    for column in table.columns.iter().filter(|column| !leads(&column.name)) {
        if random.percent(chance)
            && let Some(value) = values::of_payload(random, draft, table, column)
        {
            new_values.insert(column.name.clone(), value);
        }
    }
    new_values
}

/// Returns the values of a path's column after which the row no longer leads to anybody by it.
fn cuts(random: &mut Random, draft: &Draft, table: &Table, path: &Path, column: &Column) -> Vec<NewValue> {
    let is_cut = |value: &NewValue| match value {
        NewValue::Null => true,
        // The engine takes the Clerk id of a ghost for another owner's.
        NewValue::Ghost => !matches!(path, Path::Column(_) | Path::Email(_)),
        _ => matches!(path, Path::Column(_) | Path::Email(_)),
    };
    values::options(random, draft, table, column).into_iter().filter(is_cut).collect()
}
