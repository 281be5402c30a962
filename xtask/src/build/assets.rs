//! Writes the site root: files named by a hash of their content, compressed copies beside them, and `assets.json`, from
//! which the server reads the names.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::compress::{Compressed, compress};
use super::frontend::Package;
use crate::files::{files_below, short_hash};
use crate::workspace::Workspace;

/// The content of `assets.json`, which the server reads at startup.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Assets {
    /// The file name of the JavaScript and the WASM, without suffix.
    pub(crate) output_name: String,
    /// The URL path of the style sheet.
    pub(crate) style: String,
    /// The URL path of the font; absent if the checkout has no font.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) font: Option<String>,
}

impl Assets {
    /// Reads the `assets.json` that [`write_site`] wrote.
    pub(crate) fn read(site: &Path) -> Result<Self> {
        let text = fs::read_to_string(site.join("assets.json"))?;
        Ok(serde_json::from_str(&text)?)
    }
}

/// Writes the site root. Returns its compressed sizes as text.
pub(crate) fn write_site(workspace: &Workspace, package: &Package, sheet: &str) -> Result<String> {
    let mut site = Site::open(workspace)?;
    let mut sheet = sheet.to_owned();
    let mut font = None;
    for path in fonts(&workspace.root)? {
        let name = path.file_stem().context("a font has a name")?.to_string_lossy();
        let content = fs::read(&path)?;
        let hashed = format!("/pkg/{name}-{}.woff2", short_hash(&content));
        sheet = sheet.replace(&format!("/pkg/{name}.woff2"), &hashed);
        site.write(&hashed, &content, None)?;
        font.get_or_insert(hashed);
    }
    let mut both = package.javascript.clone();
    both.extend(&package.wasm);
    let output_name = format!("lethe-{}", short_hash(&both));
    let style = format!("/pkg/lethe-{}.css", short_hash(sheet.as_bytes()));
    let wasm = site.write_compressed(&format!("/pkg/{output_name}_bg.wasm"), &package.wasm)?;
    let javascript = site.write_compressed(&format!("/pkg/{output_name}.js"), &package.javascript)?;
    let css = site.write_compressed(&style, sheet.as_bytes())?;
    for (path, content) in &package.snippets {
        site.write_compressed(&format!("/pkg/{}", path.display()), content)?;
    }
    let public = workspace.root.join("public");
    for path in files_below(&public)? {
        if is_font(&path) {
            continue;
        }
        let name = path.strip_prefix(&public).expect("the file is in the folder that was listed").display().to_string();
        site.write_public(&format!("/{name}"), &fs::read(&path)?)?;
    }
    let assets = Assets { output_name, style, font };
    site.finish(&assets)?;
    Ok(format!(
        "{:.1} kB WASM, {:.1} kB JavaScript, {:.1} kB CSS",
        kilobytes(wasm),
        kilobytes(javascript),
        kilobytes(css)
    ))
}

/// Converts bytes to kilobytes of 1000 bytes.
pub(crate) fn kilobytes(bytes: usize) -> f64 {
    f64::from(u32::try_from(bytes).unwrap_or(u32::MAX)) / 1000.0
}

fn fonts(root: &Path) -> Result<Vec<PathBuf>> {
    let mut fonts = files_below(&root.join("public"))?;
    fonts.extend(files_below(&root.join("style"))?);
    fonts.retain(|path| is_font(path));
    Ok(fonts)
}

fn is_font(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "woff2")
}

/// A site root being written. Files that no longer belong to it are removed last, so a running server can serve its old
/// files until then.
struct Site {
    root: PathBuf,
    cache: PathBuf,
    written: BTreeSet<PathBuf>,
}

impl Site {
    fn open(workspace: &Workspace) -> Result<Self> {
        let root = workspace.site();
        fs::create_dir_all(&root)?;
        Ok(Self { root, cache: workspace.cache().join("compressed"), written: BTreeSet::new() })
    }

    /// Writes a file and its compressed copies. Returns the size of the brotli copy.
    fn write_compressed(&mut self, name: &str, content: &[u8]) -> Result<usize> {
        let compressed = compress(content, &self.cache)?;
        let size = compressed.brotli.len();
        self.write(name, content, Some(&compressed))?;
        Ok(size)
    }

    /// Writes a file of `public/`, with compressed copies if they are smaller.
    fn write_public(&mut self, name: &str, content: &[u8]) -> Result<()> {
        let compressed = compress(content, &self.cache)?;
        let smaller = compressed.brotli.len() < content.len() && compressed.gzip.len() < content.len();
        self.write(name, content, smaller.then_some(&compressed))
    }

    fn write(&mut self, name: &str, content: &[u8], compressed: Option<&Compressed>) -> Result<()> {
        let path = self.root.join(name.trim_start_matches('/'));
        if let Some(compressed) = compressed {
            self.put(path.with_added_extension("br"), &compressed.brotli)?;
            self.put(path.with_added_extension("gz"), &compressed.gzip)?;
        }
        self.put(path, content)
    }

    fn put(&mut self, path: PathBuf, content: &[u8]) -> Result<()> {
        if !fs::read(&path).is_ok_and(|present| present == content) {
            let folder = path.parent().expect("a file in the site root has a parent");
            fs::create_dir_all(folder)?;
            fs::write(&path, content).with_context(|| format!("can't write {}", path.display()))?;
        }
        self.written.insert(path);
        Ok(())
    }

    fn finish(mut self, assets: &Assets) -> Result<()> {
        self.put(self.root.join("assets.json"), &serde_json::to_vec_pretty(assets)?)?;
        for path in files_below(&self.root)? {
            if !self.written.contains(&path) {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_named_by_their_content() {
        let target = std::env::temp_dir().join(format!("xtask-site-{}", std::process::id()));
        let root = target.join("checkout");
        fs::create_dir_all(root.join("public")).expect("it is new");
        fs::write(root.join("public/inter.woff2"), b"font").expect("it is writable");
        fs::write(root.join("public/robots.txt"), b"User-agent: *\n").expect("it is writable");
        let workspace = Workspace { root, target: target.clone(), lints: false };
        let package = Package {
            javascript: b"export default 1".to_vec(),
            wasm: b"wasm".to_vec(),
            snippets: vec![(PathBuf::from("snippets/a/inline0.js"), b"export {}".to_vec())],
        };
        let site = workspace.site();
        fs::create_dir_all(site.join("pkg")).expect("it is new");
        fs::write(site.join("pkg/lethe-old.js"), b"old").expect("it is writable");

        write_site(&workspace, &package, "@font-face{src:url(/pkg/inter.woff2)}").expect("it can be written");

        let assets = Assets::read(&site).expect("it was written");
        let font = assets.font.expect("there is a font");
        assert!(font.starts_with("/pkg/inter-"), "{font}");
        let sheet = fs::read_to_string(site.join(assets.style.trim_start_matches('/'))).expect("it was written");
        assert_eq!(sheet, format!("@font-face{{src:url({font})}}"));
        for suffix in [".js", ".js.br", ".js.gz", "_bg.wasm", "_bg.wasm.br"] {
            assert!(site.join(format!("pkg/{}{suffix}", assets.output_name)).is_file(), "{suffix}");
        }
        assert!(site.join("robots.txt").is_file());
        assert!(site.join("pkg/snippets/a/inline0.js").is_file());
        assert!(!site.join("inter.woff2").exists());
        assert!(!site.join("pkg/lethe-old.js").exists());
        fs::remove_dir_all(target).expect("it exists");
    }
}
