//! `lethe map check` and `lethe map draft`.

use std::path::PathBuf;

use lethe::data_map::{self, Error};
use serde_json::json;

use super::{Exit, output};
use crate::bootstrap;
use crate::config::{DatabaseConfig, Values};

pub(super) async fn check(mut values: Values, as_json: bool) -> anyhow::Result<Exit> {
    let settings = DatabaseConfig::read(&mut values);
    let path = values.required("LETHE_DATA_MAP", "the path of the data map, such as data-map.toml");
    let (settings, path) = values.finish(settings.zip(path))?;
    let map = bootstrap::load_data_map(&PathBuf::from(path))?;
    let database = bootstrap::connect_database(&settings).await?;
    let mut connection = database.acquire().await?;
    let problems = match data_map::resolve(&map, &mut connection).await {
        Ok(_) => Vec::new(),
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
        println!("{} problems. Until they are solved nothing is exported and nothing is erased.", problems.len());
    }
    Ok(if problems.is_empty() { Exit::Success } else { Exit::Attention })
}

pub(super) async fn draft(mut values: Values, subject: Option<&str>) -> anyhow::Result<Exit> {
    let settings = DatabaseConfig::read(&mut values);
    let settings = values.finish(settings)?;
    let database = bootstrap::connect_database(&settings).await?;
    let mut connection = database.acquire().await?;
    print!("{}", data_map::draft(&mut connection, subject).await?);
    Ok(Exit::Success)
}
