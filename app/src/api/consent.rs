//! Saving preferences.

use leptos::prelude::*;

use super::{Preferences, PublicError};

/// Saves what the person changed, and answers the whole record.
///
/// Only the difference between `shown` and `granted` is applied, and what was never decided: two
/// pages that each withdraw something else don't undo each other. Where `base` is given, the record must still be at that
/// revision; a choice that was kept on the device is never laid over a newer one.
#[server(prefix = "/api/_", endpoint = "save_preferences")]
pub async fn save_preferences(
    /// The purposes that are on now.
    #[server(default)]
    granted: Vec<String>,
    /// The purposes that were on when the form was shown.
    #[server(default)]
    shown: Vec<String>,
    /// The revision that the record must be at.
    #[server(default)]
    base: Option<String>,
    /// The mark of the person for whom the form was made.
    #[server(default)]
    person: String,
) -> Result<Preferences, PublicError> {
    use super::errand::Errand;
    use super::{answer, load};
    use lethe::consent::{self, Source};

    let saved = async {
        let caller = answer::Caller::of_page(&person)?;
        let (subject, signal) = (&caller.person.subject, caller.visitor.signal);
        let record = consent::current(&caller.lethe, subject, signal).await?;
        let choices = load::choices(&record, &granted, &shown, base.as_deref())?;
        Ok(consent::set(&caller.lethe, subject, &choices, Source::Page, signal).await?)
    };
    let saved = saved.await.map(|record| load::preferences(&record));
    answer::keep_form(&saved, &person, || Errand::Preferences(granted));
    answer::to_form(saved, |outcome| match outcome {
        Ok(_) => "/?saved=1#preferences".to_owned(),
        Err(code) => format!("/?unsaved={}#preferences", code.word()),
    })
}
