//! The command line: one file per command. Knows configuration and output; what a command does is a function of the core.
//!
//! Exit codes: 0 success, 1 failure, 2 invalid usage or configuration, 3 success, and something needs attention.

mod audit;
mod config_docs;
mod deletion_json;
mod deletion_text;
mod deletions;
mod doctor;
mod erase;
mod erase_report;
mod exit;
mod graph_svg;
mod init;
mod keys;
mod map;
mod migrate;
mod orphans;
mod output;
mod purge;
mod rehearse;
mod replay;
mod serve;
mod work;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use lethe::Lethe;
use lethe::data_map::DraftOptions;
use tracing::Instrument;

use exit::Exit;

use crate::config::{ConfigError, LogConfig, Section, ServerConfig, Values};
use crate::{bootstrap, config, logging};

/// A self-hosted privacy center for applications that use Clerk and Postgres.
///
/// Settings come from environment variables and from the TOML file that `LETHE_CONFIG` names.
///
/// Exit codes: 0 success, 1 failure, 2 invalid usage or configuration, 3 success, and something needs attention.
#[derive(Parser)]
#[command(name = "lethe", version)]
pub struct Cli {
    /// Print one JSON document to standard output; everything else goes to standard error.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve pages and API, and run background jobs.
    Serve {
        /// Leave background jobs to other processes.
        #[arg(long)]
        no_work: bool,
    },
    /// Run background jobs without serving HTTP.
    Work,
    /// Create or update Lethe's own tables. Running it again changes nothing.
    Migrate,
    /// Begin a data map: draft it, and ask what the draft can't know, one question at a time. Running it again resumes where it was
    /// left, and answers by hand count.
    ///
    /// Exit codes: 0 the map fits, 3 questions are open or the map has problems.
    Init {
        /// The table that holds the users, such as public.users. Without it the most likely table is used.
        #[arg(long)]
        subject: Option<String>,
        /// Don't look at the values of rows.
        #[arg(long)]
        no_sample: bool,
        /// Answer a question of `lethe init --json` without being asked: public.posts=1, or public.logs=2=REASON.
        #[arg(long = "decide", value_name = "QUESTION=NUMBER[=TEXT]")]
        decisions: Vec<init::Decision>,
        /// Begin a file of settings too: what is set, a new secret, and, on a terminal, what you enter of the required ones.
        #[arg(long, value_name = "FILE")]
        settings: Option<PathBuf>,
    },
    /// Check or draft the data map.
    #[command(subcommand)]
    Map(map::MapCommand),
    /// Check the installation: configuration, Clerk, database, data map, mail and storage. Each line is one check, with
    /// a remedy where something is wrong.
    ///
    /// Exit codes: 0 nothing is wrong, warnings aside; 2 the configuration is incomplete or invalid; 3 something else
    /// is wrong.
    Doctor,
    /// Find users in the application's database that Clerk doesn't know.
    Orphans {
        /// Delete the users that were found. Without this option nothing is changed.
        #[arg(long)]
        erase: bool,
        /// Stops before anything is deleted if there are more. By default 2 % of the users, between 1 and 50.
        #[arg(long, value_name = "N", requires = "erase")]
        at_most: Option<usize>,
    },
    /// Delete users, given as Clerk user ids, one per line. Running it again resumes where it stopped.
    Erase {
        /// The file with the ids. Lines that begin with # are ignored.
        #[arg(long)]
        file: PathBuf,
        /// Write a CSV file with a line for each id: id, outcome, receipt, cause. A file of an earlier run is continued.
        #[arg(long, value_name = "FILE")]
        report: Option<PathBuf>,
    },
    /// After the database was restored from a backup, delete the users again who were erased since the backup.
    ///
    /// They are found by the tombstones in the store. Running it again changes nothing.
    Replay {
        /// Only list them.
        #[arg(long)]
        dry_run: bool,
        /// Delete nobody, and record that: Lethe serves again with what was restored.
        #[arg(long, conflicts_with = "dry_run")]
        waive: bool,
    },
    /// Look at deletions, and decide about one that doesn't go on.
    #[command(subcommand)]
    Deletions(deletions::DeletionsCommand),
    /// Erase retained data whose retention period has expired. A background job does this every hour.
    Purge,
    /// Read the audit log, or check it.
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// Look at the secrets in `LETHE_SECRET`, and rotate them.
    #[command(subcommand)]
    Keys(keys::KeysCommand),
    /// Print the documentation of the configuration.
    #[command(subcommand, hide = true)]
    Config(config_docs::ConfigCommand),
}

impl Command {
    /// Whether it deletes users at Clerk.
    const fn erases(&self) -> bool {
        matches!(
            self,
            Self::Serve { no_work: false }
                | Self::Work
                | Self::Orphans { erase: true, .. }
                | Self::Erase { .. }
                | Self::Replay { dry_run: false, waive: false }
        )
    }
}

impl Cli {
    /// Runs the command and returns the process's exit code.
    pub async fn run(self) -> ExitCode {
        // Otherwise the library that asks first decides. A second call changes nothing.
        let _ = rustls::crypto::ring::default_provider().install_default();
        // An error span is enabled even where only warnings are logged.
        let span = tracing::error_span!("command", command = ?self.command);
        match self.dispatch().instrument(span).await {
            Ok(Exit::Success) => ExitCode::SUCCESS,
            Ok(Exit::Attention) => ExitCode::from(3),
            Ok(Exit::Unconfigured) => ExitCode::from(2),
            Err(error) => {
                eprintln!("lethe: {}", lethe::error_chain(error.as_ref()));
                ExitCode::from(if error.is::<ConfigError>() { 2 } else { 1 })
            }
        }
    }

    async fn dispatch(self) -> anyhow::Result<Exit> {
        let mut values = match config::load() {
            // A file that can't be read is one of the doctor's lines.
            Err(error) if matches!(self.command, Command::Doctor) => return doctor::run(Err(error), self.json).await,
            loaded => loaded?,
        };
        let log = LogConfig::read(&mut values);
        // What the doctor's checks would log is in its lines.
        if let Some(log) = log.filter(|_| !matches!(self.command, Command::Doctor)).as_ref() {
            let is_service = matches!(self.command, Command::Serve { .. } | Command::Work);
            logging::init(log, is_service);
        }
        for warning in values.warnings() {
            tracing::warn!("{warning}");
        }
        if self.command.erases() {
            doctor::ensure_one_instance(&values).await?;
        }
        match self.command {
            Command::Serve { no_work } => serve::run(&load_config(values)?, !no_work).await,
            Command::Work => work::run(&load_config(values)?).await,
            Command::Migrate => migrate::run(values).await,
            Command::Init { subject, no_sample, decisions, settings } => {
                let draft = DraftOptions { subject, sample: !no_sample };
                init::run(values, self.json, init::Options { draft, decisions, settings }).await
            }
            Command::Map(command) => map::run(command, values, self.json).await,
            Command::Doctor => doctor::run(Ok(values), self.json).await,
            Command::Orphans { erase, at_most } => {
                orphans::run(&bootstrap_batch(values).await?, erase, at_most, self.json).await
            }
            Command::Erase { file, report } => {
                erase::run(&bootstrap_batch(values).await?, &file, report.as_deref(), self.json).await
            }
            Command::Replay { waive: true, .. } => replay::waive(&bootstrap_batch(values).await?, self.json).await,
            Command::Replay { dry_run, .. } => replay::run(&bootstrap_batch(values).await?, dry_run, self.json).await,
            Command::Deletions(command) => deletions::run(&command, &bootstrap_batch(values).await?, self.json).await,
            Command::Purge => purge::run(&bootstrap_batch(values).await?, self.json).await,
            Command::Audit(command) => audit::run(&command, &bootstrap_batch(values).await?, self.json).await,
            Command::Keys(command) => {
                let lethe = bootstrap::build_for_batch(&load_config(values)?).await?;
                keys::run(&command, &lethe, self.json).await
            }
            Command::Config(command) => Ok(config_docs::run(&command)),
        }
    }
}

fn load_config(mut values: Values) -> Result<ServerConfig, ConfigError> {
    let config = ServerConfig::read(&mut values);
    values.finish(config)
}

/// Returns what an operators' command needs, on a migrated database.
async fn bootstrap_batch(values: Values) -> anyhow::Result<Lethe> {
    let lethe = bootstrap::build_for_batch(&load_config(values)?).await?;
    bootstrap::ensure_migrated(&lethe).await?;
    Ok(lethe)
}
