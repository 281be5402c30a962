//! Mentions: columns that name somebody in rows that aren't theirs.

use super::catalog::PgCatalog;
use super::erase::EraseTarget;
use super::error::Problems;
use super::grammar::ReferenceAction;
use super::index::{IndexedVec, TableIndex};
use super::mapped::{MappedTable, MappedTables};
use super::owners::{self, Owners};
use super::path::OwnerPath;
use super::path_finder::{FoundPath, PathFinder};
use super::rules::{DataMap, Mention, MentionAction, TableRule};
use super::value::NewValue;

/// The paths of each table's mentions, in their order.
pub(super) type Mentions = IndexedVec<TableIndex, Vec<FoundPath>>;

/// Finds to whom the columns lead. `None` after a problem.
pub(super) fn resolve(
    map: &DataMap,
    mapped: &MappedTables<'_>,
    owners: &Owners,
    catalog: &PgCatalog,
    problems: &mut Problems,
) -> Option<Mentions> {
    let finder = PathFinder { version: map.version, key: "mention", mapped, catalog };
    let mut all_valid = true;
    let mut found = Vec::new();
    for table in mapped.iter() {
        let paths = table.rule.mentions.iter().filter_map(|mention| {
            let path = find(mention, table, &finder, owners, problems);
            all_valid &= path.is_some();
            path
        });
        found.push(paths.collect());
    }
    all_valid.then(|| found.into_iter().collect())
}

fn find(
    mention: &Mention,
    table: &MappedTable<'_>,
    finder: &PathFinder<'_>,
    owners: &Owners,
    problems: &mut Problems,
) -> Option<FoundPath> {
    let name = &table.rule.name;
    let found = match &mention.path {
        OwnerPath::Column(column) => {
            let column_of_table = table.relation.column(column);
            let Some(column_of_table) = column_of_table else {
                problems.add_unknown_column(name, column, "mention");
                return None;
            };
            let keys =
                finder.catalog.foreign_keys_of(table.relation_index).filter(|key| key.columns == [column.as_str()]);
            let mut parents = keys.filter_map(|key| {
                let table = finder.mapped.index_of_relation(key.parent)?;
                Some(FoundPath::Parent { columns: vec![column.clone()], table, target: key.parent_columns.clone() })
            });
            match parents.next() {
                Some(parent) => parent,
                None if column_of_table.is_text() => FoundPath::UserId(column.clone()),
                None => {
                    problems.add_for_column(
                        name,
                        column,
                        "no foreign key leads from here to a mapped table, and the column can't hold a Clerk user id",
                        format!("Write the path: \"{column} -> public.users(id)\", for example"),
                    );
                    return None;
                }
            }
        }
        OwnerPath::Within { column, within } => {
            let Some(found) = table.relation.column(column) else {
                problems.add_unknown_column(name, column, "mention");
                return None;
            };
            let (needed, fits) = within.fits(found);
            if !fits {
                let message = format!("the column is {}, and not {needed}", found.type_name);
                problems.add_for_column(name, column, message, "Correct the mention");
                return None;
            }
            FoundPath::UserId(column.clone())
        }
        path => finder.find(table, path, problems)?,
    };
    let column = mention.path.columns().first().map_or("", String::as_str);
    let changes_rows = matches!(mention.action, MentionAction::Overwrite(_) | MentionAction::Delete);
    if let Some((_, type_column)) = owners::type_column(table, &found, finder.catalog).filter(|_| changes_rows) {
        let message =
            format!("{type_column} seems to say what its values are, and the mention would count for all of them");
        let remedy = "Write { keep = \"reason\" } or \"none\", or a [[table.owner]] with where";
        problems.add_for_column(name, column, message, remedy);
        return None;
    }
    let is_possible = match &found {
        FoundPath::UserId(_) => true,
        FoundPath::Parent { table, .. } => !owners[*table].is_shareable,
        // A mention is written as text, which is no address.
        FoundPath::Address { .. } | FoundPath::Child { .. } => false,
    };
    if !is_possible {
        let message = "the column doesn't lead to one person";
        problems.add_for_column(name, column, message, "Name a column that leads to a table with one owner a row");
        return None;
    }
    let is_within = matches!(mention.path, OwnerPath::Within { .. });
    if !is_within
        && table.rule.owner_columns().any(|owner| owner == column)
        && table.rule.owners.len() == 1
        && table.rule.owners[0].filter.is_empty()
    {
        let message = "the column is the row's owner, so the row is theirs and doesn't mention them";
        problems.add_for_column(name, column, message, "Remove it from the mention");
        return None;
    }
    Some(found)
}

/// Reports new values that the database wouldn't take.
pub(super) fn check_values(table: &MappedTable<'_>, target: &EraseTarget<'_>, problems: &mut Problems) {
    let stamped = table.rule.erase.stamped_columns();
    let erase = table.rule.erase.strategy();
    let loses_owner =
        table.rule.owners.iter().any(|owner| owner.path.columns().iter().any(|column| erase.overwrites(column)));
    for mention in &table.rule.mentions {
        let MentionAction::Overwrite(value) = &mention.action else {
            let is_lasting = matches!(mention.action, MentionAction::Keep { .. });
            let columns = mention.path.columns();
            // A path over several columns leads nowhere once one of them is NULL.
            let is_cut = columns.iter().any(|column| erase.cuts(column))
                || columns.iter().all(|column| erase.overwrites(column));
            if let Some(column) = columns.first()
                && loses_owner
                && !is_lasting
                && !is_cut
            {
                problems.add_for_column(
                    &table.rule.name,
                    column,
                    "the scrub takes the owner away from rows that stay, and this column may still lead to them",
                    format!("Add {column} to scrub, or leave the owner's column"),
                );
            }
            continue;
        };
        for column in mention.forget.keys().filter(|column| table.rule.owner_columns().any(|owner| owner == *column)) {
            let message = "the column is the row's owner, who isn't the one that the mention names";
            problems.add_for_column(&table.rule.name, column, message, "Remove it from forget");
        }
        for column in mention.forget.keys().filter(|column| stamped.contains(column)) {
            let message = "the column is stamped, so a mention can't overwrite it";
            problems.add_for_column(&table.rule.name, column, message, "Remove it from forget");
        }
        let is_within = matches!(mention.path, OwnerPath::Within { .. });
        if is_within {
            check_value_within(table, &mention.path.columns()[0], value, problems);
        }
        let named = mention.path.columns().iter().map(|column| ("mention", column, value)).filter(|_| !is_within);
        let forgotten = mention.forget.iter().map(|(column, value)| ("forget", column, value));
        for (key, column, value) in named.chain(forgotten) {
            if table.rule.owners.iter().any(|owner| owner.filter.contains_key(column)) {
                let message = "`where` of an owner reads the column, so the row would no longer be theirs";
                problems.add_for_column(&table.rule.name, column, message, format!("Remove it from the {key}"));
            }
            target.value_target().check(key, column, value, problems);
            target.check_identifies_no_row(column, problems);
            target.check_leads_to_no_row(column, true, problems);
        }
    }
}

/// JSON and arrays take any text, and null.
fn check_value_within(table: &MappedTable<'_>, column: &str, value: &NewValue, problems: &mut Problems) {
    let is_generated = table.relation.column(column).is_some_and(|column| column.generated);
    if is_generated {
        let message = "the database generates the column, so it can't be overwritten";
        problems.add_for_column(&table.rule.name, column, message, "Name the columns that it is generated from");
    } else if *value == NewValue::Ghost {
        let message = "an id inside JSON or an array references nothing, so it can't be the ghost's";
        problems.add_for_column(&table.rule.name, column, message, "Write \"null\", or { value = \"..\" }");
    }
}

impl TableRule {
    /// Whether a mention removes the reference in every row that stays: the column becomes NULL, or references the ghost row.
    pub(super) fn is_cut_by_mention(&self, column: &str) -> bool {
        self.mentions_of(column).any(|mention| {
            matches!(mention.action, MentionAction::Overwrite(NewValue::Null | NewValue::Ghost))
                && !matches!(mention.path, OwnerPath::Within { .. })
        })
    }

    /// Whether the column becomes NULL in every row that stays and references a deleted one.
    pub(super) fn detaches(&self, column: &str) -> bool {
        let mut references = self.references.iter();
        references.any(|reference| reference.column == column && reference.action == ReferenceAction::Detach)
    }

    /// Returns the mentions whose column, or one of whose columns, it is.
    pub(super) fn mentions_of<'a>(&'a self, column: &'a str) -> impl Iterator<Item = &'a Mention> {
        self.mentions.iter().filter(move |mention| mention.path.columns().iter().any(|name| name == column))
    }

    /// Whether other people's rows are deleted with the person's.
    pub(super) fn deletes_rows_of_others(&self) -> bool {
        self.references.iter().any(|reference| reference.action == ReferenceAction::Delete)
            || self.mentions.iter().any(|mention| mention.action == MentionAction::Delete)
    }
}
