//! `lethe map`: check, rehearse, draft, explain, graph, grants and upgrade.

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use lethe::connection::TimeLimits;
use lethe::data_map::{self, DataMap, DraftOptions, Error, Graph, Problem};
use lethe::{ClerkUserId, deletion};
use serde_json::json;
use sqlx::Postgres;
use sqlx::pool::PoolConnection;

use super::exit::Exit;
use super::graph_svg;
use super::output;
use super::rehearse;
use crate::bootstrap;
use crate::config::{DatabaseConfig, Section, Values, data, general};

#[derive(Debug, Subcommand)]
pub(super) enum MapCommand {
    /// Check the data map against the live schema and some rows: every table and every column needs a rule or a reason.
    Check {
        /// Print problems as annotations of GitHub's workflows, which show them beside the lines of the map.
        #[arg(long)]
        github: bool,
    },
    /// Erase a user in a transaction that is rolled back, and print what the map's rules change, and what triggers, rules and foreign keys
    /// change beside them. The user's rows are locked meanwhile.
    ///
    /// Exit codes: 0 nothing would be left; 3 something would be left, also in texts, or the erasure would be refused.
    Rehearse {
        /// The user's id at Clerk.
        #[arg(value_parser = |id: &str| ClerkUserId::parse(id))]
        user: ClerkUserId,
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
    /// Say in sentences what an export contains of a table's rows, and what a deletion does with them.
    Explain {
        /// Schema and table, such as public.posts.
        table: String,
    },
    /// Draw what hangs on a person: the tables, and how rows lead from one to another.
    Graph {
        /// The notation.
        #[arg(long, value_enum, default_value_t = GraphFormat::Mermaid)]
        format: GraphFormat,
    },
    /// Print the GRANT statements that Lethe's role needs for the data map, those for triggers included.
    Grants {
        /// The role; by default that of the connection.
        #[arg(long)]
        role: Option<String>,
    },
    /// Print the data map in the second language: with its comments, and a question for each table without an entry.
    Upgrade,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(super) enum GraphFormat {
    /// Text that GitHub, GitLab and many editors draw.
    Mermaid,
    /// A picture.
    Svg,
}

pub(super) async fn run(command: MapCommand, values: Values, as_json: bool) -> anyhow::Result<Exit> {
    match command {
        MapCommand::Check { github } => check(values, as_json, github).await,
        MapCommand::Rehearse { user } => {
            let mut settings = values.clone();
            let megabytes = settings.read::<NonZeroU32>(&general::CONTENT_SEARCH_MEGABYTES);
            let megabytes = settings.finish(megabytes)?;
            let (map, _, mut connection) = map_and_connection(values).await?;
            let limit = u64::from(megabytes.get()) * 1_000_000;
            rehearse::run(&map, &mut connection, as_json, &user, limit).await
        }
        MapCommand::Draft { subject, sample } => draft(values, as_json, DraftOptions { subject, sample }).await,
        MapCommand::Explain { table } => explain(values, as_json, &table).await,
        MapCommand::Graph { format } => graph(values, as_json, format).await,
        MapCommand::Grants { role } => grants(values, as_json, role.as_deref()).await,
        MapCommand::Upgrade => upgrade(values, as_json).await,
    }
}

pub(super) async fn check(values: Values, as_json: bool, github: bool) -> anyhow::Result<Exit> {
    let (map, path, mut connection) = map_and_connection(values).await?;
    let resolved = data_map::resolve(&map, &mut connection).await;
    let is_resolved = resolved.is_ok();
    let problems = match resolved {
        Ok(resolved) => {
            let mut problems = data_map::check_values(&resolved, &mut connection).await?;
            if let Err(Error::Mismatch(further)) = deletion::check_keys(&resolved) {
                problems.extend(further);
            }
            problems
        }
        Err(Error::Mismatch(problems)) => problems,
        Err(error) => return Err(error.into()),
    };
    let located = |problem: &Problem| LocatedProblem { line: map.line_of(&problem.table), problem: problem.clone() };
    let problems: Vec<LocatedProblem> = problems.iter().map(located).collect();
    let warnings = data_map::warnings(&map, &mut connection).await?;
    let warnings: Vec<LocatedProblem> = warnings.iter().map(located).collect();
    if as_json {
        output::print_json(&json!({"fits": problems.is_empty(), "problems": problems, "warnings": warnings}))?;
        return Ok(if problems.is_empty() { Exit::Success } else { Exit::Attention });
    }
    for (severity, found) in [(Severity::Warning, &warnings), (Severity::Error, &problems)] {
        for LocatedProblem { line, problem } in found {
            match (github, line) {
                (true, line) => println!("{}", annotation(severity, &path, line.unwrap_or(1), problem)),
                (false, Some(line)) => println!("{}:{line}: {}{problem}", path.display(), severity.prefix()),
                (false, None) => println!("{}{problem}", severity.prefix()),
            }
        }
    }
    let counted = |count: usize, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
    if !warnings.is_empty() {
        println!("{}: nothing is refused because of them.", counted(warnings.len(), "warning"));
    }
    if problems.is_empty() {
        println!("The data map fits the database: {} tables, {} ignored.", map.tables().len(), map.ignored().len());
    } else {
        let count = counted(problems.len(), "problem");
        if is_resolved {
            println!("{count} that rows show. Only this command looks at rows: solve them before anybody is erased.");
        } else {
            println!("{count}. Exports and deletions are refused until they are solved.");
            println!("Rows are looked at once these are solved; that may show further problems.");
        }
    }
    Ok(if problems.is_empty() { Exit::Success } else { Exit::Attention })
}

#[derive(Clone, Copy)]
enum Severity {
    Error,
    Warning,
}

impl Severity {
    const fn command(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }

    const fn prefix(self) -> &'static str {
        match self {
            Self::Error => "",
            Self::Warning => "warning: ",
        }
    }
}

/// A problem, and the line of its table's entry in the map.
#[derive(serde::Serialize)]
struct LocatedProblem {
    line: Option<usize>,
    #[serde(flatten)]
    problem: Problem,
}

/// Returns a workflow command: <https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands>.
fn annotation(severity: Severity, path: &Path, line: usize, problem: &Problem) -> String {
    let escape = |text: &str| text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    let property = |text: &str| escape(text).replace(':', "%3A").replace(',', "%2C");
    let (file, title) = (property(&path.display().to_string()), property(&problem.table));
    let command = severity.command();
    format!("::{command} file={file},line={line},title={title}::{}", escape(&problem.to_string()))
}

/// Reads the data map, and connects to the database that it is about.
async fn map_and_connection(mut values: Values) -> anyhow::Result<(DataMap, PathBuf, PoolConnection<Postgres>)> {
    let config = DatabaseConfig::read(&mut values);
    let path = values.read::<PathBuf>(&data::DATA_MAP);
    let (config, path) = values.finish(config.zip(path))?;
    let map = bootstrap::load_data_map(&path)?;
    let database = bootstrap::connect_directly(&config, NonZeroU32::MIN, TimeLimits::BATCH).await?;
    Ok((map, path, database.acquire().await?))
}

/// Prints a text, or an object with it.
fn print_text(as_json: bool, key: &str, text: &str) -> anyhow::Result<()> {
    if as_json {
        return output::print_json(&json!({key: text}));
    }
    print!("{text}");
    Ok(())
}

async fn explain(values: Values, as_json: bool, table: &str) -> anyhow::Result<Exit> {
    let (map, _, mut connection) = map_and_connection(values).await?;
    let resolved = data_map::resolve(&map, &mut connection).await?;
    match data_map::explain(&map, &resolved, table) {
        Some(text) => {
            print_text(as_json, "text", &text)?;
            Ok(Exit::Success)
        }
        None => anyhow::bail!("the data map says nothing about {table}; write it as schema.table"),
    }
}

async fn graph(values: Values, as_json: bool, format: GraphFormat) -> anyhow::Result<Exit> {
    let (map, _, mut connection) = map_and_connection(values).await?;
    let graph = Graph::of(&data_map::resolve(&map, &mut connection).await?);
    match format {
        GraphFormat::Mermaid => print_text(as_json, "mermaid", &graph.mermaid())?,
        GraphFormat::Svg => print_text(as_json, "svg", &graph_svg::draw(&graph))?,
    }
    Ok(Exit::Success)
}

async fn grants(values: Values, as_json: bool, role: Option<&str>) -> anyhow::Result<Exit> {
    let (map, _, mut connection) = map_and_connection(values).await?;
    print_text(as_json, "sql", &data_map::grants(&map, role, &mut connection).await?)?;
    Ok(Exit::Success)
}

async fn draft(mut values: Values, as_json: bool, options: DraftOptions) -> anyhow::Result<Exit> {
    let config = DatabaseConfig::read(&mut values);
    let config = values.finish(config)?;
    let database = bootstrap::connect_directly(&config, NonZeroU32::MIN, TimeLimits::BATCH).await?;
    let mut connection = database.acquire().await?;
    print_text(as_json, "map", &data_map::draft(&mut connection, &options).await?.text)?;
    Ok(Exit::Success)
}

async fn upgrade(mut values: Values, as_json: bool) -> anyhow::Result<Exit> {
    let config = DatabaseConfig::read(&mut values);
    let path = values.read::<PathBuf>(&data::DATA_MAP);
    let (config, path) = values.finish(config.zip(path))?;
    let toml = std::fs::read_to_string(&path).map_err(|source| Error::Unreadable { path, source })?;
    let database = bootstrap::connect_directly(&config, NonZeroU32::MIN, TimeLimits::BATCH).await?;
    let mut connection = database.acquire().await?;
    print_text(as_json, "map", &data_map::upgrade(&toml, &mut connection).await?)?;
    Ok(Exit::Success)
}
