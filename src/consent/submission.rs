//! A form that may have been filled in on a state that isn't current any more.

use std::collections::BTreeMap;

use super::state::{Choice, ConsentState, Revision};
use super::texts::{self, Unnamed};
use super::{ledger, write};
use crate::audit::Source;
use crate::purposes::TextId;
use crate::{ClerkUserId, Error, ErrorCode, Lethe, Result, subject};

/// What a person submitted with the form.
#[derive(Clone, Copy, Debug)]
pub struct Submission<'a> {
    /// Keys of the purposes that are turned on.
    pub granted: &'a [String],
    /// Keys of the purposes that were turned on when the form was rendered.
    pub previously_granted: &'a [String],
    /// The texts that the form showed, each as `purpose:` and the [id](TextId). Nothing is granted on another text.
    pub texts: &'a [String],
    /// The revision on which the form must have been filled in. Without one, only the difference between
    /// `previously_granted` and `granted` counts, so that two forms that change different purposes don't undo each other.
    pub base: Option<&'a Revision>,
}

impl Submission<'_> {
    /// Returns what the person decided: what they changed. An untouched box is no decision.
    fn choices(&self, state: &ConsentState) -> Result<Vec<Choice>> {
        let exists = |key: &String| state.purposes.iter().any(|state| state.purpose.key == *key);
        if !self.granted.iter().chain(self.previously_granted).all(exists) {
            return Err(Error::InvalidInput("there is no such purpose"));
        }
        if self.base.is_some_and(|base| *base != state.revision()) {
            return Err(ErrorCode::ChangedElsewhere.into());
        }
        let decided = state.purposes.iter().filter_map(|state| {
            let key = &state.purpose.key;
            let granted = self.granted.contains(key);
            (granted != self.previously_granted.contains(key)).then(|| Choice { purpose: key.clone(), granted })
        });
        Ok(decided.collect())
    }

    fn texts(&self) -> Result<BTreeMap<String, TextId>> {
        let malformed = Error::InvalidInput("a text is named by its purpose, its hash and its version");
        let text = |text: &String| {
            let (purpose, id) = text.split_once(':')?;
            Some((purpose.to_owned(), TextId::parse(id).ok()?))
        };
        self.texts.iter().map(text).collect::<Option<_>>().ok_or(malformed)
    }
}

/// Applies a submitted form and returns the resulting state.
///
/// Fails with [`ErrorCode::TextChanged`] if something is granted on another text than the present one, and with
/// [`ErrorCode::ChangedElsewhere`] if the state isn't at the revision that the submission is based
/// on. The person's row is locked before the revision is compared, so that of two submissions with the same
/// base one fails. Purposes, `gpc` and what is committed are as in [`set`](super::set).
pub async fn submit(
    lethe: &Lethe,
    subject: &ClerkUserId,
    submission: Submission<'_>,
    source: Source,
    gpc: bool,
) -> Result<ConsentState> {
    let mut transaction = lethe.database.begin().await?;
    let person = subject::lock(lethe, &mut transaction, subject).await?;
    let mut stored = ledger::load(lethe, &mut transaction, subject).await?;
    let state = stored.state(&lethe.purposes, gpc);
    let choices = submission.choices(&state)?;
    let texts = submission.texts()?;
    let choices = texts::resolve(lethe, &mut transaction, &choices, &texts, Unnamed::OnlyWithdraws).await?;
    let changes = stored.decisions.changes(choices, gpc);
    if changes.is_empty() {
        transaction.rollback().await?;
        return Ok(state);
    }
    write(lethe, &mut transaction, &person, &mut stored.decisions, changes, source).await?;
    transaction.commit().await?;
    Ok(stored.state(&lethe.purposes, gpc))
}
