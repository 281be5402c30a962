//! Random schemas, rows and maps. A case is made from its seed alone, and its map is valid by construction: the database
//! and `resolve` must accept it.

mod dangling;
mod decisions;
mod foreign_keys;
mod forgets;
mod ghosts;
mod lifetimes;
mod mentions;
mod names;
mod owners;
mod random;
mod references;
mod repair;
mod row_owners;
mod rows;
mod scrubs;
mod tables;
mod values;

use std::collections::BTreeMap;

use crate::map::{Map, Owner, Path};
use crate::schema::{ForeignKey, Schema, Table};
use crate::value::{Row, Rows};

pub(crate) use self::names::suggests_user_id;
pub(crate) use self::random::Random;
pub(crate) use self::repair::repair;

/// The people of every case. One id is the beginning of another.
pub(crate) const PEOPLE: [&str; 3] = ["user_a1", "user_a11", "user_B"];

/// In which language the maps are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    /// The first one for every other schema.
    Both,
    Second,
}

/// A schema with rows and a map.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) seed: u64,
    pub(crate) schema: Schema,
    pub(crate) map: Map,
    pub(crate) rows: Rows,
}

/// The tables, and how their rows lead to people, before anything else is decided about them.
struct Draft {
    schema: Schema,
    /// By table. Paths lead to tables that come earlier, and nothing is forgotten yet.
    owners: BTreeMap<String, Vec<Owner>>,
    subjects: Vec<String>,
    /// Columns without a foreign key that hold Clerk ids and own nothing, by table.
    user_ids: BTreeMap<String, Vec<String>>,
    /// Columns that reference rows without a foreign key, by table. Those of owners aren't among them.
    links: BTreeMap<String, Vec<ForeignKey>>,
    /// The key of each table's ghost row.
    ghosts: BTreeMap<String, Row>,
    /// Whether the map is written in the second language.
    is_second: bool,
}

/// How many cases have the same tables: creating them takes longer than anything else.
pub(crate) const CASES_PER_SCHEMA: u64 = 10;

pub(crate) fn generate(seed: u64, language: Language) -> Case {
    let number = seed / CASES_PER_SCHEMA;
    let mut random = Random::new(number);
    let mut draft = tables::draft(&mut random, language == Language::Second || !number.is_multiple_of(2));
    foreign_keys::add(&mut random, &mut draft);
    ghosts::choose(&mut random, &mut draft);
    forgets::allow(&mut draft);
    decisions::drop_unbreakable_keys(&mut random, &mut draft);
    let mut random = Random::new(!seed);
    let map = decisions::decide(&mut random, &draft);
    let mut rows = rows::fill(&mut random, &draft, &map);
    repair(&draft.schema, &mut rows);
    while dangling::drop_user_ids(&draft, &mut rows) {
        repair(&draft.schema, &mut rows);
    }
    Case { seed, schema: draft.schema, map, rows }
}

impl Draft {
    /// Returns the column that holds the Clerk id of the only owner, where it isn't found by a path.
    fn id_column(&self, table: &str) -> Option<&str> {
        match self.owners[table].as_slice() {
            [Owner { path: Path::Column(column), .. }] => Some(column),
            _ => None,
        }
    }

    fn is_owner_column(&self, table: &str, column: &str) -> bool {
        self.owner_columns(table).any(|name| name == column)
    }

    fn owner_columns<'a>(&'a self, table: &str) -> impl Iterator<Item = &'a String> {
        self.owners[table].iter().flat_map(|owner| owner.path.own_columns())
    }

    /// Returns the columns that say for which rows owners count.
    fn condition_columns<'a>(&'a self, table: &str) -> impl Iterator<Item = &'a String> {
        self.owners[table].iter().flat_map(|owner| owner.conditions.keys())
    }

    /// Returns the columns that a path compares with its own.
    fn target_columns(&self, table: &Table, path: &Path) -> Vec<String> {
        let Path::To { columns, table: parent, target } = path else { unreachable!("only such a path has a target") };
        let key = table.foreign_keys.iter().find(|key| is_path_key(key, columns, parent));
        match key.filter(|_| target.is_empty()) {
            Some(key) => key.parent_columns.clone(),
            None if target.is_empty() => self.schema.table(parent).primary_key.clone(),
            None => target.clone(),
        }
    }

    /// Returns the columns of a path over several columns that hold a Clerk id. Cutting the path elsewhere would leave it.
    fn columns_with_user_id(&self, table: &Table, path: &Path) -> Vec<String> {
        let Path::To { columns, table: parent, .. } = path else { return Vec::new() };
        let target = self.target_columns(table, path);
        let pairs = columns.iter().zip(&target).filter(|(_, there)| self.holds_user_id(parent, there));
        pairs.filter(|_| columns.len() > 1).map(|(column, _)| column.clone()).collect()
    }

    fn holds_user_id(&self, table: &str, column: &str) -> bool {
        self.owners[table].iter().any(|owner| owner.path == Path::column(column))
    }

    /// Whether finding the owners needs rows that reference others.
    fn is_found_by_children(&self, path: &Path) -> bool {
        match path {
            Path::Column(_) | Path::Email(_) => false,
            Path::To { table, .. } => self.owners[table].iter().any(|owner| self.is_found_by_children(&owner.path)),
            Path::From { .. } => true,
        }
    }

    /// Whether rows of other tables are found by the column without a foreign key.
    fn is_path_target(&self, name: &str, column: &str) -> bool {
        self.schema.tables.iter().any(|table| {
            self.owners.get(&table.full_name()).into_iter().flatten().any(|owner| match &owner.path {
                Path::To { columns, table: parent, .. } => {
                    parent == name
                        && !table.foreign_keys.iter().any(|key| is_path_key(key, columns, parent))
                        && self.target_columns(table, &owner.path).iter().any(|target| target == column)
                }
                Path::Column(_) | Path::Email(_) | Path::From { .. } => false,
            })
        })
    }

    /// Whether rows can be found by an address alone, which nobody knows when a period is over.
    fn is_found_by_address(&self, table: &str) -> bool {
        self.owners[table].iter().any(|owner| match &owner.path {
            Path::Column(_) => false,
            Path::Email(_) => true,
            Path::To { table, .. } | Path::From { table, .. } => self.is_found_by_address(table),
        })
    }

    /// Whether a row of the table can have several owners.
    fn is_shareable(&self, table: &str) -> bool {
        let owners = &self.owners[table];
        has_several_owners(owners)
            || owners.iter().any(|owner| match &owner.path {
                Path::Column(_) | Path::Email(_) => false,
                Path::To { table, .. } => self.is_shareable(table),
                Path::From { .. } => true,
            })
    }

    /// Whether the foreign key always connects rows of the same person.
    fn is_same_owner(&self, table: &Table, key: &ForeignKey) -> bool {
        let mut owners = self.owners[&table.full_name()].iter().filter(|owner| owner.conditions.is_empty());
        let holds_id = |column: &String| {
            let mut owners = self.owners[&key.parent].iter().filter(|owner| owner.conditions.is_empty());
            owners.any(|owner| owner.path == Path::column(column))
        };
        owners.any(|owner| match &owner.path {
            Path::Column(own) => {
                key.columns.iter().zip(&key.parent_columns).any(|(here, there)| here == own && holds_id(there))
            }
            Path::To { columns, table, target } => {
                is_path_key(key, columns, table) && (target.is_empty() || *target == key.parent_columns)
            }
            Path::Email(_) | Path::From { .. } => false,
        })
    }

    /// Whether rows of the parent stay as long as others' rows reference them by the foreign key.
    fn goes_with_last_reference(&self, table: &Table, key: &ForeignKey) -> bool {
        self.owners[&key.parent].iter().any(|owner| {
            matches!(&owner.path, Path::From { table: child, columns, .. }
                if *child == table.full_name() && *columns == key.columns)
        })
    }
}

/// Whether several of the entries can count for the same row.
fn has_several_owners(owners: &[Owner]) -> bool {
    let exclude_each_other = |one: &Owner, other: &Owner| {
        one.conditions.iter().any(|(column, listed)| {
            other.conditions.get(column).is_some_and(|others| listed.iter().all(|text| !others.contains(text)))
        })
    };
    let mut pairs = owners.iter().enumerate();
    pairs.any(|(position, owner)| owners[position + 1..].iter().any(|other| !exclude_each_other(owner, other)))
}

fn is_path_key(key: &ForeignKey, columns: &[String], parent: &str) -> bool {
    key.parent == parent && key.columns == columns
}
