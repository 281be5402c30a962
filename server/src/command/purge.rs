//! `lethe purge`.

use lethe::{Lethe, retention};
use serde_json::json;

use super::{Finding, output};

pub(super) async fn run(lethe: &Lethe, as_json: bool) -> anyhow::Result<Finding> {
    let erased = retention::erase_due(lethe).await?;
    if as_json {
        output::json(&json!({"ended": erased.ended, "rows": erased.rows}))?;
    } else {
        println!("{} periods were over; {} rows were erased.", erased.ended, erased.rows);
    }
    Ok(Finding::Nothing)
}
