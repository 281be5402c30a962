//! Whether anything is known of a Clerk user id, so that a typing error doesn't look like an erasure.

use super::request::preview;
use crate::ids::ClerkUserId;
use crate::{Error, Lethe, Result, data_map};

/// Returns whether Lethe, the application's mapped tables or Clerk know the user. Where one of them can't be asked, the user
/// counts as known: a deletion that finds nothing harms nobody, one that is left out may.
pub async fn is_known(lethe: &Lethe, subject: &ClerkUserId) -> Result<bool> {
    let has_record = sqlx::query_scalar!(
        r#"select exists (select from lethe.data_subject where clerk_id = $1)
            or exists (select from lethe.deletion_request where clerk_id = $1) as "has_record!""#,
        subject.as_str(),
    )
    .fetch_one(&lethe.database)
    .await?;
    if has_record {
        return Ok(true);
    }
    match preview(lethe, subject).await {
        Ok(plan) if plan.lines.iter().all(|line| line.rows == 0) => {}
        Ok(_) | Err(Error::Map(data_map::Error::Mismatch(_))) => return Ok(true),
        Err(error) => return Err(error),
    }
    Ok(match lethe.clerk.user(subject).await {
        Ok(user) => user.is_some(),
        Err(error) => {
            tracing::warn!(error = crate::error_chain(&error), "Clerk can't say whether it knows a user");
            true
        }
    })
}
