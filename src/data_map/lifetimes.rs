//! Rows that would stay longer than the rows that they need.

use super::error::Problems;
use super::mapped::MappedTable;

pub(super) fn report_outlives(
    child: &MappedTable<'_>,
    parent: &MappedTable<'_>,
    column: &str,
    consequence: &str,
    problems: &mut Problems,
) {
    let is_owner = child.rule.owner_columns().any(|owner| owner == column);
    let is_detachable = !is_owner && child.relation.column(column).is_some_and(|column| column.nullable);
    problems.add_for_column(
        &child.rule.name,
        column,
        format!(
            "its rows {}, but the rows of {} that they reference {}; {consequence}",
            child.rule.erase.strategy().removal().describe(),
            parent.rule.name,
            parent.rule.erase.strategy().removal().describe()
        ),
        format!(
            "Keep, stamp or scrub {} for as long, or delete these rows as early{}",
            parent.rule.name,
            if is_detachable { ", or add [[table.reference]] with others = \"detach\" for this column" } else { "" }
        ),
    );
}
