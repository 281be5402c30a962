//! Reads the entries for columns that name somebody in rows that aren't theirs.

use super::entry::{EntryError, KeywordOr, non_empty_reason};
use super::export_entry::export_rule;
use super::grammar::{MentionEntry, MentionEraseEntry};
use super::path::OwnerPath;
use super::rules::{ExportRule, Mention, MentionAction};
use super::value::{self, NewValue};

/// One entry names several columns.
pub(super) fn read(
    MentionEntry { columns, export, erase, forget, reason }: MentionEntry,
) -> Result<Vec<Mention>, EntryError> {
    const SYNTAX: &str = "Write \"null\", \"ghost\", \"unique\", \"neutral\", { value = \"..\" }, \"delete\", \"none\" or { keep = \"reason\" }";
    if columns.is_empty() {
        return Err(EntryError::new("the mention names no column", "Name the columns that lead to somebody"));
    }
    reason.map(|reason| non_empty_reason(reason, "mention")).transpose()?;
    let action = match erase {
        KeywordOr::Keyword(keyword) if keyword == "delete" => MentionAction::Delete,
        KeywordOr::Keyword(keyword) if keyword == "none" => MentionAction::Forbid,
        KeywordOr::Keyword(keyword) => MentionAction::Overwrite(
            NewValue::parse_keyword(&keyword).map_err(|EntryError { message, .. }| EntryError::new(message, SYNTAX))?,
        ),
        KeywordOr::Table(MentionEraseEntry { value: Some(value), unique: None, keep: None }) => {
            MentionAction::Overwrite(NewValue::Value(value))
        }
        KeywordOr::Table(MentionEraseEntry { value: None, unique: Some(template), keep: None }) => {
            MentionAction::Overwrite(NewValue::parse_template(template)?)
        }
        KeywordOr::Table(MentionEraseEntry { value: None, unique: None, keep: Some(reason) }) => {
            MentionAction::Keep { reason: non_empty_reason(reason, "keep")? }
        }
        KeywordOr::Table(_) => return Err(EntryError::new("this isn't what can happen to a mention", SYNTAX)),
    };
    let export = export.map(export_rule).transpose()?;
    if matches!(export, Some(ExportRule::Nothing { .. })) {
        return Err(EntryError::new("a mention is in no export without `export`", "Remove `export` from the mention"));
    }
    let forget = value::parse_values(forget)?;
    if !forget.is_empty() && !matches!(action, MentionAction::Overwrite(_)) {
        return Err(EntryError::new(
            "`forget` needs a mention that is overwritten",
            "Write erase = \"null\", for example",
        ));
    }
    if !forget.is_empty() && columns.len() > 1 {
        let message =
            "`forget` names columns about somebody, and the mention has several columns that may name different users";
        return Err(EntryError::new(message, "Write one [[table.mention]] for each column"));
    }
    let read = |column: String| {
        let path = OwnerPath::parse(&column)?;
        Ok(Mention { path, export: export.clone(), action: action.clone(), forget: forget.clone() })
    };
    columns.into_iter().map(read).collect()
}
