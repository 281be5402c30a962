//! Progress with durations on standard error; standard output is for results.

use std::time::{Duration, Instant};

use anyhow::Result;

/// Runs one step and prints its name and duration.
pub(crate) fn stage<T>(name: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let start = Instant::now();
    let result = work();
    match &result {
        Ok(_) => done(name, start.elapsed()),
        Err(_) => eprintln!("{name:<44} failed after {:.1} s", start.elapsed().as_secs_f64()),
    }
    result
}

/// Prints the name and duration of a step that was timed elsewhere.
pub(crate) fn done(name: &str, time: Duration) {
    eprintln!("{name:<44} {:>7.1} s", time.as_secs_f64());
}
