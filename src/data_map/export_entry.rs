//! Reads what of a row is exported.

use super::entry::{EntryError, KeywordOr, non_empty_reason};
use super::grammar::ExportEntry;
use super::rules::ExportRule;

pub(super) fn export_rule(entry: KeywordOr<ExportEntry>) -> Result<ExportRule, EntryError> {
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
