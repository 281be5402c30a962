//! The table of what is held and what a deletion does, or did, with it.

use leptos::prelude::*;

use super::operator_text::OperatorText;
use crate::dto::{Disposition, PlanRow};
use crate::texts;

/// One table row per kind of data. The same on every page and in the dialog. Narrow screens stack the cells.
#[component]
pub(crate) fn PlanTable(
    rows: Vec<PlanRow>,
    /// What the table is about, for those who don't see it.
    caption: &'static str,
    /// Heading of the last column: what happens, or what happened.
    outcome_heading: &'static str,
) -> impl IntoView {
    let rows = rows.into_iter().map(|row| {
        let class = match row.disposition {
            Disposition::Deleted => "outcome outcome-deleted",
            Disposition::DeletedLater => "outcome outcome-later",
            Disposition::Retained => "outcome outcome-retained",
        };
        // The roles stay where a narrow screen shows the cells as blocks.
        view! {
            <tr role="row">
                <th scope="row" role="rowheader" dir="auto">
                    <OperatorText text=row.label language=row.language.clone()/>
                    {row.since.map(|date| view! { <small>{texts::oldest(date)}</small> })}
                </th>
                <td class="number" role="cell">{row.rows}</td>
                <td class=class role="cell">
                    <span><OperatorText text=row.outcome language=row.language.clone()/></span>
                    {row.reason.map(|reason| {
                        view! { <small dir="auto"><OperatorText text=reason language=row.language/></small> }
                    })}
                    {row.keeps_user_id.then(|| view! { <small>{texts::KEEPS_USER_ID}</small> })}
                </td>
            </tr>
        }
    });
    view! {
        <table class="plan" role="table">
            <caption class="sr-only">{caption}</caption>
            <thead role="rowgroup">
                <tr role="row">
                    <th scope="col" role="columnheader">{texts::COLUMN_DATA}</th>
                    <th scope="col" role="columnheader" class="number">{texts::COLUMN_ITEMS}</th>
                    <th scope="col" role="columnheader">{outcome_heading}</th>
                </tr>
            </thead>
            <tbody role="rowgroup">{rows.collect_view()}</tbody>
        </table>
    }
}
