//! Lethe over HTTP, as a black box: a real Postgres, a Clerk that is spoken to over HTTP, a server in this process.

#![expect(clippy::unwrap_used, reason = "a test ends where something is missing")]
#![expect(clippy::disallowed_methods, reason = "from outside there is the real time, and names must not collide")]

mod commands;
mod connections;
mod consent;
mod database;
mod deletion;
mod deletion_decisions;
mod doctor;
mod drift;
mod erasure_commands;
mod export;
mod forms;
mod init;
mod installation;
mod keys;
mod limits;
mod middleware;
mod operator;
mod outage;
mod pages;
mod pooler;
mod process;
mod responses;
mod restart;
mod restore;
mod resume;
mod reverification;
mod smoke;
mod support;
mod traps;
mod upgrade;
mod webhooks;
