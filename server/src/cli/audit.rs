//! `lethe audit verify`.

use clap::Subcommand;
use lethe::{Lethe, audit};

use super::exit::Exit;
use super::output;

#[derive(Debug, Subcommand)]
pub(super) enum AuditCommand {
    /// Recompute the hash chain and report where it breaks.
    Verify,
}

pub(super) async fn run(command: &AuditCommand, lethe: &Lethe, as_json: bool) -> anyhow::Result<Exit> {
    match command {
        AuditCommand::Verify => verify(lethe, as_json).await,
    }
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
