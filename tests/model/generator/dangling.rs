//! Paths over several columns that lead to no row, but have a Clerk id in one of the columns: the row is nobody's, and names somebody.

use std::collections::BTreeSet;

use super::Draft;
use crate::map::Path;
use crate::model::values;
use crate::value::{Row, Rows, Value};

/// Removes such rows. Returns whether there were any.
pub(super) fn drop_user_ids(draft: &Draft, rows: &mut Rows) -> bool {
    let mut is_changed = false;
    for table in &draft.schema.tables {
        let name = table.full_name();
        for path in draft.owners[&name].iter().map(|owner| &owner.path) {
            let Path::To { columns, table: parent, .. } = path else { continue };
            let (named, target) = (draft.columns_with_user_id(table, path), draft.target_columns(table, path));
            let parents: BTreeSet<Vec<Value>> =
                rows.get(parent).into_iter().flatten().map(|row| values(row, &target)).collect();
            let is_dangling = |row: &Row| {
                let holds_value = |column: &String| row.get(column).is_some_and(|value| !value.is_null());
                named.iter().any(holds_value) && !parents.contains(&values(row, columns))
            };
            if let Some(rows) = rows.get_mut(&name) {
                let before = rows.len();
                rows.retain(|row| !is_dangling(row));
                is_changed |= rows.len() < before;
            }
        }
    }
    is_changed
}
