//! The text on which a choice was made. Whoever sends a form or a request names it; the ledger records that one.

use std::collections::BTreeMap;
use std::sync::Arc;

use sqlx::PgConnection;

use super::state::Choice;
use crate::purposes::{Purpose, TextId};
use crate::{Error, ErrorCode, Lethe, Result};

/// What to do with a choice that doesn't name its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unnamed {
    /// The present text counts: an application that uses the API shows what it shows.
    IsPresent,
    /// Nothing can be granted on it. A form of an older version may still withdraw.
    OnlyWithdraws,
}

/// A choice and the text that was shown with it.
pub(super) struct ChoiceOnText {
    pub(super) purpose: Arc<Purpose>,
    pub(super) granted: bool,
    pub(super) text: TextId,
}

/// Finds the text of each choice. An unknown purpose is [`Error::InvalidInput`].
///
/// Consent counts for the text that was read (GDPR 4(11)), so it is given on the present one only: anything else is refused
/// with [`ErrorCode::TextChanged`], and so is a text that nobody was ever shown. A withdrawal counts whichever text it was made
/// on.
pub(super) async fn resolve(
    lethe: &Lethe,
    connection: &mut PgConnection,
    choices: &[Choice],
    texts: &BTreeMap<String, TextId>,
    unnamed: Unnamed,
) -> Result<Vec<ChoiceOnText>> {
    let mut resolved = Vec::new();
    for Choice { purpose, granted } in choices {
        let granted = *granted;
        let purpose = lethe.purposes.find(purpose).ok_or(Error::InvalidInput("there is no such purpose"))?.clone();
        let present = purpose.text_id();
        let text = match texts.get(&purpose.key) {
            None if granted && unnamed == Unnamed::OnlyWithdraws => return Err(ErrorCode::TextChanged.into()),
            None => present,
            Some(text) if *text == present => present,
            Some(_) if granted => return Err(ErrorCode::TextChanged.into()),
            Some(text) if is_stored(connection, &purpose.key, text).await? => text.clone(),
            Some(_) => return Err(ErrorCode::TextChanged.into()),
        };
        resolved.push(ChoiceOnText { purpose, granted, text });
    }
    Ok(resolved)
}

async fn is_stored(connection: &mut PgConnection, purpose: &str, text: &TextId) -> Result<bool> {
    Ok(sqlx::query_scalar!(
        r#"select exists (select from lethe.purpose_text where purpose = $1 and version = $2 and hash = $3) as "exists!""#,
        purpose,
        text.version(),
        text.hash(),
    )
    .fetch_one(connection)
    .await?)
}

/// Stores the texts of the data map's purposes, each once, so that what was shown can be told when it isn't the present text
/// any more.
pub(super) async fn store_texts(lethe: &Lethe) -> Result<()> {
    for purpose in lethe.purposes.iter() {
        let text = purpose.text_id();
        sqlx::query!(
            "insert into lethe.purpose_text (purpose, version, hash, title, body, recorded_at)
            select $1, $2, $3, $4, $5, $6 where not exists (
                select from lethe.purpose_text where purpose = $1 and version = $2 and hash = $3
            )
            on conflict on constraint purpose_text_pkey do nothing",
            purpose.key,
            text.version(),
            text.hash(),
            purpose.title,
            purpose.text,
            lethe.clock.now(),
        )
        .execute(&lethe.database)
        .await?;
    }
    Ok(())
}
