//! Previewing and requesting a deletion, and following its progress.

use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;

use crate::dto::{DeletionPreview, DeletionProgress, DeletionStarted, UserHandle};
use crate::error::PublicError;

/// Returns what a deletion would do now.
#[server(prefix = "/api/_", endpoint = "preview_deletion", input = GetUrl)]
pub async fn preview_deletion(
    /// The user for whom the page was rendered.
    #[server(default)]
    #[server(rename = "person")]
    user_handle: UserHandle,
) -> Result<DeletionPreview, PublicError> {
    use crate::server::{context, respond, resume, view_model};

    let preview = async {
        let user = context::form_owner(&user_handle)?;
        let lethe = context::lethe()?;
        let plan = lethe::deletion::preview(&lethe, &user.clerk_user_id).await?;
        Ok(view_model::preview(&lethe, &user, &plan, resume::require_fresh_sign_in(&lethe, &user).err()))
    };
    respond::respond(preview.await)
}

/// Starts the deletion of the signed-in user, who has confirmed this plan in writing.
#[server(prefix = "/api/_", endpoint = "request_deletion")]
pub async fn request_deletion(
    /// The hash of the plan that the user has seen.
    #[server(default)]
    plan: String,
    /// What the user typed to confirm.
    #[server(default)]
    confirmation: String,
    /// The idempotency key of the attempt.
    #[server(default)]
    #[server(rename = "attempt")]
    idempotency_key: String,
    /// The user for whom the page was rendered.
    #[server(default)]
    #[server(rename = "person")]
    user_handle: UserHandle,
) -> Result<DeletionStarted, PublicError> {
    use lethe::deletion::{self, NewRequest, Origin, PlanHash};
    use lethe_error_code::ErrorCode;

    use crate::server::flash::Flash;
    use crate::server::resume::{self, PendingAction};
    use crate::server::{context, respond};

    let started = async {
        let user = context::form_owner(&user_handle)?;
        let lethe = context::lethe()?;
        resume::require_fresh_sign_in(&lethe, &user)?;
        if !deletion::confirms(&confirmation) {
            return Err(ErrorCode::ConfirmationMissing.into());
        }
        let request = NewRequest {
            subject: &user.clerk_user_id,
            origin: Origin::Page,
            confirmed_plan: Some(&PlanHash::from_text(plan)),
            contact: user.email.as_deref(),
            idempotency_key: idempotency_key.parse().ok(),
        };
        deletion::request(&lethe, request).await
    };
    let started =
        started.await.map(|request| DeletionStarted { receipt: format!("/receipt/{}", request.receipt.as_str()) });
    respond::stash_form(&started, &user_handle, || PendingAction::Deletion(confirmation));
    respond::respond_to_form(started, &user_handle, |outcome| match outcome {
        Ok(started) => (started.receipt.clone(), None),
        // The field takes the focus by itself, which browsers skip for an address with a fragment.
        Err(code @ ErrorCode::ConfirmationMissing) => ("/delete".to_owned(), Some(Flash::DeletionRefused(code))),
        Err(code) => ("/delete#deletion-refused".to_owned(), Some(Flash::DeletionRefused(code))),
    })
}

/// Returns a deletion's progress. Open to everybody who knows the receipt's code, as the receipt is.
#[server(prefix = "/api/_", endpoint = "deletion_progress", input = GetUrl)]
pub async fn deletion_progress_of(
    /// The receipt's code.
    code: String,
) -> Result<DeletionProgress, PublicError> {
    use crate::server::{context, respond, view_model};

    let progress = async {
        let code = view_model::receipt_code(&code)?;
        lethe::deletion::progress_of(&context::lethe()?, &code).await
    };
    respond::respond(progress.await.map(|progress| view_model::progress(&progress)))
}
