//! `cargo xtask chaos`: people use Lethe while everything around it fails, and in the end every promise is checked.

mod faults;
mod invariants;
mod people;
mod proxy;
mod system;

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use clap::Args;

use self::faults::Faults;
use self::people::{Actor, Counts, Person};
use self::system::System;
use crate::build::{Build, Programs};
use crate::progress::stage;
use crate::workspace::Workspace;

/// How many people act at the same time.
const ACTORS: u32 = 6;
/// Enough that some are left in the end, whoever asks to be deleted.
const PEOPLE_PER_SECOND: u32 = 2;
const MAX_PEOPLE: u32 = 20_000;

/// Arguments of `cargo xtask chaos`.
#[derive(Debug, Args)]
pub(crate) struct Chaos {
    /// How long things fail.
    #[arg(long, default_value_t = 60, value_name = "N")]
    seconds: u32,
    /// The seed from which faults and actions are drawn; by default another one each time. How processes and connections
    /// interleave isn't drawn from it, so a run with the same seed is similar, not identical.
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
    /// Builds with optimizations.
    #[arg(long)]
    release: bool,
}

impl Chaos {
    /// Builds and runs.
    pub(crate) fn run(self, workspace: &Workspace) -> Result<()> {
        let programs = Build::start(workspace, self.release)?.finish()?;
        run(workspace, &programs, self.seconds, self.seed)
    }
}

/// Lets things fail for some seconds and checks the invariants. A violation is an error, and the logs are saved.
pub(crate) fn run(workspace: &Workspace, programs: &Programs, seconds: u32, seed: Option<u64>) -> Result<()> {
    let seed = seed.unwrap_or_else(|| fastrand::u64(..));
    println!("seed {seed}, {seconds} s");
    let people = (40 + seconds.saturating_mul(PEOPLE_PER_SECOND)).min(MAX_PEOPLE);
    let mut system = stage("Two servers, three workers", || System::start(workspace, programs, people))?;
    let result = disturb(&mut system, seconds, seed);
    if result.is_err() {
        let folder = workspace.target.join(format!("chaos/{seed}"));
        system.save_logs(&folder)?;
        println!("The logs are in {}.", folder.display());
    }
    result
}

fn disturb(system: &mut System, seconds: u32, seed: u64) -> Result<()> {
    let before = invariants::rows(system)?;
    let mut people = sign_in(system)?;
    let servers: Vec<String> =
        system.servers.iter().filter_map(|server| server.port).map(|port| format!("http://127.0.0.1:{port}")).collect();
    let mut faults = Faults::new(seed);
    let stop = AtomicBool::new(false);
    let (people, counts) = thread::scope(|scope| {
        let share = people.len().div_ceil(ACTORS as usize);
        let mut actors = Vec::new();
        for number in 0..u64::from(ACTORS) {
            let own = people.drain(..share.min(people.len())).collect();
            let actor = Actor::new(own, &servers, seed.wrapping_add(number + 1));
            let stop = &stop;
            actors.push(scope.spawn(move || actor.run(stop)));
        }
        // Processes are started on this thread: they end with the thread that started them.
        let until = Instant::now() + Duration::from_secs(seconds.into());
        let mut result = Ok(());
        while result.is_ok() && Instant::now() < until {
            result = faults.next(system).and_then(|()| system.check());
        }
        stop.store(true, Ordering::Relaxed);
        let done: Vec<_> = actors.into_iter().map(|actor| actor.join().expect("an actor does not panic")).collect();
        result.map(|()| collect(done))
    })?;
    println!("{}", summary(&counts, &faults));
    let calm = invariants::wait_for_calm(system)?;
    println!("nothing waited any more after {:.1} s", calm.as_secs_f64());
    system.check()?;
    let mut violations = counts.wrong.clone();
    violations.extend(invariants::violations(system, &people, &before)?);
    if violations.is_empty() {
        return Ok(());
    }
    for violation in violations.iter().take(20) {
        println!("violated: {violation}");
    }
    bail!("{} violations with the seed {seed}", violations.len())
}

/// Signs everybody in.
fn sign_in(system: &System) -> Result<Vec<Person>> {
    let ids = system.clerk.user_ids(usize::MAX)?;
    let origin = format!("http://127.0.0.1:{}", system.servers[0].port.unwrap_or_default());
    let tokens = system.clerk.tokens(&ids, &origin)?;
    Ok(ids.into_iter().zip(tokens).map(|(id, token)| Person::new(id, token)).collect())
}

fn collect(done: Vec<(Vec<Person>, Counts)>) -> (Vec<Person>, Counts) {
    let mut everybody = Vec::new();
    let mut total = Counts::default();
    for (people, counts) in done {
        everybody.extend(people);
        total.saves += counts.saves;
        total.downloads += counts.downloads;
        total.deletions += counts.deletions;
        total.pages += counts.pages;
        total.without_response += counts.without_response;
        total.refused += counts.refused;
        total.longest = total.longest.max(counts.longest);
        total.wrong.extend(counts.wrong);
    }
    (everybody, total)
}

fn summary(counts: &Counts, faults: &Faults) -> String {
    let faults: Vec<String> = faults.counts.iter().map(|(fault, count)| format!("{fault:?} {count}")).collect();
    format!(
        "{} saves, {} downloads, {} deletions, {} pages; {} refused, {} without an answer; the longest took {:.1} s\n{}",
        counts.saves,
        counts.downloads,
        counts.deletions,
        counts.pages,
        counts.refused,
        counts.without_response,
        counts.longest.as_secs_f64(),
        faults.join(", ")
    )
}
