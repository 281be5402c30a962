//! `lethe migrate`.

use super::Exit;
use crate::bootstrap;
use crate::config::{DatabaseConfig, Values};

pub(super) async fn run(mut values: Values) -> anyhow::Result<Exit> {
    let settings = DatabaseConfig::read(&mut values);
    let settings = values.finish(settings)?;
    let database = bootstrap::connect_database(&settings).await?;
    lethe::database::migrate(&database).await?;
    println!("The database is up to date.");
    Ok(Exit::Success)
}
