//! `lethe migrate`.

use super::Finding;
use crate::open;
use crate::settings::{DatabaseSettings, Values};

pub(super) async fn run(mut values: Values) -> anyhow::Result<Finding> {
    let settings = DatabaseSettings::read(&mut values);
    let settings = values.finish(settings)?;
    let database = open::database(&settings).await?;
    lethe::jobs::migrate(&database).await?;
    println!("The database is up to date.");
    Ok(Finding::Nothing)
}
