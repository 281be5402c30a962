//! `lethe map check`, `lethe map draft` and `lethe map upgrade`.

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use lethe::connection::TimeLimits;
use lethe::data_map::{self, DraftOptions, Error, Problem};
use serde_json::json;

use super::exit::Exit;
use super::output;
use crate::bootstrap;
use crate::config::{DatabaseConfig, Section, Values, data};

#[derive(Debug, Subcommand)]
pub(super) enum MapCommand {
    /// Check the data map against the live schema and some rows: every table and every column needs a rule or a reason.
    Check {
        /// Print problems as annotations of GitHub's workflows, which show them beside the lines of the map.
        #[arg(long)]
        github: bool,
    },
    /// Print a first data map, drafted from the live schema.
    Draft {
        /// The table that holds the users, such as public.users. Without it the most likely table is used.
        #[arg(long)]
        subject: Option<String>,
        /// Look at the values of at most 1,000 rows of each table: they show which columns hold Clerk ids or addresses.
        #[arg(long)]
        sample: bool,
    },
    /// Print the data map in the second language: with its comments, and a question for each table without an entry.
    Upgrade,
}

pub(super) async fn run(command: MapCommand, values: Values, as_json: bool) -> anyhow::Result<Exit> {
    match command {
        MapCommand::Check { github } => check(values, as_json, github).await,
        MapCommand::Draft { subject, sample } => draft(values, DraftOptions { subject, sample }).await,
        MapCommand::Upgrade => upgrade(values).await,
    }
}

async fn check(mut values: Values, as_json: bool, github: bool) -> anyhow::Result<Exit> {
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
    let located = |problem: &Problem| LocatedProblem { line: map.line_of(&problem.table), problem: problem.clone() };
    let problems: Vec<LocatedProblem> = problems.iter().map(located).collect();
    if as_json {
        output::print_json(&json!({"fits": problems.is_empty(), "problems": problems}))?;
    } else if problems.is_empty() {
        println!("The data map fits the database: {} tables, {} ignored.", map.tables().len(), map.ignored().len());
    } else {
        for LocatedProblem { line, problem } in &problems {
            match (github, line) {
                (true, line) => println!("{}", annotation(&path, line.unwrap_or(1), problem)),
                (false, Some(line)) => println!("{}:{line}: {problem}", path.display()),
                (false, None) => println!("{problem}"),
            }
        }
        println!("{} problems. Exports and deletions are refused until they are solved.", problems.len());
    }
    Ok(if problems.is_empty() { Exit::Success } else { Exit::Attention })
}

/// A problem, and the line of its table's entry in the map.
#[derive(serde::Serialize)]
struct LocatedProblem {
    line: Option<usize>,
    #[serde(flatten)]
    problem: Problem,
}

/// Returns a workflow command: <https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands>.
fn annotation(path: &Path, line: usize, problem: &Problem) -> String {
    let escape = |text: &str| text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    let property = |text: &str| escape(text).replace(':', "%3A").replace(',', "%2C");
    let (file, title) = (property(&path.display().to_string()), property(&problem.table));
    format!("::error file={file},line={line},title={title}::{}", escape(&problem.to_string()))
}

async fn draft(mut values: Values, options: DraftOptions) -> anyhow::Result<Exit> {
    let config = DatabaseConfig::read(&mut values);
    let config = values.finish(config)?;
    let database = bootstrap::connect_directly(&config, NonZeroU32::MIN, TimeLimits::BATCH).await?;
    let mut connection = database.acquire().await?;
    print!("{}", data_map::draft(&mut connection, &options).await?);
    Ok(Exit::Success)
}

async fn upgrade(mut values: Values) -> anyhow::Result<Exit> {
    let config = DatabaseConfig::read(&mut values);
    let path = values.read::<PathBuf>(&data::DATA_MAP);
    let (config, path) = values.finish(config.zip(path))?;
    let toml = std::fs::read_to_string(&path).map_err(|source| Error::Unreadable { path, source })?;
    let database = bootstrap::connect_directly(&config, NonZeroU32::MIN, TimeLimits::BATCH).await?;
    let mut connection = database.acquire().await?;
    print!("{}", data_map::upgrade(&toml, &mut connection).await?);
    Ok(Exit::Success)
}
