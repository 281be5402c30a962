//! `lethe migrate`.

use lethe::connection::TimeLimits;

use super::exit::Exit;
use crate::bootstrap;
use crate::config::{DatabaseConfig, Section, Values};

pub(super) async fn run(mut values: Values) -> anyhow::Result<Exit> {
    let config = DatabaseConfig::read(&mut values);
    let config = values.finish(config)?;
    let database = bootstrap::connect_directly(&config, config.connections, TimeLimits::MIGRATION).await?;
    lethe::database::migrate(&database).await?;
    println!("The database is up to date.");
    Ok(Exit::Success)
}
