//! `cargo xtask bench`: measures a release build under load, and a reference in the same run on the same machine. It
//! only reports: no result makes it fail.

mod consent;
mod map;
mod mix;
mod page;
mod report;
mod session;
mod usage;
mod wrk;

use anyhow::Result;
use clap::{Args, ValueEnum};

use self::report::{Machine, Report};
use crate::build::Build;
use crate::cluster::{Cluster, Durability};
use crate::data_folder::DataFolder;
use crate::install;
use crate::ports::Ports;
use crate::stack::{Sample, Stack};
use crate::workspace::Workspace;

/// Enough users that concurrent writes rarely hit the same one.
const USERS: u32 = 200;

/// Arguments of `cargo xtask bench`.
#[derive(Debug, Args)]
pub(crate) struct Bench {
    /// What to measure.
    what: What,
    /// Prints the result as JSON.
    #[arg(long)]
    json: bool,
    /// The duration of each measurement in seconds.
    #[arg(long, default_value_t = 10, value_name = "N")]
    seconds: u32,
    /// `load`: measures this rate in requests per second, instead of searching the highest within the target.
    #[arg(long, value_name = "N")]
    rate: Option<u32>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum What {
    /// Rendering the page of a signed-in user.
    Page,
    /// Saving a preference.
    Consent,
    /// Authenticating a request.
    Session,
    /// A mix of pages, preferences, exports and deletions at a fixed rate.
    Load,
    /// Drafting and checking a data map, and the preview of one person, on generated schemas.
    Map,
}

impl Bench {
    pub(crate) fn run(self, workspace: &Workspace) -> Result<()> {
        let machine = Machine { cores: std::thread::available_parallelism()?.get() };
        if matches!(self.what, What::Session) {
            return self.print(&session::measure(workspace, machine)?);
        }
        if matches!(self.what, What::Map) {
            return self.print(&map::measure(workspace, machine)?);
        }
        let is_load = matches!(self.what, What::Load);
        if !is_load {
            install::program("wrk", "wrk")?;
        }
        let programs = Build::start(workspace, true)?.finish()?;
        let data = DataFolder::temporary_on_disk("bench")?;
        let cluster = Cluster::start(&data, Durability::Safe)?;
        let people = if is_load { mix::users(self.rate, self.seconds) } else { USERS };
        let sample = Sample { people, rows_per_person: 12 };
        let mut stack = Stack::start(workspace, &programs, data, cluster, Ports::free()?, sample)?;
        if is_load {
            self.print(&mix::measure(&stack, self.rate, self.seconds, machine)?)?;
            return stack.check();
        }
        let tokens = tokens(&stack)?;
        match self.what {
            What::Session | What::Load | What::Map => {}
            What::Page => self.print(&page::measure(&mut stack, &tokens, self.seconds, machine)?)?,
            What::Consent => self.print(&consent::measure(&stack, &tokens, self.seconds, machine)?)?,
        }
        stack.check()
    }

    fn print(&self, report: &impl Report) -> Result<()> {
        println!("\n{}", if self.json { serde_json::to_string_pretty(report)? } else { report.text() });
        Ok(())
    }
}

/// Returns a session token for each user.
fn tokens(stack: &Stack) -> Result<Vec<String>> {
    let clerk = stack.clerk();
    clerk.user_ids(usize::try_from(USERS)?)?.iter().map(|user_id| clerk.sign_in(user_id)).collect()
}
