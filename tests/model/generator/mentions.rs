//! Columns that name people in rows that aren't theirs, and get another value.

use std::collections::BTreeMap;

use super::random::Random;
use super::{Draft, forgets, values};
use crate::map::{Mention, MentionAction, NewValue, Path};
use crate::schema::{ForeignKey, Table};

pub(super) type Mentions = BTreeMap<String, Vec<Mention>>;

/// Chooses mentions that are overwritten. What else becomes of mentions depends on how long rows stay.
pub(super) fn choose(random: &mut Random, draft: &Draft) -> Mentions {
    let mut mentions = Mentions::new();
    if !draft.is_second {
        return mentions;
    }
    // A scrub of the same column doesn't find the rows again that a mention changed before if no key tells them apart, and fails.
    for table in draft.schema.tables.iter().filter(|table| table.has_row_key()) {
        let name = table.full_name();
        let user_ids = draft.user_ids[&name].iter().map(std::slice::from_ref);
        let keys = table.foreign_keys.iter().chain(&draft.links[&name]).map(|key| key.columns.as_slice());
        for columns in user_ids.chain(keys) {
            let Some(path) = path(random, draft, table, columns) else { continue };
            let is_free = !mentions
                .get(&name)
                .into_iter()
                .flatten()
                .any(|mention| columns.iter().any(|column| is_about(mention, column)));
            let options = new_values(random, draft, table, columns);
            if let Some(value) = options.into_iter().next().filter(|_| is_free && random.percent(50)) {
                let mut forget = forgets::payload(random, draft, table, 10);
                // A time that own rows are stamped with must stay, although `resolve` doesn't say so.
                forget.retain(|column, _| !table.column(column).kind.is_time());
                let mention =
                    Mention { columns: vec![path], export: None, action: MentionAction::Write(value), forget };
                mentions.entry(name.clone()).or_default().push(mention);
            }
        }
    }
    mentions
}

/// Brings mentions of which the same becomes into one entry.
pub(super) fn merged(mentions: &[Mention]) -> Vec<Mention> {
    let mut merged: Vec<Mention> = Vec::new();
    for mention in mentions {
        match merged
            .last_mut()
            .filter(|last| last.action == mention.action && last.forget.is_empty() && mention.forget.is_empty())
        {
            Some(last) => last.columns.extend(mention.columns.iter().cloned()),
            None => merged.push(mention.clone()),
        }
    }
    merged
}

/// Returns how the map names whom the columns lead to, or `None` where they may lead to several people, or own the row.
pub(super) fn path(random: &mut Random, draft: &Draft, table: &Table, columns: &[String]) -> Option<Path> {
    let name = table.full_name();
    if columns.iter().any(|column| draft.is_owner_column(&name, column)) {
        return None;
    }
    let is_key = |key: &&ForeignKey| key.columns == columns;
    if let Some(key) = table.foreign_keys.iter().chain(&draft.links[&name]).find(is_key) {
        let is_link = !table.foreign_keys.contains(key);
        if draft.is_shareable(&key.parent) {
            return None;
        }
        let target = if is_link || random.percent(50) { key.parent_columns.clone() } else { Vec::new() };
        let path = Path::To { columns: columns.to_vec(), table: key.parent.clone(), target };
        let is_short = columns.len() == 1 && !is_link && random.percent(50);
        return Some(if is_short { Path::column(&columns[0]) } else { path });
    }
    matches!(columns, [only] if draft.user_ids[&name].contains(only)).then(|| Path::column(&columns[0]))
}

/// Whether the column is one of the mention's.
pub(super) fn is_about(mention: &Mention, column: &str) -> bool {
    mention.columns.iter().flat_map(Path::own_columns).any(|name| name == column)
}

/// Returns what all of the columns may get.
fn new_values(random: &mut Random, draft: &Draft, table: &Table, columns: &[String]) -> Vec<NewValue> {
    if let [column] = columns {
        return values::options(random, draft, table, table.column(column));
    }
    let mut all = columns.iter().map(|column| values::options(random, draft, table, table.column(column)));
    if all.all(|options| options.contains(&NewValue::Null)) { vec![NewValue::Null] } else { Vec::new() }
}

/// Whether a mention cuts the reference in every row that stays.
pub(super) fn is_cut(mentions: &Mentions, table: &str, column: &str) -> bool {
    let mut mentions = mentions.get(table).into_iter().flatten();
    mentions.any(|mention| {
        matches!(mention.action, MentionAction::Write(NewValue::Null | NewValue::Ghost)) && is_about(mention, column)
    })
}
