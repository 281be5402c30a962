//! Decisions, and the state that results from them.

use std::fmt;
use std::sync::Arc;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{OffsetDateTime, UtcOffset};

use crate::purposes::Purpose;

/// A decision on one purpose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The purpose's key.
    pub purpose: String,
    /// Whether it is granted; otherwise it is refused or withdrawn.
    pub granted: bool,
}

/// The state of one purpose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PurposeState {
    /// The purpose.
    pub purpose: Arc<Purpose>,
    /// Whether it is on.
    pub granted: bool,
    /// When the person decided; `None` if they never did and the default applies.
    pub since: Option<OffsetDateTime>,
    /// When the person agreed to an earlier text. They haven't decided on the present one, so it is off.
    pub agreed_to_earlier_text: Option<OffsetDateTime>,
    /// Whether the browser's Global Privacy Control signal keeps it off, whatever was decided.
    pub locked: bool,
    /// Whether the newest decision on the present text refuses it.
    pub is_refused: bool,
}

/// The state of all purposes, in their order.
///
/// Serializes as `{"marketing": true, "analytics": false, …, "updatedAt": "2026-11-27T08:00:00.123456Z"}`,
/// with `null` for `updatedAt` if nothing was ever decided. That is the shape in Clerk's metadata and in
/// the HTTP interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsentState {
    /// One entry per purpose.
    pub purposes: Vec<PurposeState>,
    /// The time of the newest decision.
    pub updated_at: Option<OffsetDateTime>,
    /// Whether the browser's Global Privacy Control signal keeps a purpose off.
    pub gpc_applied: bool,
    /// Since when Clerk's copy is out of date, because Clerk can't be reached or refuses the change.
    pub mirror_delayed_since: Option<OffsetDateTime>,
}

impl ConsentState {
    /// Whether the purpose with this key is on.
    #[must_use]
    pub fn granted(&self, key: &str) -> bool {
        self.purposes.iter().any(|state| state.purpose.key == key && state.granted)
    }

    /// Whether the browser's signal keeps a purpose off and the ledger doesn't say so yet.
    #[must_use]
    pub fn has_unrecorded_signal(&self) -> bool {
        self.purposes.iter().any(|state| state.locked && !state.is_refused)
    }

    /// Returns the revision, which changes with every decision.
    #[must_use]
    pub fn revision(&self) -> Revision {
        let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:6]Z");
        let text = self.updated_at.and_then(|at| at.to_offset(UtcOffset::UTC).format(format).ok());
        Revision(text.unwrap_or_default())
    }
}

impl Serialize for ConsentState {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.purposes.len() + 1))?;
        for state in &self.purposes {
            map.serialize_entry(&state.purpose.key, &state.granted)?;
        }
        let updated_at = self.updated_at.and_then(|at| at.format(&Rfc3339).ok());
        map.serialize_entry("updatedAt", &updated_at)?;
        map.end()
    }
}

/// Identifies a [`ConsentState`], so that a form that was filled in on an older one is recognised. Opaque
/// to browsers; empty if nothing was ever decided.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Revision(String);

impl Revision {
    /// The text that a form carries.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for Revision {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use time::macros::datetime;

    use super::*;
    use crate::purposes::Purposes;
    use crate::purposes::tests::sample;

    fn state(updated_at: Option<OffsetDateTime>) -> ConsentState {
        let purposes = Purposes::new(sample()).unwrap();
        let purposes = purposes.iter().map(|purpose| PurposeState {
            purpose: purpose.clone(),
            granted: purpose.key == "analytics",
            since: updated_at,
            agreed_to_earlier_text: None,
            locked: false,
            is_refused: false,
        });
        ConsentState { purposes: purposes.collect(), updated_at, gpc_applied: false, mirror_delayed_since: None }
    }

    #[test]
    fn state_serializes_as_purposes_and_the_time_of_the_newest_decision() {
        let decided = serde_json::to_string(&state(Some(datetime!(2026-11-27 08:00:00.12 UTC)))).unwrap();
        assert_eq!(
            decided,
            r#"{"marketing":false,"analytics":true,"thirdParty":false,"updatedAt":"2026-11-27T08:00:00.12Z"}"#
        );
        assert_eq!(serde_json::to_value(state(None)).unwrap()["updatedAt"], json!(null));
    }

    #[test]
    fn revision_has_microseconds_in_utc_and_is_empty_before_the_first_decision() {
        let revision = state(Some(datetime!(2026-11-27 10:00:00.12 +02:00))).revision();
        assert_eq!(revision.as_str(), "2026-11-27T08:00:00.120000Z");
        assert_eq!(state(None).revision(), Revision::default());
    }
}
