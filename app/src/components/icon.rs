//! Icons. They are decoration: the text beside them says the same.

use leptos::prelude::*;

/// A check mark.
#[component]
pub(crate) fn Check() -> impl IntoView {
    view! {
        <svg class="icon" viewBox="0 0 24 24" aria-hidden="true"><path d="M5 12l5 5 9-10"/></svg>
    }
}
