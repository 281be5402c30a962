//! Choices that the server doesn't have, stored in the browser. The key is the user's handle, so that two users of
//! one browser don't get each other's choices, and nothing there names a user.

use web_sys::Storage;

use super::state::{Choice, StoredChoices};
use crate::dto::UserHandle;
use crate::islands::browser::{local_storage, session_storage};

/// Which choices are stored, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DraftStore {
    /// Sent, and not saved. On this device, until they are.
    Failed,
    /// Ticked, and not sent. In this tab, for a reload of the page.
    Unsent,
}

impl DraftStore {
    fn storage(self) -> Option<Storage> {
        match self {
            Self::Failed => local_storage(),
            Self::Unsent => session_storage(),
        }
    }

    /// Returns what is stored for this user.
    pub(super) fn read(self, user: &UserHandle) -> Option<StoredChoices> {
        parse(&self.storage()?.get_item(&key(user)).ok()??)
    }

    /// Stores choices, and returns whether the browser did.
    pub(super) fn write(self, user: &UserHandle, choices: &StoredChoices) -> bool {
        self.storage().is_some_and(|storage| storage.set_item(&key(user), &to_text(choices)).is_ok())
    }

    /// Removes what is stored for this user.
    pub(super) fn remove(self, user: &UserHandle) {
        if let Some(storage) = self.storage() {
            let _ = storage.remove_item(&key(user));
        }
    }
}

fn key(user: &UserHandle) -> String {
    format!("lethe.{}", user.as_str())
}

/// One line for the revision, then one per choice: `marketing=1`.
fn to_text(stored: &StoredChoices) -> String {
    let mut text = stored.revision.clone();
    for choice in &stored.choices {
        text.push('\n');
        text.push_str(&choice.purpose);
        text.push_str(if choice.granted { "=1" } else { "=0" });
    }
    text
}

fn parse(text: &str) -> Option<StoredChoices> {
    let mut lines = text.lines();
    let revision = lines.next()?.to_owned();
    let choices = lines.map(|line| {
        let (purpose, granted) = line.rsplit_once('=')?;
        let granted = match granted {
            "1" => true,
            "0" => false,
            _ => return None,
        };
        Some(Choice { purpose: purpose.to_owned(), granted })
    });
    Some(StoredChoices { revision, choices: choices.collect::<Option<_>>()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_choices_are_parsed_from_their_text() {
        for revision in ["", "2026-11-22T09:58:00.123456Z"] {
            let stored = StoredChoices {
                revision: revision.to_owned(),
                choices: vec![
                    Choice { purpose: "marketing".to_owned(), granted: true },
                    Choice { purpose: "thirdParty".to_owned(), granted: false },
                ],
            };
            assert_eq!(parse(&to_text(&stored)), Some(stored));
        }
    }

    #[test]
    fn foreign_text_is_ignored() {
        assert_eq!(parse(""), None);
        assert_eq!(parse("r\nmarketing=maybe"), None);
        assert_eq!(parse("r\nmarketing"), None);
    }
}
