//! `bench page`: the page of a signed-in person, beside the server's emptiest answer.

use std::fmt::Write;

use anyhow::{Result, bail};
use serde::Serialize;

use super::load::{self, Load, Request, rounded};
use super::{Machine, Report, usage};
use crate::http;
use crate::stack::Stack;

const CONNECTIONS: u32 = 32;
const STARTS: usize = 5;

/// What was measured.
#[derive(Debug, Serialize)]
pub(super) struct Page {
    machine: Machine,
    /// The signed-in page.
    signed_in: Load,
    /// `GET /healthz` of the same server.
    reference: Load,
    /// Requests a second of the page for one of the reference.
    ratio: f64,
    memory_idle_mib: f64,
    /// The most that was seen while the page was loaded.
    memory_under_load_mib: f64,
    /// The middle of several starts, from the start of the process to `/readyz`.
    start_up_ms: f64,
}

pub(super) fn measure(stack: &mut Stack, tokens: &[String], seconds: u32, machine: Machine) -> Result<Page> {
    check_page(stack, tokens)?;
    let mut starts = vec![stack.start_up];
    for _ in 1..STARTS {
        starts.push(stack.restart_server()?);
    }
    starts.sort();
    let memory_idle_mib = usage::resident(stack.server_id())?;
    let page = Request {
        name: "Signed-in page, to warm up",
        path: "/",
        body: None,
        tokens,
        connections: CONNECTIONS,
        seconds: 2,
    };
    load::run(stack, &page, || {})?;
    let mut most: f64 = 0.0;
    let server = stack.server_id();
    let page = load::run(stack, &Request { name: "Signed-in page", seconds, ..page }, || {
        most = most.max(usage::resident(server).unwrap_or_default());
    })?;
    let reference = Request {
        name: "Reference: GET /healthz",
        path: "/healthz",
        body: None,
        tokens: &[],
        connections: CONNECTIONS,
        seconds,
    };
    let reference = load::run(stack, &reference, || {})?;
    Ok(Page {
        machine,
        ratio: (page.requests_per_second / reference.requests_per_second * 1000.0).round() / 1000.0,
        signed_in: page,
        reference,
        memory_idle_mib,
        memory_under_load_mib: most,
        start_up_ms: rounded(starts[STARTS / 2].as_secs_f64() * 1e3),
    })
}

/// The load must hit the page of somebody signed in, and not a redirect or the page for strangers.
fn check_page(stack: &Stack, tokens: &[String]) -> Result<()> {
    let Some(token) = tokens.first() else {
        bail!("the stand-in knows nobody");
    };
    let url = format!("{}/", stack.url());
    let own = http::get(&url, &[("authorization", &format!("Bearer {token}"))])?;
    let strangers = http::get(&url, &[])?;
    if own.status != 200 || own.body.len() == strangers.body.len() {
        bail!("{url} does not know the session token (status {})", own.status);
    }
    Ok(())
}

impl Report for Page {
    fn text(&self) -> String {
        let mut text = format!("{} cores, shared with the database and the load tool\n", self.machine.cores);
        for (name, load) in [("signed-in page", &self.signed_in), ("GET /healthz (reference)", &self.reference)] {
            writeln!(
                text,
                "{name:<26} {:>9.1} a second, p50 {:.2} ms, p99 {:.2} ms, {:.3} ms of processor each, {} errors, {} connections",
                load.requests_per_second, load.p50_ms, load.p99_ms, load.processor_ms, load.errors, load.connections
            )
            .expect("a string takes everything");
        }
        write!(
            text,
            "ratio                      {:>9.3}\nmemory                     {:>9.1} MiB idle, {:.1} MiB under load\n\
             ready after                {:>9.1} ms",
            self.ratio, self.memory_idle_mib, self.memory_under_load_mib, self.start_up_ms
        )
        .expect("a string takes everything");
        text
    }
}
