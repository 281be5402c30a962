//! Ctrl-C and SIGTERM: a flag that every waiting loop checks.

use std::fmt;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::Result;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

static REQUESTED: OnceLock<Arc<AtomicBool>> = OnceLock::new();

/// The error of an operation that a signal stopped.
#[derive(Debug)]
pub(crate) struct Interrupted;

impl fmt::Display for Interrupted {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("stopped on request")
    }
}

impl std::error::Error for Interrupted {}

/// Installs the signal handlers. The first signal sets a flag; the second one ends this program and its children at
/// once.
pub(crate) fn listen() -> Result<()> {
    let flag = REQUESTED.get_or_init(Arc::default);
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register_conditional_shutdown(signal, 130, Arc::clone(flag))?;
        signal_hook::flag::register(signal, Arc::clone(flag))?;
    }
    Ok(())
}

/// Returns an error once a signal has arrived.
pub(crate) fn check() -> Result<()> {
    if REQUESTED.get().is_some_and(|flag| flag.load(Ordering::Relaxed)) {
        return Err(Interrupted.into());
    }
    Ok(())
}

/// Sleeps for this many milliseconds. Returns an error if a signal has arrived.
pub(crate) fn pause(milliseconds: u64) -> Result<()> {
    thread::sleep(Duration::from_millis(milliseconds));
    check()
}
