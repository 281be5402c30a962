//! The SQL of the statements of a deletion. Their parameters are numbered as described in `sql`.

use super::statements::{Effect, PlannedStatement};
use crate::data_map::{RowSets, Update};

impl PlannedStatement<'_> {
    /// Returns a subquery for a JSON array: the number of rows, and the day on which the oldest was created.
    pub(super) fn count_and_since_sql(&self) -> String {
        let since = match &self.table.creation_time {
            // `infinity` has no day.
            Some(column) if !self.others => {
                format!("to_char(min(t.{column}) FILTER (WHERE isfinite(t.{column})), 'YYYY-MM-DD')")
            }
            _ => "NULL".to_owned(),
        };
        format!(
            "(SELECT json_build_array(count(*), {since}) FROM {} AS t WHERE {})",
            self.table.quoted_name, self.condition
        )
    }

    /// Returns a statement that counts the rows, and locks those that will change in a stable order.
    ///
    /// A lock writes to its row, and needs the privilege UPDATE. Rows that stay as they are need neither.
    pub(super) fn lock_sql(&self) -> String {
        if matches!(self.effect, Effect::Nothing) {
            let query = format!("SELECT count(*) FROM {} AS t WHERE {}", self.table.quoted_name, self.condition);
            return self.row_sets.before(&query);
        }
        self.row_sets.before(&format!(
            "SELECT count(*) FROM (SELECT FROM {} AS t WHERE {} ORDER BY {} FOR UPDATE) AS locked",
            self.table.quoted_name,
            self.condition,
            self.table.order_by("t")
        ))
    }

    /// Whether it changes rows of others before anything else happens, so that nothing references the person's any more.
    pub(super) const fn is_detaching(&self) -> bool {
        matches!(self.effect, Effect::Detach(_) | Effect::Forget(_))
    }

    /// Returns the columns of the table itself that the condition reads.
    pub(super) fn own_columns_read(&self) -> impl Iterator<Item = &str> {
        columns_after(&self.condition, "t.")
    }

    /// Returns the columns of other tables that the condition reads: there the alias ends with an underscore.
    pub(super) fn other_columns_read(&self) -> impl Iterator<Item = &str> {
        let texts = self.row_sets.definitions().chain(std::iter::once(self.condition.as_str()));
        texts.flat_map(|sql| columns_after(sql, "_."))
    }

    /// Whether it gives the column, quoted, a new value, or NULL before the row is deleted.
    pub(super) fn writes(&self, column: &str) -> bool {
        match self.effect {
            Effect::Detach(detached) => detached == column,
            Effect::Update(update) | Effect::Forget(update) => update.assignments.contains(&format!("{column} = ")),
            Effect::Delete => self.table.unlink_columns.iter().any(|unlinked| unlinked == column),
            Effect::Nothing => false,
        }
    }

    /// Returns a statement that locks the rows, like [`lock_sql`](Self::lock_sql), and returns their keys: an array of texts for
    /// each column of the key.
    pub(super) fn lock_and_read_keys_sql(&self) -> String {
        let columns = self.table.row_key.iter().map(|(column, _)| column);
        let arrays = columns.clone().map(|column| format!("coalesce(array_agg(locked.{column}::text), '{{}}')"));
        let keys = columns.map(|column| format!("t.{column}"));
        self.row_sets.before(&format!(
            "SELECT json_build_array({}) FROM (SELECT {} FROM {} AS t WHERE {} ORDER BY {} FOR UPDATE) AS locked",
            arrays.collect::<Vec<_>>().join(", "),
            keys.collect::<Vec<_>>().join(", "),
            self.table.quoted_name,
            self.condition,
            self.table.order_by("t")
        ))
    }

    /// Returns a condition for the rows with these keys, which are bound from parameter `first` on.
    pub(super) fn keys_condition(&self, first: usize) -> String {
        let key = self.table.row_key.iter().enumerate();
        let (columns, arrays): (Vec<String>, Vec<String>) = key
            .map(|(position, (column, type_name))| {
                (format!("t.{column}"), format!("${}::text[]::{type_name}[]", first + position))
            })
            .unzip();
        format!("({}) IN (SELECT * FROM unnest({}))", columns.join(", "), arrays.join(", "))
    }

    /// Returns the statement itself on the rows for which `condition` holds, which counts those that it changed as it should, or `None`
    /// where the rows stay as they are.
    pub(super) fn execute_sql(&self, condition: &str) -> Option<String> {
        let table = &self.table.quoted_name;
        match self.effect {
            Effect::Delete => {
                let delete = format!("DELETE FROM {table} AS t WHERE {condition} RETURNING 1");
                Some(self.row_sets_of(condition).before_change(&delete, "SELECT count(*) FROM done"))
            }
            Effect::Update(Update { assignments, pending }) | Effect::Forget(Update { assignments, pending }) => {
                Some(self.update_sql(assignments, pending, condition))
            }
            Effect::Detach(column) => {
                Some(self.update_sql(&format!("{column} = NULL"), &format!("t.{column} IS NOT NULL"), condition))
            }
            Effect::Nothing => None,
        }
    }

    /// Returns a statement that sets the columns to NULL that close a cycle of foreign keys, in rows for which `condition` holds.
    pub(super) fn unlink_sql(&self, condition: &str) -> String {
        let columns = self.table.unlink_columns.iter();
        let assignments: Vec<String> = columns.map(|column| format!("{column} = NULL")).collect();
        let (table, assignments) = (&self.table.quoted_name, assignments.join(", "));
        let update = format!("UPDATE {table} AS t SET {assignments} WHERE {condition} RETURNING 1");
        self.row_sets_of(condition).before_change(&update, "SELECT count(*) FROM done")
    }

    /// Counts the rows that have the new values then. A trigger can put the old ones back.
    fn update_sql(&self, assignments: &str, pending: &str, condition: &str) -> String {
        let update = format!(
            "UPDATE {} AS t SET {assignments} WHERE {condition} RETURNING ({pending}) AS is_pending",
            self.table.quoted_name
        );
        let count = "SELECT count(*) FROM done WHERE is_pending IS NOT TRUE";
        self.row_sets_of(condition).before_change(&update, count)
    }

    /// Returns the sets of rows that a condition reads: the statement's own condition, or one on keys.
    fn row_sets_of(&self, condition: &str) -> RowSets {
        if condition == self.condition { self.row_sets.clone() } else { RowSets::default() }
    }
}

/// Returns the columns, quoted, that follow `alias` in SQL text.
fn columns_after<'a>(sql: &'a str, alias: &'a str) -> impl Iterator<Item = &'a str> {
    sql.match_indices(alias).map(move |(position, _)| {
        let quoted = &sql[position + alias.len()..];
        &quoted[..quoted_length(quoted)]
    })
}

/// Returns the length of the quoted identifier with which the text begins. A quote in it is doubled.
fn quoted_length(text: &str) -> usize {
    let mut end = 1;
    while let Some(quote) = text[end..].find('"') {
        end += quote + 1;
        if !text[end..].starts_with('"') {
            break;
        }
        end += 1;
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_of_a_condition_are_found_whatever_their_names() {
        let sql = r#"t."a" = $1 AND t."""" IN (SELECT t_."x""y" FROM "p" AS t_ WHERE t__."t." = t."")"#;
        assert_eq!(columns_after(sql, "t.").take(2).collect::<Vec<_>>(), [r#""a""#, r#""""""#]);
        assert_eq!(columns_after(sql, "_.").collect::<Vec<_>>(), [r#""x""y""#, r#""t.""#]);
    }
}
