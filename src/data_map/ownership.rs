//! Conditions on rows by their owners: whose they are, and whether they are somebody else's too.

use std::collections::BTreeSet;

use super::erase::RowAction;
use super::index::TableIndex;
use super::path::OwnerPath;
use super::resolved::{Placeholder, ReferenceTarget, Resolved, ResolvedOwner, ResolvedPath, Table};
use super::row_sets::{RowSet, RowSets};

impl Resolved {
    /// Returns a condition that is true for the person's own rows, also for those that are others' too. A ghost row is nobody's.
    pub(crate) fn owned_rows(&self, table: TableIndex, alias: &str) -> String {
        let own = any(self.tables[table].owners.iter().map(|owner| leads_to_person(owner, alias)));
        match self.and_not_ghost(table, alias).as_str() {
            "" => own,
            and_not_ghost => format!("({own}{and_not_ghost})"),
        }
    }

    /// Returns a condition that is true for the rows that are the person's alone.
    pub(crate) fn rows_of_person_alone(&self, table: TableIndex, alias: &str) -> String {
        let own = self.owned_rows(table, alias);
        match self.rows_of_other_owners(table, alias) {
            Some(others) => format!("{own} AND ({others}) IS NOT TRUE"),
            None => own,
        }
    }

    /// Returns a condition for the person's rows that stay because they are others' too, or `None` where no row can be.
    pub(crate) fn shared_rows(&self, table: TableIndex, alias: &str) -> Option<String> {
        let others = self.rows_of_other_owners(table, alias)?;
        Some(format!("{} AND ({others})", self.owned_rows(table, alias)))
    }

    /// Returns a condition for the rows that stay with others when the owner, one of several of the table, leaves. Rows that this
    /// owner's path connects with others too need no change: what it leads to stays.
    pub(crate) fn rows_left_to_others(&self, table: TableIndex, owner: &ResolvedOwner, alias: &str) -> Option<String> {
        let others = self.rows_of_other_owners(table, alias)?;
        let own = leads_to_person(owner, alias);
        let by_this_path = self.leads_to_others(owner, alias);
        Some(format!("{own} AND ({by_this_path}) IS NOT TRUE AND ({others})"))
    }

    /// Returns a condition that is true for rows that belong to somebody who isn't the person, or `None` where no row of the person
    /// can.
    fn rows_of_other_owners(&self, table: TableIndex, alias: &str) -> Option<String> {
        let Table { owners, is_shareable, .. } = &self.tables[table];
        is_shareable.then(|| any(owners.iter().map(|owner| self.leads_to_others(owner, alias))))
    }

    /// Returns the sets of rows that conditions on owned rows in `sql` read.
    pub(crate) fn row_sets(&self, sql: &str) -> RowSets {
        RowSets::read_by(sql, self.tables.len(), |set| self.select_owned(set))
    }

    /// Returns the query of a set of owned rows.
    pub(super) fn select_owned(&self, set: RowSet) -> Option<String> {
        match set {
            RowSet::Own(table) => Some(self.select_led_to(table, |alias| self.owned_rows(table, alias))),
            RowSet::Alone(table) => Some(self.select_led_to(table, |alias| self.rows_of_person_alone(table, alias))),
            RowSet::Deleted(_) => None,
        }
    }

    /// Returns a query for the columns by which other rows lead to those rows of a table for which a condition holds.
    pub(super) fn select_led_to(&self, table: TableIndex, condition: impl FnOnce(&str) -> String) -> String {
        const ALIAS: &str = "t_";
        let columns: Vec<String> = self.columns_led_to(table).into_iter().cloned().collect();
        let name = &self.tables[table].quoted_name;
        format!("SELECT {} FROM {name} AS {ALIAS} WHERE {}", list(ALIAS, &columns), condition(ALIAS))
    }

    /// Returns the columns by which owner paths and references lead to rows of `table`, quoted.
    fn columns_led_to(&self, table: TableIndex) -> BTreeSet<&String> {
        let owners = self.tables.iter().flat_map(|table| &table.owners);
        let by_paths = owners.flat_map(|owner| match &owner.path {
            ResolvedPath::Parent { table: to, target: there, .. }
            | ResolvedPath::Child { table: to, referencing: there, .. }
                if *to == table =>
            {
                there.as_slice()
            }
            _ => &[],
        });
        let references = self.tables.iter().flat_map(|table| &table.references);
        let by_references = references.flat_map(|reference| match &reference.target {
            ReferenceTarget::Rows { table: to, columns, .. } if *to == table => columns.as_slice(),
            _ => &[],
        });
        by_paths.chain(by_references.map(|(_, there)| there)).collect()
    }

    /// Subqueries refer to the row, so that an index finds what a row of the person leads to, however many people there are.
    fn leads_to_others(&self, owner: &ResolvedOwner, alias: &str) -> String {
        let inner = format!("{alias}_");
        let exists = |table: TableIndex, there: &[String], here: &[String], condition: String| {
            let name = &self.tables[table].quoted_name;
            let (there, here) = (tuple(&inner, there), tuple(alias, here));
            format!("EXISTS (SELECT FROM {name} AS {inner} WHERE {there} = {here} AND {condition})")
        };
        let condition = match &owner.path {
            ResolvedPath::UserId { column, placeholders } => {
                let column = format!("{alias}.{column}");
                format!("({column} <> $1 AND {}{})", is_user_id(&column), and_no_placeholder(&column, placeholders))
            }
            ResolvedPath::Address { column, kind, placeholders } => {
                let (column, is_own) = (format!("{alias}.{column}"), kind.is_own(alias, column));
                let is_address = kind.may_be_address(&column);
                format!("({is_address} AND NOT {is_own}{})", and_no_placeholder(&column, placeholders))
            }
            ResolvedPath::Parent { columns, table, target, dangling } => {
                let owners = self.tables[*table].owners.iter();
                let others = any(owners.map(|parent_owner| self.leads_to_others(parent_owner, &inner)));
                let condition = format!("{others}{}", self.and_not_ghost(*table, &inner));
                let exists_others = exists(*table, target, columns, condition);
                match dangling {
                    Some(placeholders) => {
                        let (column, row) = (tuple(alias, columns), exists(*table, target, columns, "true".to_owned()));
                        let and_no_placeholder = and_no_placeholder(&column, placeholders);
                        let is_user_id = is_user_id(&column);
                        format!(
                            "({exists_others} OR {column} <> $1 AND {is_user_id}{and_no_placeholder} AND NOT {row})"
                        )
                    }
                    None => exists_others,
                }
            }
            // A row goes with the last row that references it. Rows that belong to nobody reference it, too.
            ResolvedPath::Child { columns, table, referencing } => {
                let condition = format!(
                    "({}) IS NOT TRUE{}",
                    self.rows_of_person_alone(*table, &inner),
                    self.and_not_ghost(*table, &inner)
                );
                exists(*table, referencing, columns, condition)
            }
        };
        filtered(owner, alias, condition)
    }

    /// Returns what to append to a condition, so that it is true for no ghost row.
    pub(crate) fn and_not_ghost(&self, table: TableIndex, alias: &str) -> String {
        let columns = self.tables[table].ghost.iter();
        let is_ghost = columns.map(|(column, parameter)| format!("{alias}.{column}::text = ${parameter}"));
        let is_ghost = is_ghost.collect::<Vec<_>>().join(" AND ");
        if is_ghost.is_empty() { is_ghost } else { format!(" AND ({is_ghost}) IS NOT TRUE") }
    }

    /// Returns every table that conditions on rows of `table` read: those that its paths and references lead to, and so on. The
    /// table itself is among them only if they lead back to it.
    pub(crate) fn tables_read(&self, table: TableIndex) -> BTreeSet<TableIndex> {
        let mut read = BTreeSet::new();
        let mut next = vec![table];
        while let Some(table) = next.pop() {
            let Table { owners, references, .. } = &self.tables[table];
            let by_paths = owners.iter().filter_map(|owner| match &owner.path {
                ResolvedPath::UserId { .. } | ResolvedPath::Address { .. } => None,
                ResolvedPath::Parent { table, .. } | ResolvedPath::Child { table, .. } => Some(*table),
            });
            let by_references = references.iter().filter_map(|reference| match &reference.target {
                ReferenceTarget::Rows { table, .. } => Some(*table),
                ReferenceTarget::UserId | ReferenceTarget::UserIdWithin(_) => None,
            });
            next.extend(by_paths.chain(by_references).filter(|table| read.insert(*table)));
        }
        read
    }

    /// Returns the column by which the person's rows of a table still lead to them after a deletion: it holds the Clerk user id,
    /// or references a row that stays and does. `None` where the rows go, or the column loses its value.
    pub(crate) fn retained_key(&self, table: TableIndex) -> Option<&str> {
        let Table { rule, action, owners, .. } = &self.tables[table];
        if *action == RowAction::Delete {
            return None;
        }
        owners.iter().zip(&rule.owners).find_map(|(owner, rule_owner)| {
            let column = rule_owner.path.columns().first()?;
            let stays = match &owner.path {
                ResolvedPath::UserId { .. } | ResolvedPath::Address { .. } => true,
                ResolvedPath::Parent { table, .. } => self.retained_key(*table).is_some(),
                ResolvedPath::Child { .. } => false,
            };
            (stays && !rule.erase.strategy().overwrites(column) && !is_cut_by_mention(rule, column))
                .then_some(column.as_str())
        })
    }
}

/// Whether a mention overwrites the column in every row that stays.
fn is_cut_by_mention(rule: &super::rules::TableRule, column: &str) -> bool {
    let mentions = rule.mentions.iter();
    mentions
        .filter(|mention| matches!(mention.action, super::rules::MentionAction::Overwrite(_)))
        .any(|mention| matches!(&mention.path, OwnerPath::Column(name) if name == column))
}

fn leads_to_person(owner: &ResolvedOwner, alias: &str) -> String {
    filtered(owner, alias, path_to_person(&owner.path, alias))
}

/// Returns a condition that is true for rows that lead to the person by `path`.
pub(crate) fn path_to_person(path: &ResolvedPath, alias: &str) -> String {
    match path {
        ResolvedPath::UserId { column, .. } => format!("{alias}.{column} = $1"),
        ResolvedPath::Address { column, kind, .. } => kind.is_own(alias, column),
        ResolvedPath::Parent { columns, table, target, dangling: Some(_) } => {
            format!("{} IN ({} UNION ALL SELECT $1)", tuple(alias, columns), RowSet::Own(*table).select(target))
        }
        ResolvedPath::Parent { columns, table, target: there, dangling: None }
        | ResolvedPath::Child { columns, table, referencing: there } => {
            format!("{} IN ({})", tuple(alias, columns), RowSet::Own(*table).select(there))
        }
    }
}

/// Returns a condition that is true where `column` has the form of a Clerk user id. Other texts are nobody: `system`, for example.
fn is_user_id(column: &str) -> String {
    format!("starts_with({column}::text, 'user_')")
}

/// Returns what to append to a condition on `column`, so that it is true for no value that a deletion wrote.
fn and_no_placeholder(column: &str, placeholders: &[Placeholder]) -> String {
    let conditions = placeholders.iter().map(|placeholder| match placeholder {
        Placeholder::Value(parameter) => format!(" AND {column} <> ${parameter}"),
        Placeholder::Pattern(parameter) => format!(" AND {column} !~ ${parameter}"),
    });
    conditions.collect()
}

fn any(conditions: impl Iterator<Item = String>) -> String {
    let conditions: Vec<String> = conditions.collect();
    match conditions.as_slice() {
        [only] => only.clone(),
        _ => format!("({})", conditions.join(" OR ")),
    }
}

fn filtered(owner: &ResolvedOwner, alias: &str, condition: String) -> String {
    if owner.filter.is_empty() {
        return condition;
    }
    format!("({condition}{})", and_filter(owner, alias))
}

/// Returns what to append to a condition, so that the owner's path counts.
pub(crate) fn and_filter(owner: &ResolvedOwner, alias: &str) -> String {
    let columns = owner.filter.iter().map(|(column, parameters)| {
        let values: Vec<String> = parameters.iter().map(|parameter| format!("${parameter}")).collect();
        format!(" AND {alias}.{column}::text IN ({})", values.join(", "))
    });
    columns.collect()
}

fn list(alias: &str, columns: &[String]) -> String {
    columns.iter().map(|column| format!("{alias}.{column}")).collect::<Vec<_>>().join(", ")
}

/// A single column without parentheses, several as a row.
fn tuple(alias: &str, columns: &[String]) -> String {
    match columns {
        [column] => format!("{alias}.{column}"),
        columns => format!("({})", list(alias, columns)),
    }
}
