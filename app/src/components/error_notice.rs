//! Why something was refused or failed, and the step that helps.

use leptos::prelude::*;
use lethe_error_code::ErrorCode;

/// The message of an error.
#[component]
#[expect(clippy::needless_pass_by_value, reason = "the properties of a component are owned")]
pub(crate) fn ErrorNotice(
    code: ErrorCode,
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
    let class = if code == ErrorCode::ReverificationNeeded { "note note-step" } else { "note note-bad" };
    let incident = (!incident.is_empty()).then(|| format!(" Incident {incident}."));
    view! {
        <div class=class role="alert" id=id>
            <p>{code.message()} {incident}</p>
            {children.map(|children| children())}
        </div>
    }
}
