//! `bench page`: the page of a signed-in user, with `GET /healthz` as the reference.

use std::fmt::Write;

use anyhow::{Result, bail};
use serde::Serialize;

use super::report::{Machine, Report, rounded};
use super::usage;
use super::wrk::{self, Load, Request};
use crate::http;
use crate::stack::Stack;

const CONNECTIONS: u32 = 32;
const STARTS: usize = 5;

/// The report of `bench page`.
#[derive(Debug, Serialize)]
pub(super) struct Page {
    machine: Machine,
    /// The signed-in page.
    signed_in: Load,
    /// `GET /healthz` of the same server.
    reference: Load,
    /// Requests for the page per request of the reference.
    ratio: f64,
    memory_idle_mib: f64,
    /// The highest value while the page was under load.
    memory_under_load_mib: f64,
    /// The median time from the start of the process to the first 200 from `/readyz`.
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
        name: "Signed-in page, warm-up",
        path: "/",
        body: None,
        tokens,
        connections: CONNECTIONS,
        seconds: 2,
    };
    wrk::run(stack, &page, || {})?;
    let mut most: f64 = 0.0;
    let server = stack.server_id();
    let page = wrk::run(stack, &Request { name: "Signed-in page", seconds, ..page }, || {
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
    let reference = wrk::run(stack, &reference, || {})?;
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

/// Checks that the measured page is that of a signed-in user, not a redirect and not the page for anonymous visitors.
fn check_page(stack: &Stack, tokens: &[String]) -> Result<()> {
    let Some(token) = tokens.first() else {
        bail!("the Clerk stand-in has no users");
    };
    let url = format!("{}/", stack.url());
    let own = http::get(&url, &[("authorization", &format!("Bearer {token}"))])?;
    let anonymous = http::get(&url, &[])?;
    if own.status != 200 || own.body.len() == anonymous.body.len() {
        bail!("{url} does not accept the session token (status {})", own.status);
    }
    Ok(())
}

impl Report for Page {
    fn text(&self) -> String {
        let mut text = format!("{} cores, shared with the database and the load tool\n", self.machine.cores);
        for (name, load) in [("signed-in page", &self.signed_in), ("GET /healthz (reference)", &self.reference)] {
            writeln!(
                text,
                "{name:<26} {:>9.1} per second, p50 {:.2} ms, p99 {:.2} ms, {:.3} ms CPU each, {} errors, {} connections",
                load.requests_per_second, load.p50_ms, load.p99_ms, load.processor_ms, load.errors, load.connections
            )
            .expect("writing to a string does not fail");
        }
        write!(
            text,
            "ratio                      {:>9.3}\nmemory                     {:>9.1} MiB idle, {:.1} MiB under load\n\
             ready after                {:>9.1} ms",
            self.ratio, self.memory_idle_mib, self.memory_under_load_mib, self.start_up_ms
        )
        .expect("writing to a string does not fail");
        text
    }
}
