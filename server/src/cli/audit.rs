//! `lethe audit verify`.

use lethe::{Lethe, audit};

use super::{Exit, output};

pub(super) async fn verify(lethe: &Lethe, as_json: bool) -> anyhow::Result<Exit> {
    // What was written a moment ago gets its place first.
    audit::seal(lethe).await?;
    let found = audit::verify(lethe).await?;
    if as_json {
        output::print_json(&found)?;
    } else if found.is_intact() {
        println!("The chain holds: {} links.", found.links);
    } else {
        for position in &found.broken {
            println!("The chain breaks at position {position}.");
        }
        for entry in &found.unlinked {
            println!("Entry {entry} has no place in the chain.");
        }
        println!("{} links were checked.", found.links);
    }
    Ok(if found.is_intact() { Exit::Success } else { Exit::Attention })
}
