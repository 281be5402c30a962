//! `bench session`: authenticating a request with cached keys, compared with one RSA verification of the same token.

use std::process::Command;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use super::report::{Machine, Report, rounded};
use crate::workspace::Workspace;

/// The target for one decision, in microseconds.
const TARGET_US: f64 = 100.0;

/// The output of clerk-session's example `session_cost`.
#[derive(Debug, Deserialize)]
struct Cost {
    build: String,
    decision_us: f64,
    reference_us: f64,
    allocations: u64,
    allocated_bytes: u64,
    allocated_bytes_at_once: u64,
}

/// The report; each time is in microseconds.
#[derive(Debug, Serialize)]
pub(super) struct Session {
    machine: Machine,
    build: String,
    /// The whole decision: cookies, token, signature, claims.
    decision_us: f64,
    /// One RSA verification of the same token.
    reference_us: f64,
    /// The time of a decision divided by that of a verification.
    ratio: f64,
    /// The time of a decision without the verification.
    own_us: f64,
    wanted_us: f64,
    allocations: u64,
    allocated_bytes: u64,
    allocated_bytes_at_once: u64,
}

pub(super) fn measure(workspace: &Workspace, machine: Machine) -> Result<Session> {
    let mut build = workspace.cargo();
    build.args(["build", "--release", "-p", "clerk-session", "--example", "session_cost"]);
    if !build.status().context("cargo could not be started")?.success() {
        bail!("the benchmark does not build");
    }
    let program = workspace.target.join("release/examples/session_cost");
    let output =
        Command::new(&program).output().with_context(|| format!("{} could not be started", program.display()))?;
    if !output.status.success() {
        bail!("the benchmark failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    let cost: Cost = serde_json::from_slice(&output.stdout).context("the benchmark printed no result")?;
    Ok(Session {
        machine,
        build: cost.build,
        decision_us: rounded(cost.decision_us),
        reference_us: rounded(cost.reference_us),
        ratio: rounded(cost.decision_us / cost.reference_us),
        own_us: rounded(cost.decision_us - cost.reference_us),
        wanted_us: TARGET_US,
        allocations: cost.allocations,
        allocated_bytes: cost.allocated_bytes,
        allocated_bytes_at_once: cost.allocated_bytes_at_once,
    })
}

impl Report for Session {
    fn text(&self) -> String {
        format!(
            "{} build, {} cores\n\
             decision                    {:>9.2} µs (target: under {:.0} µs)\n\
             one RSA check (reference)   {:>9.2} µs\n\
             ratio                       {:>9.2}\n\
             without the check           {:>9.2} µs\n\
             allocations of a decision   {:>9}, {} bytes in total, {} at peak",
            self.build,
            self.machine.cores,
            self.decision_us,
            self.wanted_us,
            self.reference_us,
            self.ratio,
            self.own_us,
            self.allocations,
            self.allocated_bytes,
            self.allocated_bytes_at_once
        )
    }
}
