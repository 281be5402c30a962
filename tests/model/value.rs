//! Values of columns.

use std::collections::BTreeMap;

use data_encoding::{BASE64, HEXLOWER};
use serde_json::Value as JsonValue;

/// A row: values by column.
pub(crate) type Row = BTreeMap<String, Value>;

/// The rows of each table.
pub(crate) type Rows = BTreeMap<String, Vec<Row>>;

/// A value, in the notation that Postgres writes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Value {
    Null,
    Int(i64),
    Bool(bool),
    /// Also UUIDs, enums and dates: what JSON has as a string of the same text.
    Text(String),
    /// A number with digits after the point.
    Number(String),
    /// A time, with or without its zone, which is UTC.
    Time(String),
    Json(String),
    Array(Vec<String>),
    Bytes(Vec<u8>),
    /// Only in what the model expects: any 32 hexadecimal digits between the two.
    Random {
        prefix: String,
        suffix: String,
    },
    /// Only in what the model expects: the keyed hash of this person's id.
    Pseudonym(String),
}

impl Value {
    pub(crate) fn text_of(text: &str) -> Self {
        Self::Text(text.to_owned())
    }

    pub(crate) fn is_null(&self) -> bool {
        *self == Self::Null
    }

    /// Whether only the database knows it.
    pub(crate) const fn is_random(&self) -> bool {
        matches!(self, Self::Random { .. } | Self::Pseudonym(_))
    }

    /// Returns the text form, or `None` for NULL.
    pub(crate) fn text(&self) -> Option<String> {
        Some(match self {
            Self::Null => return None,
            Self::Int(number) => number.to_string(),
            Self::Bool(value) => value.to_string(),
            Self::Text(text) | Self::Number(text) | Self::Time(text) | Self::Json(text) => text.clone(),
            Self::Array(items) => {
                format!("{{{}}}", items.iter().map(|item| array_item(item)).collect::<Vec<_>>().join(","))
            }
            Self::Bytes(bytes) => format!("\\x{}", HEXLOWER.encode(bytes)),
            Self::Random { prefix, suffix } => format!("{prefix}<random>{suffix}"),
            Self::Pseudonym(person) => format!("<pseudonym of {person}>"),
        })
    }

    /// Returns what an export contains.
    pub(crate) fn json(&self) -> JsonValue {
        match self {
            Self::Null => JsonValue::Null,
            // JSON readers would round them.
            Self::Int(number) if number.unsigned_abs() >= 1 << 53 => JsonValue::from(number.to_string()),
            Self::Number(text) if is_rounded(text) => JsonValue::from(text.clone()),
            Self::Int(number) => JsonValue::from(*number),
            Self::Bool(value) => JsonValue::from(*value),
            Self::Number(text) | Self::Json(text) => serde_json::from_str(text).unwrap(),
            Self::Time(text) => {
                let text = text.replace(' ', "T");
                JsonValue::from(if text.ends_with("+00") { format!("{text}:00") } else { text })
            }
            Self::Array(items) => JsonValue::from(items.clone()),
            Self::Bytes(bytes) => JsonValue::from(BASE64.encode(bytes)),
            Self::Text(_) | Self::Random { .. } | Self::Pseudonym(_) => JsonValue::from(self.text()),
        }
    }
}

fn array_item(item: &str) -> String {
    let is_plain = !item.is_empty() && item.chars().all(char::is_alphanumeric) && !item.eq_ignore_ascii_case("null");
    if is_plain { item.to_owned() } else { format!("\"{}\"", item.replace('\\', "\\\\").replace('"', "\\\"")) }
}

/// The type of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Integer,
    Bigint,
    Numeric,
    Bool,
    Text,
    Varchar,
    Uuid,
    Json,
    Jsonb,
    TextArray,
    Timestamptz,
    Timestamp,
    Date,
    Enum,
    Bytea,
}

impl Kind {
    pub(crate) const fn is_text(self) -> bool {
        matches!(self, Self::Text | Self::Varchar)
    }

    pub(crate) const fn is_time(self) -> bool {
        matches!(self, Self::Timestamptz | Self::Timestamp | Self::Date)
    }

    /// Returns `"neutral"` of this type.
    pub(crate) fn neutral(self) -> Value {
        match self {
            Self::Integer | Self::Bigint => Value::Int(0),
            Self::Numeric => Value::Number("0".to_owned()),
            Self::Bool => Value::Bool(false),
            Self::Text | Self::Varchar => Value::text_of(""),
            Self::Uuid => Value::text_of("00000000-0000-0000-0000-000000000000"),
            Self::Json | Self::Jsonb => Value::Json("{}".to_owned()),
            Self::TextArray => Value::Array(Vec::new()),
            Self::Timestamptz | Self::Timestamp | Self::Date => self.time("1970-01-01", "00:00:00"),
            Self::Bytea => Value::Bytes(Vec::new()),
            Self::Enum => unreachable!("the language has no neutral value of this type"),
        }
    }

    /// Returns a time as a value of this type.
    pub(crate) fn time(self, date: &str, time: &str) -> Value {
        match self {
            Self::Timestamptz => Value::Time(format!("{date} {time}+00")),
            Self::Timestamp => Value::Time(format!("{date} {time}")),
            _ => Value::text_of(date),
        }
    }
}

/// Whether a reader who takes the number for a double writes it otherwise. Every double has at least fifteen significant digits.
fn is_rounded(number: &str) -> bool {
    let digits = number.replace(['-', '.'], "");
    digits.trim_start_matches('0').len() > 15 && number.parse::<f64>().is_ok_and(|double| double.to_string() != number)
}
