//! What a command prints: the result to standard output, progress to standard error.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use serde::Serialize;

/// Prints one JSON document.
pub(super) fn print_json(value: &impl Serialize) -> anyhow::Result<()> {
    println!("{}", serde_json::to_string_pretty(value)?);
    Ok(())
}

/// Prints a table with a row of headings. Columns are as wide as their longest cell, and the last one isn't padded.
pub(super) fn print_table<const N: usize>(headings: [&str; N], rows: &[[String; N]]) {
    print!("{}", table(headings, rows));
}

fn table<const N: usize>(headings: [&str; N], rows: &[[String; N]]) -> String {
    let headings = headings.map(str::to_uppercase);
    let lines = || std::iter::once(&headings).chain(rows);
    let mut text = String::new();
    for line in lines() {
        let mut row = String::new();
        for (column, cell) in line.iter().enumerate() {
            let width = lines().map(|line| line[column].chars().count()).max().unwrap_or_default();
            row.push_str(cell);
            row.extend(std::iter::repeat_n(' ', width + 2 - cell.chars().count()));
        }
        text.push_str(row.trim_end());
        text.push('\n');
    }
    text
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_of_a_table_are_aligned() {
        let rows = [["audit", "1"], ["clerk_user", ""]].map(|row| row.map(str::to_owned));
        assert_eq!(table(["step", "attempts"], &rows), "STEP        ATTEMPTS\naudit       1\nclerk_user\n");
    }
}
