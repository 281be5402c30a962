//! The parts of which entries of the map's file consist, and their errors.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::period::Period;

/// A keyword in quotes, or a table with more keys. Unlike an untagged enum it keeps the table's own error.
#[derive(PartialEq, Eq)]
pub(crate) enum KeywordOr<Table> {
    Keyword(String),
    Table(Table),
}

impl<'de, Table: Deserialize<'de>> Deserialize<'de> for KeywordOr<Table> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeywordOrVisitor<Table>(PhantomData<Table>);
        impl<'de, Table: Deserialize<'de>> Visitor<'de> for KeywordOrVisitor<Table> {
            type Value = KeywordOr<Table>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a word in quotes or a table in braces")
            }

            fn visit_str<E>(self, keyword: &str) -> Result<Self::Value, E> {
                Ok(KeywordOr::Keyword(keyword.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                Table::deserialize(MapAccessDeserializer::new(map)).map(KeywordOr::Table)
            }
        }
        deserializer.deserialize_any(KeywordOrVisitor(PhantomData))
    }
}

/// An error in one entry, before its line is known.
pub(super) struct EntryError {
    pub(super) message: String,
    pub(super) remedy: String,
}

impl EntryError {
    pub(super) fn new(message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { message: message.into(), remedy: remedy.into() }
    }
}

pub(super) fn parse_period(text: &str) -> Result<Period, EntryError> {
    text.parse().map_err(|message: String| EntryError::new(message, "Correct the period"))
}

pub(super) fn non_empty_reason(reason: String, key: &str) -> Result<String, EntryError> {
    if reason.trim().is_empty() {
        return Err(EntryError::new(
            format!("the reason of {key} is empty"),
            "Write the reason in a sentence; users read it too",
        ));
    }
    Ok(reason)
}
