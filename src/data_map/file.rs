//! Reads a data map from TOML. Errors name line, table and remedy.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use ring::digest::{SHA256, digest};
use toml::Spanned;

use super::address::{AddressColumns, AddressKind};
use super::entry::{EntryError, KeywordOr, non_empty_reason};
use super::erase::{Erase, EraseEntry};
use super::error::Error;
use super::export_entry::export_rule;
use super::grammar::{
    ExportEntry, IgnoreEntry, MapFile, MentionEntry, OwnerEntry, ReferenceEntry, SubjectEntry, TableEntry,
};
use super::mention_entry;
use super::path::OwnerPath;
use super::rules::{DataMap, IgnoredTable, Owner, Reference, TableRule, default_label};
use super::value;
use super::version::Version;
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
            let add_names = |rules: &Vec<TableRule>, span: &Range<usize>| {
                rules.iter().try_for_each(|rule| names.add(&rule.name, span))
            };
            tables.extend(read_entry(toml, entry, table_rules, add_names)?);
        }
        let mut ignored = Vec::new();
        for entry in file.ignore {
            let add_names = |tables: &Vec<IgnoredTable>, span: &Range<usize>| {
                tables.iter().try_for_each(|table| names.add(&table.name, span))
            };
            ignored.extend(read_entry(toml, entry, ignored_tables, add_names)?);
        }
        let text_digest = digest(&SHA256, toml.as_bytes()).as_ref().try_into().expect("SHA-256 gives 32 bytes");
        let version = version(file.version)?;
        require_people(version, &tables)?;
        let (schemas, ghosts) = (file.scope.map(|scope| scope.schemas), file.ghost);
        let lines = names.lines;
        Ok(Self {
            version,
            schemas,
            ghosts,
            tables,
            ignored,
            lines,
            purposes: purposes(toml, file.purpose)?,
            text_digest,
        })
    }

    /// Reads a map from a file.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let toml =
            std::fs::read_to_string(path).map_err(|source| Error::Unreadable { path: path.to_owned(), source })?;
        Self::parse(&toml)
    }
}

/// Fails if no entry leads to anybody. Where a table has one row for each user, it is a subject; people can also exist at Clerk only,
/// and be found by columns with their ids alone.
fn require_people(version: Version, tables: &[TableRule]) -> Result<(), Error> {
    let has_user_id = |rule: &TableRule| {
        rule.owners.iter().any(|owner| matches!(owner.path, OwnerPath::Column(_) | OwnerPath::Address { .. }))
    };
    if tables.iter().any(|rule| rule.subject || version == Version::Second && has_user_id(rule)) {
        return Ok(());
    }
    Err(Error::Invalid {
        line: 1,
        table: None,
        message: "there is no [[subject]], so no user could be found".to_owned(),
        remedy: "Name the table that holds the users, and its key column with the Clerk user id".to_owned(),
    })
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

fn version(number: Option<u32>) -> Result<Version, Error> {
    match number {
        None | Some(1) => Ok(Version::First),
        Some(2) => Ok(Version::Second),
        Some(number) => Err(Error::Invalid {
            line: 1,
            table: None,
            message: format!("version {number} of the language is unknown"),
            remedy: "Write version = 2, or use a later version of Lethe".to_owned(),
        }),
    }
}

fn subject_rule(entry: SubjectEntry) -> Result<TableRule, EntryError> {
    let SubjectEntry {
        table,
        key,
        addresses,
        label,
        column_labels,
        changed_by_triggers,
        export,
        erase,
        reference,
        mention,
    } = entry;
    let owner = Owner { path: OwnerPath::Column(key), filter: BTreeMap::new(), forget: BTreeMap::new() };
    let rule = build_rule(table, label, vec![owner], true, export, erase, reference, mention)?;
    let changed_by_triggers = read_changed_by_triggers(changed_by_triggers)?;
    Ok(TableRule { column_labels, changed_by_triggers, addresses, ..rule })
}

/// One entry names several tables.
fn table_rules(entry: TableEntry) -> Result<Vec<TableRule>, EntryError> {
    let TableEntry { name, names, owner, label, column_labels, changed_by_triggers, export, erase, reference, mention } =
        entry;
    let names: Vec<String> = name.into_iter().chain(names).collect();
    let Some(first) = names.first() else {
        return Err(EntryError::new("the entry names no table", "Write name = \"public.posts\", or names = [..]"));
    };
    if owner.0.is_empty() {
        return Err(EntryError::new("the table has no owner", "Add an owner, or an [[ignore]] with a reason"));
    }
    let owners = owner.0.into_iter().map(read_owner).collect::<Result<_, _>>()?;
    let has_label = label.is_some();
    let rule = build_rule(first.clone(), label, owners, false, export, erase, reference, mention)?;
    let changed_by_triggers = read_changed_by_triggers(changed_by_triggers)?;
    let rule = TableRule { column_labels, changed_by_triggers, ..rule };
    let with_name = |name: String| {
        let label = if has_label { rule.label.clone() } else { default_label(&name) };
        TableRule { name, label, ..rule.clone() }
    };
    Ok(names.into_iter().map(with_name).collect())
}

fn read_changed_by_triggers(reason: Option<String>) -> Result<Option<String>, EntryError> {
    reason.map(|reason| non_empty_reason(reason, "changed_by_triggers")).transpose()
}

fn read_owner(OwnerEntry { path, email, phone, filter, forget }: OwnerEntry) -> Result<Owner, EntryError> {
    if let Some((column, _)) = filter.iter().find(|(_, values)| values.is_empty()) {
        let message = format!("`where` lists no value for {column}");
        return Err(EntryError::new(message, "List the values for which the path counts"));
    }
    let path = match (path, email, phone) {
        (Some(path), None, None) => OwnerPath::parse(&path)?,
        (None, Some(column), None) => OwnerPath::Address { column, kind: AddressKind::Email },
        (None, None, Some(column)) => OwnerPath::Address { column, kind: AddressKind::Phone },
        _ => {
            let message = "an owner is found in one way: by a path, an e-mail address or a phone number";
            return Err(EntryError::new(
                message,
                "Write { path = \"..\" }, { email = \"column\" } or { phone = \"column\" }",
            ));
        }
    };
    Ok(Owner { path, filter, forget: value::parse_values(forget)? })
}

#[expect(clippy::too_many_arguments, reason = "the parts of an entry, which is taken apart by the two callers above")]
fn build_rule(
    name: String,
    label: Option<String>,
    owners: Vec<Owner>,
    subject: bool,
    export: KeywordOr<ExportEntry>,
    erase: KeywordOr<EraseEntry>,
    references: Vec<ReferenceEntry>,
    mentions: Vec<MentionEntry>,
) -> Result<TableRule, EntryError> {
    let label = label.unwrap_or_else(|| default_label(&name));
    let references = references.into_iter().map(read_references).collect::<Result<Vec<_>, _>>()?.concat();
    let mentions = mentions.into_iter().map(mention_entry::read).collect::<Result<Vec<_>, _>>()?.concat();
    let (export, erase) = (export_rule(export)?, Erase::parse(erase)?);
    let column_labels = BTreeMap::new();
    let addresses = AddressColumns::default();
    let changed_by_triggers = None;
    Ok(TableRule {
        name,
        label,
        column_labels,
        changed_by_triggers,
        subject,
        addresses,
        owners,
        export,
        erase,
        references,
        mentions,
    })
}

/// One entry names several columns.
fn read_references(
    ReferenceEntry { column, columns, others, reason }: ReferenceEntry,
) -> Result<Vec<Reference>, EntryError> {
    let columns: Vec<String> = column.into_iter().chain(columns).collect();
    if columns.is_empty() {
        let remedy = "Write column = \"post_id\", or columns = [..]";
        return Err(EntryError::new("the reference names no column", remedy));
    }
    let reason = non_empty_reason(reason, "reference")?;
    Ok(columns.into_iter().map(|column| Reference { column, action: others, reason: reason.clone() }).collect())
}

fn ignored_tables(IgnoreEntry { name, names, reason }: IgnoreEntry) -> Result<Vec<IgnoredTable>, EntryError> {
    let names: Vec<String> = name.into_iter().chain(names).collect();
    if names.is_empty() {
        return Err(EntryError::new(
            "the entry names no table",
            "Write name = \"public.schema_migrations\", or names = [..]",
        ));
    }
    let reason = non_empty_reason(reason, "ignore")?;
    Ok(names.into_iter().map(|name| IgnoredTable { name, reason: reason.clone() }).collect())
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
        let is_name = matches!(key.trim(), "name" | "table" | "names");
        let value = value.trim().trim_start_matches('[').trim_start().trim_start_matches('"');
        is_name.then(|| value.split('"').next().unwrap_or_default().to_owned())
    })
}
