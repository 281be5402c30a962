//! The property: whatever the tables, the rows and the map, database and model agree.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use crate::breakage::Breakage;
use crate::ddl;
use crate::generator::{CASES_PER_SCHEMA, Case, Language, generate, repair};
use crate::map_file;
use crate::model::has_key;
use crate::tally::Tally;
use crate::value::Row;
use crate::worker::{Disagreement, Worker};

const CASES: u64 = 2_000;
const WORKERS: usize = 4;

/// How many failures are searched for before the first one is reported.
const MAX_FAILURES: usize = 12;

/// What the workers share.
struct Run {
    next: AtomicU64,
    end: u64,
    language: Language,
    total: Mutex<Tally>,
    failures: Mutex<Vec<(Case, Disagreement)>>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn database_and_model_agree() {
    let seed = number("LETHE_MODEL_SEED");
    let start = seed.unwrap_or(0);
    let end = seed.map_or_else(|| number("LETHE_MODEL_CASES").unwrap_or(CASES), |seed| seed + 1);
    let language =
        if setting("LETHE_MODEL_LANGUAGE").as_deref() == Some("2") { Language::Second } else { Language::Both };
    let (total, failures) = Default::default();
    let run = Arc::new(Run { next: start.into(), end, language, total, failures });
    let workers: Vec<_> = (0..WORKERS).map(|_| tokio::spawn(check_cases(run.clone()))).collect();
    for worker in workers {
        worker.await.unwrap();
    }
    let mut failures = std::mem::take(&mut *run.failures.lock().unwrap());
    failures.sort_by_key(|(case, _)| case.seed);
    if let Some((case, disagreement)) = failures.into_iter().next() {
        panic!("{}", report(&mut Worker::start().await, case, disagreement).await);
    }
    let Tally { erased, refused, breakages } = std::mem::take(&mut *run.total.lock().unwrap());
    println!("{} cases: {erased} erasures, {refused} refused; broken maps: {breakages:#?}", end - start);
    if end - start >= CASES {
        assert!(erased > refused * 4, "most erasures must be possible");
        let missing: Vec<&Breakage> =
            Breakage::ALL.iter().filter(|breakage| !breakages.contains_key(breakage)).collect();
        assert!(missing.is_empty(), "no map was broken in these ways: {missing:?}");
    }
}

async fn check_cases(run: Arc<Run>) {
    let mut worker = Worker::start().await;
    loop {
        let first = run.next.fetch_add(CASES_PER_SCHEMA, Ordering::Relaxed);
        for seed in first..(first + CASES_PER_SCHEMA).min(run.end) {
            let case = generate(seed, run.language);
            match worker.check(&case).await {
                Ok(tally) => run.total.lock().unwrap().add(tally),
                Err(disagreement) => {
                    println!("seed {seed}: {}", disagreement.0.lines().next().unwrap_or_default());
                    run.failures.lock().unwrap().push((case, disagreement));
                }
            }
        }
        if first >= run.end || run.failures.lock().unwrap().len() >= MAX_FAILURES {
            return;
        }
    }
}

/// Describes the smallest case found that fails in the same way.
async fn report(worker: &mut Worker, mut case: Case, mut disagreement: Disagreement) -> String {
    while let Some((smaller, other)) = shrink(worker, &case, &disagreement).await {
        (case, disagreement) = (smaller, other);
    }
    let Disagreement(text) = disagreement;
    let (tables, rows, map) = (ddl::create_tables(&case), ddl::insert_all(&case), map_file::write(&case.map));
    format!("LETHE_MODEL_SEED={}\n\n{tables}\n{rows}\n{map}\n{text}\n", case.seed)
}

/// Returns a case with fewer tables or rows that fails in the same way.
async fn shrink(worker: &mut Worker, case: &Case, disagreement: &Disagreement) -> Option<(Case, Disagreement)> {
    for smaller in smaller_cases(case) {
        if let Err(other) = worker.check(&smaller).await
            && kind_of(&other) == kind_of(disagreement)
        {
            return Some((smaller, other));
        }
    }
    None
}

/// Returns what doesn't depend on rows: the first of the text.
fn kind_of(Disagreement(text): &Disagreement) -> &str {
    let end = text.find(['\n', ':']).unwrap_or(text.len());
    &text[..end]
}

fn smaller_cases(case: &Case) -> Vec<Case> {
    let mut smaller = Vec::new();
    for table in &case.schema.tables {
        let name = table.full_name();
        let mut other = case.clone();
        other.schema.tables.retain(|table| table.full_name() != name);
        other.map.entries.retain(|entry| entry.table != name);
        other.map.ghosts.remove(&name);
        other.rows.remove(&name);
        let is_needed = other.schema.tables.iter().any(|table| table.foreign_keys.iter().any(|key| key.parent == name));
        if !is_needed && other.map.entries.iter().any(|entry| entry.is_subject) {
            smaller.push(other);
        }
    }
    for (name, rows) in case.rows.iter().filter(|(_, rows)| !rows.is_empty()) {
        let halves = [0..rows.len() / 2, rows.len() / 2..rows.len()];
        let ones = (0..rows.len()).map(|position| position..position + 1);
        for removed in halves.into_iter().chain(ones) {
            let mut other = case.clone();
            other.rows.get_mut(name).unwrap().drain(removed);
            repair(&other.schema, &mut other.rows);
            let has_ghost = |(table, key): (&String, &Row)| other.rows[table].iter().any(|row| has_key(row, key));
            if other.rows != case.rows && other.map.ghosts.iter().all(has_ghost) {
                smaller.push(other);
            }
        }
    }
    smaller
}

fn number(name: &str) -> Option<u64> {
    setting(name).map(|value| value.parse().unwrap())
}

#[expect(clippy::disallowed_methods, reason = "tests have no other settings")]
fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
