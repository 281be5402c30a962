//! The secrets that the database was used with. A database whose tombstones were made with a secret that isn't configured
//! would count erased users as active, so it is refused.

use sqlx::PgPool;
use time::OffsetDateTime;

use super::keys::Keys;

/// What a comparison of the configured secrets with the database's found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recognition {
    /// Every secret that the database needs is configured.
    Complete,
    /// None of the configured secrets was ever used with this database.
    Unknown,
    /// Secrets with these ids are needed and not configured. `None` is the first one, whose id isn't recorded yet.
    Missing(Vec<Option<String>>),
}

/// A secret that the database was used with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedSecret {
    /// Its id, as [`KeyId`](super::keys::KeyId) prints it.
    pub id: String,
    /// When it was first used; `None` if that was before this was recorded.
    pub first_used_at: Option<OffsetDateTime>,
    /// When it was dropped: it needn't be configured any more.
    pub dropped_at: Option<OffsetDateTime>,
}

/// A value by which a secret is recognised, with its id if that is recorded.
struct Needed {
    id: Option<String>,
    digest: Vec<u8>,
}

/// Compares the configured secrets with those that the database was used with. Records the newest, if it is new and the
/// others are complete; on a database without any it is the first.
pub async fn recognize(pool: &PgPool, keys: &Keys, now: OffsetDateTime) -> Result<Recognition, sqlx::Error> {
    compare(pool, keys, Some(now)).await
}

/// Does what [`recognize`] does, and records nothing.
pub async fn look(pool: &PgPool, keys: &Keys) -> Result<Recognition, sqlx::Error> {
    compare(pool, keys, None).await
}

async fn compare(pool: &PgPool, keys: &Keys, now: Option<OffsetDateTime>) -> Result<Recognition, sqlx::Error> {
    let first = sqlx::query_scalar!("select digest from lethe.secret_check").fetch_optional(pool).await?;
    let recorded = sqlx::query!("select id, digest, dropped_at from lethe.secret_key").fetch_all(pool).await?;
    let is_recorded = |digest: &[u8]| recorded.iter().any(|secret| secret.digest == digest);
    let mut needed: Vec<Needed> = Vec::new();
    needed.extend(first.filter(|digest| !is_recorded(digest)).map(|digest| Needed { id: None, digest }));
    for secret in recorded.iter().filter(|secret| secret.dropped_at.is_none()) {
        needed.push(Needed { id: Some(secret.id.clone()), digest: secret.digest.clone() });
    }
    let is_configured = |needed: &&Needed| keys.checks().any(|(_, check)| check == needed.digest);
    if !needed.is_empty() && !needed.iter().any(|needed| is_configured(&needed)) {
        return Ok(Recognition::Unknown);
    }
    let missing: Vec<_> =
        needed.iter().filter(|needed| !is_configured(needed)).map(|needed| needed.id.clone()).collect();
    if !missing.is_empty() {
        return Ok(Recognition::Missing(missing));
    }
    let is_current =
        |(_, check): &(_, &[u8])| recorded.iter().any(|secret| secret.dropped_at.is_none() && secret.digest == *check);
    let has_unrecorded = needed.iter().any(|needed| needed.id.is_none());
    let is_complete = !has_unrecorded && keys.checks().next().is_some_and(|newest| is_current(&newest));
    if let Some(now) = now.filter(|_| !is_complete) {
        record(pool, keys, &needed, now).await?;
    }
    Ok(Recognition::Complete)
}

/// Records the id of the first secret, and the newest one.
async fn record(pool: &PgPool, keys: &Keys, needed: &[Needed], now: OffsetDateTime) -> Result<(), sqlx::Error> {
    let mut transaction = pool.begin().await?;
    for (index, (id, check)) in keys.checks().enumerate() {
        let is_first = needed.iter().any(|needed| needed.id.is_none() && needed.digest == check);
        if is_first || index == 0 {
            sqlx::query!(
                "insert into lethe.secret_key (id, digest, first_used_at) values ($1, $2, $3)
                on conflict on constraint secret_key_pkey do update set dropped_at = null",
                id.to_string(),
                check,
                (!is_first).then_some(now),
            )
            .execute(&mut *transaction)
            .await?;
        }
    }
    if let Some((_, newest)) = keys.checks().next().filter(|_| needed.is_empty()) {
        // For version 0.1, which knows one secret only.
        sqlx::query!("insert into lethe.secret_check (digest) values ($1) on conflict do nothing", newest)
            .execute(&mut *transaction)
            .await?;
    }
    transaction.commit().await
}

/// Returns every secret that the database was used with, the oldest first.
pub async fn recorded(pool: &PgPool) -> Result<Vec<RecordedSecret>, sqlx::Error> {
    sqlx::query_as!(
        RecordedSecret,
        "select id, first_used_at, dropped_at from lethe.secret_key order by first_used_at nulls first, id",
    )
    .fetch_all(pool)
    .await
}

/// Records that a secret needn't be configured any more. Returns whether there is one with this id that wasn't dropped
/// before.
pub async fn drop_secret(pool: &PgPool, id: &str, now: OffsetDateTime) -> Result<bool, sqlx::Error> {
    let dropped =
        sqlx::query!("update lethe.secret_key set dropped_at = $2 where id = $1 and dropped_at is null", id, now)
            .execute(pool)
            .await?;
    Ok(dropped.rows_affected() > 0)
}
