//! Reads the source files of a crate into a tree of modules. Knows which file a module is in and what is test-only;
//! what its code refers to is collected by `references`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use syn::{Attribute, Expr, Item, ItemMod, Lit, Meta};

use super::cfg::is_test_only;
use super::references::{self, Contents};

/// A module of the tree, by its position in [`Tree::modules`].
pub(crate) type ModuleId = usize;

/// All modules of a crate; the first one is the crate root.
#[derive(Debug)]
pub(crate) struct Tree {
    pub(crate) modules: Vec<Module>,
}

/// One module, inline or in a file of its own.
#[derive(Debug)]
pub(crate) struct Module {
    /// The name in the parent; `crate` for the root.
    pub(crate) name: String,
    pub(crate) parent: Option<ModuleId>,
    pub(crate) children: BTreeMap<String, ModuleId>,
    pub(crate) file: PathBuf,
    /// What is written in the module itself, not in its submodules.
    pub(crate) contents: Contents,
}

impl Tree {
    /// Reads a crate from its root file.
    pub(crate) fn read(root: &Path) -> Result<Self> {
        let mut tree = Self { modules: Vec::new() };
        let folder = root.parent().context("a file has a parent folder")?;
        tree.add_file("crate", None, root, folder)?;
        Ok(tree)
    }

    /// The modules from the root down to `module`, both included.
    pub(crate) fn lineage(&self, module: ModuleId) -> Vec<ModuleId> {
        let mut lineage: Vec<ModuleId> =
            std::iter::successors(Some(module), |module| self.modules[*module].parent).collect();
        lineage.reverse();
        lineage
    }

    /// The path of a module without the crate's name, such as `consent::mirror`; empty for the root.
    pub(crate) fn path(&self, module: ModuleId) -> String {
        let names: Vec<&str> =
            self.lineage(module).into_iter().skip(1).map(|module| self.modules[module].name.as_str()).collect();
        names.join("::")
    }

    /// Adds the module of a file; `folder` is where its submodules are.
    fn add_file(&mut self, name: &str, parent: Option<ModuleId>, file: &Path, folder: &Path) -> Result<ModuleId> {
        let text = fs::read_to_string(file).with_context(|| format!("can't read {}", file.display()))?;
        let parsed = syn::parse_file(&text).with_context(|| format!("can't parse {}", file.display()))?;
        self.add(name, parent, file, folder, &parsed.items)
    }

    fn add(
        &mut self,
        name: &str,
        parent: Option<ModuleId>,
        file: &Path,
        folder: &Path,
        items: &[Item],
    ) -> Result<ModuleId> {
        let id = self.modules.len();
        self.modules.push(Module {
            name: name.to_owned(),
            parent,
            children: BTreeMap::new(),
            file: file.to_path_buf(),
            contents: references::collect(items),
        });
        for item in items {
            if let Item::Mod(submodule) = item
                && !submodule.attrs.iter().any(is_test_only)
            {
                let child = self.add_submodule(id, submodule, file, folder)?;
                self.modules[id].children.insert(references::name(&submodule.ident), child);
            }
        }
        Ok(id)
    }

    fn add_submodule(&mut self, parent: ModuleId, module: &ItemMod, file: &Path, folder: &Path) -> Result<ModuleId> {
        let name = references::name(&module.ident);
        let below = folder.join(&name);
        if let Some((_, items)) = &module.content {
            return self.add(&name, Some(parent), file, &below, items);
        }
        if let Some(path) = module.attrs.iter().find_map(explicit_path) {
            let path = file.parent().context("a file has a parent folder")?.join(path);
            let folder = path.parent().context("a file has a parent folder")?.to_path_buf();
            return self.add_file(&name, Some(parent), &path, &folder);
        }
        let flat = folder.join(format!("{name}.rs"));
        let path = if flat.is_file() { flat } else { below.join("mod.rs") };
        self.add_file(&name, Some(parent), &path, &below)
    }
}

/// The file that `#[path = "…"]` names.
fn explicit_path(attribute: &Attribute) -> Option<String> {
    let Meta::NameValue(pair) = &attribute.meta else {
        return None;
    };
    match &pair.value {
        Expr::Lit(value) if pair.path.is_ident("path") => match &value.lit {
            Lit::Str(path) => Some(path.value()),
            _ => None,
        },
        _ => None,
    }
}
