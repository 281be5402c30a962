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
    #[server(rename = "person")]
    user_handle: String,
) -> Result<Preferences, PublicError> {
    use super::resume::PendingAction;
    use super::{respond, view_model};
    use lethe::consent::{self, Source};

    let saved = async {
        let caller = respond::Caller::for_form_owner(&user_handle)?;
        let (subject, signal) = (&caller.person.clerk_user_id, caller.visitor.gpc);
        let record = consent::current(&caller.lethe, subject, signal).await?;
        let choices = view_model::choices(&record, &granted, &shown, base.as_deref())?;
        Ok(consent::set(&caller.lethe, subject, &choices, Source::Page, signal).await?)
    };
    let saved = saved.await.map(|record| view_model::preferences(&record));
    respond::stash_form(&saved, &user_handle, || PendingAction::Preferences(granted));
    respond::respond_to_form(saved, |outcome| match outcome {
        Ok(_) => "/?saved=1#preferences".to_owned(),
        Err(code) => format!("/?unsaved={}#preferences", code.as_str()),
    })
}
