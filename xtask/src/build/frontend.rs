//! Binds the WASM that cargo made to JavaScript.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use wasm_bindgen_cli_support::Bindgen;

use super::assets::short_hash;
use crate::workspace::Workspace;

/// The name that files get before they are named by their content.
const NAME: &str = "lethe";

/// What wasm-bindgen made.
#[derive(Debug)]
pub(crate) struct Package {
    pub(crate) javascript: Vec<u8>,
    pub(crate) wasm: Vec<u8>,
    /// Inline JavaScript of crates, by its path below the package.
    pub(crate) snippets: Vec<(PathBuf, Vec<u8>)>,
}

/// Binds a WASM file, or answers what was made of the same file before.
pub(crate) fn bind(workspace: &Workspace, wasm: &Path) -> Result<Package> {
    let bytes = fs::read(wasm).with_context(|| format!("can't read {}", wasm.display()))?;
    let folder = workspace.cache().join("bound");
    let stamp = folder.join("made-of");
    let content = short_hash(&bytes);
    if !fs::read_to_string(&stamp).is_ok_and(|made_of| made_of == content) {
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        Bindgen::new()
            .input_path(wasm)
            .web(true)?
            .typescript(false)
            .remove_name_section(true)
            .remove_producers_section(true)
            // The page always says where the WASM is, since its name depends on its content.
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
    for path in super::assets::files_below(&folder.join("snippets"))? {
        let name = path.strip_prefix(folder).expect("it lies below").to_path_buf();
        found.push((name, fs::read(&path)?));
    }
    Ok(found)
}
