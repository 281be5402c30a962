//! Whether the database takes a new value in a column, as far as its catalog tells.

use super::catalog::{Column, Relation};
use super::error::Problems;
use super::update::{RANDOM_DIGITS, neutral};
use super::value::{NewValue, ReferencedGhosts};

/// Where a column gets a new value.
pub(super) struct ValueTarget<'a> {
    /// Schema and table, for reports.
    pub(super) table: &'a str,
    pub(super) relation: &'a Relation,
    pub(super) ghosts: &'a ReferencedGhosts,
    /// The columns of foreign keys.
    pub(super) referencing_columns: &'a [String],
    /// The columns of foreign keys that have several.
    pub(super) composite_columns: &'a [String],
}

impl ValueTarget<'_> {
    /// Reports what the database wouldn't take, as far as its catalog tells. `key` is what names the column in the map.
    pub(super) fn check(&self, key: &str, name: &str, value: &NewValue, problems: &mut Problems) {
        let Self { table, relation, .. } = self;
        let Some(column) = relation.column(name) else {
            return problems.add_unknown_column(table, name, key);
        };
        if column.generated {
            let message = "the database generates the column, so it can't be overwritten";
            return problems.add_for_column(table, name, message, "Name the columns that it is generated from");
        }
        let is_unique = relation.unique_columns.contains(&column.name);
        if !is_unique {
            self.check_indexes(column, value, problems);
        }
        match value {
            NewValue::Null if !column.nullable => problems.add_for_column(
                table,
                name,
                "the column is NOT NULL and can't be set to NULL",
                self.instead_of_null(column, is_unique),
            ),
            NewValue::Value(_) | NewValue::Neutral | NewValue::Ghost if is_unique => problems.add_for_column(
                table,
                name,
                "the column is unique, so a second person couldn't get the same value",
                self.instead_of_same_value(column),
            ),
            NewValue::Neutral if neutral(column).is_none() => problems.add_for_column(
                table,
                name,
                format!("the type {} has no neutral value", column.type_name),
                "Write { value = \"..\" }",
            ),
            NewValue::Value(_) | NewValue::Neutral if self.referencing_columns.contains(&column.name) => {
                problems.add_for_column(
                    table,
                    name,
                    "the column references another table, where a constant need not exist",
                    if column.nullable { "Write \"null\" or \"ghost\"" } else { "Write \"ghost\"" },
                );
            }
            NewValue::Null | NewValue::Value(_) | NewValue::Neutral => {}
            NewValue::Ghost => self.check_ghost(column, problems),
            NewValue::Unique(template) => self.check_unique(column, template, problems),
        }
    }

    /// Reports indexes of several columns or of expressions, in which rows of two people would have the same value.
    fn check_indexes(&self, column: &Column, value: &NewValue, problems: &mut Problems) {
        let indexes = self.relation.unique_indexes.iter().filter(|index| index.columns.contains(&column.name));
        for index in indexes {
            let is_same_value = match value {
                NewValue::Null => index.takes_null_for_a_value(&column.name),
                NewValue::Value(_) | NewValue::Neutral | NewValue::Ghost => true,
                NewValue::Unique(_) => false,
            };
            if is_same_value && !self.relation.has_key_within(index, Some(&column.name)) {
                let remedy = match value {
                    NewValue::Null => "Delete these rows, or keep them with a reason",
                    _ if column.is_text() && !matches!(value, NewValue::Ghost) => "Write \"unique\", or \"null\"",
                    _ if column.nullable => "Write \"null\", or delete these rows",
                    _ => "Delete these rows, or keep them with a reason",
                };
                problems.add_for_column(
                    self.table,
                    &column.name,
                    format!(
                        "the index {} is unique, and rows of two people could get the same value in it",
                        index.name
                    ),
                    remedy,
                );
            }
        }
    }

    fn instead_of_same_value(&self, column: &Column) -> &'static str {
        let is_reference = self.referencing_columns.contains(&column.name);
        match (column.nullable, is_reference || !column.is_text()) {
            (true, false) => "Write \"null\" or \"unique\"",
            (true, true) => "Write \"null\"",
            (false, false) => "Write \"unique\"",
            (false, true) => "Delete these rows, or keep them with a reason",
        }
    }

    fn instead_of_null(&self, column: &Column, is_unique: bool) -> &'static str {
        if self.referencing_columns.contains(&column.name) {
            if is_unique { "Delete these rows, or keep them with a reason" } else { "Write \"ghost\"" }
        } else if is_unique {
            "Write \"unique\""
        } else {
            "Write { value = \"..\" } or \"neutral\""
        }
    }

    fn check_ghost(&self, column: &Column, problems: &mut Problems) {
        if self.composite_columns.contains(&column.name) {
            let message =
                "a foreign key of several columns has this column, and need not find the ghost's key beside the others";
            let remedy =
                if column.nullable { "Write \"null\"" } else { "Delete these rows, or keep them with a reason" };
            return problems.add_for_column(self.table, &column.name, message, remedy);
        }
        if !self.ghosts.contains_key(&column.name) {
            problems.add_for_column(
                self.table,
                &column.name,
                "no path leads from this column to a table with a ghost row",
                "Add a row that stands for everybody who left, and name its key: [ghost] \"public.users\" = { id = \"..\" }",
            );
        }
    }

    fn check_unique(&self, column: &Column, template: &str, problems: &mut Problems) {
        if !column.is_text() {
            let message = format!("the column is {} and can't hold a random text", column.type_name);
            let remedy = if column.nullable { "Write \"null\"" } else { "Write { value = \"..\" } or \"neutral\"" };
            return problems.add_for_column(self.table, &column.name, message, remedy);
        }
        let needed = template.chars().count() - "{}".len() + RANDOM_DIGITS;
        if column.max_length().is_some_and(|length| length < needed) {
            problems.add_for_column(
                self.table,
                &column.name,
                format!("the column holds fewer than the {needed} characters of the placeholder"),
                "Shorten the text around {}, or widen the column",
            );
        }
        if self.referencing_columns.contains(&column.name) {
            let message = "the column references another table, where a random value doesn't exist";
            problems.add_for_column(self.table, &column.name, message, "Write \"null\" or \"ghost\"");
        }
    }
}
