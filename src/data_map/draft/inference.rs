//! What a draft infers: an owner for each table, or several likely ones.

use std::collections::{BTreeMap, BTreeSet};

use crate::data_map::address::AddressKind;
use crate::data_map::index::RelationIndex;
use crate::data_map::path::OwnerPath;

/// A way in which rows may lead to somebody.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub(super) path: OwnerPath,
    pub(super) rank: Rank,
    /// The column that says of which table the key is, beside it: `owner_type`.
    pub(super) type_column: Option<String>,
    /// Whether the name of the column is that of another table, too.
    pub(super) is_doubtful: bool,
}

/// The smaller, the likelier it is the owner. Candidates of equal rank are a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    pub(super) kind: Kind,
    /// After NOT NULL.
    pub(super) is_nullable: bool,
    /// After what a foreign key or the values show.
    pub(super) is_guess: bool,
}

/// How a row leads to somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// A column that names whose the row is.
    Owner,
    /// A column that names who made it.
    Creator,
    /// A foreign key to people whose name says nothing.
    Person,
    /// A row that is somebody's, of which this one is a part: deleted with it.
    Part,
    /// A row that is somebody's.
    Content,
    /// A column that names who did something with it.
    Actor,
}

/// What was inferred.
#[derive(Default)]
pub(super) struct Inference {
    /// In an order in which every path leads to an earlier table.
    pub(super) tables: Vec<InferredTable>,
    /// Tables with several likely owners, none of which is likelier than the others.
    pub(super) questions: BTreeMap<RelationIndex, Vec<Candidate>>,
    /// The columns that hold somebody's address, by name or by values.
    pub(super) addresses: BTreeMap<RelationIndex, Vec<(String, AddressKind)>>,
    pub(super) keys: BTreeMap<RelationIndex, String>,
    pub(super) known: BTreeSet<RelationIndex>,
}

/// A table whose owner was inferred.
pub(super) struct InferredTable {
    pub(super) relation: RelationIndex,
    pub(super) is_subject: bool,
    pub(super) path: OwnerPath,
    /// Columns that lead to somebody else.
    pub(super) mentions: Vec<OwnerPath>,
}

impl Inference {
    pub(super) fn is_subject(&self, relation: RelationIndex) -> bool {
        self.keys.contains_key(&relation)
    }

    /// Returns the column of a subject that holds the Clerk user id.
    pub(super) fn key_of(&self, subject: RelationIndex) -> Option<&str> {
        self.keys.get(&subject).map(String::as_str)
    }

    pub(super) fn subjects(&self) -> impl Iterator<Item = RelationIndex> + '_ {
        self.keys.keys().copied()
    }

    pub(super) fn addresses_of(&self, relation: RelationIndex) -> &[(String, AddressKind)] {
        self.addresses.get(&relation).map_or(&[], Vec::as_slice)
    }

    pub(super) fn has_rule(&self, relation: RelationIndex) -> bool {
        self.known.contains(&relation)
    }

    pub(super) fn add(&mut self, table: InferredTable) {
        self.known.insert(table.relation);
        self.tables.push(table);
    }
}
