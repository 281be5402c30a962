//! What goes wrong, drawn from a seed.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};

use super::system::System;
use crate::http::Method;
use crate::interrupt;

/// Clerk's operations that Lethe uses.
const OPERATIONS: [&str; 5] = [
    "GET /v1/users/{user_id}",
    "GET /v1/sessions",
    "POST /v1/sessions/{session_id}/revoke",
    "DELETE /v1/users/{user_id}",
    "PATCH /v1/users/{user_id}/metadata",
];

/// One kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fault {
    /// Every database connection is closed.
    ConnectionsCut,
    /// The database can't be reached for seconds.
    DatabaseUnreachable,
    /// Each response of the database is late.
    DatabaseSlow,
    /// Postgres ends without a checkpoint and recovers.
    DatabaseCrashed,
    /// A server is killed and started again.
    ServerKilled,
    /// A server is stopped in an orderly way and started again.
    ServerRestarted,
    /// A worker is killed and started again.
    WorkerKilled,
    /// Clerk answers with an error.
    ClerkFailing,
    /// Clerk carries out what is asked, and its answer is lost.
    ClerkResponseLost,
    /// Clerk takes seconds.
    ClerkSlow,
    /// Clerk refuses because of too many requests.
    ClerkRefusing,
    /// Events come twice, late, or in another order.
    EventsDisturbed,
}

impl Fault {
    const ALL: [Self; 12] = [
        Self::ConnectionsCut,
        Self::DatabaseUnreachable,
        Self::DatabaseSlow,
        Self::DatabaseCrashed,
        Self::ServerKilled,
        Self::ServerRestarted,
        Self::WorkerKilled,
        Self::ClerkFailing,
        Self::ClerkResponseLost,
        Self::ClerkSlow,
        Self::ClerkRefusing,
        Self::EventsDisturbed,
    ];
}

/// Draws faults and counts them.
pub(super) struct Faults {
    random: fastrand::Rng,
    pub(super) counts: BTreeMap<Fault, u32>,
}

impl Faults {
    pub(super) fn new(seed: u64) -> Self {
        Self { random: fastrand::Rng::with_seed(seed), counts: BTreeMap::new() }
    }

    /// Causes one fault, waits, and ends it.
    pub(super) fn next(&mut self, system: &mut System) -> Result<()> {
        let fault = Fault::ALL[self.random.usize(..Fault::ALL.len())];
        *self.counts.entry(fault).or_default() += 1;
        match fault {
            Fault::ConnectionsCut => system.proxy.cut(),
            Fault::DatabaseUnreachable => {
                system.proxy.refuse(true);
                self.wait(500..5_000)?;
                system.proxy.refuse(false);
            }
            Fault::DatabaseSlow => {
                system.proxy.delay(Duration::from_millis(self.random.u64(5..60)));
                self.wait(500..3_000)?;
                system.proxy.delay(Duration::ZERO);
            }
            Fault::DatabaseCrashed => system.crash_database()?,
            Fault::ServerKilled | Fault::ServerRestarted => {
                let number = self.random.usize(..system.servers.len());
                let server = &mut system.servers[number];
                if fault == Fault::ServerKilled {
                    server.kill();
                } else {
                    server.stop();
                }
                self.wait(0..1_000)?;
                server.start()?;
            }
            Fault::WorkerKilled => {
                let number = self.random.usize(..system.workers.len());
                let worker = &mut system.workers[number];
                worker.kill();
                self.wait(0..1_000)?;
                worker.start()?;
            }
            Fault::ClerkFailing | Fault::ClerkResponseLost | Fault::ClerkSlow | Fault::ClerkRefusing => {
                let fault = self.clerk_fault(fault);
                system.clerk.send(Method::Post, "/control/faults", &fault)?;
                self.wait(500..4_000)?;
                system.clerk.send(Method::Delete, "/control/faults", &Value::Null)?;
            }
            Fault::EventsDisturbed => {
                let modes = [
                    json!({"mode": "doubled"}),
                    json!({"mode": "late", "delay": 1500}),
                    json!({"mode": "reordered", "delay": 800}),
                    json!({"mode": "off"}),
                ];
                let mode = &modes[self.random.usize(..modes.len())];
                system.clerk.send(Method::Put, "/control/webhooks", mode)?;
                self.wait(500..3_000)?;
                system.clerk.send(Method::Put, "/control/webhooks", &json!({"mode": "on"}))?;
            }
        }
        self.wait(200..1_500)
    }

    /// Clerk never says that somebody doesn't exist who does: no client could tell that from the truth.
    fn clerk_fault(&mut self, fault: Fault) -> Value {
        let operation = OPERATIONS[self.random.usize(..OPERATIONS.len())];
        let mut value = json!({"operation": operation});
        match fault {
            Fault::ClerkResponseLost => {
                value["moment"] = "after".into();
                if self.random.bool() { value["drop"] = true.into() } else { value["status"] = 502.into() }
            }
            Fault::ClerkSlow => value["latency"] = self.random.u64(200..6_000).into(),
            Fault::ClerkRefusing => {
                value["status"] = 429.into();
                value["retry_after"] = self.random.u64(1..4).into();
            }
            _ if self.random.u8(..4) == 0 => value["drop"] = true.into(),
            _ => value["status"] = [500, 502, 503, 504, 409, 423][self.random.usize(..6)].into(),
        }
        value
    }

    fn wait(&mut self, milliseconds: std::ops::Range<u64>) -> Result<()> {
        let until = std::time::Instant::now() + Duration::from_millis(self.random.u64(milliseconds));
        while std::time::Instant::now() < until {
            interrupt::pause(20)?;
        }
        Ok(())
    }
}
