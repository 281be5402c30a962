//! How a map is broken.

use super::Breakage;
use crate::generator::{Case, Random};
use crate::map::{
    Entry, Erase, Export, Map, Mention, MentionAction, NewValue, Path, Period, Reference, ReferenceAction, Removal,
    Scrub,
};
use crate::schema::{Column, ForeignKey, Table};
use crate::value::{Kind, Value};

/// Returns the case's map, broken somewhere, or `None` where it has nothing that could be broken in this way.
pub(super) fn apply(breakage: Breakage, case: &Case, random: &mut Random) -> Option<Map> {
    let mut order: Vec<usize> = (0..case.map.entries.len()).collect();
    random.shuffle(&mut order);
    order.into_iter().find_map(|position| {
        let mut map = case.map.clone();
        let mut breaker = Breaker { case, table: case.schema.table(&map.entries[position].table), random, position };
        breaker.apply(breakage, &mut map).map(|()| map)
    })
}

/// Breaks the entry at this position.
pub(super) struct Breaker<'a> {
    pub(super) case: &'a Case,
    pub(super) table: &'a Table,
    random: &'a mut Random,
    pub(super) position: usize,
}

impl Breaker<'_> {
    fn apply(&mut self, breakage: Breakage, map: &mut Map) -> Option<()> {
        match breakage {
            Breakage::MissingEntry
            | Breakage::SecondEntry
            | Breakage::UnknownTable
            | Breakage::NoSubject
            | Breakage::AmbiguousSubject
            | Breakage::IgnoredChild => self.break_entries(breakage, map),
            Breakage::UnknownOwner
            | Breakage::OwnerOfWrongType
            | Breakage::PathToUnmappedTable
            | Breakage::PathWithoutKey
            | Breakage::CircularPath => self.break_path(breakage, map),
            Breakage::MissingReference
            | Breakage::ReferenceWithoutTarget
            | Breakage::ReferenceByOwnerId
            | Breakage::DetachedNotNull
            | Breakage::DetachedOwner
            | Breakage::DetachedKey
            | Breakage::DeletionInCircle => self.break_references(breakage, map),
            Breakage::DeletionUnderStayingRows => self.delete_under_staying_rows(map),
            Breakage::LeadingUnownedRows => self.lead_from_unowned_rows(map),
            Breakage::ScrubbedUserId => self.scrub_user_id(map),
            Breakage::OutlivedParent => self.outlive_parent(map),
            Breakage::OverwrittenOwner => self.overwrite_owner(map),
            _ => self.break_values(breakage, &mut map.entries[self.position]),
        }
    }

    fn break_entries(&mut self, breakage: Breakage, map: &mut Map) -> Option<()> {
        let name = self.table.full_name();
        let mut parents = self.table.foreign_keys.iter().filter(|key| key.parent != name);
        match breakage {
            Breakage::MissingEntry => {
                let is_target = map.entries.iter().any(|entry| entry.table != name && leads_to(entry, &name));
                (map.is_second || parents.next().is_some() || is_target)
                    .then(|| drop(map.entries.remove(self.position)))
            }
            Breakage::SecondEntry => {
                let again = map.entries[self.position].clone();
                map.entries.push(again);
                Some(())
            }
            Breakage::UnknownTable => {
                map.entries[self.position].table = format!("{name}2");
                self.case.schema.find(&format!("{name}2")).is_none().then_some(())
            }
            Breakage::NoSubject => {
                // In the second language people may exist at Clerk only.
                map.entries.iter_mut().for_each(|entry| entry.is_subject = false);
                map.is_second = false;
                Some(())
            }
            Breakage::AmbiguousSubject => {
                let entry = &mut map.entries[self.position];
                let is_ambiguous = |column: &&Column| column.kind.is_text() && !self.table.is_unique(&column.name);
                let column = self.table.columns.iter().find(is_ambiguous).filter(|_| entry.is_subject)?;
                entry.owners[0].path = Path::column(&column.name);
                Some(())
            }
            _ => {
                let stays = |key: &ForeignKey| map.entry(&key.parent).erase.removal() == Removal::Never;
                let references = |key: &ForeignKey| key.parent == name;
                let is_mentioned = |entry: &Entry| {
                    !entry.mentions.is_empty()
                        && self.case.schema.table(&entry.table).foreign_keys.iter().any(references)
                };
                let is_needed = map.entries.iter().any(|entry| leads_to(entry, &name) || is_mentioned(entry));
                let is_subject = map.entries[self.position].is_subject;
                if is_needed || is_subject || parents.all(stays) {
                    return None;
                }
                map.entries.remove(self.position);
                map.ignored.push(name);
                Some(())
            }
        }
    }

    fn break_path(&mut self, breakage: Breakage, map: &mut Map) -> Option<()> {
        let Entry { owners, is_subject, erase, .. } = &mut map.entries[self.position];
        // A scrub would have to say what becomes of the column that isn't the owner's any more.
        *erase = Erase::Delete;
        match (breakage, &mut owners[0].path) {
            (Breakage::UnknownOwner, Path::Column(column)) => "no such column".clone_into(column),
            (Breakage::UnknownOwner, Path::To { columns, .. }) => "no such column".clone_into(&mut columns[0]),
            (Breakage::OwnerOfWrongType, Path::Column(column)) => {
                let other = self.table.columns.iter().find(|column| !column.kind.is_text())?;
                other.name.clone_into(column);
            }
            (Breakage::PathToUnmappedTable, Path::To { table, .. }) => "public.nowhere".clone_into(table),
            (Breakage::PathWithoutKey, Path::To { columns, table, target }) if columns.len() == 1 => {
                let parent = self.case.schema.table(table);
                let has_key = |column: &Column| {
                    let mut keys = self.table.foreign_keys.iter();
                    keys.any(|key| key.parent == *table && key.columns == [column.name.as_str()])
                };
                let target = if target.is_empty() { &parent.primary_key } else { &*target };
                let fits = |column: &Column| match target.as_slice() {
                    [only] => are_comparable(parent.column(only).kind, column.kind),
                    _ => false,
                };
                let other = self.table.columns.iter().find(|column| !has_key(column) && !fits(column))?;
                columns[0].clone_from(&other.name);
            }
            (Breakage::CircularPath, path) if !*is_subject => {
                let [key] = self.table.primary_key.as_slice() else { return None };
                let column = self.table.columns.iter().find(|column| column.kind == self.table.column(key).kind)?;
                let (columns, target) = (vec![column.name.clone()], vec![key.clone()]);
                *path = Path::To { columns, table: self.table.full_name(), target };
            }
            _ => return None,
        }
        Some(())
    }

    fn break_values(&mut self, breakage: Breakage, entry: &mut Entry) -> Option<()> {
        if breakage == Breakage::UnknownColumn {
            self.name_unknown_column(entry);
            return Some(());
        }
        if matches!(breakage, Breakage::StampedText | Breakage::StampedNotNull) {
            let is_wrong = |column: &&Column| {
                if breakage == Breakage::StampedText {
                    !column.kind.is_time()
                } else {
                    column.kind.is_time() && !column.nullable
                }
            };
            let column = self.table.columns.iter().find(is_wrong)?;
            entry.erase = Erase::Stamp { columns: vec![column.name.clone()], purge_after: None };
            return Some(());
        }
        let is_referenced = |column: &Column| {
            self.table.primary_key.contains(&column.name)
                || self.case.schema.is_referenced(&self.table.full_name(), &column.name)
        };
        let is_wrong = |column: &&Column| match breakage {
            Breakage::NullIntoNotNull => !column.nullable,
            Breakage::ConstantIntoUnique => self.table.is_unique(&column.name) && column.kind.is_text(),
            Breakage::ScrubbedKey => is_referenced(column),
            _ => {
                let is_exempt = column.kind.is_time();
                let is_owner = entry.owners.iter().any(|owner| owner.path.own_columns().contains(&column.name));
                !is_exempt && !is_owner && !self.table.primary_key.contains(&column.name)
            }
        };
        let column = self.table.columns.iter().find(is_wrong)?.name.clone();
        let others = self.table.columns.iter().map(|other| other.name.clone()).filter(|name| *name != column);
        let mut scrub = Scrub { leave: others.collect(), ..Scrub::default() };
        if breakage == Breakage::UndecidedColumn {
            let other = scrub.leave.pop()?;
            scrub.columns.insert(other, NewValue::Null);
        } else {
            let value = if breakage == Breakage::ConstantIntoUnique {
                NewValue::Constant(Value::text_of("gone"))
            } else {
                NewValue::Null
            };
            scrub.columns.insert(column, value);
        }
        entry.erase = Erase::Scrub(scrub);
        Some(())
    }

    fn name_unknown_column(&mut self, entry: &mut Entry) {
        let unknown = "no such column".to_owned();
        match self.random.below(4) {
            0 => entry.export = Export::Only(vec![unknown]),
            1 => entry.erase = Erase::Stamp { columns: vec![unknown], purge_after: None },
            2 => {
                let columns = [(unknown, NewValue::Null)].into();
                entry.erase = Erase::Scrub(Scrub { columns, ..Scrub::default() });
            }
            _ => entry.references.push(Reference { column: unknown, action: ReferenceAction::Forbid }),
        }
    }

    fn outlive_parent(&mut self, map: &mut Map) -> Option<()> {
        let cuts =
            |mention: &&Mention| matches!(mention.action, MentionAction::Write(NewValue::Null | NewValue::Ghost));
        let mentions = map.entries[self.position].mentions.iter().filter(cuts).flat_map(|mention| &mention.columns);
        let cut: Vec<&String> = mentions.flat_map(Path::own_columns).collect();
        let is_cut = |key: &&ForeignKey| key.columns.iter().any(|column| cut.contains(&column));
        let mut keys = self.table.foreign_keys.iter().filter(|key| !is_cut(key));
        let entry = &map.entries[self.position];
        let key = keys.find(|key| key.parent != self.table.full_name() && !entry.detaches(&key.columns))?;
        map.entries[self.position].erase = Erase::Keep { period: None };
        let parent = map.entries.iter_mut().find(|entry| entry.table == key.parent)?;
        parent.erase = Erase::Delete;
        Some(())
    }

    /// Lets the parent lose what leads to its owner, while its children stay.
    fn overwrite_owner(&mut self, map: &mut Map) -> Option<()> {
        let Path::To { table: parent, .. } = map.entries[self.position].owners[0].path.clone() else { return None };
        let parent_table = self.case.schema.table(&parent);
        let column = map.entry(&parent).owners[0].path.own_columns().first()?.clone();
        if !parent_table.column(&column).nullable || self.case.schema.is_referenced(&parent, &column) {
            return None;
        }
        // Rows that stay for good need no owner.
        map.entries[self.position].erase = Erase::Keep { period: Some(Period { text: "1 year", minutes: 525_948 }) };
        let others = parent_table.columns.iter().map(|other| other.name.clone()).filter(|name| *name != column);
        let scrub =
            Scrub { columns: [(column.clone(), NewValue::Null)].into(), leave: others.collect(), ..Scrub::default() };
        map.entries.iter_mut().find(|entry| entry.table == parent)?.erase = Erase::Scrub(scrub);
        Some(())
    }
}

fn leads_to(entry: &Entry, parent: &str) -> bool {
    let mentioned = entry.mentions.iter().flat_map(|mention| &mention.columns);
    let mut paths = entry.owners.iter().map(|owner| &owner.path).chain(mentioned);
    paths.any(|path| matches!(path, Path::To { table, .. } | Path::From { table, .. } if table == parent))
}

/// Whether Postgres compares values of both types.
fn are_comparable(one: Kind, other: Kind) -> bool {
    let is_integer = |kind| matches!(kind, Kind::Integer | Kind::Bigint);
    one == other || one.is_text() && other.is_text() || is_integer(one) && is_integer(other)
}
