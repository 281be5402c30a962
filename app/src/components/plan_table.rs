//! The table of a deletion's plan or result.

use leptos::prelude::*;

use crate::dto::{Disposition, PlanRow};

/// One table row per kind of data. The same on the page and in the dialog.
#[component]
pub(crate) fn PlanTable(
    rows: Vec<PlanRow>,
    /// Heading of the last column: what happens, or what happened.
    #[prop(into)]
    outcome_heading: String,
) -> impl IntoView {
    let rows = rows.into_iter().map(|row| {
        let class = match row.disposition {
            Disposition::Removed => "goes",
            Disposition::Retained => "stays",
        };
        view! {
            <tr>
                <th scope="row">{row.label}</th>
                <td class="number">{row.rows}</td>
                <td class=class>{row.outcome} {row.reason.map(|reason| view! { <small>{reason}</small> })}</td>
            </tr>
        }
    });
    view! {
        <table class="plan">
            <thead>
                <tr>
                    <th scope="col">"What"</th>
                    <th scope="col" class="number">"Rows"</th>
                    <th scope="col">{outcome_heading}</th>
                </tr>
            </thead>
            <tbody>{rows.collect_view()}</tbody>
        </table>
    }
}
