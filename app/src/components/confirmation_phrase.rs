//! Sentences with the phrase that confirms a deletion.

use leptos::prelude::*;

use crate::dto::CONFIRMATION;

/// Returns the phrase in quotation marks.
pub(crate) fn quoted_phrase() -> String {
    ["“", CONFIRMATION, "”"].concat()
}

/// A sentence in which a browser's translation leaves the phrase as it is: only the original confirms a deletion.
#[component]
#[expect(clippy::needless_pass_by_value, reason = "the properties of a component are owned")]
pub(crate) fn WithPhrase(sentence: String) -> impl IntoView {
    let phrase = quoted_phrase();
    let (before, after) = sentence.split_once(&phrase).unwrap_or((&sentence, ""));
    let (before, after) = (before.to_owned(), after.to_owned());
    view! { <span>{before}</span><span translate="no">{phrase}</span><span>{after}</span> }
}
