//! Previewing and requesting a deletion, and following its progress.

use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;

use crate::dto::{DeletionAttempt, DeletionPreview, DeletionProgress, DeletionStarted, UserHandle};
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
        let preview = lethe::deletion::preview_with_obstacles(&lethe, &user.clerk_user_id).await;
        let preview = view_model::available(preview)?;
        Ok(view_model::preview(&lethe, &user, preview.as_ref(), resume::require_fresh_sign_in(&lethe, &user).err()))
    };
    respond::respond(preview.await)
}

/// Starts the deletion of the signed-in user, who has confirmed this plan in writing.
#[server(prefix = "/api/_", endpoint = "request_deletion")]
pub async fn request_deletion(
    /// The hash of the plan that the user has seen. Empty if none could be displayed.
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

    use crate::server::resume::{self, PendingAction};
    use crate::server::{context, respond};

    let started = async {
        let user = context::form_owner(&user_handle)?;
        let lethe = context::lethe()?;
        resume::require_fresh_sign_in(&lethe, &user)?;
        if !deletion::confirms(&confirmation) {
            return Err(ErrorCode::ConfirmationMissing.into());
        }
        let plan = (!plan.is_empty()).then(|| PlanHash::from_text(plan));
        let request = NewRequest {
            subject: &user.clerk_user_id,
            origin: Origin::Page,
            confirmed_plan: plan.as_ref(),
            contact: user.email.as_deref(),
            idempotency_key: idempotency_key.parse().ok(),
        };
        deletion::request(&lethe, request).await.map(|request| request.receipt)
    };
    let started = started.await;
    respond::stash_form(&started, &user_handle, || PendingAction::Deletion(confirmation.clone()));
    respond_to_confirmation(started, &user_handle, confirmation)
}

/// Gives up an attempt whose request failed in between, and returns a new one. A request of the old one that arrives later is
/// refused. Fails with `account_deleted` if it has arrived before.
#[server(prefix = "/api/_", endpoint = "give_up_deletion")]
pub async fn give_up_deletion(
    /// The idempotency key of the attempt.
    #[server(default)]
    #[server(rename = "attempt")]
    idempotency_key: String,
    /// The user for whom the page was rendered.
    #[server(default)]
    #[server(rename = "person")]
    user_handle: UserHandle,
) -> Result<DeletionAttempt, PublicError> {
    use lethe::deletion;
    use lethe_error_code::ErrorCode;

    use crate::server::{context, respond, view_model};

    let given_up = async {
        let user = context::form_owner(&user_handle)?;
        let lethe = context::lethe()?;
        let idempotency_key = idempotency_key.parse().map_err(|_| ErrorCode::InvalidInput)?;
        deletion::invalidate_key(&lethe, &user.clerk_user_id, idempotency_key).await?;
        Ok(view_model::new_attempt(&lethe, &user))
    };
    respond::respond(given_up.await)
}

/// Confirms what would happen now, for the signed-in user whose deletion waits because it isn't what they confirmed.
///
/// A session is enough, if it is their own: the deletion was requested with a recent verification, and nobody is sent to sign in
/// again and again.
#[server(prefix = "/api/_", endpoint = "confirm_changed_plan")]
pub async fn confirm_changed_plan(
    /// The hash of the plan that the user has seen.
    #[server(default)]
    plan: String,
    /// What the user typed to confirm.
    #[server(default)]
    confirmation: String,
    /// The user for whom the page was rendered.
    #[server(default)]
    #[server(rename = "person")]
    user_handle: UserHandle,
) -> Result<DeletionStarted, PublicError> {
    use lethe::deletion::{self, PlanHash};
    use lethe_error_code::ErrorCode;

    use crate::server::context;

    let confirmed = async {
        let user = context::departing_user()?;
        if !user.has_handle(&user_handle) {
            return Err(ErrorCode::OtherUser.into());
        }
        if user.is_impersonated() {
            return Err(ErrorCode::Impersonated.into());
        }
        if !deletion::confirms(&confirmation) {
            return Err(ErrorCode::ConfirmationMissing.into());
        }
        deletion::confirm_change(&context::lethe()?, &user.clerk_user_id, &PlanHash::from_text(plan)).await
    };
    respond_to_confirmation(confirmed.await, &user_handle, confirmation)
}

/// Leads to the receipt, or says why the confirmation wasn't accepted.
#[cfg(feature = "ssr")]
fn respond_to_confirmation(
    confirmed: lethe::Result<lethe::deletion::ReceiptCode>,
    user_handle: &UserHandle,
    typed: String,
) -> Result<DeletionStarted, PublicError> {
    let started = confirmed.map(|receipt| DeletionStarted { receipt: format!("/receipt/{}", receipt.as_str()) });
    crate::server::respond::respond_to_form(started, user_handle, |outcome| match outcome {
        Ok(started) => (started.receipt.clone(), None),
        Err(code) => refused_page(code, typed),
    })
}

/// The page that says why a confirmation wasn't accepted.
#[cfg(feature = "ssr")]
fn refused_page(code: lethe_error_code::ErrorCode, typed: String) -> (String, Option<crate::server::flash::Flash>) {
    // The field takes the focus by itself, which browsers skip for an address with a fragment.
    let is_at_field = code == lethe_error_code::ErrorCode::ConfirmationMissing;
    let path = if is_at_field { "/delete" } else { "/delete#deletion-refused" };
    (path.to_owned(), Some(crate::server::flash::refused_deletion(code, typed)))
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
