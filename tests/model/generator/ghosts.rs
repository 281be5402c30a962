//! Which tables have a row that stands for everybody who left.

use super::Draft;
use super::random::Random;
use crate::schema::Table;
use crate::value::{Kind, Row, Value};

pub(super) fn choose(random: &mut Random, draft: &mut Draft) {
    if !draft.is_second {
        return;
    }
    for table in &draft.schema.tables {
        let name = table.full_name();
        let chance = if draft.subjects.contains(&name) { 65 } else { 25 };
        let keys: Vec<&Vec<String>> = table.keys().filter(|key| is_complete(table, key)).collect();
        if random.percent(chance)
            && can_be_empty(draft, table)
            && !draft.is_shareable(&name)
            && let Some(key) = random.try_pick(&keys)
        {
            let key = key.iter().map(|column| (column.clone(), key_value(table.column(column).kind)));
            draft.ghosts.insert(name, key.collect::<Row>());
        }
    }
}

/// Whether a row needn't lead anywhere. A subject's row has a key all the same.
fn can_be_empty(draft: &Draft, table: &Table) -> bool {
    let name = table.full_name();
    let owners = draft.owner_columns(&name).filter(|_| !draft.subjects.contains(&name));
    let links = draft.links[&name].iter().chain(&table.foreign_keys).flat_map(|key| &key.columns);
    owners.chain(links).chain(&draft.user_ids[&name]).all(|column| table.column(column).nullable)
}

/// Whether the ghost row has values in these columns.
fn is_complete(table: &Table, key: &[String]) -> bool {
    let is_usable = |column: &String| {
        let column = table.column(column);
        !column.nullable
            && matches!(column.kind, Kind::Integer | Kind::Bigint | Kind::Uuid | Kind::Text | Kind::Varchar)
    };
    key.iter().all(is_usable)
}

fn key_value(kind: Kind) -> Value {
    match kind {
        Kind::Integer | Kind::Bigint => Value::Int(0),
        Kind::Uuid => Value::text_of("00000000-0000-0000-0000-000000000000"),
        _ => Value::text_of("ghost"),
    }
}
