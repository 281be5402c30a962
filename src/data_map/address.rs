//! Columns that hold a person's e-mail address or phone number.

use serde::{Deserialize, Serialize};

/// What kind of address a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AddressKind {
    /// An e-mail address. Letter case doesn't matter.
    Email,
    /// A phone number in international form (E.164). Spaces and punctuation don't matter.
    Phone,
}

impl AddressKind {
    /// Returns the key in the map's file.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Phone => "phone",
        }
    }

    /// Returns a regular expression of what such an address begins with at least.
    pub(super) const fn pattern(self) -> &'static str {
        match self {
            Self::Email => "^[^@ ]+@[^@ ]+",
            Self::Phone => r"^\+[0-9]",
        }
    }

    /// Returns a condition that is true where `column` may hold somebody's address, however it is written.
    pub(super) fn may_be_address(self, column: &str) -> String {
        match self {
            Self::Email => format!("{column}::text LIKE '%@%'"),
            Self::Phone => format!("{column}::text ~ '[0-9]'"),
        }
    }

    /// Returns the form in which addresses are compared.
    pub(super) fn normal_form(self, alias: &str, column: &str) -> String {
        self.normal_form_of(&format!("{alias}.{column}"))
    }

    /// The same of any expression. An index on it finds rows.
    pub(super) fn normal_form_of(self, expression: &str) -> String {
        let function = self.function();
        match self {
            Self::Email => format!("{function}({expression}::text)"),
            // What else a text contains, such as an extension, makes it another number.
            Self::Phone => format!("{function}({expression}::text, '[ ().-]', '', 'g')"),
        }
    }

    /// Returns the name of the function by which addresses are compared.
    pub(super) const fn function(self) -> &'static str {
        match self {
            Self::Email => "lower",
            Self::Phone => "regexp_replace",
        }
    }

    /// Returns a condition that is true where `column`, quoted, holds an address of the person.
    pub(super) fn is_own(self, alias: &str, column: &str) -> String {
        match self {
            Self::Email => format!("{} = ANY ($3)", self.normal_form(alias, column)),
            Self::Phone => format!("{} = ANY ($4)", self.normal_form(alias, column)),
        }
    }
}

/// Columns with addresses of the person whose row it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AddressColumns {
    /// Columns with e-mail addresses.
    #[serde(default)]
    pub email: Vec<String>,
    /// Columns with phone numbers.
    #[serde(default)]
    pub phone: Vec<String>,
}

impl AddressColumns {
    pub(super) fn is_empty(&self) -> bool {
        self.email.is_empty() && self.phone.is_empty()
    }

    /// Returns each column with what it holds.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&String, AddressKind)> {
        let email = self.email.iter().map(|column| (column, AddressKind::Email));
        email.chain(self.phone.iter().map(|column| (column, AddressKind::Phone)))
    }
}
