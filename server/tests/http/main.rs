//! Lethe over HTTP, as a black box: a real Postgres, a Clerk that is spoken to over HTTP, a server in this process.

#![expect(clippy::unwrap_used, reason = "a test ends where something is missing")]
#![expect(clippy::disallowed_methods, reason = "from outside there is the real time, and names must not collide")]

mod forms;
mod process;
mod support;

mod commands;
mod consent;
mod deletion;
mod doctor;
mod export;
mod middleware;
mod outage;
mod pages;
mod responses;
mod restart;
mod resume;
mod reverification;
mod traps;
mod webhooks;
