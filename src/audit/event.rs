//! The events of the audit log. Each variant is one kind of entry: its name is stored in the column
//! `kind`, its fields as JSON in the column `open` or, in entries about a person, in `sealed`.
//!
//! Stored entries can't be rewritten. So names and fields are only ever added, new fields with
//! `#[serde(default)]`. Fields stand in alphabetical order, as they are stored.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

/// Something that happened. Never holds personal data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "open")]
pub enum AuditEvent {
    /// A data subject changed consent decisions.
    #[serde(rename = "consent.changed")]
    ConsentChanged {
        /// The decisions that changed, one per purpose.
        changes: Vec<ConsentChange>,
        /// How the change was made.
        #[serde(flatten)]
        source: Source,
    },
    /// An export was started.
    #[serde(rename = "export.requested")]
    ExportRequested {},
    /// An export was read to its end.
    #[serde(rename = "export.completed")]
    ExportCompleted {
        /// The file's size.
        bytes: u64,
        /// Rows of the application's tables.
        rows: u64,
    },
    /// A deletion was requested.
    #[serde(rename = "deletion.requested")]
    DeletionRequested {
        /// Who requested it, for example `page` or `webhook`.
        origin: String,
        /// Hash of the plan.
        plan: String,
        /// The deletion request. In some entries of older versions it is a random id.
        request: Uuid,
    },
    /// A step of a deletion finished.
    #[serde(rename = "deletion.step_finished")]
    DeletionStepFinished {
        /// What the step did, for example how many rows it changed.
        detail: Value,
        /// The deletion request.
        request: Uuid,
        /// The step's name.
        step: String,
    },
    /// A step of a deletion keeps failing and was reported to the operators.
    #[serde(rename = "deletion.needs_attention")]
    DeletionNeedsAttention {
        /// The reason, one of a closed list of words.
        failure: String,
        /// The deletion request.
        request: Uuid,
        /// The step's name.
        step: String,
    },
    /// An operator made the next attempt of a deletion due at once.
    #[serde(rename = "deletion.retried")]
    DeletionRetried {
        /// The deletion request.
        request: Uuid,
    },
    /// An operator holds a deletion. Their reason isn't part of the entry.
    #[serde(rename = "deletion.held")]
    DeletionHeld {
        /// The deletion request.
        request: Uuid,
    },
    /// An operator lets a held deletion go on.
    #[serde(rename = "deletion.released")]
    DeletionReleased {
        /// The deletion request.
        request: Uuid,
    },
    /// Another plan replaced the one that the person had confirmed.
    #[serde(rename = "deletion.replanned")]
    DeletionReplanned {
        /// On whose word: `person`, `operator`, or `unreachable` if nobody could be asked.
        by: String,
        /// Hash of the new plan.
        plan: String,
        /// The deletion request.
        request: Uuid,
    },
    /// All steps of a deletion finished.
    #[serde(rename = "deletion.completed")]
    DeletionCompleted {
        /// The deletion request.
        request: Uuid,
    },
    /// After a deletion, its data was looked for again.
    #[serde(rename = "deletion.rechecked")]
    DeletionRechecked {
        /// The deletion request.
        request: Uuid,
        /// How many rows had been written late and were erased.
        rows: u64,
    },
    /// The mail server accepted the receipt of a deletion.
    #[serde(rename = "receipt.sent")]
    ReceiptSent {
        /// The deletion request.
        request: Uuid,
    },
    /// There is no mail server, so the receipt of a deletion was not sent.
    #[serde(rename = "receipt.not_sent")]
    ReceiptNotSent {
        /// The deletion request.
        request: Uuid,
    },
    /// The mail server permanently refused the receipt of a deletion.
    #[serde(rename = "receipt.undeliverable")]
    ReceiptUndeliverable {
        /// The deletion request.
        request: Uuid,
    },
    /// Rows were purged because their retention period ended.
    #[serde(rename = "retention.ended")]
    RetentionEnded {
        /// The deletion request that retained them.
        request: Uuid,
        /// How many rows were purged.
        rows: u64,
        /// The table, with its schema.
        table: String,
    },
    /// An operator discarded events of Clerk that waited because there were unusually many.
    #[serde(rename = "clerk_events.discarded")]
    ClerkEventsDiscarded {
        /// How many.
        events: u64,
    },
    /// A webhook delivery was processed.
    #[serde(rename = "webhook.received")]
    WebhookReceived {
        /// The delivery's id.
        delivery: String,
        /// Clerk's name of the event, for example `user.deleted`.
        event: String,
        /// The deletion request that it led to.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        request: Option<Uuid>,
    },
    /// An operator decided not to replay tombstones that the database lacks since it was restored.
    #[serde(rename = "restore.waived")]
    RestoreWaived {
        /// How many.
        tombstones: u64,
    },
    /// An entry that this version can't interpret; a newer one wrote it.
    #[serde(skip)]
    Unknown {
        /// The column `kind`.
        kind: String,
    },
}

/// A changed decision on one purpose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsentChange {
    /// Whether it was granted; otherwise it was refused or withdrawn.
    pub granted: bool,
    /// The SHA-256 hash of the text that was shown, in hexadecimal. Entries of older versions have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
    /// The purpose's key.
    pub purpose: String,
    /// The version of the text that was shown.
    pub text: String,
}

/// How a decision on consent was made. Written as the field `source`, beside it `actor` where somebody else acted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "source", rename_all = "snake_case")]
pub enum Source {
    /// The preference page.
    Page,
    /// The HTTP interface.
    Api,
    /// The browser's Global Privacy Control signal.
    #[serde(rename = "signal")]
    Gpc,
    /// Somebody who was signed in on the person's behalf. Such a session withdraws consent and never gives it.
    OnBehalf {
        /// Who that was. Entries of older versions don't say it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        actor: Option<Actor>,
    },
}

/// Somebody who acts for a user, as the claim `act` of the session token names them (RFC 8693, section 4.1).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// Who issued the id. Clerk names its dashboard here, whose users aren't the application's.
    #[serde(rename = "iss", default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// The actor's id. `None` if the token has none.
    #[serde(rename = "sub", default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

impl Source {
    /// The name in the database.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Page => "page",
            Self::Api => "api",
            Self::Gpc => "signal",
            Self::OnBehalf { .. } => "on_behalf",
        }
    }
}

impl AuditEvent {
    /// Reads an entry from its kind and its fields. What this version can't interpret is [`AuditEvent::Unknown`].
    #[must_use]
    pub fn from_columns(kind: String, open: &Value) -> Self {
        let tagged = json!({"kind": kind, "open": open});
        serde_json::from_value(tagged).unwrap_or(Self::Unknown { kind })
    }

    /// Returns the column `kind`, and the fields as JSON.
    pub(super) fn into_columns(self) -> (String, String) {
        let mut tagged = match self {
            Self::Unknown { kind } => json!({"kind": kind, "open": {}}),
            event => serde_json::to_value(event).expect("an event holds nothing that JSON can't"),
        };
        let open = tagged["open"].take().to_string();
        (tagged["kind"].as_str().unwrap_or_default().to_owned(), open)
    }

    /// The event's fields as they are stored: an object.
    #[must_use]
    pub fn fields(&self) -> Value {
        serde_json::from_str(&self.clone().into_columns().1).unwrap_or_default()
    }

    /// The event's name, `noun.verb`, for example `consent.changed`.
    #[must_use]
    pub fn kind(&self) -> Cow<'_, str> {
        match self {
            Self::Unknown { kind } => Cow::Borrowed(kind),
            event => Cow::Owned(event.clone().into_columns().0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every kind with its columns as they have been stored since the first version.
    fn stored() -> Vec<(AuditEvent, &'static str, String)> {
        let request = Uuid::from_u128(7);
        let change = |granted, purpose: &str| ConsentChange {
            granted,
            hash: None,
            purpose: purpose.to_owned(),
            text: "2026-11-01".to_owned(),
        };
        let id = "00000000-0000-0000-0000-000000000007";
        vec![
            (
                AuditEvent::ConsentChanged {
                    changes: vec![change(true, "marketing"), change(false, "thirdParty")],
                    source: Source::Gpc,
                },
                "consent.changed",
                r#"{"changes":[{"granted":true,"purpose":"marketing","text":"2026-11-01"},{"granted":false,"purpose":"thirdParty","text":"2026-11-01"}],"source":"signal"}"#.to_owned(),
            ),
            (AuditEvent::ExportRequested {}, "export.requested", "{}".to_owned()),
            (
                AuditEvent::ExportCompleted { bytes: 2_048, rows: 12 },
                "export.completed",
                r#"{"bytes":2048,"rows":12}"#.to_owned(),
            ),
            (
                AuditEvent::DeletionRequested { origin: "page".to_owned(), plan: "ab".to_owned(), request },
                "deletion.requested",
                format!(r#"{{"origin":"page","plan":"ab","request":"{id}"}}"#),
            ),
            (
                AuditEvent::DeletionStepFinished { detail: json!({"rows": 3}), request, step: "erase".to_owned() },
                "deletion.step_finished",
                format!(r#"{{"detail":{{"rows":3}},"request":"{id}","step":"erase"}}"#),
            ),
            (
                AuditEvent::DeletionNeedsAttention {
                    failure: "clerk_failed".to_owned(),
                    request,
                    step: "clerk_user".to_owned(),
                },
                "deletion.needs_attention",
                format!(r#"{{"failure":"clerk_failed","request":"{id}","step":"clerk_user"}}"#),
            ),
            (AuditEvent::DeletionRetried { request }, "deletion.retried", format!(r#"{{"request":"{id}"}}"#)),
            (AuditEvent::DeletionHeld { request }, "deletion.held", format!(r#"{{"request":"{id}"}}"#)),
            (AuditEvent::DeletionReleased { request }, "deletion.released", format!(r#"{{"request":"{id}"}}"#)),
            (
                AuditEvent::DeletionReplanned { by: "person".to_owned(), plan: "ab".to_owned(), request },
                "deletion.replanned",
                format!(r#"{{"by":"person","plan":"ab","request":"{id}"}}"#),
            ),
            (AuditEvent::DeletionCompleted { request }, "deletion.completed", format!(r#"{{"request":"{id}"}}"#)),
            (
                AuditEvent::DeletionRechecked { request, rows: 1 },
                "deletion.rechecked",
                format!(r#"{{"request":"{id}","rows":1}}"#),
            ),
            (AuditEvent::ReceiptSent { request }, "receipt.sent", format!(r#"{{"request":"{id}"}}"#)),
            (AuditEvent::ReceiptNotSent { request }, "receipt.not_sent", format!(r#"{{"request":"{id}"}}"#)),
            (
                AuditEvent::ReceiptUndeliverable { request },
                "receipt.undeliverable",
                format!(r#"{{"request":"{id}"}}"#),
            ),
            (
                AuditEvent::RetentionEnded { request, rows: 4, table: "public.datasets".to_owned() },
                "retention.ended",
                format!(r#"{{"request":"{id}","rows":4,"table":"public.datasets"}}"#),
            ),
            (AuditEvent::ClerkEventsDiscarded { events: 2 }, "clerk_events.discarded", r#"{"events":2}"#.to_owned()),
            (
                AuditEvent::WebhookReceived {
                    delivery: "msg_1".to_owned(),
                    event: "session.ended".to_owned(),
                    request: None,
                },
                "webhook.received",
                r#"{"delivery":"msg_1","event":"session.ended"}"#.to_owned(),
            ),
            (
                AuditEvent::WebhookReceived {
                    delivery: "msg_2".to_owned(),
                    event: "user.deleted".to_owned(),
                    request: Some(request),
                },
                "webhook.received",
                format!(r#"{{"delivery":"msg_2","event":"user.deleted","request":"{id}"}}"#),
            ),
            (AuditEvent::RestoreWaived { tombstones: 3 }, "restore.waived", r#"{"tombstones":3}"#.to_owned()),
        ]
    }

    #[test]
    fn events_are_stored_and_read_byte_for_byte() {
        for (event, kind, open) in stored() {
            assert_eq!(event.kind(), kind);
            assert_eq!(event.clone().into_columns(), (kind.to_owned(), open.clone()));
            assert_eq!(AuditEvent::from_columns(kind.to_owned(), &serde_json::from_str(&open).unwrap()), event);
        }
    }

    #[test]
    fn actor_stands_beside_the_source() {
        let entry = |actor| AuditEvent::ConsentChanged { changes: Vec::new(), source: Source::OnBehalf { actor } };
        let support =
            Actor { issuer: Some("https://dashboard.clerk.com".to_owned()), id: Some("user_support".to_owned()) };
        for (event, open) in [
            (entry(None), r#"{"changes":[],"source":"on_behalf"}"#),
            (
                entry(Some(support)),
                r#"{"actor":{"iss":"https://dashboard.clerk.com","sub":"user_support"},"changes":[],"source":"on_behalf"}"#,
            ),
        ] {
            assert_eq!(event.clone().into_columns().1, open);
            let read = AuditEvent::from_columns("consent.changed".to_owned(), &serde_json::from_str(open).unwrap());
            assert_eq!(read, event);
        }
    }

    #[test]
    fn unknown_kinds_and_fields_are_tolerated() {
        let unknown = AuditEvent::from_columns("archive.rotated".to_owned(), &json!({"a": 1}));
        assert_eq!(unknown, AuditEvent::Unknown { kind: "archive.rotated".to_owned() });
        assert_eq!(unknown.kind(), "archive.rotated");
        let unreadable = AuditEvent::from_columns("export.completed".to_owned(), &json!({"rows": "many"}));
        assert_eq!(unreadable, AuditEvent::Unknown { kind: "export.completed".to_owned() });
        let newer =
            AuditEvent::from_columns("export.completed".to_owned(), &json!({"bytes": 1, "rows": 2, "files": 3}));
        assert_eq!(newer, AuditEvent::ExportCompleted { bytes: 1, rows: 2 });
    }

    #[test]
    fn source_is_written_alike_in_json_and_in_the_ledger() {
        for source in [Source::Page, Source::Api, Source::Gpc, Source::OnBehalf { actor: None }] {
            assert_eq!(serde_json::to_value(&source).unwrap(), json!({"source": source.as_str()}));
        }
    }
}
