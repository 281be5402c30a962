//! Choices that the server doesn't have, stored in the browser. The key is the user's handle, so that two users of
//! one browser don't get each other's choices, and nothing there names a user.

use web_sys::Storage;

use super::state::{Choice, StoredChoices};
use crate::islands::browser::{self, local_storage, session_storage};

/// How long consent that couldn't be saved is remembered.
const CONSENT_LIFETIME_SECONDS: u64 = 24 * 60 * 60;

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

    /// Returns what is stored for this user. Consent that is older than a day is forgotten; a withdrawal isn't.
    pub(super) fn read(self, user: &str) -> Option<StoredChoices> {
        parse(&self.storage()?.get_item(&key(user)).ok()??, browser::now())
    }

    /// Stores choices, and returns whether the browser did.
    pub(super) fn write(self, user: &str, choices: &StoredChoices) -> bool {
        self.storage().is_some_and(|storage| storage.set_item(&key(user), &to_text(choices, browser::now())).is_ok())
    }

    /// Removes what is stored for this user.
    pub(super) fn remove(self, user: &str) {
        if let Some(storage) = self.storage() {
            let _ = storage.remove_item(&key(user));
        }
    }
}

fn key(user: &str) -> String {
    ["lethe.", user].concat()
}

/// One line for the revision and the time, then one per choice: `marketing=1`.
fn to_text(stored: &StoredChoices, now: u64) -> String {
    let mut text = format!("{} {now}", stored.revision);
    for choice in &stored.choices {
        text.push('\n');
        text.push_str(&choice.purpose);
        text.push_str(if choice.granted { "=1" } else { "=0" });
    }
    text
}

fn parse(text: &str, now: u64) -> Option<StoredChoices> {
    let mut lines = text.lines();
    let (revision, stored_at) = lines.next()?.split_once(' ')?;
    let is_old = now.saturating_sub(stored_at.parse().ok()?) > CONSENT_LIFETIME_SECONDS;
    let choices = lines.map(|line| {
        let (purpose, granted) = line.rsplit_once('=')?;
        let granted = match granted {
            "1" => true,
            "0" => false,
            _ => return None,
        };
        Some(Choice { purpose: purpose.to_owned(), granted })
    });
    let mut choices: Vec<Choice> = choices.collect::<Option<_>>()?;
    choices.retain(|choice| !(is_old && choice.granted));
    Some(StoredChoices { revision: revision.to_owned(), choices })
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
            assert_eq!(parse(&to_text(&stored, 5), 6), Some(stored));
        }
    }

    #[test]
    fn foreign_text_is_ignored() {
        for text in ["", "r", "r x\nmarketing=1", "r 5\nmarketing=maybe", "r 5\nmarketing"] {
            assert_eq!(parse(text, 6), None, "{text}");
        }
    }

    #[test]
    fn consent_is_forgotten_after_a_day_and_a_withdrawal_never() {
        let text = "r 5\nmarketing=1\nanalytics=0";
        let choices = |now: u64| parse(text, now).map(|stored| stored.choices.len());
        assert_eq!(choices(CONSENT_LIFETIME_SECONDS), Some(2));
        assert_eq!(choices(CONSENT_LIFETIME_SECONDS + 6), Some(1));
    }
}
