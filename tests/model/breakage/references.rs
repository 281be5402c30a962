//! Maps that decide wrongly, or not at all, about rows of others.

use super::Breakage;
use super::apply::Breaker;
use crate::generator::suggests_user_id;
use crate::map::{Erase, Map, MentionAction, NewValue, Path, Reference, ReferenceAction, Removal, Scrub};
use crate::schema::{Column, ForeignKey, Table};

impl Breaker<'_> {
    pub(super) fn break_references(&mut self, breakage: Breakage, map: &mut Map) -> Option<()> {
        if breakage == Breakage::MissingReference {
            return self.remove_reference(map);
        }
        let entry = &mut map.entries[self.position];
        let [owner, ..] = entry.owners.as_slice() else { return None };
        let column = match breakage {
            Breakage::ReferenceWithoutTarget => {
                let is_loose = |column: &&Column| {
                    !column.kind.is_text() && self.table.foreign_keys_of(&column.name).next().is_none()
                };
                self.table.columns.iter().find(is_loose)?.name.clone()
            }
            Breakage::ReferenceByOwnerId => match (&owner.path, entry.owners.len()) {
                (Path::Column(column), 1) => column.clone(),
                _ => return None,
            },
            Breakage::DetachedNotNull => {
                let mut columns = self.table.foreign_keys.iter().flat_map(|key| &key.columns);
                columns.find(|column| !self.table.column(column).nullable)?.clone()
            }
            Breakage::DetachedOwner => owner.path.own_columns().first()?.clone(),
            Breakage::DetachedKey => {
                let mut columns = self.table.columns.iter().map(|column| &column.name);
                columns.find(|column| self.case.schema.is_referenced(&entry.table, column))?.clone()
            }
            _ => {
                let is_circular = |key: &&ForeignKey| key.parent == self.table.full_name();
                self.table.foreign_keys.iter().find(is_circular)?.columns[0].clone()
            }
        };
        let action = match breakage {
            Breakage::DetachedNotNull | Breakage::DetachedOwner | Breakage::DetachedKey => ReferenceAction::Detach,
            _ => ReferenceAction::Delete,
        };
        entry.references.retain(|reference| reference.column != column);
        entry.references.push(Reference { column, action });
        Some(())
    }

    /// Removes a reference without which nothing would be decided about a foreign key.
    fn remove_reference(&mut self, map: &mut Map) -> Option<()> {
        let entry = &map.entries[self.position];
        let deciding = entry.mentions.iter().filter(|mention| mention.action != MentionAction::Keep);
        let mentioned: Vec<&String> =
            deciding.flat_map(|mention| &mention.columns).flat_map(Path::own_columns).collect();
        let is_needed = |reference: &Reference| {
            self.table.foreign_keys_of(&reference.column).any(|key| {
                let others = entry.references.iter().filter(|other| key.columns.contains(&other.column));
                let is_mentioned = key.columns.iter().any(|column| mentioned.contains(&column));
                others.count() == 1 && !is_mentioned && needs_decision(map, self.table, key)
            })
        };
        let position = entry.references.iter().position(is_needed)?;
        map.entries[self.position].references.remove(position);
        Some(())
    }

    /// Deletes rows of others that the person's own rows, which stay, may reference.
    pub(super) fn delete_under_staying_rows(&mut self, map: &mut Map) -> Option<()> {
        let mut keys = self.table.foreign_keys.iter();
        let entry = &map.entries[self.position];
        let key = keys.find(|key| !is_same_owner(map, self.table, key) && !entry.detaches(&key.columns))?;
        let parent = self.case.schema.table(&key.parent);
        let column = parent.foreign_keys.iter().flat_map(|key| &key.columns).next()?.clone();
        map.entries[self.position].erase = Erase::Keep { period: None };
        let entry = map.entries.iter_mut().find(|entry| entry.table == key.parent)?;
        entry.references.push(Reference { column, action: ReferenceAction::Delete });
        Some(())
    }

    /// Takes the owner away from rows that stay, and says what becomes of others' rows in which a column leads to the person.
    pub(super) fn lead_from_unowned_rows(&mut self, map: &mut Map) -> Option<()> {
        let stays = |key: &ForeignKey| map.entry(&key.parent).erase.removal() != Removal::Immediate;
        let [only] = map.entries[self.position].owners.as_slice() else { return None };
        let owner = only.path.own_columns().first().filter(|_| !matches!(only.path, Path::From { .. }))?.clone();
        let leads = |column: &&Column| {
            let mut keys = self.table.foreign_keys_of(&column.name).peekable();
            let leads = if keys.peek().is_none() { column.kind.is_text() } else { keys.any(stays) };
            column.name != owner && leads
        };
        let column = self.table.columns.iter().find(leads)?.name.clone();
        let others = self.table.columns.iter().map(|other| other.name.clone()).filter(|name| *name != owner);
        let scrub = Scrub { leave: others.collect(), columns: [(owner, NewValue::Null)].into(), ..Scrub::default() };
        let entry = &mut map.entries[self.position];
        entry.erase = Erase::Scrub(scrub);
        entry.references.push(Reference { column, action: ReferenceAction::Forbid });
        Some(())
    }

    /// Scrubs a column that may hold a Clerk id, and says nothing about others' rows in which it does.
    pub(super) fn scrub_user_id(&mut self, map: &mut Map) -> Option<()> {
        let entry = map.entries.get_mut(self.position).filter(|_| map.is_second)?;
        let is_owner = |name: &String| entry.owners.iter().any(|owner| owner.path.own_columns().contains(name));
        let is_key = |name: &String| {
            self.table.foreign_keys_of(name).next().is_some() || self.case.schema.is_referenced(&entry.table, name)
        };
        let is_user_id = |column: &&Column| {
            let name = &column.name;
            column.kind.is_text() && suggests_user_id(name) && !is_owner(name) && !is_key(name)
        };
        let column = self.table.columns.iter().find(is_user_id)?.name.clone();
        entry.references.retain(|reference| reference.column != column);
        entry.mentions.retain(|mention| !mention.columns.iter().any(|path| path.own_columns().contains(&column)));
        let others = self.table.columns.iter().map(|other| other.name.clone()).filter(|name| *name != column);
        let scrub = Scrub { leave: others.collect(), columns: [(column, NewValue::Null)].into(), ..Scrub::default() };
        entry.erase = Erase::Scrub(scrub);
        Some(())
    }
}

/// Whether rows of others may reference deleted rows by the foreign key.
fn needs_decision(map: &Map, child: &Table, key: &ForeignKey) -> bool {
    let parent = map.entry(&key.parent);
    let goes_with_last_reference = parent.owners.iter().any(|owner| {
        matches!(&owner.path, Path::From { table, columns, .. } if *table == child.full_name() && *columns == key.columns)
    });
    parent.deletes_others()
        || parent.erase.removal() != Removal::Never && !is_same_owner(map, child, key) && !goes_with_last_reference
}

/// Whether the foreign key always connects rows of the same person.
fn is_same_owner(map: &Map, child: &Table, key: &ForeignKey) -> bool {
    let unconditional = |table: &str| map.entry(table).owners.iter().filter(|owner| owner.conditions.is_empty());
    let holds_id = |column: &String| unconditional(&key.parent).any(|owner| owner.path == Path::column(column));
    unconditional(&child.full_name()).any(|owner| match &owner.path {
        Path::Column(own) => {
            key.columns.iter().zip(&key.parent_columns).any(|(here, there)| here == own && holds_id(there))
        }
        Path::To { columns, table, target } => {
            *table == key.parent && *columns == key.columns && (target.is_empty() || *target == key.parent_columns)
        }
        Path::Email(_) | Path::From { .. } => false,
    })
}
