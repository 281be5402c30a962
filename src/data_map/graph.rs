//! What hangs on a person, as a graph: the tables, and how rows lead from one to another.

use std::fmt::Write as _;

use super::address::AddressKind;
use super::erase::Erase;
use super::index::{Position as _, TableIndex};
use super::period::Period;
use super::resolved::{
    ReferenceTarget, Resolved, ResolvedAction, ResolvedOwner, ResolvedPath, ResolvedReference, Table,
};
use super::rules::{MentionAction, Owner};
use super::value::NewValue;

/// The tables of a map, and what leads from one to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Graph {
    /// In the order of the map.
    pub tables: Vec<GraphTable>,
    /// In the order of the map: what a row belongs to first, then what else leads to it.
    pub edges: Vec<GraphEdge>,
}

/// A table of the map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GraphTable {
    /// Schema and table.
    pub name: String,
    /// What a deletion does with the person's rows, in a few words.
    pub outcome: String,
    /// Whether the rows are deleted at once.
    pub is_deleted: bool,
}

/// Rows lead to rows of another table, or a person to rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GraphEdge {
    /// The position of the table that it comes from; `None`: the person.
    pub from: Option<usize>,
    /// The position of the table that it leads to.
    pub to: usize,
    /// The columns, and what happens where the rows aren't the person's.
    pub label: String,
    /// Whether the rows that it leads to are the person's. Others name the person, or reference rows that go.
    pub owns: bool,
}

impl Graph {
    /// Returns the graph of a map.
    #[must_use]
    pub fn of(resolved: &Resolved) -> Self {
        let tables = resolved.tables.iter().map(graph_table).collect();
        let edges = resolved.tables.enumerate().flat_map(|(index, table)| {
            let owners =
                table.owners.iter().zip(&table.rule.owners).map(move |(owner, rule)| owner_edge(index, owner, rule));
            // Nothing comes along where the map states that there are no such rows.
            let possible = table.references.iter().filter(|reference| reference.action != ResolvedAction::Forbid);
            let references = possible.map(move |reference| reference_edge(index, table, reference));
            owners.chain(references)
        });
        Self { tables, edges: edges.collect() }
    }

    /// Returns the graph in the notation of Mermaid, which GitHub, GitLab and many editors draw.
    #[must_use]
    pub fn mermaid(&self) -> String {
        let mut text = "flowchart LR\n    person((\"the person\"))\n".to_owned();
        let quoted = |label: &str| label.replace('"', "#quot;");
        for (position, GraphTable { name, outcome, is_deleted }) in self.tables.iter().enumerate() {
            let class = if *is_deleted { "deleted" } else { "stays" };
            let _ = writeln!(text, "    table{position}[\"{}<br>{}\"]:::{class}", quoted(name), quoted(outcome));
        }
        for GraphEdge { from, to, label, owns } in &self.edges {
            let from = from.map_or_else(|| "person".to_owned(), |position| format!("table{position}"));
            let arrow = if *owns { "-->" } else { "-.->" };
            let _ = writeln!(text, "    {from} {arrow}|\"{}\"| table{to}", quoted(label));
        }
        text + "    classDef deleted stroke-width:2px\n    classDef stays stroke-dasharray:4 3\n"
    }
}

fn graph_table(table: &Table) -> GraphTable {
    let end = |period: &Option<Period>| {
        period.map_or_else(|| "stays for good".to_owned(), |period| format!("deleted after {period}"))
    };
    let outcome = match &table.rule.erase {
        Erase::Delete => "deleted".to_owned(),
        Erase::Stamp(stamp) => format!("stamped, {}", end(&stamp.purge_after)),
        Erase::Scrub(scrub) => format!("scrubbed, {}", end(&scrub.period)),
        Erase::Keep(keep) => format!("kept, {}", end(&keep.period)),
    };
    let outcome = if table.is_shareable { format!("{outcome}, with its last owner") } else { outcome };
    GraphTable { name: table.rule.name.clone(), outcome, is_deleted: table.rule.erase == Erase::Delete }
}

fn owner_edge(table: TableIndex, owner: &ResolvedOwner, rule: &Owner) -> GraphEdge {
    let columns = rule.path.columns().join(", ");
    let (from, label) = match &owner.path {
        ResolvedPath::UserId { .. } => (None, columns),
        ResolvedPath::Address { kind: AddressKind::Email, .. } => (None, format!("e-mail address in {columns}")),
        ResolvedPath::Address { kind: AddressKind::Phone, .. } => (None, format!("phone number in {columns}")),
        ResolvedPath::Parent { table, .. } => (Some(table.get()), columns),
        ResolvedPath::Child { table, referencing, .. } => {
            let names: Vec<&str> = referencing.iter().map(|name| name.trim_matches('"')).collect();
            (Some(table.get()), format!("by its {}", names.join(", ")))
        }
    };
    let filter = rule.filter.iter().map(|(column, values)| format!(" if {column} is {}", values.join(" or ")));
    GraphEdge { from, to: table.get(), label: label + &filter.collect::<String>(), owns: true }
}

fn reference_edge(index: TableIndex, table: &Table, reference: &ResolvedReference) -> GraphEdge {
    let from = match &reference.target {
        ReferenceTarget::Rows { table, .. } => Some(table.get()),
        ReferenceTarget::UserId | ReferenceTarget::UserIdWithin(_) => None,
    };
    let value = table.rule.mentions.iter().find(|mention| mention.name() == reference.name);
    let value = value.and_then(|mention| match &mention.action {
        MentionAction::Overwrite(value) => Some(describe(value)),
        MentionAction::Delete | MentionAction::Keep { .. } | MentionAction::Forbid => None,
    });
    let outcome = match &reference.action {
        ResolvedAction::Detach => "others' become NULL",
        ResolvedAction::Overwrite(_) => value.unwrap_or("overwritten"),
        ResolvedAction::Delete => "others' rows are deleted",
        ResolvedAction::Keep(_) => "stays",
        ResolvedAction::Forbid => "there are none",
    };
    GraphEdge { from, to: index.get(), label: format!("{}: {outcome}", reference.name), owns: false }
}

const fn describe(value: &NewValue) -> &'static str {
    match value {
        NewValue::Null => "becomes NULL",
        NewValue::Value(_) | NewValue::Neutral => "gets a fixed value",
        NewValue::Unique(_) => "gets a random text",
        NewValue::Ghost => "gets the ghost's key",
    }
}
