//! Lists files, and hashes their contents to short names.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use data_encoding::HEXLOWER;
use ring::digest;

/// Returns all files below a folder, sorted by path; none if the folder doesn't exist.
pub(crate) fn files_below(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop().filter(|folder| folder.is_dir()) {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}

/// Returns the first 16 hexadecimal digits of a content's SHA-256, enough to tell versions of a file apart.
pub(crate) fn short_hash(content: &[u8]) -> String {
    HEXLOWER.encode(&digest::digest(&digest::SHA256, content).as_ref()[..8])
}
