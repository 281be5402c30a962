//! `lethe purge`.

use lethe::Lethe;
use lethe::deletion::retention;
use serde_json::json;

use super::exit::Exit;
use super::output;

pub(super) async fn run(lethe: &Lethe, as_json: bool) -> anyhow::Result<Exit> {
    let purged = retention::purge_expired(lethe).await?;
    if as_json {
        output::print_json(&json!({"ended": purged.expired, "rows": purged.rows}))?;
    } else {
        println!("Purged {} rows ({} expired retention periods).", purged.rows, purged.expired);
    }
    Ok(Exit::Success)
}
