//! Brings everybody's copy at Clerk up to date when the purposes of the data map have changed: a purpose that was removed leaves
//! the copies, and one with a new text is off in them until the person decides.

use std::time::Duration;

use ring::digest::{Context, SHA256};
use tokio::time::Instant;
use uuid::Uuid;

use super::mirror::{MirrorConsent, mirror};
use crate::{DataSubjectId, Error, Lethe, Result};

/// How many people are read at once.
const PAGE_SIZE: i64 = 50;
/// How long one run goes on. The next one, a minute later, continues where it stopped.
const RUN_TIME: Duration = Duration::from_secs(45);

/// Writes the copies of those who have decided anything and whose copies are older than the present purposes.
///
/// One that Clerk refuses is left to a job of its own. An outage of Clerk ends the run; the next one continues.
pub(crate) async fn mirror_catalogue(lethe: &Lethe) -> Result<()> {
    if lethe.purposes.is_empty() {
        return Ok(());
    }
    let digest = digest(lethe);
    record(lethe, &digest).await?;
    let started = Instant::now();
    while started.elapsed() < RUN_TIME {
        let Some(after) = progress(lethe, &digest).await? else { return Ok(()) };
        let people = sqlx::query_scalar!(
            "select id from lethe.data_subject person
            where id > $1 and exists (select from lethe.consent_entry where subject_id = person.id)
            order by id limit $2",
            after,
            PAGE_SIZE,
        )
        .fetch_all(&lethe.database)
        .await?;
        for subject in &people {
            mirror_one(lethe, DataSubjectId(*subject)).await?;
        }
        set_progress(lethe, &digest, people.last().copied()).await?;
    }
    Ok(())
}

/// Records the purposes of an installation on which nobody has decided anything: no copy is older than they are.
pub(super) async fn record_first(lethe: &Lethe) -> Result<()> {
    sqlx::query!(
        "insert into lethe.purpose_catalogue (digest, changed_at) select $1, $2
        where not exists (select from lethe.consent_entry) on conflict on constraint purpose_catalogue_pkey do nothing",
        digest(lethe),
        lethe.clock.now(),
    )
    .execute(&lethe.database)
    .await?;
    Ok(())
}

/// Identifies what the copies depend on.
fn digest(lethe: &Lethe) -> Vec<u8> {
    let mut context = Context::new(&SHA256);
    for purpose in lethe.purposes.iter() {
        let line = format!("{} {} {}\n", purpose.key, purpose.default_granted, purpose.text_id());
        context.update(line.as_bytes());
    }
    context.finish().as_ref().to_vec()
}

/// Begins anew if the purposes have changed.
async fn record(lethe: &Lethe, digest: &[u8]) -> Result<()> {
    sqlx::query!(
        "insert into lethe.purpose_catalogue (digest, changed_at, mirrored_to) values ($1, $2, $3)
        on conflict on constraint purpose_catalogue_pkey do update
        set digest = excluded.digest, changed_at = excluded.changed_at, mirrored_to = excluded.mirrored_to
        where purpose_catalogue.digest <> excluded.digest",
        digest,
        lethe.clock.now(),
        Uuid::nil(),
    )
    .execute(&lethe.database)
    .await?;
    Ok(())
}

/// Returns up to whom the copies are written, or `None` if all are, or a process with other purposes began anew.
async fn progress(lethe: &Lethe, digest: &[u8]) -> Result<Option<Uuid>> {
    let found = sqlx::query_scalar!("select mirrored_to from lethe.purpose_catalogue where digest = $1", digest)
        .fetch_optional(&lethe.database)
        .await?;
    Ok(found.flatten())
}

async fn set_progress(lethe: &Lethe, digest: &[u8], mirrored_to: Option<Uuid>) -> Result<()> {
    sqlx::query!("update lethe.purpose_catalogue set mirrored_to = $2 where digest = $1", digest, mirrored_to)
        .execute(&lethe.database)
        .await?;
    Ok(())
}

async fn mirror_one(lethe: &Lethe, subject: DataSubjectId) -> Result<()> {
    match mirror(lethe, MirrorConsent { subject }).await {
        Err(Error::Clerk(error)) if !error.retryable() => {
            let mut connection = lethe.database.acquire().await?;
            Ok(lethe.queue().enqueue(&mut connection, MirrorConsent { subject }).await?)
        }
        result => result,
    }
}
