//! Previewing, requesting and following a deletion.

use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;

use super::{DeletionPreview, DeletionProgress, DeletionStarted, PublicError};

/// What a deletion would do.
#[server(prefix = "/api/_", endpoint = "preview_deletion", input = GetUrl)]
pub async fn preview_deletion(
    /// The mark of the person for whom the page was made.
    #[server(default)]
    #[server(rename = "person")]
    user_handle: String,
) -> Result<DeletionPreview, PublicError> {
    use super::{respond, view_model};

    let plan = async {
        let caller = respond::Caller::for_form_owner(&user_handle)?;
        let plan = lethe::deletion::preview(&caller.lethe, &caller.person.clerk_user_id).await?;
        Ok(view_model::preview(&plan, caller.require_fresh_sign_in().err()))
    };
    respond::respond(plan.await)
}

/// Begins the deletion of the person who asks: the plan that was shown, confirmed in writing.
#[server(prefix = "/api/_", endpoint = "request_deletion")]
pub async fn request_deletion(
    /// The hash of the plan that was shown.
    #[server(default)]
    plan: String,
    /// What was typed.
    #[server(default)]
    confirmation: String,
    /// The mark of the person for whom the page was made.
    #[server(default)]
    #[server(rename = "person")]
    user_handle: String,
) -> Result<DeletionStarted, PublicError> {
    use super::respond;
    use super::resume::PendingAction;
    use lethe::deletion::{self, NewRequest, Origin, PlanHash};

    let started = async {
        let caller = respond::Caller::for_form_owner(&user_handle)?;
        caller.require_fresh_sign_in()?;
        respond::require_confirmation(&confirmation)?;
        let request = NewRequest {
            subject: &caller.person.clerk_user_id,
            origin: Origin::Page,
            confirmed_plan: Some(&PlanHash::from_text(plan)),
            contact: caller.person.email.as_deref(),
        };
        Ok(deletion::request(&caller.lethe, request).await?)
    };
    let started =
        started.await.map(|request| DeletionStarted { receipt: format!("/receipt/{}", request.receipt.as_str()) });
    respond::stash_form(&started, &user_handle, || PendingAction::Deletion(confirmation));
    respond::respond_to_form(started, |outcome| match outcome {
        Ok(started) => started.receipt.clone(),
        Err(code) => format!("/delete?refused={}", code.as_str()),
    })
}

/// How far a deletion is. Open to whoever knows the receipt's code, as the receipt is.
#[server(prefix = "/api/_", endpoint = "deletion_progress", input = GetUrl)]
pub async fn deletion_progress_of(
    /// The receipt's code.
    code: String,
) -> Result<DeletionProgress, PublicError> {
    use super::{respond, view_model};

    let receipt = async {
        let lethe = respond::lethe()?;
        let code = view_model::receipt_code(&code)?;
        Ok(lethe::deletion::receipt(&lethe, &code).await?)
    };
    respond::respond(receipt.await.map(|receipt| view_model::progress(&receipt)))
}
