//! Consent: an append-only ledger of decisions, and the state that results from it.
//!
//! Postgres is authoritative. Clerk's `public_metadata.consent` is a copy that a job brings up to date
//! (`mirror`); nothing else here knows Clerk.

mod catalogue;
mod ledger;
mod mirror;
mod state;
mod submission;
mod texts;
mod titles;

use std::collections::BTreeMap;

use sqlx::{Connection, PgConnection, PgTransaction};

pub(crate) use catalogue::mirror_catalogue;
pub use mirror::make_delayed_due;
pub(crate) use mirror::{MirrorConsent, correct_mirror, has_delayed, mirror};
pub use state::{Choice, ConsentState, PurposeState, Revision};
pub use submission::{Submission, submit};
pub use titles::Titles;
pub(crate) use titles::titles;

use self::ledger::{Change, Decisions};
use self::texts::Unnamed;
pub use crate::audit::Source;
use crate::purposes::TextId;
use crate::subject::{self, DataSubject};
use crate::{ClerkUserId, ErrorCode, Lethe, Result};

/// Takes in the purposes of the data map, at each start: stores their texts, and on a new installation records that there are
/// no copies at Clerk to be brought up to date.
pub async fn register_purposes(lethe: &Lethe) -> Result<()> {
    texts::store_texts(lethe).await?;
    catalogue::record_first(lethe).await
}

/// Returns the state of `subject`. With `gpc`, the browser's Global Privacy Control signal, the purposes that
/// it concerns are off (11 CCR 7025(c)).
pub async fn current(lethe: &Lethe, subject: &ClerkUserId, gpc: bool) -> Result<ConsentState> {
    let state = current_on(lethe, &mut *lethe.database.acquire().await?, subject, gpc).await?;
    if !state.has_unrecorded_signal() {
        return Ok(state);
    }
    record_signal(lethe, subject).await?;
    current_on(lethe, &mut *lethe.database.acquire().await?, subject, gpc).await
}

/// Does what [`current`] does, on a connection that the caller has.
pub(crate) async fn current_on(
    lethe: &Lethe,
    connection: &mut PgConnection,
    subject: &ClerkUserId,
    gpc: bool,
) -> Result<ConsentState> {
    let stored = ledger::load(lethe, connection, subject).await?;
    Ok(stored.state(&lethe.purposes, gpc))
}

/// Records the browser's Global Privacy Control signal: each purpose that it concerns and that isn't refused yet is turned
/// off, in the ledger and so in Clerk's copy, which the application reads (11 CCR 7025(c)). Once: what is refused already is
/// left as it is. What was granted before stays off until the person turns it on again without the signal.
pub async fn record_signal(lethe: &Lethe, subject: &ClerkUserId) -> Result<()> {
    let concerned = lethe.purposes.iter().filter(|purpose| purpose.opt_out_signal);
    let refused: Vec<Choice> =
        concerned.map(|purpose| Choice { purpose: purpose.key.clone(), granted: false }).collect();
    if !refused.is_empty() {
        set(lethe, subject, &refused, Source::Gpc, true).await?;
    }
    Ok(())
}

/// Applies `choices`, all or none, and returns the resulting state. Only changes are written. An unknown
/// purpose is [`Error::InvalidInput`](crate::Error::InvalidInput).
///
/// Ledger entries, audit entry and the job for the mirror are committed together. A choice replaces whatever
/// was decided before; a form that may be out of date is [submitted](submit) instead. The choices are made on the present
/// texts.
pub async fn set(
    lethe: &Lethe,
    subject: &ClerkUserId,
    choices: &[Choice],
    source: Source,
    gpc: bool,
) -> Result<ConsentState> {
    set_on_texts(lethe, subject, choices, &BTreeMap::new(), source, gpc).await
}

/// Does what [`set`] does, for choices that were made on these texts, by the key of the purpose. Fails with
/// [`ErrorCode::TextChanged`] where consent is given and the text isn't the present one.
pub async fn set_on_texts(
    lethe: &Lethe,
    subject: &ClerkUserId,
    choices: &[Choice],
    texts: &BTreeMap<String, TextId>,
    source: Source,
    gpc: bool,
) -> Result<ConsentState> {
    let mut connection = lethe.database.acquire().await?;
    let mut stored = ledger::load(lethe, &mut connection, subject).await?;
    let choices = texts::resolve(lethe, &mut connection, choices, texts, Unnamed::IsPresent).await?;
    let changes = stored.decisions.changes(choices, gpc);
    if changes.is_empty() {
        return Ok(stored.state(&lethe.purposes, gpc));
    }
    let mut transaction = connection.begin().await?;
    let person = if let Some(stored) = stored.subject.take() {
        stored.unwrap_key(lethe, &mut transaction).await?
    } else {
        let person = subject::ensure(lethe, &mut transaction, subject).await?;
        subject::refuse_erased(lethe, &mut transaction, subject).await?;
        person
    };
    write(lethe, &mut transaction, &person, &mut stored.decisions, changes, source).await?;
    transaction.commit().await?;
    Ok(stored.state(&lethe.purposes, gpc))
}

/// Writes `changes` and applies them to `decisions`. The caller commits.
///
/// Consent is the person's own (GDPR, Article 4(11)): a change that gives it on their behalf is
/// [`ErrorCode::Impersonated`].
async fn write(
    lethe: &Lethe,
    transaction: &mut PgTransaction<'_>,
    subject: &DataSubject,
    decisions: &mut Decisions,
    changes: Vec<Change>,
    source: Source,
) -> Result<()> {
    if matches!(source, Source::OnBehalf { .. }) && changes.iter().any(|change| change.granted) {
        return Err(ErrorCode::Impersonated.into());
    }
    let at = decisions.next_time(lethe.clock.now());
    if ledger::append(lethe, transaction, subject, &changes, source, at).await? {
        lethe.queue().enqueue_unnotified(transaction, MirrorConsent { subject: subject.id }).await?;
    }
    decisions.apply(changes, at);
    Ok(())
}
