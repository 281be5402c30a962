//! The command line. One file a command; what a command does is a verb of the core.
//!
//! Exit codes: 0 done, 1 failed, 2 not understood or not configured, 3 done, and something was found that wants attention.

mod audit;
mod doctor;
mod erase;
mod map;
mod migrate;
mod orphans;
mod output;
mod purge;
mod serve;
mod work;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::bootstrap;
use crate::config::{ConfigError, LogConfig, ServerConfig, Values};
use crate::logging;
use crate::problem::error_chain;

/// A self-hosted privacy center for applications that use Clerk and Postgres.
///
/// Settings come from the environment and from the TOML file that `LETHE_CONFIG` names.
///
/// Exit codes: 0 done, 1 failed, 2 not understood or not configured, 3 done, and something was found that wants attention.
#[derive(Parser)]
#[command(name = "lethe", version)]
pub struct Cli {
    /// Answer with one JSON document on standard output; everything else goes to standard error.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the pages and the API, and work the queue.
    Serve {
        /// Leave the queue to other processes.
        #[arg(long)]
        no_work: bool,
    },
    /// Work the queue without serving anything.
    Work,
    /// Bring Lethe's own tables up to date. Running it again changes nothing.
    Migrate,
    /// The data map.
    #[command(subcommand)]
    Map(MapCommand),
    /// Check the whole set-up: settings, Clerk, database, data map, mail, store. Each line says what is right, or what is
    /// wrong and how to mend it.
    ///
    /// Exit codes: 0 nothing is wrong, warnings aside; 2 the settings are incomplete or can't be used; 3 something else
    /// is wrong.
    Doctor,
    /// Find people in the application's database whom Clerk no longer knows.
    Orphans {
        /// Delete what was found. Without this nothing is changed.
        #[arg(long)]
        erase: bool,
    },
    /// Delete many people, one Clerk user id a line. Running it again goes on where it stopped.
    Erase {
        /// The file with the ids; lines that begin with # are left out.
        #[arg(long)]
        file: PathBuf,
    },
    /// Erase what was kept for a time, where that time is over. The queue does this every hour by itself.
    Purge,
    /// The audit log.
    #[command(subcommand)]
    Audit(AuditCommand),
}

#[derive(Subcommand)]
enum MapCommand {
    /// Hold the map against the live database: every table and column needs a rule or a reason.
    Check,
    /// Write a first map from the live database to standard output.
    Draft {
        /// The table where a person is, such as public.users; without it the likeliest one is taken.
        #[arg(long)]
        subject: Option<String>,
    },
}

#[derive(Subcommand)]
enum AuditCommand {
    /// Recompute the chain; tells where it breaks.
    Verify,
}

/// How a command that did its work ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Exit {
    /// Everything is as it should be.
    Success,
    /// Somebody should look at what was printed.
    Attention,
    /// The settings aren't complete, and that was printed.
    Unconfigured,
}

impl Cli {
    /// Runs the command and tells how it ended.
    pub async fn run(self) -> ExitCode {
        // Whichever library asks first would else decide; a second call changes nothing.
        let _ = rustls::crypto::ring::default_provider().install_default();
        match self.dispatch().await {
            Ok(Exit::Success) => ExitCode::SUCCESS,
            Ok(Exit::Attention) => ExitCode::from(3),
            Ok(Exit::Unconfigured) => ExitCode::from(2),
            Err(error) => {
                eprintln!("lethe: {}", error_chain(error.as_ref()));
                ExitCode::from(if error.is::<ConfigError>() { 2 } else { 1 })
            }
        }
    }

    async fn dispatch(self) -> anyhow::Result<Exit> {
        let mut values = match Values::load() {
            // Even a file that can't be read is only one of its lines.
            Err(error) if matches!(self.command, Command::Doctor) => return doctor::run(Err(error), self.json).await,
            loaded => loaded?,
        };
        let log = LogConfig::read(&mut values);
        // What the doctor's checks would log is in its lines.
        if let Some(log) = log.filter(|_| !matches!(self.command, Command::Doctor)).as_ref() {
            let is_service = matches!(self.command, Command::Serve { .. } | Command::Work);
            logging::init(log, is_service);
        }
        match self.command {
            Command::Serve { no_work } => serve::run(&load_config(values)?, !no_work).await,
            Command::Doctor => doctor::run(Ok(values), self.json).await,
            Command::Work => work::run(&load_config(values)?).await,
            Command::Migrate => migrate::run(values).await,
            Command::Map(MapCommand::Check) => map::check(values, self.json).await,
            Command::Map(MapCommand::Draft { subject }) => map::draft(values, subject.as_deref()).await,
            Command::Orphans { erase } => orphans::run(&bootstrap_batch(values).await?, erase, self.json).await,
            Command::Erase { file } => erase::run(&bootstrap_batch(values).await?, &file, self.json).await,
            Command::Purge => purge::run(&bootstrap_batch(values).await?, self.json).await,
            Command::Audit(AuditCommand::Verify) => audit::verify(&bootstrap_batch(values).await?, self.json).await,
        }
    }
}

fn load_config(mut values: Values) -> Result<ServerConfig, ConfigError> {
    let settings = ServerConfig::read(&mut values);
    values.finish(settings)
}

/// What an operation needs, on a database that is ready for it.
async fn bootstrap_batch(values: Values) -> anyhow::Result<lethe::Lethe> {
    let lethe = bootstrap::build_for_batch(&load_config(values)?).await?;
    anyhow::ensure!(
        lethe::database::is_migrated(&lethe.database).await?,
        "the database isn't migrated; run `lethe migrate` first"
    );
    Ok(lethe)
}
