//! `lethe config docs` and `lethe config example`: the generated documentation of the configuration.

use clap::Subcommand;

use super::exit::Exit;
use crate::config::docs;

#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Print docs/configuration.md.
    Docs,
    /// Print lethe.example.toml.
    Example,
}

pub(super) fn run(command: &ConfigCommand) -> Exit {
    match command {
        ConfigCommand::Docs => print!("{}", docs::markdown()),
        ConfigCommand::Example => print!("{}", docs::example()),
    }
    Exit::Success
}
