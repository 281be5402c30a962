//! Values of the columns that lead from a row to people.

use super::PEOPLE;
use super::rows::{DraftRow, Filler, payload};
use crate::map::{Owner, Path};
use crate::model::address_of;
use crate::schema::Table;
use crate::value::{Kind, Row, Value};

impl Filler<'_> {
    /// Returns a row with the columns that lead to its owners, the first of whom is `person`, or `None` where nothing can lead
    /// there.
    pub(super) fn owner_values(&mut self, table: &Table, person: Option<&'static str>) -> Option<DraftRow> {
        let owners = &self.draft.owners[&table.full_name()];
        let mut draft = DraftRow::default();
        let counting = self.choose_conditions(owners, table, &mut draft.row);
        let main = counting.iter().position(|counts| *counts);
        let mut order: Vec<usize> = (0..owners.len()).collect();
        order.sort_by_key(|position| !counting[*position]);
        for position in order {
            let other = match self.random.below(4) {
                0 => person,
                1 => None,
                _ => Some(self.random.one_of(&PEOPLE)),
            };
            let path = &owners[position].path;
            let wanted = match path {
                _ if Some(position) == main => person,
                // The map can't say what becomes of Clerk ids in rows for which the owner doesn't count.
                _ if !counting[position] && self.holds_id(table, path) => None,
                _ if !counting[position] && self.is_forbidden(table, path.own_columns()) => None,
                _ => other,
            };
            let values = self.path_values(table, path, wanted, &draft.row);
            let (values, people) = match values {
                Some(found) => found,
                None if Some(position) == main => return None,
                None => self.path_values(table, path, None, &draft.row)?,
            };
            if counting[position] {
                draft.people.extend(people);
            }
            draft.row.extend(values);
        }
        draft.people.sort_unstable();
        draft.people.dedup();
        Some(draft)
    }

    /// Whether the values of the path's columns are Clerk ids.
    fn holds_id(&self, table: &Table, path: &Path) -> bool {
        match path {
            Path::Column(_) => true,
            Path::To { table: parent, .. } => {
                let targets = self.draft.target_columns(table, path);
                self.draft.owners[parent]
                    .iter()
                    .any(|owner| targets.iter().any(|target| owner.path == Path::column(target)))
            }
            Path::Email(_) | Path::From { .. } => false,
        }
    }

    /// Fills the columns that say which owners count, and returns for each owner whether it does.
    fn choose_conditions(&mut self, owners: &[Owner], table: &Table, row: &mut Row) -> Vec<bool> {
        let listed: Vec<(&String, &Vec<String>)> = owners.iter().flat_map(|owner| &owner.conditions).collect();
        if let Some((column, texts)) = self.random.try_pick(&listed).copied() {
            let kind = table.column(column).kind;
            let value = match self.random.below(10) {
                0 if table.column(column).nullable => Value::Null,
                0..=1 => payload(self.random, kind),
                _ => condition_value(kind, self.random.pick::<String>(texts)),
            };
            row.insert(column.clone(), value);
        }
        owners.iter().map(|owner| owner.applies_to(row)).collect()
    }

    /// Returns values that lead to the person, or to nobody, for the columns of a path that aren't filled yet, and all to whom they
    /// lead.
    fn path_values(
        &mut self,
        table: &Table,
        path: &Path,
        person: Option<&'static str>,
        row: &Row,
    ) -> Option<(Row, Vec<&'static str>)> {
        let columns = path.own_columns();
        if matches!(path, Path::From { .. }) || columns.iter().all(|column| row.contains_key(column)) {
            return Some((Row::new(), Vec::new()));
        }
        let nullable = columns.iter().find(|column| table.column(column).nullable);
        if let Some(column) = nullable.filter(|_| person.is_none()) {
            let mut values = Row::from([(column.clone(), Value::Null)]);
            for other in columns.iter().filter(|other| *other != column) {
                let is_null = table.column(other).nullable;
                values.insert(
                    other.clone(),
                    if is_null { Value::Null } else { self.unique_value(table.column(other).kind) },
                );
            }
            return Some((values, Vec::new()));
        }
        let key = table.foreign_keys.iter().find(|key| key.columns == columns);
        let (parent, targets) = match (path, key) {
            (_, Some(key)) => (&key.parent, key.parent_columns.clone()),
            (Path::To { table: parent, .. }, None) => (parent, self.draft.target_columns(table, path)),
            (Path::Email(column), None) => {
                let stranger = if self.random.percent(50) { "guest@example.org" } else { "" };
                let address = person.map_or_else(|| stranger.to_owned(), address_of);
                let address = if self.random.percent(30) { address.to_uppercase() } else { address };
                return Some(([(column.clone(), Value::text_of(&address))].into(), person.into_iter().collect()));
            }
            _ => {
                let stranger = if self.random.percent(50) { "user_Z" } else { "not an id" };
                let value = Value::text_of(person.unwrap_or(stranger));
                return Some(([(columns[0].clone(), value)].into(), person.into_iter().collect()));
            }
        };
        let is_ghost = |draft: &&DraftRow| {
            let key = self.draft.ghosts.get(parent);
            key.is_some_and(|key| key.iter().all(|(column, value)| draft.row.get(column) == Some(value)))
        };
        let fits = |draft: &&DraftRow| match person {
            Some(person) => draft.people.contains(&person),
            None => draft.people.is_empty() && !is_ghost(draft),
        };
        let values = |draft: &DraftRow| {
            let pairs = columns.iter().zip(&targets);
            let values = pairs.map(|(column, target)| Some((column.clone(), draft.row.get(target).cloned()?)));
            let values = values.collect::<Option<Row>>().filter(|values| values.values().all(|value| !value.is_null()));
            Some((values?, draft.people.clone()))
        };
        let found: Vec<(Row, Vec<&'static str>)> = self.rows[parent].iter().filter(fits).filter_map(values).collect();
        self.random.try_pick(&found).cloned()
    }
}

/// Returns the value with this text.
fn condition_value(kind: Kind, text: &str) -> Value {
    match kind {
        Kind::Integer => Value::Int(text.parse().expect("the text is a number")),
        _ => Value::text_of(text),
    }
}
