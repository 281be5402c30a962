//! Why something was refused or failed, and the step that helps.

use leptos::prelude::*;
use lethe_error_code::ErrorCode;

use crate::texts;

/// The message of an error.
#[component]
pub(crate) fn ErrorNotice(
    code: ErrorCode,
    /// Added to the message, for example that nothing was deleted.
    #[prop(optional)]
    addition: &'static str,
    /// The incident's id, or nothing.
    #[prop(optional, into)]
    incident: String,
    /// The element's id, for fields that it describes.
    #[prop(optional)]
    id: Option<&'static str>,
    /// The step that helps, if there is one.
    #[prop(optional)]
    children: Option<Children>,
) -> impl IntoView {
    // A step that helps is no failure, and doesn't look like one.
    let class = if code == ErrorCode::ReverificationNeeded { "note note-action" } else { "note note-error" };
    let text = [code.message(), addition].join(" ");
    let incident = (!incident.is_empty()).then(|| view! { <p class="text-soft">{texts::reference(incident)}</p> });
    view! {
        <div class=class role="alert" id=id tabindex="-1">
            <p>{text.trim().to_owned()}</p>
            {incident}
            {children.map(|children| children())}
        </div>
    }
}
