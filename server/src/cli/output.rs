//! What a command prints: the result to standard output, progress to standard error.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use serde::Serialize;

/// Prints one JSON document.
pub(super) fn print_json(value: &impl Serialize) -> anyhow::Result<()> {
    println!("{}", serde_json::to_string_pretty(value)?);
    Ok(())
}

/// Reports the progress of a long command: on a terminal in one line that is rewritten, otherwise a line every few
/// seconds.
pub(super) struct Progress {
    last: Instant,
    on_terminal: bool,
    has_printed: bool,
}

impl Progress {
    pub(super) fn new() -> Self {
        Self { last: Instant::now(), on_terminal: std::io::stderr().is_terminal(), has_printed: false }
    }

    /// Prints `text`, unless something was printed a moment ago.
    pub(super) fn show(&mut self, text: &str) {
        let pause = if self.on_terminal { Duration::from_millis(100) } else { Duration::from_secs(5) };
        if self.has_printed && self.last.elapsed() < pause {
            return;
        }
        self.last = Instant::now();
        self.has_printed = true;
        let mut error = std::io::stderr();
        // A closed standard error must not stop the command.
        let _ = if self.on_terminal { write!(error, "\r\x1b[K{text}") } else { writeln!(error, "{text}") };
    }

    /// Removes the line from a terminal.
    pub(super) fn clear(&self) {
        if self.on_terminal && self.has_printed {
            eprint!("\r\x1b[K");
        }
    }
}
