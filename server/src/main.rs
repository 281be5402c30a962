//! The entry point: reads the command line and runs the command.

use std::process::ExitCode;

use clap::Parser;
use lethe_server::cli::Cli;
use mimalloc::MiMalloc;

/// Pages are made of many small pieces.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    Cli::parse().run().await
}
