//! Tables, as far as their rows depend on them.

use crate::value::Kind;

#[derive(Clone, Debug, Default)]
pub(crate) struct Schema {
    pub(crate) tables: Vec<Table>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    pub(crate) schema: String,
    pub(crate) name: String,
    pub(crate) columns: Vec<Column>,
    pub(crate) primary_key: Vec<String>,
    /// The columns of each unique constraint.
    pub(crate) uniques: Vec<Vec<String>>,
    pub(crate) foreign_keys: Vec<ForeignKey>,
    pub(crate) extras: Vec<Extra>,
}

#[derive(Clone, Debug)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) nullable: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ForeignKey {
    pub(crate) columns: Vec<String>,
    /// With its schema.
    pub(crate) parent: String,
    pub(crate) parent_columns: Vec<String>,
    pub(crate) on_delete: &'static str,
    pub(crate) deferrable: &'static str,
}

/// What else a table may have that an erasure mustn't be impressed by.
#[derive(Clone, Debug)]
pub(crate) enum Extra {
    /// A unique index on the column in lower case.
    UniqueLower(String),
    /// A unique index on the column where the other one is NULL.
    UniqueWhereNull { column: String, condition: String },
    /// The column isn't negative.
    NotNegative(String),
}

impl Schema {
    pub(crate) fn table(&self, name: &str) -> &Table {
        self.find(name).unwrap_or_else(|| panic!("there is no table {name}"))
    }

    pub(crate) fn find(&self, name: &str) -> Option<&Table> {
        self.tables.iter().find(|table| table.full_name() == name)
    }

    /// Whether a foreign key references the column.
    pub(crate) fn is_referenced(&self, table: &str, column: &str) -> bool {
        let mut foreign_keys = self.tables.iter().flat_map(|table| &table.foreign_keys);
        foreign_keys.any(|key| key.parent == table && key.parent_columns.iter().any(|parent| parent == column))
    }
}

impl ForeignKey {
    /// Columns that reference others without a constraint.
    pub(crate) const fn link(columns: Vec<String>, parent: String, parent_columns: Vec<String>) -> Self {
        Self { columns, parent, parent_columns, on_delete: "", deferrable: "" }
    }
}

impl Table {
    /// Returns the columns of each key: the primary key and the unique constraints.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &Vec<String>> {
        std::iter::once(&self.primary_key).chain(&self.uniques).filter(|key| !key.is_empty())
    }

    /// Schema and name, as the map writes them.
    pub(crate) fn full_name(&self) -> String {
        format!("{}.{}", self.schema, self.name)
    }

    /// Whether a key without NULL tells its rows apart.
    pub(crate) fn has_row_key(&self) -> bool {
        self.keys().any(|key| key.iter().all(|column| !self.column(column).nullable))
    }

    pub(crate) fn column(&self, name: &str) -> &Column {
        self.columns.iter().find(|column| column.name == name).unwrap_or_else(|| panic!("there is no column {name}"))
    }

    /// Returns the foreign keys of which the column is a part.
    pub(crate) fn foreign_keys_of<'a>(&'a self, column: &'a str) -> impl Iterator<Item = &'a ForeignKey> {
        self.foreign_keys.iter().filter(move |key| key.columns.iter().any(|name| name == column))
    }

    /// Whether the column alone identifies a row.
    pub(crate) fn is_unique(&self, column: &str) -> bool {
        self.keys().any(|unique| *unique == [column])
    }

    /// Whether any unique constraint or index has the column.
    pub(crate) fn is_in_unique(&self, column: &str) -> bool {
        self.keys().flatten().any(|name| name == column)
            || self.extras.iter().any(|extra| match extra {
                Extra::UniqueLower(name) | Extra::UniqueWhereNull { column: name, .. } => name == column,
                Extra::NotNegative(_) => false,
            })
    }
}
