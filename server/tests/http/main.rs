//! Lethe over HTTP, as a black box: a real Postgres, a Clerk that is spoken to over HTTP, a server in this process.

#![expect(clippy::unwrap_used, reason = "a test ends where something is missing")]
#![expect(clippy::disallowed_methods, reason = "from outside there is the real time, and names must not collide")]

mod commands;
mod consent;
mod deletion;
mod doctor;
mod erasure_commands;
mod export;
mod forms;
mod installation;
mod middleware;
mod outage;
mod pages;
mod process;
mod responses;
mod restart;
mod resume;
mod reverification;
mod support;
mod traps;
mod webhooks;
