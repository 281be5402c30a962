//! The append-only ledger of decisions: reading the newest ones, and adding some.

use std::collections::HashMap;
use std::sync::Arc;

use data_encoding::HEXLOWER;
use sqlx::PgConnection;
use time::{Duration, OffsetDateTime};

use super::state::{ConsentState, PurposeState};
use super::texts::ChoiceOnText;
use crate::audit::{self, AuditEvent, ConsentChange, Source};
use crate::purposes::{Purpose, Purposes, TextId};
use crate::subject::{DataSubject, StoredSubject};
use crate::{ClerkUserId, DataSubjectId, Error, Lethe, Result};

/// A person's newest decision on one purpose.
pub(super) struct Decision {
    granted: bool,
    at: OffsetDateTime,
    /// The text that was shown.
    text: TextId,
}

impl Decision {
    /// Whether it was made on the purpose's present text. A decision on another text is none on this one (GDPR 4(11)).
    fn is_on(&self, purpose: &Purpose) -> bool {
        self.text == purpose.text_id()
    }
}

/// A person's newest decisions, by the key of the purpose.
#[derive(Default)]
pub(super) struct Decisions(HashMap<String, Decision>);

/// A decision that differs from the newest one.
pub(super) struct Change {
    purpose: Arc<Purpose>,
    pub(super) granted: bool,
    /// The text that was shown.
    text: TextId,
}

impl Decisions {
    /// Returns the state that results from the decisions. With `gpc`, purposes that the signal concerns
    /// are off.
    pub(super) fn state(&self, purposes: &Purposes, gpc: bool) -> ConsentState {
        let state = |purpose: &Arc<Purpose>| {
            let newest = self.0.get(&purpose.key);
            let decision = newest.filter(|decision| decision.is_on(purpose));
            let earlier = newest.filter(|decision| !decision.is_on(purpose));
            let locked = gpc && purpose.opt_out_signal;
            // A refusal outlives a new text: nothing starts granted that the person had turned off.
            let default = purpose.default_granted && earlier.is_none_or(|decision| decision.granted);
            PurposeState {
                purpose: purpose.clone(),
                granted: decision.map_or(default, |decision| decision.granted) && !locked,
                since: decision.map(|decision| decision.at),
                is_refused: decision.is_some_and(|decision| !decision.granted),
                agreed_to_earlier_text: earlier.filter(|decision| decision.granted).map(|decision| decision.at),
                locked,
            }
        };
        let is_known = |key: &String| purposes.find(key).is_some();
        let updated_at = self.0.iter().filter(|(key, _)| is_known(key)).map(|(_, decision)| decision.at).max();
        let purposes: Vec<_> = purposes.iter().map(state).collect();
        ConsentState {
            updated_at,
            gpc_applied: purposes.iter().any(|state| state.locked),
            mirror_delayed_since: None,
            purposes,
        }
    }

    /// Returns which of `choices` differ from the decisions. With `gpc`, nobody is opted in against the
    /// signal.
    pub(super) fn changes(&self, choices: Vec<ChoiceOnText>, gpc: bool) -> Vec<Change> {
        let mut changes: Vec<Change> = Vec::new();
        for ChoiceOnText { purpose, granted, text } in choices {
            let granted = granted && !(gpc && purpose.opt_out_signal);
            changes.retain(|change| change.purpose.key != purpose.key);
            let is_present = text == purpose.text_id();
            // A refusal on an earlier text says nothing new about a purpose that is refused already.
            let is_decided = |decision: &Decision| {
                decision.granted == granted && (decision.text == text || !is_present && decision.is_on(&purpose))
            };
            if !self.0.get(&purpose.key).is_some_and(is_decided) {
                changes.push(Change { purpose, granted, text });
            }
        }
        changes
    }

    /// Whether nothing was ever decided.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Applies `changes` as decisions of the time `at`.
    pub(super) fn apply(&mut self, changes: Vec<Change>, at: OffsetDateTime) {
        for Change { purpose, granted, text } in changes {
            self.0.insert(purpose.key.clone(), Decision { granted, at, text });
        }
    }

    /// Returns the time of the next decision: now, but later than all before it even if the clock went back,
    /// so that the revision changes with each.
    pub(super) fn next_time(&self, now: OffsetDateTime) -> OffsetDateTime {
        let newest = self.0.values().map(|decision| decision.at).max();
        newest.map_or(now, |newest| now.max(newest + Duration::MICROSECOND))
    }
}

/// What one query returns about a person.
#[derive(Default)]
pub(super) struct StoredConsent {
    /// `None` if the person has no row yet.
    pub(super) subject: Option<StoredSubject>,
    pub(super) decisions: Decisions,
    pub(super) mirror_delayed_since: Option<OffsetDateTime>,
}

impl StoredConsent {
    pub(super) fn state(&self, purposes: &Purposes, gpc: bool) -> ConsentState {
        ConsentState { mirror_delayed_since: self.mirror_delayed_since, ..self.decisions.state(purposes, gpc) }
    }
}

/// Reads the newest decisions of `subject`.
pub(super) async fn load(lethe: &Lethe, connection: &mut PgConnection, subject: &ClerkUserId) -> Result<StoredConsent> {
    let rows = sqlx::query!(
        r#"select person.id, person.wrapped_key, person.mirror_delayed_since, purpose.key as "purpose?",
            entry.granted as "granted?", entry.recorded_at as "recorded_at?",
            entry.text_version as "text_version?", entry.text_hash as "text_hash?"
        from lethe.data_subject person
        cross join unnest($2::text[]) as purpose (key)
        left join lateral (
            select granted, recorded_at, text_version, text_hash from lethe.consent_entry
            where subject_id = person.id and purpose = purpose.key order by id desc limit 1
        ) entry on true
        where person.clerk_id = $1"#,
        subject.as_str(),
        lethe.purposes.keys(),
    )
    .fetch_all(connection)
    .await?;
    let mut stored = StoredConsent::default();
    for row in rows {
        stored.mirror_delayed_since = row.mirror_delayed_since;
        stored.subject = Some(StoredSubject { id: DataSubjectId(row.id), wrapped_key: row.wrapped_key });
        if let (Some(purpose), Some(granted), Some(at), Some(version), Some(hash)) =
            (row.purpose, row.granted, row.recorded_at, row.text_version, row.text_hash)
        {
            stored.decisions.0.insert(purpose, Decision { granted, at, text: text_id(hash, version)? });
        }
    }
    Ok(stored)
}

/// What the mirror writes to Clerk.
pub(super) struct Snapshot {
    pub(super) clerk_id: String,
    /// The entries that it is made of, by which another snapshot is recognised. Not only the greatest: entries aren't always
    /// committed in the order of their numbers.
    pub(super) entries: Vec<i64>,
    pub(super) state: ConsentState,
    /// Purposes that are no more.
    pub(super) removed: Vec<String>,
}

/// Reads what the mirror writes, or `None` if the person was erased.
pub(super) async fn snapshot(lethe: &Lethe, subject: DataSubjectId) -> Result<Option<Snapshot>> {
    let rows = sqlx::query!(
        r#"select person.clerk_id, purpose.key as "purpose?", entry.id as "id?",
            entry.granted as "granted?", entry.recorded_at as "recorded_at?",
            entry.text_version as "text_version?", entry.text_hash as "text_hash?"
        from lethe.data_subject person
        cross join unnest($2::text[]) as purpose (key)
        left join lateral (
            select id, granted, recorded_at, text_version, text_hash from lethe.consent_entry
            where subject_id = person.id and purpose = purpose.key order by id desc limit 1
        ) entry on true
        where person.id = $1"#,
        subject.0,
        lethe.purposes.keys(),
    )
    .fetch_all(&lethe.database)
    .await?;
    let Some(clerk_id) = rows.first().map(|row| row.clerk_id.clone()) else { return Ok(None) };
    let mut entries: Vec<i64> = rows.iter().filter_map(|row| row.id).collect();
    entries.sort_unstable();
    let mut decisions = HashMap::new();
    for row in rows {
        if let (Some(purpose), Some(granted), Some(at), Some(version), Some(hash)) =
            (row.purpose, row.granted, row.recorded_at, row.text_version, row.text_hash)
        {
            decisions.insert(purpose, Decision { granted, at, text: text_id(hash, version)? });
        }
    }
    let removed = removed_purposes(lethe, &mut *lethe.database.acquire().await?).await?;
    Ok(Some(Snapshot { clerk_id, entries, state: Decisions(decisions).state(&lethe.purposes, false), removed }))
}

fn text_id(hash: Vec<u8>, version: String) -> Result<TextId> {
    TextId::from_columns(hash, version).ok_or(Error::Internal("a hash in the ledger hasn't 32 bytes"))
}

/// Returns the keys of purposes that the data map had once and has no more.
pub(super) async fn removed_purposes(lethe: &Lethe, connection: &mut PgConnection) -> Result<Vec<String>> {
    Ok(sqlx::query_scalar!(
        "select distinct purpose from lethe.purpose_text where not purpose = any($1) order by purpose",
        lethe.purposes.keys(),
    )
    .fetch_all(connection)
    .await?)
}

/// Writes ledger entries and the audit entry in one statement. Returns whether a job for the mirror must be
/// enqueued: it must unless one is waiting already.
pub(super) async fn append(
    lethe: &Lethe,
    connection: &mut PgConnection,
    subject: &DataSubject,
    changes: &[Change],
    source: Source,
    at: OffsetDateTime,
) -> Result<bool> {
    let change = |change: &Change| ConsentChange {
        granted: change.granted,
        hash: Some(HEXLOWER.encode(change.text.hash())),
        purpose: change.purpose.key.clone(),
        text: change.text.version().to_owned(),
    };
    let source_name = source.as_str();
    let event = AuditEvent::ConsentChanged { changes: changes.iter().map(change).collect(), source };
    let entry = audit::prepare(lethe, Some(subject), event);
    let purposes: Vec<String> = changes.iter().map(|change| change.purpose.key.clone()).collect();
    let granted: Vec<bool> = changes.iter().map(|change| change.granted).collect();
    let versions: Vec<String> = changes.iter().map(|change| change.text.version().to_owned()).collect();
    let hashes: Vec<Vec<u8>> = changes.iter().map(|change| change.text.hash().to_vec()).collect();
    // An earlier text is stored already.
    let is_present = |change: &Change| change.text == change.purpose.text_id();
    let titles: Vec<_> =
        changes.iter().map(|change| is_present(change).then(|| change.purpose.title.clone())).collect();
    let texts: Vec<_> = changes.iter().map(|change| is_present(change).then(|| change.purpose.text.clone())).collect();
    let mirror_needed = sqlx::query_scalar!(
        r#"with ledger as (
            insert into lethe.consent_entry (subject_id, purpose, granted, text_version, text_hash, source, recorded_at)
            select $1, change.*, $6, $7 from unnest($2::text[], $3::boolean[], $4::text[], $5::bytea[]) as change
        ), entry as (
            insert into lethe.audit_entry (kind, subject_id, open, sealed, recorded_at, digest)
            values ($8, $1, $9::text::json, $14, $10, $11) returning id
        ), texts as (
            insert into lethe.purpose_text (purpose, version, hash, title, body, recorded_at)
            select text.*, $7 from unnest($2::text[], $4::text[], $5::bytea[], $12::text[], $13::text[])
                as text (purpose, version, hash, title, body)
            where title is not null
            on conflict do nothing
        ), pending as (
            insert into lethe.audit_pending (entry_id) select id from entry
        )
        insert into lethe.consent_mirror (subject_id, wanted_at) values ($1, $7)
        on conflict on constraint consent_mirror_pkey do update set wanted_at = excluded.wanted_at
        returning (xmax = 0) as "new!""#,
        subject.id.0,
        &purposes,
        &granted,
        &versions,
        &hashes,
        source_name,
        at,
        entry.kind,
        entry.open,
        entry.recorded_at,
        &entry.digest,
        &titles as &[Option<String>],
        &texts as &[Option<String>],
        entry.sealed,
    )
    .fetch_one(connection)
    .await?;
    Ok(mirror_needed)
}
