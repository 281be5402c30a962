//! Random schemas, rows and maps. A case is made from its seed alone, and its map is valid by construction: the database
//! and `resolve` must accept it.

mod decisions;
mod foreign_keys;
mod lifetimes;
mod names;
mod random;
mod references;
mod repair;
mod rows;
mod scrubs;
mod tables;

use std::collections::BTreeMap;

use crate::map::{Map, Path};
use crate::schema::Schema;
use crate::value::Rows;

pub(crate) use self::random::Random;
pub(crate) use self::repair::repair;

/// The people of every case. One id is the beginning of another.
pub(crate) const PEOPLE: [&str; 3] = ["user_a1", "user_a11", "user_B"];

/// What cases may contain. All but the first are what the engine doesn't do right yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Feature {
    /// The map is written in the second language.
    SecondLanguage,
    /// Circles of foreign keys that only a column which becomes NULL breaks.
    UnlinkedCircles,
    /// Rows of others that are deleted for a reference to rows which stay for good, from a table whose own rows stay for a time.
    DeletionsFromTimedTables,
    /// Rows of others that are deleted, or detached, for more than one foreign key.
    SeveralReasons,
    /// Rows of others that are deleted for a foreign key in a circle, or from a table that references itself.
    DeletionsInCircles,
}

/// The features that are on.
#[derive(Clone, Debug, Default)]
pub(crate) struct Features(Vec<Feature>);

impl Features {
    /// What every run tries, because the engine does it right.
    const WORKING: [Feature; 0] = [];

    /// Returns the features that work and, of the others, those with one of the names.
    pub(crate) fn with(names: &str) -> Self {
        let others = [
            Feature::SecondLanguage,
            Feature::UnlinkedCircles,
            Feature::DeletionsFromTimedTables,
            Feature::SeveralReasons,
            Feature::DeletionsInCircles,
        ];
        let chosen = others.into_iter().filter(|feature| names.split(',').any(|name| name == format!("{feature:?}")));
        Self(Self::WORKING.into_iter().chain(chosen).collect())
    }

    fn has(&self, feature: Feature) -> bool {
        self.0.contains(&feature)
    }
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
    /// By table. Paths lead to tables that come earlier.
    owners: BTreeMap<String, Path>,
    subjects: Vec<String>,
    /// Columns without a foreign key that hold Clerk ids and own nothing, by table.
    user_ids: BTreeMap<String, Vec<String>>,
    features: Features,
}

/// How many cases have the same tables: creating them takes longer than anything else.
pub(crate) const CASES_PER_SCHEMA: u64 = 10;

pub(crate) fn generate(seed: u64, features: &Features) -> Case {
    let mut random = Random::new(seed / CASES_PER_SCHEMA);
    let mut draft = tables::draft(&mut random, features);
    foreign_keys::add(&mut random, &mut draft);
    decisions::drop_unbreakable_keys(&mut random, &mut draft);
    let mut random = Random::new(!seed);
    let mut map = decisions::decide(&mut random, &draft);
    map.is_second = features.has(Feature::SecondLanguage);
    let mut rows = rows::fill(&mut random, &draft, &map);
    repair(&draft.schema, &mut rows);
    Case { seed, schema: draft.schema, map, rows }
}

impl Draft {
    /// Returns the column that holds the Clerk id, where the owner isn't found by a path.
    fn id_column(&self, table: &str) -> Option<&str> {
        match &self.owners[table] {
            Path::Column(column) => Some(column),
            Path::To { .. } | Path::From { .. } => None,
        }
    }

    fn is_owner_column(&self, table: &str, column: &str) -> bool {
        self.owners[table].own_columns().iter().any(|name| name == column)
    }
}
