//! The files that are read and written.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// A file to write: its path from the root, and its text.
pub(crate) type Generated = (PathBuf, String);

/// The folder of the workspace.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The text of a file.
pub(crate) fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("can't read {}", path.display()))
}

/// All files below a folder whose names end in `extension`, in the order of their paths.
pub(crate) fn files_below(folder: &Path, extension: &str) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("can't read {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(files_below(&path, extension)?);
        } else if path.extension().is_some_and(|present| present == extension) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
