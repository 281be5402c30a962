//! Ctrl-C and SIGTERM as a question that every waiting loop asks.

use std::fmt;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::Result;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

static ASKED: OnceLock<Arc<AtomicBool>> = OnceLock::new();

/// Somebody asked this program to stop.
#[derive(Debug)]
pub(crate) struct Interrupted;

impl fmt::Display for Interrupted {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("stopped on request")
    }
}

impl std::error::Error for Interrupted {}

/// Starts to listen. The first signal sets a flag; the second one ends this program at once, and its children with it.
pub(crate) fn listen() -> Result<()> {
    let flag = ASKED.get_or_init(Arc::default);
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register_conditional_shutdown(signal, 130, Arc::clone(flag))?;
        signal_hook::flag::register(signal, Arc::clone(flag))?;
    }
    Ok(())
}

/// An error as soon as somebody asked to stop.
pub(crate) fn check() -> Result<()> {
    if ASKED.get().is_some_and(|flag| flag.load(Ordering::Relaxed)) {
        return Err(Interrupted.into());
    }
    Ok(())
}

/// Sleeps for a short while, or says that somebody asked to stop.
pub(crate) fn pause(milliseconds: u64) -> Result<()> {
    thread::sleep(Duration::from_millis(milliseconds));
    check()
}
