//! `cargo xtask bench`: a release build under load, beside a reference that is measured in the same run on the same
//! machine. Numbers are reported, never judged.

mod consent;
mod load;
mod page;
mod session;
mod usage;

use anyhow::Result;
use clap::{Args, ValueEnum};
use serde::Serialize;

use crate::build::Build;
use crate::cluster::{Cluster, Durability};
use crate::data_folder::DataFolder;
use crate::install;
use crate::ports::Ports;
use crate::stack::{Sample, Stack};
use crate::workspace::Workspace;

/// Enough people that their writes seldom meet.
const PEOPLE: u32 = 200;

/// What `cargo xtask bench` is asked.
#[derive(Debug, Args)]
pub(crate) struct Bench {
    /// What is measured.
    what: What,
    /// Prints JSON alone at the end.
    #[arg(long)]
    json: bool,
    /// How long each measurement takes.
    #[arg(long, default_value_t = 10, value_name = "N")]
    seconds: u32,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum What {
    /// The page of a person who is signed in.
    Page,
    /// Saving a preference.
    Consent,
    /// Deciding who asks.
    Session,
}

/// A machine that measured.
#[derive(Debug, Serialize)]
struct Machine {
    cores: usize,
}

impl Bench {
    pub(crate) fn work(self, workspace: &Workspace) -> Result<()> {
        let machine = Machine { cores: std::thread::available_parallelism()?.get() };
        if matches!(self.what, What::Session) {
            return self.print(&session::measure(workspace, machine)?);
        }
        install::program("wrk", "wrk")?;
        let programs = Build::start(workspace, true)?.finish()?;
        let data = DataFolder::temporary_on_disk("bench")?;
        let cluster = Cluster::start(&data, Durability::Safe)?;
        let sample = Sample { people: PEOPLE, rows_per_person: 12 };
        let mut stack = Stack::start(workspace, &programs, data, cluster, Ports::free()?, sample)?;
        let tokens = tokens(&stack)?;
        match self.what {
            What::Session => {}
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

/// A result that can be shown to people and to programs.
trait Report: Serialize {
    fn text(&self) -> String;
}

/// A session token for each person.
fn tokens(stack: &Stack) -> Result<Vec<String>> {
    let clerk = stack.clerk();
    clerk.people(usize::try_from(PEOPLE)?)?.iter().map(|person| clerk.sign_in(person)).collect()
}
