//! `lethe purge`.

use lethe::Lethe;
use lethe::deletion::retention;
use serde_json::json;

use super::{Exit, output};

pub(super) async fn run(lethe: &Lethe, as_json: bool) -> anyhow::Result<Exit> {
    let erased = retention::purge_expired(lethe).await?;
    if as_json {
        output::print_json(&json!({"ended": erased.expired, "rows": erased.rows}))?;
    } else {
        println!("{} periods were over; {} rows were erased.", erased.expired, erased.rows);
    }
    Ok(Exit::Success)
}
