//! Says in sentences what happens to the rows of one table, and why.

use super::address::AddressKind;
use super::erase::{Erase, Scrub};
use super::resolved::{ReferenceTarget, Resolved, ResolvedAction, ResolvedPath, ResolvedReference, Table};
use super::rules::{DataMap, ExportRule, Mention, Owner};
use super::value::{NewValue, NewValues};

/// Returns what an export contains of the table's rows, and what a deletion does with them, one fact a line. `None` if the map
/// neither has a rule for the table nor ignores it.
#[must_use]
pub fn explain(map: &DataMap, resolved: &Resolved, name: &str) -> Option<String> {
    let Some(index) = resolved.index_of(name) else {
        let ignored = map.ignored.iter().find(|ignored| super::check::matches_pattern(&ignored.name, name))?;
        return Some(format!(
            "{name} is ignored by \"{}\": nothing of it is exported or erased, because: {}\n",
            ignored.name, ignored.reason
        ));
    };
    let table = &resolved.tables[index];
    let mut lines = vec![format!("{name}, which users know as \"{}\":", table.rule.label)];
    lines.extend(owners(table, resolved));
    lines.push(export(&table.rule.export));
    lines.extend(erasure(table));
    lines.extend(table.references.iter().map(|reference| reference_sentence(table, reference, resolved)));
    lines.extend(table.rule.mentions.iter().filter_map(mention_export));
    Some(lines.join("\n- ") + "\n")
}

fn owners(table: &Table, resolved: &Resolved) -> Vec<String> {
    let rules = table.owners.iter().zip(&table.rule.owners);
    let mut lines: Vec<String> = rules
        .map(|(owner, rule)| {
            let whose = match &owner.path {
                ResolvedPath::UserId { .. } => {
                    format!("A row belongs to whose Clerk user id {} has", rule.path.columns().join(", "))
                }
                ResolvedPath::Address { kind, .. } => {
                    let address = if *kind == AddressKind::Email { "e-mail address" } else { "phone number" };
                    format!("A row belongs to whose {address} {} has", rule.path.columns().join(", "))
                }
                ResolvedPath::Parent { table, target, .. } => format!(
                    "A row belongs to the owners of the row of {} that {} leads to ({})",
                    resolved.tables[*table].rule.name,
                    rule.path.columns().join(", "),
                    unquoted(target)
                ),
                ResolvedPath::Child { table, referencing, .. } => format!(
                    "A row belongs to the owners of the rows of {} that reference it by {}, and goes with the last of these rows; one \
                     that is nobody's keeps it, too",
                    resolved.tables[*table].rule.name,
                    unquoted(referencing)
                ),
            };
            format!("{whose}{}.", condition(rule))
        })
        .collect();
    if table.is_shareable {
        lines.push(
            "A row can have several owners: each gets it in the export, and it stays until the last of them leaves."
                .to_owned(),
        );
        let forgetting = table.rule.owners.iter().filter(|owner| !owner.forget.is_empty());
        lines.extend(forgetting.map(|owner| {
            format!("When the owner by `{}` leaves and others stay: {}.", owner.path, new_values(&owner.forget))
        }));
    }
    lines
}

fn condition(owner: &Owner) -> String {
    let columns = owner.filter.iter().map(|(column, values)| format!("{column} is {}", values.join(" or ")));
    let columns: Vec<String> = columns.collect();
    if columns.is_empty() { String::new() } else { format!(", if {}", columns.join(" and ")) }
}

fn export(rule: &ExportRule) -> String {
    match rule {
        ExportRule::All => "Its owners get every column in their export.".to_owned(),
        ExportRule::Only(columns) => format!("Its owners get these columns in their export: {}.", columns.join(", ")),
        ExportRule::Except { columns, reason } => {
            format!("Its owners get every column in their export except {}, because: {reason}", columns.join(", "))
        }
        ExportRule::Nothing { reason } => format!("Nothing of it is exported, because: {reason}"),
    }
}

fn mention_export(mention: &Mention) -> Option<String> {
    let columns = match mention.export.as_ref()? {
        ExportRule::All => "every column".to_owned(),
        ExportRule::Only(columns) => columns.join(", "),
        ExportRule::Except { columns, .. } => format!("every column except {}", columns.join(", ")),
        ExportRule::Nothing { .. } => return None,
    };
    Some(format!("Whom {} names gets {columns} of the row in their export.", mention.name()))
}

fn erasure(table: &Table) -> Vec<String> {
    let whose = if table.is_shareable { "When the last owner is deleted" } else { "When the owner is deleted" };
    let sentence = match &table.rule.erase {
        Erase::Delete => format!("{whose}, the row is deleted."),
        Erase::Keep(keep) => match &keep.period {
            Some(period) => format!("{whose}, the row stays for {period}, because: {}", keep.reason),
            None => format!("{whose}, the row stays for good, because: {}", keep.reason),
        },
        Erase::Stamp(stamp) => {
            let columns = stamp.columns.join(", ");
            match &stamp.purge_after {
                Some(period) => format!("{whose}, {columns} get the time, and the row is deleted after {period}."),
                None => format!("{whose}, {columns} get the time, and the row stays for good."),
            }
        }
        Erase::Scrub(scrub) => format!("{whose}, {}", scrubbed(scrub)),
    };
    let cycle = (!table.unlink_columns.is_empty())
        .then(|| format!("Before, {} becomes NULL in it: foreign keys form a cycle.", unquoted(&table.unlink_columns)));
    std::iter::once(sentence).chain(cycle).collect()
}

fn scrubbed(scrub: &Scrub) -> String {
    let mut parts = vec![new_values(&scrub.columns)];
    if !scrub.stamp.is_empty() {
        parts.push(format!("{} get the time", scrub.stamp.join(", ")));
    }
    if scrub.leave_rest {
        parts.push("all other columns stay".to_owned());
    } else if !scrub.leave.is_empty() {
        parts.push(format!("{} stay", scrub.leave.join(", ")));
    }
    parts.push(match &scrub.period {
        Some(period) => format!("and the row is deleted after {period}"),
        None => "and the row stays for good".to_owned(),
    });
    let reason = scrub.reason.as_ref().map_or_else(|| ".".to_owned(), |reason| format!(", because: {reason}"));
    parts.join(", ") + &reason
}

fn new_values(values: &NewValues) -> String {
    let describe = |(column, value): (&String, &NewValue)| match value {
        NewValue::Null => format!("{column} becomes NULL"),
        NewValue::Value(value) => format!("{column} becomes \"{value}\""),
        NewValue::Unique(template) => format!("{column} becomes \"{template}\" with random digits"),
        NewValue::Neutral => format!("{column} becomes the neutral value of its type"),
        NewValue::Ghost => format!("{column} becomes the ghost's key"),
    };
    values.iter().map(describe).collect::<Vec<_>>().join(", ")
}

fn reference_sentence(table: &Table, reference: &ResolvedReference, resolved: &Resolved) -> String {
    let column = &reference.name;
    let whose = match (&reference.target, reference.is_mention) {
        (ReferenceTarget::UserId | ReferenceTarget::UserIdWithin(_), _) => {
            format!("In rows of others whose {column} has the deleted user's id")
        }
        (ReferenceTarget::Rows { table, .. }, true) => {
            format!(
                "In rows of others whose {column} leads to the deleted user's row of {}",
                resolved.tables[*table].rule.name
            )
        }
        (ReferenceTarget::Rows { table, .. }, false) => format!(
            "In rows that stay and whose {column} references a row of {} that is deleted",
            resolved.tables[*table].rule.name
        ),
    };
    let mention = table.rule.mentions.iter().find(|mention| mention.name() == *column);
    let reason = || {
        let rule = table.rule.references.iter().find(|rule| rule.column == *column && !reference.is_mention);
        rule.map_or_else(|| ".".to_owned(), |rule| format!(", because: {}", rule.reason))
    };
    match &reference.action {
        ResolvedAction::Detach => format!("{whose}, it becomes NULL{}", reason()),
        ResolvedAction::Overwrite(_) => {
            let forgotten = mention.map(|mention| &mention.forget).filter(|forget| !forget.is_empty());
            let further = forgotten.map(|forget| format!(", and {}", new_values(forget))).unwrap_or_default();
            let value = mention.map(|mention| match &mention.action {
                super::rules::MentionAction::Overwrite(value) => {
                    new_values(&std::iter::once((column.clone(), value.clone())).collect())
                }
                _ => String::new(),
            });
            format!("{whose}, {}{further}.", value.unwrap_or_default())
        }
        ResolvedAction::Delete => format!("{whose}, the row is deleted{}", reason()),
        ResolvedAction::Keep(reason) => format!("{whose}, it stays, because: {reason}"),
        ResolvedAction::Forbid => {
            format!("{whose}: the map states that there are none. If there is one, nothing is erased.")
        }
    }
}

fn unquoted(columns: &[String]) -> String {
    columns.iter().map(|column| column.trim_matches('"')).collect::<Vec<_>>().join(", ")
}
