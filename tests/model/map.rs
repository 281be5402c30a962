//! A data map in plain structures.

use std::collections::BTreeMap;

use crate::value::{Row, Value};

#[derive(Clone, Debug, Default)]
pub(crate) struct Map {
    /// Whether it is written in the second language.
    pub(crate) is_second: bool,
    pub(crate) entries: Vec<Entry>,
    /// Names or patterns.
    pub(crate) ignored: Vec<String>,
    /// The key of each table's ghost row.
    pub(crate) ghosts: BTreeMap<String, Row>,
}

#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) table: String,
    pub(crate) is_subject: bool,
    pub(crate) owners: Vec<Owner>,
    pub(crate) export: Export,
    pub(crate) erase: Erase,
    pub(crate) mentions: Vec<Mention>,
    pub(crate) references: Vec<Reference>,
}

#[derive(Clone, Debug)]
pub(crate) struct Owner {
    pub(crate) path: Path,
    /// `where`: the accepted text forms of each column.
    pub(crate) conditions: BTreeMap<String, Vec<String>>,
    pub(crate) forget: BTreeMap<String, NewValue>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Path {
    /// The Clerk id.
    Column(String),
    /// The e-mail address.
    Email(String),
    /// `columns -> table`, or `columns -> table(target)`.
    To { columns: Vec<String>, table: String, target: Vec<String> },
    /// `<- table(columns)`, or `key <- table(columns)`.
    From { key: Vec<String>, table: String, columns: Vec<String> },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Export {
    All,
    Only(Vec<String>),
    Except(Vec<String>),
    Nothing,
}

#[derive(Clone, Debug)]
pub(crate) enum Erase {
    Delete,
    Stamp { columns: Vec<String>, purge_after: Option<Period> },
    Scrub(Scrub),
    Keep { period: Option<Period> },
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Scrub {
    pub(crate) columns: BTreeMap<String, NewValue>,
    pub(crate) stamp: Vec<String>,
    pub(crate) leave: Vec<String>,
    /// Whether `leave = "rest"` is written instead of the list.
    pub(crate) leaves_rest: bool,
    pub(crate) period: Option<Period>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Period {
    pub(crate) text: &'static str,
    /// The length, to compare it.
    pub(crate) minutes: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NewValue {
    Null,
    Constant(Value),
    /// Random digits between the two.
    Unique {
        prefix: String,
        suffix: String,
    },
    Neutral,
    Pseudonym,
    Ghost,
}

#[derive(Clone, Debug)]
pub(crate) struct Mention {
    pub(crate) columns: Vec<Path>,
    /// What the export of whom it names contains of the row.
    pub(crate) export: Option<Export>,
    pub(crate) action: MentionAction,
    pub(crate) forget: BTreeMap<String, NewValue>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum MentionAction {
    Write(NewValue),
    Delete,
    Keep,
    Forbid,
}

#[derive(Clone, Debug)]
pub(crate) struct Reference {
    pub(crate) column: String,
    pub(crate) action: ReferenceAction,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReferenceAction {
    Detach,
    Delete,
    Forbid,
}

/// When the person's own rows of a table are removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Removal {
    Immediate,
    AfterMinutes(u64),
    Never,
}

impl Map {
    pub(crate) fn entry(&self, table: &str) -> &Entry {
        self.find(table).unwrap_or_else(|| panic!("there is no entry for {table}"))
    }

    pub(crate) fn find(&self, table: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.table == table)
    }
}

impl Entry {
    /// Whether one of the columns becomes NULL where it references a deleted row.
    pub(crate) fn detaches(&self, columns: &[String]) -> bool {
        let mut references = self.references.iter();
        references.any(|reference| reference.action == ReferenceAction::Detach && columns.contains(&reference.column))
    }

    /// Whether an erasure may delete rows of others in the table.
    pub(crate) fn deletes_others(&self) -> bool {
        self.references.iter().any(|reference| reference.action == ReferenceAction::Delete)
            || self.mentions.iter().any(|mention| mention.action == MentionAction::Delete)
    }
}

impl Owner {
    pub(crate) const fn new(path: Path) -> Self {
        Self { path, conditions: BTreeMap::new(), forget: BTreeMap::new() }
    }
}

impl Path {
    pub(crate) fn column(name: &str) -> Self {
        Self::Column(name.to_owned())
    }

    /// Returns the table that it leads to.
    pub(crate) const fn table(&self) -> Option<&String> {
        match self {
            Self::Column(_) | Self::Email(_) => None,
            Self::To { table, .. } | Self::From { table, .. } => Some(table),
        }
    }

    /// Returns the columns of the table itself.
    pub(crate) fn own_columns(&self) -> &[String] {
        match self {
            Self::Column(column) | Self::Email(column) => std::slice::from_ref(column),
            Self::To { columns, .. } => columns,
            Self::From { key, .. } => key,
        }
    }
}

impl Erase {
    pub(crate) fn removal(&self) -> Removal {
        let after =
            |period: Option<Period>| period.map_or(Removal::Never, |period| Removal::AfterMinutes(period.minutes));
        match self {
            Self::Delete => Removal::Immediate,
            Self::Stamp { purge_after, .. } => after(*purge_after),
            Self::Scrub(scrub) => after(scrub.period),
            Self::Keep { period } => after(*period),
        }
    }
}
