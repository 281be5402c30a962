//! Choices that the server doesn't have, kept in the browser. The place goes by the person's mark, a keyed
//! digest, so that two people at one browser don't get each other's choices and nothing tells who they are.

use web_sys::Storage;

use super::browser::{local_storage, session_storage};

/// Where choices are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DraftStore {
    /// Sent, and not saved. Kept on the device until it is.
    Failed,
    /// Ticked, and not sent. Kept in this tab, for when the page is loaded again.
    Unsent,
}

impl DraftStore {
    fn storage(self) -> Option<Storage> {
        match self {
            Self::Failed => local_storage(),
            Self::Unsent => session_storage(),
        }
    }

    /// What is kept for the person with this mark, if anything.
    pub(super) fn read(self, user_handle: &str) -> Option<StoredChoices> {
        StoredChoices::parse(&self.storage()?.get_item(&storage_key(user_handle)).ok()??)
    }

    /// Keeps it; `false` where the browser doesn't keep anything.
    pub(super) fn write(self, user_handle: &str, choices: &StoredChoices) -> bool {
        self.storage().is_some_and(|storage| storage.set_item(&storage_key(user_handle), &choices.to_text()).is_ok())
    }

    /// Forgets what is kept for the person with this mark.
    pub(super) fn remove(self, user_handle: &str) {
        if let Some(storage) = self.storage() {
            let _ = storage.remove_item(&storage_key(user_handle));
        }
    }
}

/// Choices, and the revision of the record on which they were made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct StoredChoices {
    pub(super) revision: String,
    pub(super) choices: Vec<(String, bool)>,
}

impl StoredChoices {
    /// One line for the revision, then one a choice.
    fn to_text(&self) -> String {
        let mut text = self.revision.clone();
        for (purpose, granted) in &self.choices {
            text.push('\n');
            text.push_str(purpose);
            text.push_str(if *granted { "=1" } else { "=0" });
        }
        text
    }

    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let revision = lines.next()?.to_owned();
        let choices = lines
            .map(|line| match line.rsplit_once('=')? {
                (purpose, "1") => Some((purpose.to_owned(), true)),
                (purpose, "0") => Some((purpose.to_owned(), false)),
                _ => None,
            })
            .collect::<Option<Vec<_>>>()?;
        Some(Self { revision, choices })
    }
}

fn storage_key(user_handle: &str) -> String {
    format!("lethe.{user_handle}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_reads_back() {
        for revision in ["", "2026-11-22T09:58:00.123456Z"] {
            let stored = StoredChoices {
                revision: revision.to_owned(),
                choices: vec![("marketing".to_owned(), true), ("thirdParty".to_owned(), false)],
            };
            assert_eq!(StoredChoices::parse(&stored.to_text()), Some(stored));
        }
    }

    #[test]
    fn what_others_wrote_is_ignored() {
        assert_eq!(StoredChoices::parse(""), None);
        assert_eq!(StoredChoices::parse("r\nmarketing=maybe"), None);
        assert_eq!(StoredChoices::parse("r\nmarketing"), None);
    }
}
