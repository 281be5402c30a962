//! What purposes were called, and how they were worded, when somebody decided on them.

use std::collections::HashMap;

use data_encoding::HEXLOWER;
use sqlx::PgConnection;

use crate::audit::{Activity, AuditEvent, ConsentChange};
use crate::purposes::Purposes;
use crate::{Lethe, Result};

/// Earlier texts, title and body, by key, version and hash of the purpose.
#[derive(Clone, Debug, Default)]
pub struct Titles(HashMap<(String, String, String), (String, String)>);

impl Titles {
    /// Returns the title that was shown when this decision was made. Entries of older versions don't have the hash;
    /// then it is the present title if the version is the same, and otherwise the key.
    #[must_use]
    pub fn find<'a>(&'a self, purposes: &'a Purposes, change: &'a ConsentChange) -> &'a str {
        if let Some((title, _)) = self.stored(change) {
            return title;
        }
        let present = purposes.find(&change.purpose).filter(|purpose| purpose.version == change.text);
        present.map_or(&change.purpose, |purpose| &purpose.title)
    }

    /// Returns the text that was shown when this decision was made, if it isn't the present one.
    #[must_use]
    pub fn earlier_text(&self, change: &ConsentChange) -> Option<&str> {
        self.stored(change).map(|(_, text)| text.as_str())
    }

    fn stored(&self, change: &ConsentChange) -> Option<&(String, String)> {
        self.0.get(&(change.purpose.clone(), change.text.clone(), change.hash.clone()?))
    }
}

/// Reads the titles that `entries` need and that aren't the present ones.
pub(crate) async fn titles(lethe: &Lethe, connection: &mut PgConnection, entries: &[Activity]) -> Result<Titles> {
    let changes = entries.iter().flat_map(|entry| match &entry.event {
        AuditEvent::ConsentChanged { changes, .. } => changes.as_slice(),
        _ => &[],
    });
    let is_present = |change: &&ConsentChange| {
        lethe.purposes.find(&change.purpose).is_some_and(|purpose| {
            let hash = HEXLOWER.encode(purpose.text_id().hash());
            purpose.version == change.text && change.hash.as_ref().is_none_or(|agreed| *agreed == hash)
        })
    };
    let purposes: Vec<String> =
        changes.filter(|change| !is_present(change)).map(|change| change.purpose.clone()).collect();
    if purposes.is_empty() {
        return Ok(Titles::default());
    }
    let rows = sqlx::query!(
        "select purpose, version, hash, title, body from lethe.purpose_text where purpose = any($1)",
        &purposes
    )
    .fetch_all(connection)
    .await?;
    let texts = rows.into_iter().filter_map(|row| {
        let is_present = lethe.purposes.find(&row.purpose).is_some_and(|purpose| {
            let text = purpose.text_id();
            text.version() == row.version && text.hash() == row.hash
        });
        (!is_present).then(|| ((row.purpose, row.version, HEXLOWER.encode(&row.hash)), (row.title, row.body)))
    });
    Ok(Titles(texts.collect()))
}
