//! Something that happened.

use leptos::prelude::*;

use crate::dto::ActivityItem;

/// One line of a list. The page's script shows the time in the reader's zone.
#[component]
pub(crate) fn ActivityEntry(item: ActivityItem) -> impl IntoView {
    let earlier_texts = item.earlier_texts.into_iter().map(|text| view! { <small dir="auto">{text}</small> });
    view! {
        <li>
            <time datetime=item.at.timestamp>{item.at.text}</time>
            <span dir="auto">{item.text} {earlier_texts.collect_view()}</span>
        </li>
    }
}
