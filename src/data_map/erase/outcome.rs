//! What became, or will become, of rows: the vocabulary of plan and receipt.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// What a deletion does with rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Outcome {
    /// They are deleted.
    Deleted,
    /// They stay, with columns set to NULL or overwritten.
    Scrubbed {
        /// The columns that lose their values.
        columns: Vec<String>,
        /// The columns that are set to the time of the deletion.
        stamped: Vec<String>,
        /// The columns that keep their values.
        #[serde(default)]
        left: Vec<String>,
        /// Whether all other columns keep theirs, too.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        left_rest: bool,
        /// Why they keep them.
        #[serde(default)]
        reason: Option<String>,
        /// When the rows are deleted; `None` if never.
        #[serde(default, skip_serializing_if = "Option::is_none", with = "time::serde::rfc3339::option")]
        until: Option<OffsetDateTime>,
    },
    /// They stay, with the time of the deletion in some columns.
    Stamped {
        /// The columns that are set to the time of the deletion.
        columns: Vec<String>,
        /// When they are deleted; `None` if never.
        #[serde(with = "time::serde::rfc3339::option")]
        purge_at: Option<OffsetDateTime>,
    },
    /// They stay as they are.
    #[serde(rename = "kept")]
    Retained {
        /// Why, and on what legal basis.
        reason: String,
        /// When they are deleted; `None` if never.
        #[serde(with = "time::serde::rfc3339::option")]
        until: Option<OffsetDateTime>,
    },
    /// The column that references a deleted row, or names the person, becomes NULL or gets another value.
    Detached,
    /// They stay with the others whose they are too. These columns, which lead to the person or are about them, get new
    /// values.
    Shared {
        /// The columns; none where the rows lead to the person through other rows alone.
        columns: Vec<String>,
    },
}

/// What a deletion means for the person whose rows they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// Nothing is left.
    Deleted,
    /// Hidden at once, and deleted at this time.
    DeletedLater(OffsetDateTime),
    /// Something stays: until this time, or for good.
    Retained(Option<OffsetDateTime>),
}

impl Outcome {
    /// Returns the same with other names for columns, where there are some.
    #[must_use]
    pub fn with_column_labels(&self, labels: &BTreeMap<String, String>) -> Self {
        let mut outcome = self.clone();
        let names: Vec<&mut Vec<String>> = match &mut outcome {
            Self::Scrubbed { columns, stamped, left, .. } => vec![columns, stamped, left],
            Self::Stamped { columns, .. } | Self::Shared { columns } => vec![columns],
            Self::Deleted | Self::Retained { .. } | Self::Detached => Vec::new(),
        };
        for name in names.into_iter().flatten() {
            if let Some(label) = labels.get(name) {
                name.clone_from(label);
            }
        }
        outcome
    }

    /// Returns what it means for the person. Rows of which any part stays count as retained.
    #[must_use]
    pub const fn disposition(&self) -> Disposition {
        match self {
            Self::Deleted => Disposition::Deleted,
            Self::Stamped { purge_at: Some(at), .. } => Disposition::DeletedLater(*at),
            Self::Retained { until, .. } | Self::Scrubbed { until, .. } => Disposition::Retained(*until),
            Self::Stamped { purge_at: None, .. } | Self::Detached | Self::Shared { .. } => Disposition::Retained(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Plans and results are stored as JSON, so their names must not change with a new version of Lethe.
    #[test]
    fn stored_outcomes_can_be_read() {
        let stored = [
            json!({"kind": "deleted"}),
            json!({"kind": "scrubbed", "columns": ["email"], "stamped": [], "left": ["plan"], "reason": "billing"}),
            json!({"kind": "stamped", "columns": ["deleted_at"], "purge_at": "2026-12-22T09:58:00Z"}),
            json!({"kind": "kept", "reason": "tax law", "until": null}),
            json!({"kind": "detached"}),
            json!({"kind": "shared", "columns": ["sender_id"]}),
            json!({"kind": "scrubbed", "columns": ["email"], "stamped": [], "left": [], "left_rest": true, "reason": "tax",
                "until": "2036-12-22T09:58:00Z"}),
        ];
        for outcome in stored {
            let read: Outcome = serde_json::from_value(outcome.clone()).unwrap();
            assert_eq!(serde_json::to_value(read).unwrap(), outcome);
        }
    }
}
