//! `bench load`: a mix as in life at a fixed rate. Requests are sent when they are due, whatever became of earlier ones,
//! and their time counts from then on: a server that stalls can't slow down what measures it.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::Serialize;
use serde_json::json;

use super::report::{Machine, Report, rounded};
use super::usage;
use crate::http::{Client, Method};
use crate::interrupt;
use crate::stack::Stack;

/// Users who are never deleted. Each may download twenty times an hour.
pub(super) const ACTIVE_USERS: usize = 2_500;
/// Out of a thousand requests, how many are of each kind; the rest reads the page.
const PREFERENCES: u64 = 150;
const EXPORTS: u64 = 40;
const DELETIONS: u64 = 10;
/// Requests that may be under way at the same time.
const SENDERS: u64 = 128;
/// The p99 that a rate must stay under, deletions apart: their response waits until everything is deleted.
const TARGET_MS: f64 = 50.0;
/// How often memory is measured.
const MEMORY_INTERVAL: Duration = Duration::from_secs(5);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Page,
    Preferences,
    Export,
    Deletion,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Page, Self::Preferences, Self::Export, Self::Deletion];

    /// The kind of a request by its number. Kinds are spread evenly.
    const fn of(number: u64) -> Self {
        // 1,000 and 617 have no common divisor, so each thousand requests has each remainder once.
        let position = number * 617 % 1_000;
        if position < DELETIONS {
            Self::Deletion
        } else if position < DELETIONS + EXPORTS {
            Self::Export
        } else if position < DELETIONS + EXPORTS + PREFERENCES {
            Self::Preferences
        } else {
            Self::Page
        }
    }
}

/// The times of one kind of request.
#[derive(Debug, Serialize)]
struct Times {
    requests: usize,
    p50_ms: f64,
    p99_ms: f64,
    longest_ms: f64,
    errors: u64,
}

/// What one rate led to.
#[derive(Debug, Serialize)]
struct Run {
    requested_per_second: u32,
    sent_per_second: f64,
    seconds: u32,
    /// Of all requests but deletions.
    p99_ms: f64,
    errors: u64,
    kinds: BTreeMap<Kind, Times>,
    /// The server's resident memory over time.
    memory_mib: Vec<f64>,
    processor_ms_per_request: f64,
}

impl Run {
    fn is_good(&self) -> bool {
        let rate = f64::from(self.requested_per_second);
        self.errors == 0 && self.p99_ms < TARGET_MS && self.sent_per_second > rate * 0.98
    }
}

/// The report of `bench load`.
#[derive(Debug, Serialize)]
pub(super) struct Mix {
    machine: Machine,
    wanted_p99_ms: f64,
    /// The highest rate that met the target, if any did.
    best_per_second: Option<u32>,
    runs: Vec<Run>,
}

/// Returns how many users the measurement needs.
pub(super) fn users(rate: Option<u32>, seconds: u32) -> u32 {
    let deleted = match rate {
        Some(rate) => u64::from(rate) * u64::from(seconds) * DELETIONS / 1_000,
        // The rates of a search, see `search`.
        None => u64::from(seconds) * 6_000 * DELETIONS / 1_000,
    };
    u32::try_from(deleted).unwrap_or(u32::MAX).saturating_add(u32::try_from(ACTIVE_USERS).unwrap_or_default() + 100)
}

/// Measures one rate, or searches the highest that meets the target.
pub(super) fn measure(stack: &Stack, rate: Option<u32>, seconds: u32, machine: Machine) -> Result<Mix> {
    let ids = stack.clerk().user_ids(usize::MAX)?;
    let tokens = stack.clerk().tokens(&ids, &stack.url())?;
    if tokens.len() < ACTIVE_USERS {
        bail!("only {} users exist", tokens.len());
    }
    let (active, deletable) = tokens.split_at(ACTIVE_USERS);
    let people = People { active, deletable, next: AtomicUsize::new(0) };
    send_at_rate(stack, &people, 50, 3).context("warm-up")?;
    let runs = match rate {
        Some(rate) => vec![send_at_rate(stack, &people, rate, seconds)?],
        None => search(|rate| send_at_rate(stack, &people, rate, seconds))?,
    };
    let best_per_second = runs.iter().filter(|run| run.is_good()).map(|run| run.requested_per_second).max();
    Ok(Mix { machine, wanted_p99_ms: TARGET_MS, best_per_second, runs })
}

/// Doubles the rate until it is too high, then halves the interval three times.
fn search(mut measure: impl FnMut(u32) -> Result<Run>) -> Result<Vec<Run>> {
    let (mut good, mut rate, mut runs) = (0, 125, Vec::new());
    let mut bad = loop {
        let run = measure(rate)?;
        let is_good = run.is_good();
        runs.push(run);
        if !is_good || rate >= 2_000 {
            break rate;
        }
        good = rate;
        rate *= 2;
    };
    for _ in 0..3 {
        let rate = u32::midpoint(good, bad);
        let run = measure(rate)?;
        if run.is_good() {
            good = rate;
        } else {
            bad = rate;
        }
        runs.push(run);
    }
    Ok(runs)
}

struct People<'a> {
    active: &'a [String],
    deletable: &'a [String],
    next: AtomicUsize,
}

struct Sample {
    kind: Kind,
    time: Duration,
    is_good: bool,
}

fn send_at_rate(stack: &Stack, people: &People<'_>, rate: u32, seconds: u32) -> Result<Run> {
    let total = u64::from(rate) * u64::from(seconds);
    let interval = Duration::from_secs(1) / rate;
    let (next, samples) = (AtomicU64::new(0), Mutex::new(Vec::new()));
    let processor_before = usage::processor_ms(stack.server_id())?;
    let start = Instant::now() + Duration::from_millis(100);
    let memory = thread::scope(|scope| {
        let mut senders = Vec::new();
        for _ in 0..SENDERS.min(total) {
            senders.push(scope.spawn(|| {
                let client = Client::new(Duration::from_mins(1));
                let mut own = Vec::new();
                while interrupt::check().is_ok() {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= total {
                        break;
                    }
                    let due = start + interval * u32::try_from(number).unwrap_or(u32::MAX);
                    thread::sleep(due.saturating_duration_since(Instant::now()));
                    let kind = Kind::of(number);
                    let is_good = send(&client, &stack.url(), kind, number, people);
                    own.push(Sample { kind, time: due.elapsed(), is_good });
                }
                samples.lock().expect("no holder panics").append(&mut own);
            }));
        }
        let mut memory = Vec::new();
        let mut measured = start;
        while senders.iter().any(|sender| !sender.is_finished()) {
            interrupt::pause(50)?;
            if measured.elapsed() >= MEMORY_INTERVAL {
                measured = Instant::now();
                memory.push(usage::resident(stack.server_id())?);
            }
        }
        memory.push(usage::resident(stack.server_id())?);
        anyhow::Ok(memory)
    })?;
    let elapsed = start.elapsed();
    let processor = usage::processor_ms(stack.server_id())? - processor_before;
    let samples = samples.into_inner().expect("no holder panics");
    Ok(report(&samples, rate, seconds, elapsed, memory, processor))
}

#[expect(clippy::cast_precision_loss, reason = "a run has far fewer than 2^53 requests")]
fn report(
    samples: &[Sample],
    rate: u32,
    seconds: u32,
    elapsed: Duration,
    memory_mib: Vec<f64>,
    processor_ms: f64,
) -> Run {
    let of = |is_wanted: &dyn Fn(Kind) -> bool| {
        let wanted: Vec<&Sample> = samples.iter().filter(|sample| is_wanted(sample.kind)).collect();
        let mut times: Vec<Duration> = wanted.iter().map(|sample| sample.time).collect();
        times.sort_unstable();
        let errors = wanted.iter().filter(|sample| !sample.is_good).count() as u64;
        (times, errors)
    };
    let kinds = Kind::ALL.into_iter().map(|kind| {
        let (times, errors) = of(&|other| other == kind);
        let times = Times {
            requests: times.len(),
            p50_ms: percentile(&times, 50),
            p99_ms: percentile(&times, 99),
            longest_ms: percentile(&times, 100),
            errors,
        };
        (kind, times)
    });
    Run {
        requested_per_second: rate,
        sent_per_second: rounded(samples.len() as f64 / elapsed.as_secs_f64()),
        seconds,
        p99_ms: percentile(&of(&|kind| kind != Kind::Deletion).0, 99),
        errors: of(&|_| true).1,
        kinds: kinds.collect(),
        memory_mib,
        processor_ms_per_request: (processor_ms / samples.len().max(1) as f64 * 1e3).round() / 1e3,
    }
}

/// The time in milliseconds that so many percent don't exceed; 0 for none.
fn percentile(sorted: &[Duration], percent: usize) -> f64 {
    let index = (sorted.len() * percent).div_ceil(100).max(1) - 1;
    sorted.get(index).map_or(0.0, |time| rounded(time.as_secs_f64() * 1e3))
}

/// Sends one request. Whether its response is the right one.
fn send(client: &Client, url: &str, kind: Kind, number: u64, people: &People<'_>) -> bool {
    let active = &people.active[spread(number, people.active.len())];
    let (method, path, token, body) = match kind {
        Kind::Page => (Method::Get, "/", active, None),
        Kind::Preferences => {
            let body = json!({ "marketing": number.is_multiple_of(2), "analytics": number.is_multiple_of(3) });
            (Method::Post, "/api/privacy/consent", active, Some(body))
        }
        Kind::Export => (Method::Get, "/api/privacy/export", active, None),
        Kind::Deletion => {
            let Some(token) = people.deletable.get(people.next.fetch_add(1, Ordering::Relaxed)) else { return false };
            (Method::Delete, "/api/privacy/delete", token, None)
        }
    };
    let response = client.send(method, &format!("{url}{path}"), Some(token), body.as_ref());
    response.is_ok_and(|response| matches!(response.status, 200 | 202))
}

/// Spreads consecutive numbers over the indices below `length`, in no step with the kinds (Knuth's multiplicative hash).
fn spread(number: u64, length: usize) -> usize {
    usize::try_from(number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 33).unwrap_or_default() % length
}

impl Report for Mix {
    fn text(&self) -> String {
        let mut text = format!(
            "{} cores, shared with the database, Clerk and what sends the load\n\
             80 % pages, 15 % preferences, 4 % exports, 1 % deletions; p99 of all but deletions, target under {} ms\n",
            self.machine.cores, self.wanted_p99_ms
        );
        for run in &self.runs {
            let memory =
                (run.memory_mib.first().copied().unwrap_or(0.0), run.memory_mib.last().copied().unwrap_or(0.0));
            let most = run.memory_mib.iter().copied().fold(0.0, f64::max);
            writeln!(
                text,
                "{:>5} per second for {} s: {:.1} sent, p99 {:.1} ms, {} errors, {:.2} ms CPU each, memory {:.1} to {:.1} MiB, \
                 at most {most:.1}{}",
                run.requested_per_second,
                run.seconds,
                run.sent_per_second,
                run.p99_ms,
                run.errors,
                run.processor_ms_per_request,
                memory.0,
                memory.1,
                if run.is_good() { "" } else { " (target missed)" }
            )
            .expect("writing to a string does not fail");
            for (kind, times) in &run.kinds {
                writeln!(
                    text,
                    "      {:<12} {:>8} requests, p50 {:.1} ms, p99 {:.1} ms, longest {:.1} ms, {} errors",
                    format!("{kind:?}"),
                    times.requests,
                    times.p50_ms,
                    times.p99_ms,
                    times.longest_ms,
                    times.errors
                )
                .expect("writing to a string does not fail");
            }
        }
        match self.best_per_second {
            Some(rate) => write!(text, "best rate within the target: {rate} per second"),
            None => write!(text, "no rate met the target"),
        }
        .expect("writing to a string does not fail");
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_have_their_shares() {
        let count = |kind| (0..10_000).filter(|&number| Kind::of(number) == kind).count();
        assert_eq!(Kind::ALL.map(count), [8_000, 1_500, 400, 100]);
    }

    #[test]
    fn no_user_exceeds_the_hourly_downloads() {
        let mut downloads = vec![0; ACTIVE_USERS];
        for number in (0..600_000).filter(|&number| Kind::of(number) == Kind::Export) {
            downloads[spread(number, ACTIVE_USERS)] += 1;
        }
        assert!(downloads.iter().max() <= Some(&20), "{:?}", downloads.iter().max());
    }

    #[test]
    fn percentiles_are_the_nearest_rank() {
        let times: Vec<Duration> = (1..=100).map(Duration::from_millis).collect();
        assert!((percentile(&times, 50) - 50.0).abs() < 1e-9);
        assert!((percentile(&times, 99) - 99.0).abs() < 1e-9);
        assert!((percentile(&times[..1], 99) - 1.0).abs() < 1e-9);
        assert!(percentile(&[], 99).abs() < 1e-9);
    }

    #[test]
    fn search_ends_at_the_highest_good_rate() {
        let mut rates = Vec::new();
        let runs = search(|rate| {
            rates.push(rate);
            let time = if rate <= 600 { 1 } else { 100 };
            let samples: Vec<Sample> = (0..u64::from(rate))
                .map(|number| Sample { kind: Kind::of(number), time: Duration::from_millis(time), is_good: true })
                .collect();
            Ok(report(&samples, rate, 1, Duration::from_secs(1), vec![10.0], 1.0))
        });
        assert_eq!(rates, [125, 250, 500, 1_000, 750, 625, 562]);
        let best =
            runs.expect("it measured").iter().filter(|run| run.is_good()).map(|run| run.requested_per_second).max();
        assert_eq!(best, Some(562));
    }
}
