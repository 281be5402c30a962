//! `lethe audit`: what the log says about a user, and whether its chain is intact.

use clap::Subcommand;
use lethe::audit::Activity;
use lethe::{ClerkUserId, Lethe, audit, overview};
use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;

use super::exit::Exit;
use super::output;

#[derive(Debug, Subcommand)]
pub(super) enum AuditCommand {
    /// Print what the log says about a user, newest first: what they chose, downloaded and did, and who acted for them.
    ///
    /// Nothing is left to print about somebody who was erased.
    List {
        /// The user's id at Clerk.
        #[arg(value_parser = |id: &str| ClerkUserId::parse(id))]
        user: ClerkUserId,
    },
    /// Recompute the hash chain and report where it breaks.
    Verify,
}

pub(super) async fn run(command: &AuditCommand, lethe: &Lethe, as_json: bool) -> anyhow::Result<Exit> {
    match command {
        AuditCommand::List { user } => list(lethe, user, as_json).await,
        AuditCommand::Verify => verify(lethe, as_json).await,
    }
}

/// The number of entries that are read at once.
const PAGE_SIZE: u32 = 1_000;

/// An entry as it is printed.
#[derive(Serialize)]
struct Entry {
    id: i64,
    #[serde(with = "time::serde::rfc3339")]
    recorded_at: OffsetDateTime,
    kind: String,
    fields: Value,
}

impl Entry {
    fn new(activity: &Activity) -> Self {
        let Activity { id, at, event } = activity;
        Self { id: *id, recorded_at: *at, kind: event.kind().into_owned(), fields: event.fields() }
    }
}

async fn list(lethe: &Lethe, user: &ClerkUserId, as_json: bool) -> anyhow::Result<Exit> {
    let mut entries: Vec<Entry> = Vec::new();
    loop {
        let before = entries.last().map_or(i64::MAX, |entry| entry.id);
        let page = overview::activity(lethe, user, before, PAGE_SIZE).await?;
        entries.extend(page.entries.iter().map(Entry::new));
        if !page.has_more {
            break;
        }
    }
    if as_json {
        output::print_json(&entries)?;
    } else if entries.is_empty() {
        println!("The log has nothing about this user.");
    } else {
        let row = |entry: &Entry| {
            let at = entry.recorded_at.format(&time::format_description::well_known::Rfc3339)?;
            anyhow::Ok([at, entry.kind.clone(), entry.fields.to_string()])
        };
        let rows: Vec<_> = entries.iter().map(row).collect::<Result<_, _>>()?;
        output::print_table(["recorded at", "kind", "fields"], &rows);
    }
    Ok(Exit::Success)
}

async fn verify(lethe: &Lethe, as_json: bool) -> anyhow::Result<Exit> {
    // Entries of the last moments aren't in the chain yet.
    audit::seal(lethe).await?;
    let report = audit::verify(lethe).await?;
    if as_json {
        output::print_json(&report)?;
    } else if report.is_intact() {
        println!("The chain is intact: {} links.", report.links);
    } else {
        for position in &report.broken {
            println!("The chain breaks at position {position}.");
        }
        for entry in &report.unlinked {
            println!("Entry {entry} is not in the chain.");
        }
        println!("{} links were checked.", report.links);
    }
    Ok(if report.is_intact() { Exit::Success } else { Exit::Attention })
}
