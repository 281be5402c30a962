//! The step in which a person confirms who they are, and what they hear when they come back.

use leptos::prelude::*;

use crate::api::ErrorCode;
use crate::api::resume::ReturnTo;

/// Why something was refused, and the step that helps where one does.
#[component]
pub(super) fn ErrorNotice(
    /// Why.
    code: ErrorCode,
    /// What the note goes by.
    id: &'static str,
    /// Where the person goes on.
    return_to: ReturnTo,
) -> impl IntoView {
    // A step that helps is no failure, and doesn't look like one.
    let class = if code == ErrorCode::ReverificationNeeded { "note note-step" } else { "note note-bad" };
    view! {
        <div class=class role="alert" id=id>
            <p>{code.message()}</p>
            {(code == ErrorCode::ReverificationNeeded).then(|| view! {
                <form method="post" action="/confirm-identity" class="mt-3">
                    <input type="hidden" name="for" value=return_to.as_str()/>
                    <button class="button button-quiet">"Confirm that it's you"</button>
                </form>
            })}
        </div>
    }
}

/// Says what came of the way by the sign-in.
#[component]
pub(super) fn StatusNote(
    /// The words.
    words: &'static str,
) -> impl IntoView {
    view! { <p class="note" role="status">{words}</p> }
}

/// Says that somebody else came back.
#[component]
pub(super) fn OtherUserNotice() -> impl IntoView {
    view! {
        <p class="note note-kept" role="status">
            "Somebody else is signed in now. What was begun here before was for another account, and was dropped."
        </p>
    }
}
