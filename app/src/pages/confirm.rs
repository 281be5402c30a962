//! The step in which a person confirms who they are, and what they hear when they come back.

use leptos::prelude::*;

use crate::api::Code;
use crate::api::errand::Place;

/// Why something was refused, and the step that helps where one does.
#[component]
pub(super) fn Refused(
    /// Why.
    code: Code,
    /// What the note goes by.
    id: &'static str,
    /// Where the person goes on.
    place: Place,
) -> impl IntoView {
    // A step that helps is no failure, and doesn't look like one.
    let class = if code == Code::ReverificationNeeded { "note note-step" } else { "note note-bad" };
    view! {
        <div class=class role="alert" id=id>
            <p>{code.sentence()}</p>
            {(code == Code::ReverificationNeeded).then(|| view! {
                <form method="post" action="/confirm-identity" class="mt-3">
                    <input type="hidden" name="for" value=place.word()/>
                    <button class="button button-quiet">"Confirm that it's you"</button>
                </form>
            })}
        </div>
    }
}

/// Says what came of the way by the sign-in.
#[component]
pub(super) fn Note(
    /// The words.
    words: &'static str,
) -> impl IntoView {
    view! { <p class="note" role="status">{words}</p> }
}

/// Says that somebody else came back.
#[component]
pub(super) fn Dropped() -> impl IntoView {
    view! {
        <p class="note note-kept" role="status">
            "Somebody else is signed in now. What was begun here before was for another account, and was dropped."
        </p>
    }
}
