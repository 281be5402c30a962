//! Names of tables and columns, ordinary and odd ones.

use std::collections::BTreeSet;

use super::random::Random;

pub(super) const SCHEMAS: [&str; 4] = ["public", "app", "My App", "select"];

pub(super) const SUBJECTS: [&str; 6] = ["users", "User", "people", "accounts", "t", "user's"];

const TABLES: [&str; 22] = [
    "posts",
    "comments",
    "Order",
    "order",
    "lineItems",
    "Line Items",
    "tasks",
    "teams",
    "profiles",
    "apiKeys",
    "likes",
    "select",
    "été",
    "say \"x\"",
    "a-b",
    "r",
    "key",
    "t_",
    "invoices",
    "$1",
    "{}",
    "100%",
];

const COLUMNS: [&str; 26] = [
    "title",
    "body",
    "Body",
    "amount",
    "is open",
    "status",
    "data",
    "tags",
    "select",
    "count",
    "t",
    "r",
    "key",
    "über",
    "say \"hi\"",
    "a'b",
    "x%y",
    "note$1",
    "{}",
    "lastSeen",
    "from",
    "user",
    "t_",
    "position",
    "kind",
    "--",
];

/// Names that suggest a Clerk user id, so that the map must decide about the columns, and two that don't.
const USER_IDS: [&str; 8] =
    ["created_by", "createdBy", "editorId", "Approved_By", "invited_by", "deletedBy", "Bearbeiter", "last editor"];

/// Names that a table, or a schema, has no second time.
#[derive(Default)]
pub(super) struct Unused(BTreeSet<String>);

impl Unused {
    pub(super) fn of(names: impl Iterator<Item = String>) -> Self {
        Self(names.collect())
    }

    pub(super) fn table(&mut self, random: &mut Random) -> String {
        self.one_of(&TABLES, random)
    }

    pub(super) fn subject(&mut self, random: &mut Random) -> String {
        self.one_of(&SUBJECTS, random)
    }

    pub(super) fn column(&mut self, random: &mut Random) -> String {
        self.one_of(&COLUMNS, random)
    }

    pub(super) fn user_id(&mut self, random: &mut Random) -> String {
        self.one_of(&USER_IDS, random)
    }

    /// Returns the first of these names that isn't used, or the last one with a number.
    pub(super) fn one_of(&mut self, names: &[&str], random: &mut Random) -> String {
        let name = (*random.pick(names)).to_owned();
        let mut candidate = name.clone();
        let mut number = 2;
        while !self.0.insert(candidate.clone()) {
            candidate = format!("{name}{number}");
            number += 1;
        }
        candidate
    }
}

/// Whether a text column of this name may hold a Clerk user id, as far as the names here go.
pub(crate) fn suggests_user_id(column: &str) -> bool {
    USER_IDS[..6].contains(&column)
}
