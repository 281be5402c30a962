//! Markup that a script asks for: the same components as on the pages, so that the browser needs none of them.

use leptos::prelude::*;

use crate::components::{ActivityEntry, PlanTable, Steps};
use crate::dto::{ActivityItem, PlanRow, StepProgress};
use crate::texts;

/// The table of what is held, with what a deletion would do.
pub(crate) fn plan_table(rows: Vec<PlanRow>, outcome_heading: &'static str) -> String {
    view! { <PlanTable rows caption=texts::PLAN_CAPTION outcome_heading/> }.to_html()
}

/// The newest entries of the activity.
pub(crate) fn recent_activity(items: Vec<ActivityItem>) -> String {
    view! { <ActivityItems items/> }.to_html()
}

/// The entries as a list, or what stands in its place.
#[component]
pub(crate) fn ActivityItems(items: Vec<ActivityItem>) -> impl IntoView {
    if items.is_empty() {
        return view! { <p class="text-soft">{texts::ACTIVITY_NOTHING}</p> }.into_any();
    }
    view! { <ol class="events">{items.into_iter().map(|item| view! { <ActivityEntry item/> }).collect_view()}</ol> }
        .into_any()
}

/// The steps of a deletion.
pub(crate) fn steps(steps: Vec<StepProgress>) -> String {
    view! { <Steps steps/> }.to_html()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dto::{Disposition, Time};
    use crate::rendering::HOSTILE;

    #[test]
    fn foreign_text_is_never_markup() {
        let row = PlanRow {
            label: HOSTILE.to_owned(),
            language: Some(HOSTILE.to_owned()),
            rows: "1".to_owned(),
            since: None,
            outcome: HOSTILE.to_owned(),
            reason: Some(HOSTILE.to_owned()),
            keeps_user_id: true,
            disposition: Disposition::Deleted,
        };
        let at = Time { timestamp: String::new(), text: String::new() };
        let item = ActivityItem {
            id: 1,
            at,
            text: HOSTILE.to_owned(),
            earlier_texts: vec![HOSTILE.to_owned()],
            language: None,
        };
        for markup in [plan_table(vec![row], texts::COLUMN_PLANNED), recent_activity(vec![item])] {
            assert!(!markup.contains("<script") && !markup.contains("<b title"), "{markup}");
        }
    }
}
