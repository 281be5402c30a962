//! Runs wasm-bindgen, which turns cargo's WASM into the WASM and JavaScript that the browser loads.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use wasm_bindgen_cli_support::Bindgen;

use crate::files::{files_below, short_hash};
use crate::workspace::Workspace;

/// The file name before the hash of the content is added.
const NAME: &str = "lethe";

/// The output of wasm-bindgen.
#[derive(Debug)]
pub(crate) struct Package {
    pub(crate) javascript: Vec<u8>,
    pub(crate) wasm: Vec<u8>,
    /// JavaScript snippets of crates, by path below the package.
    pub(crate) snippets: Vec<(PathBuf, Vec<u8>)>,
}

/// Runs wasm-bindgen on a WASM file, or returns the cached output for the same file.
pub(crate) fn bind(workspace: &Workspace, wasm: &Path) -> Result<Package> {
    let bytes = fs::read(wasm).with_context(|| format!("can't read {}", wasm.display()))?;
    let folder = workspace.cache().join("bound");
    let stamp = folder.join("input-hash");
    let content = short_hash(&bytes);
    if !fs::read_to_string(&stamp).is_ok_and(|hash| hash == content) {
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        Bindgen::new()
            .input_path(wasm)
            .web(true)?
            .typescript(false)
            .remove_name_section(true)
            .remove_producers_section(true)
            // The page passes the WASM's path, which contains a hash.
            .omit_default_module_path(true)
            .out_name(NAME)
            .generate(&folder)?;
        fs::write(&stamp, content)?;
    }
    Ok(Package {
        javascript: fs::read(folder.join(format!("{NAME}.js")))?,
        wasm: fs::read(folder.join(format!("{NAME}_bg.wasm")))?,
        snippets: snippets(&folder)?,
    })
}

fn snippets(folder: &Path) -> Result<Vec<(PathBuf, Vec<u8>)>> {
    let mut found = Vec::new();
    for path in files_below(&folder.join("snippets"))? {
        let name = path.strip_prefix(folder).expect("the file is in the folder that was listed").to_path_buf();
        found.push((name, fs::read(&path)?));
    }
    Ok(found)
}
