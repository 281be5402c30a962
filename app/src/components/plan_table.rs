//! What becomes of each kind of data.

use leptos::prelude::*;

use crate::api::{Line, Tone};

/// A table of a plan's lines. The same on the page and in the dialog.
#[component]
pub(crate) fn PlanTable(
    /// The lines.
    lines: Vec<Line>,
    /// Heading of the last column: what happens, or what happened.
    #[prop(into)]
    becomes: String,
) -> impl IntoView {
    let rows = lines.into_iter().map(|line| {
        let tone = match line.tone {
            Tone::Goes => "goes",
            Tone::Stays => "stays",
        };
        view! {
            <tr>
                <th scope="row">{line.label}</th>
                <td class="number">{line.rows}</td>
                <td class=tone>{line.becomes} {line.why.map(|why| view! { <small>{why}</small> })}</td>
            </tr>
        }
    });
    view! {
        <table class="plan">
            <thead>
                <tr>
                    <th scope="col">"What"</th>
                    <th scope="col" class="number">"Rows"</th>
                    <th scope="col">{becomes}</th>
                </tr>
            </thead>
            <tbody>{rows.collect_view()}</tbody>
        </table>
    }
}
