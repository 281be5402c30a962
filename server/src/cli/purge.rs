//! `lethe purge`.

use lethe::Lethe;
use lethe::deletion::retention;
use serde_json::json;

use super::exit::Exit;
use super::output;

pub(super) async fn run(lethe: &Lethe, as_json: bool) -> anyhow::Result<Exit> {
    let purged = retention::purge_expired(lethe).await?;
    if as_json {
        output::print_json(&json!({"ended": purged.expired, "rows": purged.rows, "failed": purged.failed}))?;
    } else {
        println!("Purged {} rows ({} expired retention periods).", purged.rows, purged.expired);
        if purged.failed > 0 {
            println!("{} entries failed and will be retried; the log has the causes.", purged.failed);
        }
    }
    Ok(if purged.failed > 0 { Exit::Attention } else { Exit::Success })
}
