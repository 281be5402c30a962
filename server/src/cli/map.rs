//! `lethe map check` and `lethe map draft`.

use std::num::NonZeroU32;
use std::path::PathBuf;

use clap::Subcommand;
use lethe::connection::TimeLimits;
use lethe::data_map::{self, DraftOptions, Error};
use serde_json::json;

use super::exit::Exit;
use super::output;
use crate::bootstrap;
use crate::config::{DatabaseConfig, Section, Values, data};

#[derive(Debug, Subcommand)]
pub(super) enum MapCommand {
    /// Check the data map against the live schema: every table and every column needs a rule or a reason.
    Check,
    /// Print a first data map, drafted from the live schema.
    Draft {
        /// The table that holds the users, such as public.users. Without it the most likely table is used.
        #[arg(long)]
        subject: Option<String>,
        /// Look at the values of at most 1,000 rows of each table: they show which columns hold Clerk ids or addresses.
        #[arg(long)]
        sample: bool,
    },
}

pub(super) async fn run(command: MapCommand, values: Values, as_json: bool) -> anyhow::Result<Exit> {
    match command {
        MapCommand::Check => check(values, as_json).await,
        MapCommand::Draft { subject, sample } => draft(values, DraftOptions { subject, sample }).await,
    }
}

async fn check(mut values: Values, as_json: bool) -> anyhow::Result<Exit> {
    let config = DatabaseConfig::read(&mut values);
    let path = values.read::<PathBuf>(&data::DATA_MAP);
    let (config, path) = values.finish(config.zip(path))?;
    let map = bootstrap::load_data_map(&path)?;
    let database = bootstrap::connect_directly(&config, NonZeroU32::MIN, TimeLimits::BATCH).await?;
    let mut connection = database.acquire().await?;
    let problems = match data_map::resolve(&map, &mut connection).await {
        Ok(resolved) => data_map::check_values(&resolved, &mut connection).await?,
        Err(Error::Mismatch(problems)) => problems,
        Err(error) => return Err(error.into()),
    };
    if as_json {
        output::print_json(&json!({"fits": problems.is_empty(), "problems": problems}))?;
    } else if problems.is_empty() {
        println!("The data map fits the database: {} tables, {} ignored.", map.tables().len(), map.ignored().len());
    } else {
        for problem in &problems {
            println!("{problem}");
        }
        println!("{} problems. Exports and deletions are refused until they are solved.", problems.len());
    }
    Ok(if problems.is_empty() { Exit::Success } else { Exit::Attention })
}

async fn draft(mut values: Values, options: DraftOptions) -> anyhow::Result<Exit> {
    let config = DatabaseConfig::read(&mut values);
    let config = values.finish(config)?;
    let database = bootstrap::connect_directly(&config, NonZeroU32::MIN, TimeLimits::BATCH).await?;
    let mut connection = database.acquire().await?;
    print!("{}", data_map::draft(&mut connection, &options).await?);
    Ok(Exit::Success)
}
