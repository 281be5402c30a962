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

use crate::logging;
use crate::open;
use crate::problem::chain;
use crate::settings::{LogSettings, Settings, SettingsError, Values};

/// A self-hosted privacy center for applications that use Clerk and Postgres.
///
/// Settings come from the environment and from the TOML file that `LETHE_CONFIG` names.
///
/// Exit codes: 0 done, 1 failed, 2 not understood or not configured, 3 done, and something was found that wants attention.
#[derive(Parser)]
#[command(name = "lethe", version)]
pub struct Command {
    /// Answer with one JSON document on standard output; everything else goes to standard error.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
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
    Map(MapVerb),
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
    Audit(AuditVerb),
}

#[derive(Subcommand)]
enum MapVerb {
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
enum AuditVerb {
    /// Recompute the chain; tells where it breaks.
    Verify,
}

/// How a command that did its work ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Finding {
    /// Everything is as it should be.
    Nothing,
    /// Somebody should look at what was printed.
    Something,
    /// The settings aren't complete, and that was printed.
    Unconfigured,
}

impl Command {
    /// Runs the command and tells how it ended.
    pub async fn run(self) -> ExitCode {
        // Whichever library asks first would else decide; a second call changes nothing.
        let _ = rustls::crypto::ring::default_provider().install_default();
        match self.perform().await {
            Ok(Finding::Nothing) => ExitCode::SUCCESS,
            Ok(Finding::Something) => ExitCode::from(3),
            Ok(Finding::Unconfigured) => ExitCode::from(2),
            Err(error) => {
                eprintln!("lethe: {}", chain(error.as_ref()));
                ExitCode::from(if error.is::<SettingsError>() { 2 } else { 1 })
            }
        }
    }

    async fn perform(self) -> anyhow::Result<Finding> {
        let mut values = match Values::load() {
            // Even a file that can't be read is only one of its lines.
            Err(error) if matches!(self.verb, Verb::Doctor) => return doctor::run(Err(error), self.json).await,
            loaded => loaded?,
        };
        let log = LogSettings::read(&mut values);
        // What the doctor's checks would log is in its lines.
        if let Some(log) = log.filter(|_| !matches!(self.verb, Verb::Doctor)).as_ref() {
            let is_service = matches!(self.verb, Verb::Serve { .. } | Verb::Work);
            logging::start(log, is_service);
        }
        match self.verb {
            Verb::Serve { no_work } => serve::run(&settings(values)?, !no_work).await,
            Verb::Doctor => doctor::run(Ok(values), self.json).await,
            Verb::Work => work::run(&settings(values)?).await,
            Verb::Migrate => migrate::run(values).await,
            Verb::Map(MapVerb::Check) => map::check(values, self.json).await,
            Verb::Map(MapVerb::Draft { subject }) => map::draft(values, subject.as_deref()).await,
            Verb::Orphans { erase } => orphans::run(&opened(values).await?, erase, self.json).await,
            Verb::Erase { file } => erase::run(&opened(values).await?, &file, self.json).await,
            Verb::Purge => purge::run(&opened(values).await?, self.json).await,
            Verb::Audit(AuditVerb::Verify) => audit::verify(&opened(values).await?, self.json).await,
        }
    }
}

fn settings(mut values: Values) -> Result<Settings, SettingsError> {
    let settings = Settings::read(&mut values);
    values.finish(settings)
}

/// What an operation needs, on a database that is ready for it.
async fn opened(values: Values) -> anyhow::Result<lethe::Lethe> {
    let lethe = open::open_for_bulk_work(&settings(values)?).await?;
    anyhow::ensure!(
        lethe::jobs::is_migrated(&lethe.database).await?,
        "the database isn't migrated; run `lethe migrate` first"
    );
    Ok(lethe)
}
