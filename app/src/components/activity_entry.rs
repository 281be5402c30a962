//! Something that happened.

use leptos::prelude::*;

use super::operator_text::OperatorText;
use crate::dto::ActivityItem;

/// One line of a list. The page's script shows the time in the reader's zone.
#[component]
pub(crate) fn ActivityEntry(item: ActivityItem) -> impl IntoView {
    let earlier_texts = item.earlier_texts.into_iter().map(|text| {
        let language = item.language.clone();
        view! { <small dir="auto"><OperatorText text language/></small> }
    });
    let earlier_texts: Vec<_> = earlier_texts.collect();
    view! {
        <li>
            <time datetime=item.at.timestamp>{item.at.text}</time>
            <span dir="auto"><OperatorText text=item.text language=item.language/> {earlier_texts}</span>
        </li>
    }
}
