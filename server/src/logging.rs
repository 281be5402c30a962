//! Logging: to standard error, as text or as one JSON object per line.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::config::{LogConfig, LogFormat};

/// Starts logging. An operators' command logs warnings only, since it prints its result.
/// A second call changes nothing, so that tests may call it freely.
pub fn init(config: &LogConfig, is_service: bool) {
    let filter = if is_service { config.filter.0.as_str() } else { "warn" };
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    let started = match config.format {
        LogFormat::Json => builder.json().try_init(),
        LogFormat::Text => builder.try_init(),
    };
    if started.is_ok() {
        install_panic_hook();
    }
}

/// Logs where a panic happened. Its message may contain anything, so it is logged at the debug level only.
fn install_panic_hook() {
    std::panic::set_hook(Box::new(|panic| {
        let location = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(location, "panicked");
        tracing::debug!(message = panic.payload_as_str().unwrap_or_default(), "panic message");
    }));
}
