//! Text that changes.

use leptos::html;
use leptos::prelude::*;

/// A text that changes in the browser.
///
/// Leptos would change the text node that the server rendered. A browser's translation replaces text nodes, so such a
/// change would be lost. This sets the text of the element, which stays.
#[component]
pub(crate) fn LiveText(
    /// What the server renders, where the browser knows more than the server's first rendering needs.
    #[prop(optional, into)]
    first: String,
    text: impl Fn() -> String + Send + Sync + 'static,
) -> impl IntoView {
    // Boxed, so that the bundle has the code once.
    live_text(first, Box::new(text))
}

fn live_text(first: String, text: Box<dyn Fn() -> String + Send + Sync>) -> impl IntoView {
    let element = NodeRef::<html::Span>::new();
    let rendered = if cfg!(feature = "ssr") && !first.is_empty() { first } else { untrack(&text) };
    Effect::new(move |displayed: Option<String>| {
        let text = text();
        if let Some(element) = element.get_untracked() {
            // The server doesn't know the reader's time zone, so at first the element may have another text.
            let displayed = displayed.or_else(|| element.text_content());
            if displayed.as_ref() != Some(&text) {
                element.set_text_content(Some(&text));
            }
        }
        text
    });
    view! { <span node_ref=element>{rendered}</span> }
}
