//! Notices about what a user was about to do when they had to sign in first, and the step that verifies who they are.

use leptos::prelude::*;
use lethe_error_code::ErrorCode;

use crate::components::ErrorNotice;
use crate::server::resume::ReturnTo;

/// Why something was refused. Offers verification where that helps.
#[component]
pub(super) fn RefusalNotice(
    code: ErrorCode,
    /// The element's id.
    id: &'static str,
    /// Where the user continues after verification.
    return_to: ReturnTo,
) -> impl IntoView {
    let verification = (code == ErrorCode::ReverificationNeeded).then(|| {
        view! {
            <form method="post" action="/confirm-identity" class="mt-3">
                <input type="hidden" name="for" value=return_to.as_str()/>
                <button class="button button-quiet">"Confirm that it's you"</button>
            </form>
        }
    });
    view! { <ErrorNotice code id>{verification}</ErrorNotice> }
}

/// A message that is no error.
#[component]
pub(super) fn StatusNotice(text: &'static str) -> impl IntoView {
    view! { <p class="note" role="status">{text}</p> }
}

/// Says that another user has signed in, and that the stored action was dropped.
#[component]
pub(super) fn OtherUserNotice() -> impl IntoView {
    view! {
        <p class="note note-kept" role="status">
            "Somebody else is signed in now. What was begun here before was for another account, and was dropped."
        </p>
    }
}
