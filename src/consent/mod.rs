//! Consent: the catalogue of purposes, the append-only ledger, the current view.
//!
//! Postgres is the truth, Clerk's `public_metadata.consent` its mirror ([`mirror`]). Nothing here
//! but the mirror knows Clerk.

mod catalogue;
mod mirror;

use std::collections::HashMap;

use sqlx::{Connection, PgConnection};
use time::OffsetDateTime;
use uuid::Uuid;

pub use catalogue::{InvalidPurposes, LegalBasis, Purpose, Purposes};
pub(crate) use mirror::mirror;

pub use crate::audit::Source;

use crate::audit::{self, AuditEvent, ConsentChange};
use crate::ids::{ClerkUserId, DataSubjectId};
use crate::jobs::{self, MirrorConsent};
use crate::subject;
use crate::{Error, Lethe, Result};

/// One decision of a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The purpose's key.
    pub purpose: String,
    /// Given, or refused and withdrawn.
    pub granted: bool,
}

/// How things stand with one purpose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PurposeState {
    /// The purpose.
    pub purpose: Purpose,
    /// Whether it is on.
    pub granted: bool,
    /// Since when; `None` while the person has never decided and the default holds.
    pub since: Option<OffsetDateTime>,
}

/// How things stand with every purpose of the catalogue, in its order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsentState {
    /// One a purpose.
    pub purposes: Vec<PurposeState>,
    /// The newest decision.
    pub updated_at: Option<OffsetDateTime>,
    /// Whether the browser's opt-out signal keeps a purpose off.
    pub gpc_applied: bool,
    /// Since when Clerk's copy of it is behind, because Clerk can't be reached or refuses it.
    pub mirror_delayed_since: Option<OffsetDateTime>,
}

impl ConsentState {
    /// Whether `purpose` is on.
    #[must_use]
    pub fn granted(&self, purpose: &str) -> bool {
        self.purposes.iter().any(|state| state.purpose.key == purpose && state.granted)
    }
}

/// A person's newest decision on one purpose.
struct Decision {
    granted: bool,
    at: OffsetDateTime,
}

/// What is known of a person by one query.
struct StoredConsent {
    subject: Option<DataSubjectId>,
    decisions: HashMap<String, Decision>,
    mirror_delayed_since: Option<OffsetDateTime>,
}

impl StoredConsent {
    fn state(&self, purposes: &Purposes, gpc: bool) -> ConsentState {
        ConsentState {
            mirror_delayed_since: self.mirror_delayed_since,
            ..consent_state(purposes, &self.decisions, gpc)
        }
    }
}

/// How things stand for `subject`. With `signal`, the browser's opt-out signal, purposes that
/// it concerns are off (11 CCR 7025(c)).
pub async fn current(lethe: &Lethe, subject: &ClerkUserId, gpc: bool) -> Result<ConsentState> {
    current_on(lethe, &mut *lethe.database.acquire().await?, subject, gpc).await
}

/// The same by a connection that is at hand.
pub(crate) async fn current_on(
    lethe: &Lethe,
    connection: &mut PgConnection,
    subject: &ClerkUserId,
    gpc: bool,
) -> Result<ConsentState> {
    let stored = load(lethe, connection, subject).await?;
    Ok(stored.state(&lethe.purposes, gpc))
}

/// Takes in `choices`, all or none, and answers how things stand then. What changes nothing is
/// not written. A choice for a purpose that the catalogue doesn't have refuses all of them.
///
/// Ledger, audit entry and the order to mirror are committed together.
pub async fn set(
    lethe: &Lethe,
    subject: &ClerkUserId,
    choices: &[Choice],
    source: Source,
    gpc: bool,
) -> Result<ConsentState> {
    let mut connection = lethe.database.acquire().await?;
    let mut stored = load(lethe, &mut connection, subject).await?;
    let changes = changes(&lethe.purposes, &stored.decisions, choices, gpc)?;
    if changes.is_empty() {
        return Ok(stored.state(&lethe.purposes, gpc));
    }
    let now = lethe.clock.now();
    let mut transaction = connection.begin().await?;
    let data_subject = if let Some(data_subject) = stored.subject.take() {
        data_subject
    } else {
        let data_subject = subject::ensure(lethe, &mut transaction, subject).await?;
        subject::refuse_erased(lethe, &mut transaction, subject).await?;
        data_subject
    };
    if append(lethe, &mut transaction, data_subject, &changes, source, now).await? {
        jobs::enqueue(lethe, &mut transaction, MirrorConsent { subject: data_subject.0 }).await?;
    }
    transaction.commit().await?;
    for (purpose, granted) in changes {
        stored.decisions.insert(purpose.key.clone(), Decision { granted, at: now });
    }
    Ok(stored.state(&lethe.purposes, gpc))
}

async fn load(lethe: &Lethe, connection: &mut PgConnection, subject: &ClerkUserId) -> Result<StoredConsent> {
    let rows = sqlx::query!(
        r#"select person.id, person.mirror_delayed_since, purpose.key as "purpose?",
            entry.granted as "granted?", entry.recorded_at as "recorded_at?"
        from lethe.data_subject person
        cross join unnest($2::text[]) as purpose (key)
        left join lateral (
            select granted, recorded_at from lethe.consent_entry
            where subject_id = person.id and purpose = purpose.key order by id desc limit 1
        ) entry on true
        where person.clerk_id = $1"#,
        subject.as_str(),
        &lethe.purposes.keys(),
    )
    .fetch_all(connection)
    .await?;
    let mut stored = StoredConsent { subject: None, decisions: HashMap::new(), mirror_delayed_since: None };
    for row in rows {
        stored.mirror_delayed_since = row.mirror_delayed_since;
        stored.subject = Some(DataSubjectId(row.id));
        if let (Some(purpose), Some(granted), Some(at)) = (row.purpose, row.granted, row.recorded_at) {
            stored.decisions.insert(purpose, Decision { granted, at });
        }
    }
    Ok(stored)
}

fn consent_state(purposes: &Purposes, decisions: &HashMap<String, Decision>, gpc: bool) -> ConsentState {
    let states: Vec<_> = purposes
        .iter()
        .map(|purpose| {
            let decision = decisions.get(&purpose.key);
            let chosen = decision.map_or(purpose.default_granted, |decision| decision.granted);
            let granted = chosen && !(gpc && purpose.opt_out_signal);
            PurposeState { purpose: purpose.clone(), granted, since: decision.map(|decision| decision.at) }
        })
        .collect();
    ConsentState {
        updated_at: states.iter().filter_map(|state| state.since).max(),
        gpc_applied: gpc && purposes.iter().any(|purpose| purpose.opt_out_signal),
        mirror_delayed_since: None,
        purposes: states,
    }
}

/// What `choices` change. Nobody is opted in against their browser's signal.
fn changes<'a>(
    purposes: &'a Purposes,
    decisions: &HashMap<String, Decision>,
    choices: &[Choice],
    gpc: bool,
) -> Result<Vec<(&'a Purpose, bool)>> {
    let mut changes: Vec<(&Purpose, bool)> = Vec::new();
    for choice in choices {
        let purpose = purposes.find(&choice.purpose).ok_or(Error::InvalidInput("there is no such purpose"))?;
        let granted = choice.granted && !(gpc && purpose.opt_out_signal);
        let decided = decisions.get(&purpose.key).map(|decision| decision.granted);
        changes.retain(|(other, _)| other.key != purpose.key);
        if decided != Some(granted) {
            changes.push((purpose, granted));
        }
    }
    Ok(changes)
}

/// Writes ledger and audit entries in one statement. Answers whether the mirror must be ordered:
/// it must unless an order that has not begun is there already.
async fn append(
    lethe: &Lethe,
    connection: &mut PgConnection,
    data_subject: DataSubjectId,
    changes: &[(&Purpose, bool)],
    source: Source,
    now: OffsetDateTime,
) -> Result<bool> {
    let change = |(purpose, granted): &(&Purpose, bool)| ConsentChange {
        granted: *granted,
        purpose: purpose.key.clone(),
        text: purpose.version.clone(),
    };
    let event = AuditEvent::ConsentChanged { changes: changes.iter().map(change).collect(), source };
    let entry = audit::prepare(lethe, Some(data_subject), event);
    let purposes: Vec<String> = changes.iter().map(|(purpose, _)| purpose.key.clone()).collect();
    let granted: Vec<bool> = changes.iter().map(|(_, granted)| *granted).collect();
    let versions: Vec<String> = changes.iter().map(|(purpose, _)| purpose.version.clone()).collect();
    let hashes: Vec<Vec<u8>> = changes.iter().map(|(purpose, _)| purpose.text_hash()).collect();
    let mirror_needed = sqlx::query_scalar!(
        r#"with ledger as (
            insert into lethe.consent_entry (subject_id, purpose, granted, text_version, text_hash, source, recorded_at)
            select $1, change.*, $6, $7 from unnest($2::text[], $3::boolean[], $4::text[], $5::bytea[]) as change
        ), entry as (
            insert into lethe.audit_entry (kind, subject_id, open, recorded_at, digest)
            values ($8, $1, $9::text::json, $10, $11) returning id
        ), pending as (
            insert into lethe.audit_pending (entry_id) select id from entry
        )
        insert into lethe.consent_mirror (subject_id, wanted_at) values ($1, $7)
        on conflict on constraint consent_mirror_pkey do update set wanted_at = excluded.wanted_at
        returning (xmax = 0) as "new!""#,
        data_subject.0,
        &purposes,
        &granted,
        &versions,
        &hashes,
        source.as_str(),
        now,
        entry.kind,
        entry.open,
        entry.recorded_at,
        &entry.digest,
    )
    .fetch_one(connection)
    .await?;
    Ok(mirror_needed)
}

/// What the mirror writes to Clerk, and by which ledger entry it is known to be the newest.
struct Snapshot {
    clerk_id: String,
    newest: Option<i64>,
    state: ConsentState,
}

async fn snapshot(lethe: &Lethe, subject: Uuid) -> Result<Option<Snapshot>> {
    let rows = sqlx::query!(
        r#"select person.clerk_id, purpose.key as "purpose?", entry.id as "id?",
            entry.granted as "granted?", entry.recorded_at as "recorded_at?"
        from lethe.data_subject person
        cross join unnest($2::text[]) as purpose (key)
        left join lateral (
            select id, granted, recorded_at from lethe.consent_entry
            where subject_id = person.id and purpose = purpose.key order by id desc limit 1
        ) entry on true
        where person.id = $1"#,
        subject,
        &lethe.purposes.keys(),
    )
    .fetch_all(&lethe.database)
    .await?;
    let Some(clerk_id) = rows.first().map(|row| row.clerk_id.clone()) else { return Ok(None) };
    let newest = rows.iter().filter_map(|row| row.id).max();
    let decisions = rows
        .into_iter()
        .filter_map(|row| Some((row.purpose?, Decision { granted: row.granted?, at: row.recorded_at? })))
        .collect();
    Ok(Some(Snapshot { clerk_id, newest, state: consent_state(&lethe.purposes, &decisions, false) }))
}
