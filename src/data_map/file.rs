//! The file's form. Strict: what isn't known is refused, with line, table and remedy.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Range;

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use toml::Spanned;

use super::rules::{DataMap, Erase, ExportRule, Ignore, Others, Owner, Reference, Scrub, TableRule};
use super::{Error, Period};
use crate::consent::{Catalogue, Purpose};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
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
    export: WordOr<ExportEntry>,
    erase: WordOr<EraseEntry>,
    #[serde(default)]
    reference: Vec<ReferenceEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TableEntry {
    name: String,
    owner: String,
    label: Option<String>,
    export: WordOr<ExportEntry>,
    erase: WordOr<EraseEntry>,
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
    others: Others,
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
    scrub: Option<BTreeMap<String, WordOr<ValueEntry>>>,
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
enum WordOr<Table> {
    Word(String),
    Table(Table),
}

impl<'de, Table: Deserialize<'de>> Deserialize<'de> for WordOr<Table> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either<Table>(PhantomData<Table>);
        impl<'de, Table: Deserialize<'de>> Visitor<'de> for Either<Table> {
            type Value = WordOr<Table>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a word in quotes or a table in braces")
            }

            fn visit_str<E>(self, word: &str) -> Result<Self::Value, E> {
                Ok(WordOr::Word(word.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                Table::deserialize(MapAccessDeserializer::new(map)).map(WordOr::Table)
            }
        }
        deserializer.deserialize_any(Either(PhantomData))
    }
}

/// A complaint about one entry, before it has its line.
struct Complaint {
    message: String,
    remedy: String,
}

fn complaint(message: impl Into<String>, remedy: impl Into<String>) -> Complaint {
    Complaint { message: message.into(), remedy: remedy.into() }
}

pub(super) fn parse(text: &str) -> Result<DataMap, Error> {
    let file: File = toml::from_str(text).map_err(|error| {
        let complaint = complaint(error.message().replace('\n', "; "), "Correct this entry");
        invalid(text, error.span().unwrap_or(0..0), complaint)
    })?;
    let mut map = DataMap { tables: Vec::new(), ignored: Vec::new(), purposes: None };
    let mut seen = BTreeMap::new();
    let mut once = |name: &str, span: &Range<usize>| match seen.insert(name.to_owned(), line(text, span.start)) {
        Some(first) => Err(invalid(
            text,
            span.clone(),
            complaint(format!("this table already has an entry in line {first}"), "Leave one of the two"),
        )),
        None => Ok(()),
    };
    for entry in file.subject {
        let span = entry.span();
        let rule = subject(entry.into_inner()).map_err(|complaint| invalid(text, span.clone(), complaint))?;
        once(&rule.name, &span)?;
        map.tables.push(rule);
    }
    for entry in file.table {
        let span = entry.span();
        let rule = table(entry.into_inner()).map_err(|complaint| invalid(text, span.clone(), complaint))?;
        once(&rule.name, &span)?;
        map.tables.push(rule);
    }
    for entry in file.ignore {
        let span = entry.span();
        let IgnoreEntry { name, reason } = entry.into_inner();
        let reason = stated(reason, "ignore").map_err(|complaint| invalid(text, span.clone(), complaint))?;
        once(&name, &span)?;
        map.ignored.push(Ignore { name, reason });
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
        let catalogue = Catalogue::new(purposes)
            .map_err(|error| invalid(text, span, complaint(error.to_string(), "Correct this [[purpose]]")))?;
        map.purposes = Some(catalogue);
    }
    Ok(map)
}

fn subject(entry: SubjectEntry) -> Result<TableRule, Complaint> {
    let owner = Owner::Column(entry.key);
    rule(entry.table, entry.label, owner, true, entry.export, entry.erase, entry.reference)
}

fn table(entry: TableEntry) -> Result<TableRule, Complaint> {
    let owner = match entry.owner.split_once("->") {
        Some((column, table)) if !column.trim().is_empty() && !table.trim().is_empty() => {
            Owner::Path { column: column.trim().to_owned(), table: table.trim().to_owned() }
        }
        Some(_) => {
            return Err(complaint(
                format!("`{}` is no path", entry.owner),
                "Write a column of this table, `->` and the other table: \"post_id -> public.posts\"",
            ));
        }
        None => Owner::Column(entry.owner),
    };
    rule(entry.name, entry.label, owner, false, entry.export, entry.erase, entry.reference)
}

fn rule(
    name: String,
    label: Option<String>,
    owner: Owner,
    subject: bool,
    export: WordOr<ExportEntry>,
    erase: WordOr<EraseEntry>,
    references: Vec<ReferenceEntry>,
) -> Result<TableRule, Complaint> {
    let label = label.unwrap_or_else(|| label_of(&name));
    let references = references
        .into_iter()
        .map(|ReferenceEntry { column, others, reason }| {
            Ok(Reference { column, others, reason: stated(reason, "reference")? })
        })
        .collect::<Result<_, _>>()?;
    Ok(TableRule { name, label, subject, owner, export: export_rule(export)?, erase: erase_rule(erase)?, references })
}

fn export_rule(entry: WordOr<ExportEntry>) -> Result<ExportRule, Complaint> {
    const FORMS: &str =
        "Write \"all\", { only = [..] }, { except = [..], reason = \"..\" } or { none = true, reason = \"..\" }";
    match entry {
        WordOr::Word(word) if word == "all" => Ok(ExportRule::All),
        WordOr::Table(ExportEntry { only: Some(columns), except: None, none: None, reason: _ }) => {
            Ok(ExportRule::Only(columns))
        }
        WordOr::Table(ExportEntry { only: None, except: Some(columns), none: None, reason: Some(reason) }) => {
            Ok(ExportRule::Except { columns, reason: stated(reason, "export")? })
        }
        WordOr::Table(ExportEntry { only: None, except: None, none: Some(true), reason: Some(reason) }) => {
            Ok(ExportRule::Nothing { reason: stated(reason, "export")? })
        }
        WordOr::Word(word) if word == "none" => Err(complaint("export = \"none\" says no reason", FORMS)),
        WordOr::Table(ExportEntry { reason: None, .. }) => Err(complaint("what isn't exported needs a reason", FORMS)),
        WordOr::Word(_) | WordOr::Table(_) => Err(complaint("this is no rule for the export", FORMS)),
    }
}

fn erase_rule(entry: WordOr<EraseEntry>) -> Result<Erase, Complaint> {
    const FORMS: &str = "Write \"delete\", { stamp = [..], purge_after = \"30 days\" }, { scrub = { column = \"null\" }, stamp = [..], leave = [..], reason = \"..\" } or { keep = \"reason and basis\", for = \"2 years\" }";
    let entry = match entry {
        WordOr::Word(word) if word == "delete" => return Ok(Erase::Delete),
        WordOr::Word(word) => return Err(complaint(format!("`{word}` is no rule for the erasure"), FORMS)),
        WordOr::Table(entry) => entry,
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
            reason: stated(reason, "keep")?,
            period: period.map(|text| self::period(&text)).transpose()?,
        }),
        EraseEntry { scrub: Some(columns), stamp, leave, reason, keep: None, period: None, purge_after: None } => {
            let leave = leave.unwrap_or_default();
            if columns.is_empty() {
                return Err(complaint("scrub names no column", FORMS));
            }
            if leave.is_empty() != reason.as_ref().is_none_or(|reason| reason.trim().is_empty()) {
                return Err(complaint("leave and reason belong together", FORMS));
            }
            let columns =
                columns.into_iter().map(|(column, entry)| Ok((column, scrub(entry)?))).collect::<Result<_, _>>()?;
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
                return Err(complaint("stamp names no column", FORMS));
            }
            Ok(Erase::Stamp { columns, purge_after: purge_after.map(|text| period(&text)).transpose()? })
        }
        _ => Err(complaint("these keys of erase don't go together", FORMS)),
    }
}

fn scrub(entry: WordOr<ValueEntry>) -> Result<Scrub, Complaint> {
    match entry {
        WordOr::Word(word) if word == "null" => Ok(Scrub::Null),
        WordOr::Table(ValueEntry { value }) => Ok(Scrub::Value(value)),
        WordOr::Word(word) => Err(complaint(
            format!("`{word}` isn't what a column can be scrubbed with"),
            "Write \"null\" or { value = \"..\" }",
        )),
    }
}

fn period(text: &str) -> Result<Period, Complaint> {
    text.parse().map_err(|message: String| complaint(message, "Correct the period"))
}

fn stated(reason: String, of: &str) -> Result<String, Complaint> {
    if reason.trim().is_empty() {
        return Err(complaint(
            format!("the reason of {of} is empty"),
            "Write why, in a sentence that a person may read",
        ));
    }
    Ok(reason)
}

/// `public.api_keys` is called `Api keys` where the map gives no label.
pub(super) fn label_of(name: &str) -> String {
    let table = name.rsplit_once('.').map_or(name, |(_, table)| table).replace('_', " ");
    let mut letters = table.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

fn invalid(text: &str, span: Range<usize>, Complaint { message, remedy }: Complaint) -> Error {
    Error::Invalid { line: line(text, span.start), table: table_around(text, span.start), message, remedy }
}

fn line(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

/// The name in the entry that `offset` lies in. Reads the text itself, because a file that
/// doesn't parse has no entries yet.
fn table_around(text: &str, offset: usize) -> Option<String> {
    let entry = |line: &str| {
        ["[[subject]]", "[[table]]", "[[ignore]]", "[[purpose]]"]
            .iter()
            .any(|header| line.trim_start().starts_with(header))
    };
    let lines: Vec<&str> = text.lines().collect();
    let here = (line(text, offset) - 1).min(lines.len().checked_sub(1)?);
    let start = (0..=here).rev().find(|index| entry(lines[*index]))?;
    lines[start + 1..].iter().take_while(|line| !entry(line)).find_map(|line| {
        let (key, value) = line.split_once('=')?;
        let named = matches!(key.trim(), "name" | "table");
        let value = value.trim().trim_start_matches('"');
        named.then(|| value.split('"').next().unwrap_or_default().to_owned())
    })
}
