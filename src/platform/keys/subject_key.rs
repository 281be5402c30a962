//! The key of one data subject, which seals what the audit log says about them.

use super::aead::{self, AssociatedData, Key};
use crate::ids::DataSubjectId;
use crate::platform::Random;

/// The first byte of a sealed entry.
const VERSION: u8 = 1;

/// The key of one data subject. Without it nobody reads the entries that it sealed. `Debug` doesn't show it.
#[derive(Clone)]
pub(crate) struct SubjectKey(pub(super) Key);

impl std::fmt::Debug for SubjectKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("SubjectKey(..)")
    }
}

/// The entry that a sealed content belongs to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EntryContext<'a> {
    pub(crate) subject: DataSubjectId,
    pub(crate) kind: &'a str,
    /// When it was recorded, in microseconds since the epoch.
    pub(crate) recorded_at: i64,
}

impl EntryContext<'_> {
    fn associated_data(&self) -> AssociatedData {
        let parts = [self.subject.0.as_bytes(), self.kind.as_bytes(), &self.recorded_at.to_be_bytes()];
        AssociatedData::new("audit_entry", &parts)
    }
}

impl SubjectKey {
    pub(crate) fn generate(random: &Random) -> Self {
        Self(random.bytes())
    }

    /// Encrypts the content of an entry.
    pub(crate) fn seal(&self, entry: EntryContext<'_>, content: &str, random: &Random) -> Vec<u8> {
        let sealed = aead::seal(&self.0, &entry.associated_data(), content.as_bytes(), random);
        [[VERSION].as_slice(), &sealed].concat()
    }

    /// Decrypts the content of an entry. One that was sealed with another key or for another entry is `None`.
    pub(crate) fn open(&self, entry: EntryContext<'_>, sealed: &[u8]) -> Option<String> {
        let (&VERSION, sealed) = sealed.split_first()? else { return None };
        String::from_utf8(aead::open(&self.0, &entry.associated_data(), sealed)?).ok()
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn entry_opens_only_where_it_was_sealed() {
        let random = Random::system();
        let key = SubjectKey::generate(&random);
        let entry =
            EntryContext { subject: DataSubjectId(Uuid::from_u128(1)), kind: "export.completed", recorded_at: 5 };
        let sealed = key.seal(entry, "{}", &random);
        assert_eq!(key.open(entry, &sealed).as_deref(), Some("{}"));
        for moved in [
            EntryContext { subject: DataSubjectId(Uuid::from_u128(2)), ..entry },
            EntryContext { kind: "export.requested", ..entry },
            EntryContext { recorded_at: 6, ..entry },
        ] {
            assert_eq!(key.open(moved, &sealed), None);
        }
        assert_eq!(SubjectKey::generate(&random).open(entry, &sealed), None);
        assert_eq!(key.open(entry, &[]), None);
        assert_eq!(format!("{key:?}"), "SubjectKey(..)");
    }
}
