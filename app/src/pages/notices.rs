//! Notices about what a user was about to do when they had to sign in first, and the step that verifies who they are.

use leptos::prelude::*;
use lethe_error_code::ErrorCode;

use crate::components::ErrorNotice;
use crate::server::context;
use crate::server::resume::ReturnTo;
use crate::texts;

/// Why something was refused. Offers verification where that helps.
#[component]
pub(super) fn RefusalNotice(
    code: ErrorCode,
    /// Added to the message.
    #[prop(optional)]
    addition: &'static str,
    /// The incident's id, or nothing.
    #[prop(optional, into)]
    incident: String,
    /// The element's id.
    id: &'static str,
    /// Where the user continues after verification.
    return_to: ReturnTo,
) -> impl IntoView {
    let verification = (code == ErrorCode::ReverificationNeeded).then(|| {
        view! {
            <form method="post" action="/confirm-identity" class="mt-3">
                <input type="hidden" name="for" value=return_to.as_str()/>
                <button class="button">{texts::SIGN_IN_AGAIN}</button>
            </form>
        }
    });
    view! { <ErrorNotice code addition incident id>{verification}</ErrorNotice> }
}

/// A message that is no error.
#[component]
pub(super) fn StatusNotice(#[prop(into)] text: String) -> impl IntoView {
    view! { <p class="note" role="status">{text}</p> }
}

/// Says that another user has signed in, and that the stored action was dropped.
#[component]
pub(super) fn OtherUserNotice() -> impl IntoView {
    let user = context::current_user().ok();
    let account = user.as_ref().and_then(|user| user.account());
    let text = account.map_or_else(|| texts::OTHER_USER.to_owned(), texts::other_user);
    view! { <p class="note note-warning" role="status">{text}</p> }
}
