//! The new values of scrubbed columns.

use super::lifetimes::{Lifetimes, stamp_column};
use super::random::Random;
use super::{Draft, values};
use crate::map::{Period, Scrub};
use crate::schema::{Column, Table};
use crate::value::Kind;

/// Returns a scrub that decides about every column, or `None` where the table has no column to change.
pub(super) fn scrub(
    random: &mut Random,
    draft: &Draft,
    lifetimes: &Lifetimes<'_>,
    table: &Table,
    period: Option<Period>,
) -> Option<Scrub> {
    let name = table.full_name();
    let mut scrub = Scrub { period, ..Scrub::default() };
    scrub.leaves_rest = draft.is_second && random.percent(30);
    if let Some(column) = stamp_column(table).filter(|_| random.percent(50)) {
        scrub.stamp.push(column.to_owned());
    }
    for column in table.columns.iter().filter(|column| !scrub.stamp.contains(&column.name)) {
        if let Some(value) = lifetimes.overwritten(&name, &column.name) {
            scrub.columns.insert(column.name.clone(), value.clone());
            continue;
        }
        if draft.is_owner_column(&name, &column.name) {
            continue;
        }
        if table.primary_key.contains(&column.name) {
            if !scrub.leaves_rest && !is_generated_key(column) {
                scrub.leave.push(column.name.clone());
            }
            continue;
        }
        // What says for which rows an owner counts must stay, although `resolve` doesn't say so: rows would lose their owner.
        let is_condition = draft.condition_columns(&name).any(|condition| *condition == column.name);
        match values::of_payload(random, draft, table, column).filter(|_| !is_condition) {
            Some(value) => {
                scrub.columns.insert(column.name.clone(), value);
            }
            None if is_time_of_change(column) && random.percent(70) => {}
            None if scrub.leaves_rest => {}
            None => scrub.leave.push(column.name.clone()),
        }
    }
    (!scrub.columns.is_empty()).then_some(scrub)
}

/// Whether the map need not say that the key stays.
fn is_generated_key(column: &Column) -> bool {
    matches!(column.kind, Kind::Integer | Kind::Bigint | Kind::Uuid) || column.name.eq_ignore_ascii_case("id")
}

/// Whether the map need not say that the time stays.
fn is_time_of_change(column: &Column) -> bool {
    column.kind.is_time() && matches!(column.name.as_str(), "created_at" | "updatedAt")
}
