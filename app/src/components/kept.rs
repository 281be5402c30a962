//! Choices that could not be saved, kept on the device. The place goes by the person's mark, a keyed
//! digest, so that two people at one browser don't get each other's choices and nothing tells who they are.

use super::browser::local_storage;

/// Choices, and the revision of the record on which they were made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Kept {
    pub(super) revision: String,
    pub(super) choices: Vec<(String, bool)>,
}

impl Kept {
    /// What is kept for the person with this mark, if anything.
    pub(super) fn read(person: &str) -> Option<Self> {
        Self::parse(&local_storage()?.get_item(&place(person)).ok()??)
    }

    /// Keeps it; `false` where the browser doesn't keep anything.
    pub(super) fn write(&self, person: &str) -> bool {
        local_storage().is_some_and(|storage| storage.set_item(&place(person), &self.to_text()).is_ok())
    }

    /// Forgets what is kept for the person with this mark.
    pub(super) fn forget(person: &str) {
        if let Some(storage) = local_storage() {
            let _ = storage.remove_item(&place(person));
        }
    }

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

fn place(person: &str) -> String {
    format!("lethe.{person}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_reads_back() {
        for revision in ["", "2026-11-22T09:58:00.123456Z"] {
            let kept = Kept {
                revision: revision.to_owned(),
                choices: vec![("marketing".to_owned(), true), ("thirdParty".to_owned(), false)],
            };
            assert_eq!(Kept::parse(&kept.to_text()), Some(kept));
        }
    }

    #[test]
    fn what_others_wrote_is_ignored() {
        assert_eq!(Kept::parse(""), None);
        assert_eq!(Kept::parse("r\nmarketing=maybe"), None);
        assert_eq!(Kept::parse("r\nmarketing"), None);
    }
}
