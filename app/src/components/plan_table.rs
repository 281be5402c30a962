//! What becomes of each kind of data.

use leptos::prelude::*;

use crate::api::{Disposition, PlanRow};

/// A table of a plan's lines. The same on the page and in the dialog.
#[component]
pub(crate) fn PlanTable(
    /// The lines.
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
