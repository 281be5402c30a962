//! Saving preferences.

use leptos::prelude::*;

use crate::dto::{Preferences, UserHandle};
use crate::error::PublicError;

/// Saves what the user changed, and returns the whole consent state.
///
/// Applied is the difference between `previously_granted` and `granted`: an untouched box is no decision, and two pages
/// that withdraw one consent each don't undo each other. With `base`, the state must still be at that revision,
/// so a choice that was stored on a device never overwrites a newer one. Recorded is the text that the form showed.
#[server(prefix = "/api/_", endpoint = "save_preferences")]
pub async fn save_preferences(
    /// The purposes that are ticked.
    #[server(default)]
    granted: Vec<String>,
    /// The purposes that were granted when the form was rendered.
    #[server(default)]
    #[server(rename = "shown")]
    previously_granted: Vec<String>,
    /// The texts that the form showed, each as `purpose:` and its id.
    #[server(default)]
    texts: Vec<String>,
    /// The revision that the state must be at.
    #[server(default)]
    base: Option<String>,
    /// The user for whom the form was rendered.
    #[server(default)]
    #[server(rename = "person")]
    user_handle: UserHandle,
) -> Result<Preferences, PublicError> {
    use lethe::audit::Source;
    use lethe::consent::{self, Revision, Submission};

    use crate::server::flash::Flash;
    use crate::server::resume::PendingAction;
    use crate::server::{context, respond, view_model};

    let saved = async {
        let user = context::form_owner(&user_handle)?;
        let lethe = context::lethe()?;
        let base = base.map(Revision::from);
        let (source, gpc) = (user.source(Source::Page), user.sends_opt_out_signal(context::gpc()));
        let submission = Submission {
            granted: &granted,
            previously_granted: &previously_granted,
            texts: &texts,
            base: base.as_ref(),
        };
        consent::submit(&lethe, &user.clerk_user_id, submission, source, gpc).await
    };
    let saved = saved.await.map(|state| view_model::preferences(&state));
    respond::stash_form(&saved, &user_handle, || PendingAction::Preferences(granted));
    respond::respond_to_form(saved, &user_handle, |outcome| {
        let flash = match outcome {
            Ok(_) => Flash::Saved,
            Err(code) => Flash::NotSaved(code),
        };
        ("/#preferences".to_owned(), Some(flash))
    })
}
