//! Finds the module that a path leads to: through submodules, imports, re-exports and globs. Paths that lead out of the
//! crate resolve to nothing.

use super::modules::{ModuleId, Tree};

/// Where a path leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    Module(ModuleId),
    /// An item, by the module that defines it.
    ItemOf(ModuleId),
}

/// A resolved path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Resolution {
    /// The modules that the path names on its way, those of followed re-exports included.
    pub(crate) named: Vec<ModuleId>,
    pub(crate) target: Target,
}

/// What the last segment of a path means if a submodule and an item have the same name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Preference {
    Module,
    Item,
}

/// Resolves a path as it is written in a module.
pub(crate) fn resolve(
    tree: &Tree,
    module: ModuleId,
    segments: &[String],
    preference: Preference,
) -> Option<Resolution> {
    let mut resolver = Resolver { tree, named: Vec::new(), pending: Vec::new() };
    let target = resolver.walk(module, segments, preference)?;
    Some(Resolution { named: resolver.named, target })
}

struct Resolver<'a> {
    tree: &'a Tree,
    named: Vec<ModuleId>,
    /// Names that are being looked up, to stop at imports that lead back to themselves (`use tracing;`).
    pending: Vec<(ModuleId, String)>,
}

impl Resolver<'_> {
    fn walk(&mut self, module: ModuleId, segments: &[String], preference: Preference) -> Option<Target> {
        let mut current = module;
        let mut is_inside = false;
        for (position, segment) in segments.iter().enumerate() {
            // Only a module can be followed by another segment.
            let preference = if position + 1 == segments.len() { preference } else { Preference::Module };
            match segment.as_str() {
                "crate" => current = 0,
                "self" => {}
                "super" => current = self.tree.modules[current].parent?,
                "Self" => return None,
                name => match self.look_up(current, name, preference) {
                    Some(Target::Module(next)) => {
                        self.named.push(next);
                        current = next;
                    }
                    Some(Target::ItemOf(owner)) => return Some(Target::ItemOf(owner)),
                    // Inside the crate, only a macro can have created the name, so the module that calls the macro
                    // defines it.
                    None if is_inside => return Some(Target::ItemOf(current)),
                    None => return None,
                },
            }
            is_inside = true;
        }
        Some(Target::Module(current))
    }

    /// Finds a name in a module's scope.
    fn look_up(&mut self, module: ModuleId, name: &str, preference: Preference) -> Option<Target> {
        let scope = &self.tree.modules[module];
        let submodule = scope.children.get(name).map(|child| Target::Module(*child));
        if submodule.is_some() && preference == Preference::Module {
            return submodule;
        }
        if scope.contents.items.contains(name) {
            return Some(Target::ItemOf(module));
        }
        let key = (module, name.to_owned());
        if self.pending.contains(&key) {
            return submodule;
        }
        self.pending.push(key);
        let found = self.look_up_import(module, name, preference);
        self.pending.pop();
        found.or(submodule)
    }

    fn look_up_import(&mut self, module: ModuleId, name: &str, preference: Preference) -> Option<Target> {
        let tree = self.tree;
        let imports = &tree.modules[module].contents.imports;
        for import in imports.iter().filter(|import| import.name.as_deref() == Some(name)) {
            if let Some(target) = self.attempt(|resolver| resolver.walk(module, &import.reference.segments, preference))
            {
                return Some(target);
            }
        }
        for glob in imports.iter().filter(|import| import.is_glob) {
            let found =
                self.attempt(|resolver| match resolver.walk(module, &glob.reference.segments, Preference::Module)? {
                    Target::Module(source) if source != module => resolver.look_up(source, name, preference),
                    _ => None,
                });
            if found.is_some() {
                return found;
            }
        }
        None
    }

    /// Discards the modules that a failed attempt has noted.
    fn attempt(&mut self, attempt: impl FnOnce(&mut Self) -> Option<Target>) -> Option<Target> {
        let length = self.named.len();
        let found = attempt(self);
        if found.is_none() {
            self.named.truncate(length);
        }
        found
    }
}
