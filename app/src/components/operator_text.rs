//! Sentences that contain what the operator wrote: labels, titles and reasons of the data map, which may be in another language.

use leptos::either::Either;
use leptos::prelude::*;

use crate::isolation::{END, START};

/// A sentence in which what is [isolated](crate::isolation::isolate) has the operator's language, and the direction of its letters.
#[component]
#[expect(clippy::needless_pass_by_value, reason = "properties of components are owned")]
pub(crate) fn OperatorText(
    text: String,
    /// The language tag of what the operator wrote.
    language: Option<String>,
) -> impl IntoView {
    let parts: Vec<_> = text
        .split_inclusive([START, END])
        .filter(|part| !part.starts_with(START))
        .map(|part| match part.strip_suffix(END) {
            Some(isolated) => Either::Left(view! { <bdi lang=language.clone()>{isolated.to_owned()}</bdi> }),
            None => Either::Right(part.trim_end_matches(START).to_owned()),
        })
        .collect();
    parts
}
