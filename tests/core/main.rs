//! The core's verbs on a real Postgres, a Clerk that is spoken to over HTTP, and a real inbox.

mod audit;
mod consent;
mod deletion;
mod export;
mod world;
