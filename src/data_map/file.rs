//! Reads a data map from TOML. Errors name line, table and remedy.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use ring::digest::{SHA256, digest};
use toml::Spanned;

use super::entry::{EntryError, KeywordOr, non_empty_reason};
use super::erase::{Erase, EraseEntry};
use super::error::Error;
use super::grammar::{ExportEntry, IgnoreEntry, MapFile, ReferenceEntry, SubjectEntry, TableEntry};
use super::rules::{DataMap, ExportRule, IgnoredTable, Owner, Reference, TableRule, default_label};
use crate::purposes::{Purpose, Purposes};

impl DataMap {
    /// Parses a map. Unknown keys are errors.
    pub fn parse(toml: &str) -> Result<Self, Error> {
        let file: MapFile = toml::from_str(toml).map_err(|error| {
            let entry_error = EntryError::new(error.message().replace('\n', "; "), "Correct this entry");
            locate(entry_error, toml, &error.span().unwrap_or(0..0))
        })?;
        let mut tables = Vec::new();
        let mut names = UniqueNames { toml, lines: BTreeMap::new() };
        for entry in file.subject {
            tables.push(read_entry(toml, entry, subject_rule, |rule, span| names.add(&rule.name, span))?);
        }
        for entry in file.table {
            tables.push(read_entry(toml, entry, table_rule, |rule, span| names.add(&rule.name, span))?);
        }
        let mut ignored = Vec::new();
        for entry in file.ignore {
            ignored.push(read_entry(toml, entry, ignored_table, |table, span| names.add(&table.name, span))?);
        }
        if !tables.iter().any(|rule| rule.subject) {
            return Err(Error::Invalid {
                line: 1,
                table: None,
                message: "there is no [[subject]], so no user could be found".to_owned(),
                remedy: "Name the table that holds the users, and its key column with the Clerk user id".to_owned(),
            });
        }
        let text_digest = digest(&SHA256, toml.as_bytes()).as_ref().try_into().expect("SHA-256 gives 32 bytes");
        Ok(Self { tables, ignored, purposes: purposes(toml, file.purpose)?, text_digest })
    }

    /// Reads a map from a file.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let toml =
            std::fs::read_to_string(path).map_err(|source| Error::Unreadable { path: path.to_owned(), source })?;
        Self::parse(&toml)
    }
}

/// Converts an entry and adds its name; errors get the entry's line.
fn read_entry<Entry, Rule>(
    toml: &str,
    entry: Spanned<Entry>,
    convert: impl FnOnce(Entry) -> Result<Rule, EntryError>,
    add_name: impl FnOnce(&Rule, &Range<usize>) -> Result<(), Error>,
) -> Result<Rule, Error> {
    let span = entry.span();
    let rule = convert(entry.into_inner()).map_err(|error| locate(error, toml, &span))?;
    add_name(&rule, &span)?;
    Ok(rule)
}

/// The tables that have an entry, with the entry's line.
struct UniqueNames<'a> {
    toml: &'a str,
    lines: BTreeMap<String, usize>,
}

impl UniqueNames<'_> {
    fn add(&mut self, name: &str, span: &Range<usize>) -> Result<(), Error> {
        match self.lines.insert(name.to_owned(), line_number(self.toml, span.start)) {
            None => Ok(()),
            Some(first) => {
                let message = format!("this table already has an entry in line {first}");
                Err(locate(EntryError::new(message, "Remove one of the two"), self.toml, span))
            }
        }
    }
}

fn subject_rule(entry: SubjectEntry) -> Result<TableRule, EntryError> {
    let SubjectEntry { table, key, label, export, erase, reference } = entry;
    build_rule(table, label, Owner::Column(key), true, export, erase, reference)
}

fn table_rule(entry: TableEntry) -> Result<TableRule, EntryError> {
    let TableEntry { name, owner, label, export, erase, reference } = entry;
    let owner = match owner.split_once("->") {
        Some((column, table)) if !column.trim().is_empty() && !table.trim().is_empty() => {
            Owner::Path { column: column.trim().to_owned(), table: table.trim().to_owned() }
        }
        Some(_) => {
            return Err(EntryError::new(
                format!("`{owner}` isn't a path"),
                "Write a column of this table, `->` and the other table: \"post_id -> public.posts\"",
            ));
        }
        None => Owner::Column(owner),
    };
    build_rule(name, label, owner, false, export, erase, reference)
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
    Ok(TableRule { name, label, subject, owner, export: export_rule(export)?, erase: Erase::parse(erase)?, references })
}

fn export_rule(entry: KeywordOr<ExportEntry>) -> Result<ExportRule, EntryError> {
    const SYNTAX: &str =
        "Write \"all\", { only = [..] }, { except = [..], reason = \"..\" } or { none = true, reason = \"..\" }";
    match entry {
        KeywordOr::Keyword(keyword) if keyword == "all" => Ok(ExportRule::All),
        KeywordOr::Table(ExportEntry { only: Some(columns), except: None, none: None, reason: _ }) => {
            Ok(ExportRule::Only(columns))
        }
        KeywordOr::Table(ExportEntry { only: None, except: Some(columns), none: None, reason: Some(reason) }) => {
            Ok(ExportRule::Except { columns, reason: non_empty_reason(reason, "export")? })
        }
        KeywordOr::Table(ExportEntry { only: None, except: None, none: Some(true), reason: Some(reason) }) => {
            Ok(ExportRule::Nothing { reason: non_empty_reason(reason, "export")? })
        }
        KeywordOr::Keyword(keyword) if keyword == "none" => {
            Err(EntryError::new("export = \"none\" has no reason", SYNTAX))
        }
        KeywordOr::Table(ExportEntry { reason: None, .. }) => {
            Err(EntryError::new("what isn't exported needs a reason", SYNTAX))
        }
        KeywordOr::Keyword(_) | KeywordOr::Table(_) => Err(EntryError::new("this isn't an export rule", SYNTAX)),
    }
}

fn ignored_table(IgnoreEntry { name, reason }: IgnoreEntry) -> Result<IgnoredTable, EntryError> {
    Ok(IgnoredTable { name, reason: non_empty_reason(reason, "ignore")? })
}

fn purposes(toml: &str, entries: Vec<Spanned<Purpose>>) -> Result<Option<Purposes>, Error> {
    let Some(first) = entries.first() else { return Ok(None) };
    let span = first.span();
    let purposes = Purposes::new(entries.into_iter().map(Spanned::into_inner).collect());
    let purposes = purposes
        .map_err(|error| locate(EntryError::new(error.to_string(), "Correct this [[purpose]]"), toml, &span))?;
    Ok(Some(purposes))
}

fn locate(EntryError { message, remedy }: EntryError, toml: &str, span: &Range<usize>) -> Error {
    Error::Invalid { line: line_number(toml, span.start), table: enclosing_table(toml, span.start), message, remedy }
}

fn line_number(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

/// Returns the name in the entry around `offset`. Reads the text itself, as a file that isn't valid has no entries.
fn enclosing_table(text: &str, offset: usize) -> Option<String> {
    let starts_entry = |line: &str| {
        ["[[subject]]", "[[table]]", "[[ignore]]", "[[purpose]]"]
            .iter()
            .any(|header| line.trim_start().starts_with(header))
    };
    let lines: Vec<&str> = text.lines().collect();
    let current = (line_number(text, offset) - 1).min(lines.len().checked_sub(1)?);
    let start = (0..=current).rev().find(|index| starts_entry(lines[*index]))?;
    lines[start + 1..].iter().take_while(|line| !starts_entry(line)).find_map(|line| {
        let (key, value) = line.split_once('=')?;
        let is_name = matches!(key.trim(), "name" | "table");
        let value = value.trim().trim_start_matches('"');
        is_name.then(|| value.split('"').next().unwrap_or_default().to_owned())
    })
}
