//! The log: to standard error, as text or as one JSON object a line.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::config::LogConfig;

/// Starts logging; a tool's log holds warnings only, since what it has to say it prints.
/// A second call changes nothing, so that tests may call it freely.
pub fn init(settings: &LogConfig, is_service: bool) {
    let filter = if is_service { settings.filter.as_str() } else { "warn" };
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    let started = if settings.json { builder.json().try_init() } else { builder.try_init() };
    if started.is_ok() {
        install_panic_hook();
    }
}

/// Panics tell where they happened; their message may hold anything, so it is kept for the debug level.
fn install_panic_hook() {
    std::panic::set_hook(Box::new(|panic| {
        let at = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(at, "a panic");
        tracing::debug!(message = panic.payload_as_str().unwrap_or_default(), "what the panic said");
    }));
}
