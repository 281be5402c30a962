//! The entry point: reads the command line and runs the command.

use std::process::ExitCode;

use clap::Parser;
use server::command::Command;

#[tokio::main]
async fn main() -> ExitCode {
    Command::parse().run().await
}
