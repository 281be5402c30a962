//! `bench consent`: saving a preference, with a plain insert and commit in the same Postgres as the reference.

use std::fmt::Write;
use std::fs;

use anyhow::{Context, Result};
use serde::Serialize;

use super::report::{Machine, Report, rounded};
use super::usage;
use super::wrk::{self, Load, Request};
use crate::process;
use crate::progress;
use crate::stack::Stack;

const CONNECTIONS: [u32; 2] = [1, 64];
const DATABASE: &str = "reference";
/// Inserts a row of about the size of a consent ledger entry.
const STATEMENT: &str = "INSERT INTO entry (person, purpose, granted) VALUES (:client_id, 'marketing', true);\n";

/// The report of `bench consent`.
#[derive(Debug, Serialize)]
pub(super) struct Consent {
    machine: Machine,
    runs: Vec<Run>,
    memory_under_load_mib: f64,
}

/// The measurements with one number of connections.
#[derive(Debug, Serialize)]
struct Run {
    saved: Load,
    /// Inserts and commits per second by `pgbench` with the same number of connections.
    reference_per_second: f64,
    /// Saved preferences per insert of the reference.
    ratio: f64,
}

pub(super) fn measure(stack: &Stack, tokens: &[String], seconds: u32, machine: Machine) -> Result<Consent> {
    stack.cluster().create_databases(&[DATABASE])?;
    stack.cluster().query(
        DATABASE,
        "CREATE TABLE entry (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, person int NOT NULL, \
         purpose text NOT NULL, granted bool NOT NULL, at timestamptz NOT NULL DEFAULT now())",
    )?;
    let mut most: f64 = 0.0;
    let mut runs = Vec::new();
    for connections in CONNECTIONS {
        let name = format!("Saving a preference, {connections} connections");
        let request = Request {
            name: &name,
            path: "/api/privacy/consent",
            body: Some(r#"count % 3 == 0 and '{"marketing":true}' or '{"marketing":false,"analytics":true}'"#),
            tokens,
            connections,
            seconds,
        };
        let saved = wrk::run(stack, &request, || {
            most = most.max(usage::resident(stack.server_id()).unwrap_or_default());
        })?;
        let reference_per_second = reference(stack, connections, seconds)?;
        runs.push(Run {
            ratio: (saved.requests_per_second / reference_per_second * 1000.0).round() / 1000.0,
            saved,
            reference_per_second,
        });
    }
    Ok(Consent { machine, runs, memory_under_load_mib: most })
}

fn reference(stack: &Stack, connections: u32, seconds: u32) -> Result<f64> {
    let script = stack.folder().join("insert.sql");
    fs::write(&script, STATEMENT)?;
    progress::stage(&format!("Reference: insert and commit, {connections} connections"), || {
        let mut command = stack.cluster().client("pgbench");
        command
            .args(["--no-vacuum", "--protocol=prepared", "--jobs=1"])
            .arg(format!("--client={connections}"))
            .arg(format!("--time={seconds}"))
            .arg("--file")
            .arg(&script)
            .arg(DATABASE);
        let output = process::output(&mut process::with_death_signal(&command, "TERM", None))?;
        per_second(&output).with_context(|| format!("pgbench printed:\n{output}"))
    })
}

fn per_second(output: &str) -> Option<f64> {
    let line = output.lines().find_map(|line| line.strip_prefix("tps = "))?;
    line.split(' ').next()?.parse().ok().map(rounded)
}

impl Report for Consent {
    fn text(&self) -> String {
        let mut text = format!("{} cores, shared with the database and the load tool\n", self.machine.cores);
        for Run { saved, reference_per_second, ratio } in &self.runs {
            writeln!(
                text,
                "{:>3} connections: {:>8.1} saved per second, p50 {:.2} ms, p99 {:.2} ms, {:.3} ms CPU each, {} errors; \
                 bare inserts (reference) {reference_per_second:.1} per second, ratio {ratio:.3}",
                saved.connections, saved.requests_per_second, saved.p50_ms, saved.p99_ms, saved.processor_ms, saved.errors
            )
            .expect("writing to a string does not fail");
        }
        write!(text, "memory under load {:.1} MiB", self.memory_under_load_mib)
            .expect("writing to a string does not fail");
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pgbench_output_is_parsed() {
        let output = "latency average = 0.5 ms\ntps = 1942.361 (without initial connection time)\n";
        assert_eq!(per_second(output), Some(1942.4));
        assert_eq!(per_second("pgbench: error"), None);
    }
}
