//! The file's form. Strict: what isn't known is refused, with line, table and remedy.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Range;

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use toml::Spanned;

use super::rules::{DataMap, Erase, ExportRule, IgnoredTable, Owner, Reference, ReferenceAction, Scrub, TableRule};
use super::{Error, Period};
use crate::purposes::{Purpose, Purposes};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MapFile {
    #[serde(default)]
    subject: Vec<Spanned<SubjectEntry>>,
    #[serde(default)]
    table: Vec<Spanned<TableEntry>>,
    #[serde(default)]
    ignore: Vec<Spanned<IgnoreEntry>>,
    #[serde(default)]
    purpose: Vec<Spanned<Purpose>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SubjectEntry {
    table: String,
    key: String,
    label: Option<String>,
    export: KeywordOr<ExportEntry>,
    erase: KeywordOr<EraseEntry>,
    #[serde(default)]
    reference: Vec<ReferenceEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TableEntry {
    name: String,
    owner: String,
    label: Option<String>,
    export: KeywordOr<ExportEntry>,
    erase: KeywordOr<EraseEntry>,
    #[serde(default)]
    reference: Vec<ReferenceEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct IgnoreEntry {
    name: String,
    reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReferenceEntry {
    column: String,
    others: ReferenceAction,
    reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExportEntry {
    only: Option<Vec<String>>,
    except: Option<Vec<String>>,
    none: Option<bool>,
    reason: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EraseEntry {
    stamp: Option<Vec<String>>,
    purge_after: Option<String>,
    scrub: Option<BTreeMap<String, KeywordOr<ValueEntry>>>,
    leave: Option<Vec<String>>,
    reason: Option<String>,
    keep: Option<String>,
    #[serde(rename = "for")]
    period: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ValueEntry {
    value: String,
}

/// A word, or a table with more to say. Unlike an untagged enum it keeps the table's own error.
enum KeywordOr<Table> {
    Keyword(String),
    Table(Table),
}

impl<'de, Table: Deserialize<'de>> Deserialize<'de> for KeywordOr<Table> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either<Table>(PhantomData<Table>);
        impl<'de, Table: Deserialize<'de>> Visitor<'de> for Either<Table> {
            type Value = KeywordOr<Table>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a word in quotes or a table in braces")
            }

            fn visit_str<E>(self, word: &str) -> Result<Self::Value, E> {
                Ok(KeywordOr::Keyword(word.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                Table::deserialize(MapAccessDeserializer::new(map)).map(KeywordOr::Table)
            }
        }
        deserializer.deserialize_any(Either(PhantomData))
    }
}

/// A complaint about one entry, before it has its line.
struct EntryError {
    message: String,
    remedy: String,
}

fn entry_error(message: impl Into<String>, remedy: impl Into<String>) -> EntryError {
    EntryError { message: message.into(), remedy: remedy.into() }
}

pub(super) fn parse(text: &str) -> Result<DataMap, Error> {
    let file: MapFile = toml::from_str(text).map_err(|error| {
        let complaint = entry_error(error.message().replace('\n', "; "), "Correct this entry");
        invalid(text, error.span().unwrap_or(0..0), complaint)
    })?;
    let mut map = DataMap { tables: Vec::new(), ignored: Vec::new(), purposes: None };
    let mut seen = BTreeMap::new();
    let mut once = |name: &str, span: &Range<usize>| match seen.insert(name.to_owned(), line_number(text, span.start)) {
        Some(first) => Err(invalid(
            text,
            span.clone(),
            entry_error(format!("this table already has an entry in line {first}"), "Leave one of the two"),
        )),
        None => Ok(()),
    };
    for entry in file.subject {
        let span = entry.span();
        let rule = subject_rule(entry.into_inner()).map_err(|complaint| invalid(text, span.clone(), complaint))?;
        once(&rule.name, &span)?;
        map.tables.push(rule);
    }
    for entry in file.table {
        let span = entry.span();
        let rule = table_rule(entry.into_inner()).map_err(|complaint| invalid(text, span.clone(), complaint))?;
        once(&rule.name, &span)?;
        map.tables.push(rule);
    }
    for entry in file.ignore {
        let span = entry.span();
        let IgnoreEntry { name, reason } = entry.into_inner();
        let reason = non_empty_reason(reason, "ignore").map_err(|complaint| invalid(text, span.clone(), complaint))?;
        once(&name, &span)?;
        map.ignored.push(IgnoredTable { name, reason });
    }
    if !map.tables.iter().any(|rule| rule.subject) {
        return Err(Error::Invalid {
            line: 1,
            table: None,
            message: "there is no [[subject]], so nobody could be found".to_owned(),
            remedy: "Name the table that holds people, and its key column with the Clerk user id".to_owned(),
        });
    }
    if let Some(first) = file.purpose.first() {
        let span = first.span();
        let purposes = file.purpose.into_iter().map(Spanned::into_inner).collect();
        let catalogue = Purposes::new(purposes)
            .map_err(|error| invalid(text, span, entry_error(error.to_string(), "Correct this [[purpose]]")))?;
        map.purposes = Some(catalogue);
    }
    Ok(map)
}

fn subject_rule(entry: SubjectEntry) -> Result<TableRule, EntryError> {
    let owner = Owner::Column(entry.key);
    build_rule(entry.table, entry.label, owner, true, entry.export, entry.erase, entry.reference)
}

fn table_rule(entry: TableEntry) -> Result<TableRule, EntryError> {
    let owner = match entry.owner.split_once("->") {
        Some((column, table)) if !column.trim().is_empty() && !table.trim().is_empty() => {
            Owner::Path { column: column.trim().to_owned(), table: table.trim().to_owned() }
        }
        Some(_) => {
            return Err(entry_error(
                format!("`{}` is no path", entry.owner),
                "Write a column of this table, `->` and the other table: \"post_id -> public.posts\"",
            ));
        }
        None => Owner::Column(entry.owner),
    };
    build_rule(entry.name, entry.label, owner, false, entry.export, entry.erase, entry.reference)
}

fn build_rule(
    name: String,
    label: Option<String>,
    owner: Owner,
    subject: bool,
    export: KeywordOr<ExportEntry>,
    erase: KeywordOr<EraseEntry>,
    references: Vec<ReferenceEntry>,
) -> Result<TableRule, EntryError> {
    let label = label.unwrap_or_else(|| default_label(&name));
    let references = references
        .into_iter()
        .map(|ReferenceEntry { column, others, reason }| {
            Ok(Reference { column, action: others, reason: non_empty_reason(reason, "reference")? })
        })
        .collect::<Result<_, _>>()?;
    Ok(TableRule { name, label, subject, owner, export: export_rule(export)?, erase: erase_rule(erase)?, references })
}

fn export_rule(entry: KeywordOr<ExportEntry>) -> Result<ExportRule, EntryError> {
    const FORMS: &str =
        "Write \"all\", { only = [..] }, { except = [..], reason = \"..\" } or { none = true, reason = \"..\" }";
    match entry {
        KeywordOr::Keyword(word) if word == "all" => Ok(ExportRule::All),
        KeywordOr::Table(ExportEntry { only: Some(columns), except: None, none: None, reason: _ }) => {
            Ok(ExportRule::Only(columns))
        }
        KeywordOr::Table(ExportEntry { only: None, except: Some(columns), none: None, reason: Some(reason) }) => {
            Ok(ExportRule::Except { columns, reason: non_empty_reason(reason, "export")? })
        }
        KeywordOr::Table(ExportEntry { only: None, except: None, none: Some(true), reason: Some(reason) }) => {
            Ok(ExportRule::Nothing { reason: non_empty_reason(reason, "export")? })
        }
        KeywordOr::Keyword(word) if word == "none" => Err(entry_error("export = \"none\" says no reason", FORMS)),
        KeywordOr::Table(ExportEntry { reason: None, .. }) => {
            Err(entry_error("what isn't exported needs a reason", FORMS))
        }
        KeywordOr::Keyword(_) | KeywordOr::Table(_) => Err(entry_error("this is no rule for the export", FORMS)),
    }
}

fn erase_rule(entry: KeywordOr<EraseEntry>) -> Result<Erase, EntryError> {
    const FORMS: &str = "Write \"delete\", { stamp = [..], purge_after = \"30 days\" }, { scrub = { column = \"null\" }, stamp = [..], leave = [..], reason = \"..\" } or { keep = \"reason and basis\", for = \"2 years\" }";
    let entry = match entry {
        KeywordOr::Keyword(word) if word == "delete" => return Ok(Erase::Delete),
        KeywordOr::Keyword(word) => return Err(entry_error(format!("`{word}` is no rule for the erasure"), FORMS)),
        KeywordOr::Table(entry) => entry,
    };
    match entry {
        EraseEntry {
            keep: Some(reason),
            period,
            stamp: None,
            purge_after: None,
            scrub: None,
            leave: None,
            reason: None,
        } => Ok(Erase::Keep {
            reason: non_empty_reason(reason, "keep")?,
            period: period.map(|text| self::parse_period(&text)).transpose()?,
        }),
        EraseEntry { scrub: Some(columns), stamp, leave, reason, keep: None, period: None, purge_after: None } => {
            let leave = leave.unwrap_or_default();
            if columns.is_empty() {
                return Err(entry_error("scrub names no column", FORMS));
            }
            if leave.is_empty() != reason.as_ref().is_none_or(|reason| reason.trim().is_empty()) {
                return Err(entry_error("leave and reason belong together", FORMS));
            }
            let columns = columns
                .into_iter()
                .map(|(column, entry)| Ok((column, scrub_value(entry)?)))
                .collect::<Result<_, _>>()?;
            Ok(Erase::Scrub { columns, stamp: stamp.unwrap_or_default(), leave, reason })
        }
        EraseEntry {
            stamp: Some(columns),
            purge_after,
            keep: None,
            period: None,
            scrub: None,
            leave: None,
            reason: None,
        } => {
            if columns.is_empty() {
                return Err(entry_error("stamp names no column", FORMS));
            }
            Ok(Erase::Stamp { columns, purge_after: purge_after.map(|text| parse_period(&text)).transpose()? })
        }
        _ => Err(entry_error("these keys of erase don't go together", FORMS)),
    }
}

fn scrub_value(entry: KeywordOr<ValueEntry>) -> Result<Scrub, EntryError> {
    match entry {
        KeywordOr::Keyword(word) if word == "null" => Ok(Scrub::Null),
        KeywordOr::Table(ValueEntry { value }) => Ok(Scrub::Value(value)),
        KeywordOr::Keyword(word) => Err(entry_error(
            format!("`{word}` isn't what a column can be scrubbed with"),
            "Write \"null\" or { value = \"..\" }",
        )),
    }
}

fn parse_period(text: &str) -> Result<Period, EntryError> {
    text.parse().map_err(|message: String| entry_error(message, "Correct the period"))
}

fn non_empty_reason(reason: String, of: &str) -> Result<String, EntryError> {
    if reason.trim().is_empty() {
        return Err(entry_error(
            format!("the reason of {of} is empty"),
            "Write why, in a sentence that a person may read",
        ));
    }
    Ok(reason)
}

/// `public.api_keys` is called `Api keys` where the map gives no label.
pub(super) fn default_label(name: &str) -> String {
    let table = name.rsplit_once('.').map_or(name, |(_, table)| table).replace('_', " ");
    let mut letters = table.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

fn invalid(text: &str, span: Range<usize>, EntryError { message, remedy }: EntryError) -> Error {
    Error::Invalid { line: line_number(text, span.start), table: enclosing_table(text, span.start), message, remedy }
}

fn line_number(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

/// The name in the entry that `offset` lies in. Reads the text itself, because a file that
/// doesn't parse has no entries yet.
fn enclosing_table(text: &str, offset: usize) -> Option<String> {
    let entry = |line: &str| {
        ["[[subject]]", "[[table]]", "[[ignore]]", "[[purpose]]"]
            .iter()
            .any(|header| line.trim_start().starts_with(header))
    };
    let lines: Vec<&str> = text.lines().collect();
    let here = (line_number(text, offset) - 1).min(lines.len().checked_sub(1)?);
    let start = (0..=here).rev().find(|index| entry(lines[*index]))?;
    lines[start + 1..].iter().take_while(|line| !entry(line)).find_map(|line| {
        let (key, value) = line.split_once('=')?;
        let named = matches!(key.trim(), "name" | "table");
        let value = value.trim().trim_start_matches('"');
        named.then(|| value.split('"').next().unwrap_or_default().to_owned())
    })
}
