//! The report of `lethe erase --report`: a CSV file (RFC 4180) with one line for each id.
//!
//! A line is appended as soon as something is known, so that an interrupted run leaves what it did, and at the end the file
//! is written anew with one line for each id. A run that continues reads the file first: of whom it says that they were
//! erased, it keeps the line with the receipt.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use lethe::ClerkUserId;
use lethe::deletion::ReceiptCode;

const HEADER: &str = "id,outcome,receipt,cause";
/// The ids are personal data.
const OWNER_ONLY: u32 = 0o600;

/// The open file, and the latest line about each id.
pub(super) struct Report {
    path: PathBuf,
    file: File,
    lines: HashMap<String, String>,
}

impl Report {
    /// Opens the file of an earlier run, or creates it.
    pub(super) fn open(path: &Path) -> anyhow::Result<Self> {
        let failed = || format!("can't use the report {}", path.display());
        let text = match std::fs::read_to_string(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            text => text.with_context(failed)?,
        };
        let mut file = OpenOptions::new().create(true).append(true).mode(OWNER_ONLY).open(path).with_context(failed)?;
        let mut lines = text.lines();
        match lines.next() {
            None => writeln!(file, "{HEADER}").with_context(failed)?,
            Some(HEADER) => {}
            // Nothing but a report is overwritten.
            Some(_) => bail!("{} exists and isn't a report of this command", path.display()),
        }
        // An interrupted run may have left half a line.
        if !text.is_empty() && !text.ends_with('\n') {
            writeln!(file).with_context(failed)?;
        }
        let lines = lines.filter(|line| line.split(',').count() == HEADER.split(',').count());
        let lines = lines.map(|line| (id_of(line).to_owned(), line.to_owned())).collect();
        Ok(Self { path: path.to_owned(), file, lines })
    }

    /// Adds what is known about a deletion.
    pub(super) fn add(
        &mut self,
        subject: &ClerkUserId,
        outcome: &str,
        receipt: &ReceiptCode,
        cause: Option<&str>,
    ) -> anyhow::Result<()> {
        self.write(
            subject,
            format!("{},{outcome},{},{}", subject.as_str(), receipt.as_str(), cause.unwrap_or_default()),
        )
    }

    /// Adds somebody who was erased before. If the file has the receipt, it stays.
    pub(super) fn add_erased_before(&mut self, subject: &ClerkUserId) -> anyhow::Result<()> {
        match self.lines.get(subject.as_str()).map(|line| line.split(',').collect::<Vec<_>>()) {
            Some(fields) if fields[1] == "erased" => Ok(()),
            // It was finished by the job queue.
            Some(fields) if !fields[2].is_empty() => {
                self.write(subject, format!("{},erased,{},", subject.as_str(), fields[2]))
            }
            _ => self.write(subject, format!("{},erased_before,,", subject.as_str())),
        }
    }

    /// Adds an id of which nothing is known.
    pub(super) fn add_unknown(&mut self, subject: &ClerkUserId) -> anyhow::Result<()> {
        self.write(subject, format!("{},unknown,,", subject.as_str()))
    }

    fn write(&mut self, subject: &ClerkUserId, line: String) -> anyhow::Result<()> {
        writeln!(self.file, "{line}").with_context(|| format!("can't write {}", self.path.display()))?;
        self.lines.insert(subject.as_str().to_owned(), line);
        Ok(())
    }

    /// Writes the file anew: one line for each of `users`, in their order.
    pub(super) fn finish(self, users: &[ClerkUserId]) -> anyhow::Result<()> {
        let failed = || format!("can't write {}", self.path.display());
        let mut name = self.path.file_name().unwrap_or_default().to_owned();
        name.push(".new");
        let new_path = self.path.with_file_name(name);
        let mut file = OpenOptions::new()
            .create(true)
            .write(true)
            .truncate(true)
            .mode(OWNER_ONLY)
            .open(&new_path)
            .with_context(failed)?;
        writeln!(file, "{HEADER}").with_context(failed)?;
        for line in users.iter().filter_map(|user| self.lines.get(user.as_str())) {
            writeln!(file, "{line}").with_context(failed)?;
        }
        file.sync_all().with_context(failed)?;
        std::fs::rename(&new_path, &self.path).with_context(failed)
    }
}

/// The first field. No field needs quotes: ids, codes and words have no comma.
fn id_of(line: &str) -> &str {
    line.split(',').next().unwrap_or_default()
}
