//! What the code of one module defines, imports and refers to, as written: nothing is resolved here.
//!
//! Macros are not expanded. Their tokens are searched for paths instead, and so are strings in attributes
//! (`#[serde(with = "crate::format")]`).

use std::collections::BTreeSet;

use proc_macro2::{Delimiter, Spacing, Span, TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Attribute, Ident, ImplItem, Item, ItemUse, Lit, Macro, Path, Stmt, TraitItem, UseTree, Visibility};

use super::cfg::is_test_only;

/// What a module itself contains.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    /// The names of its items, without submodules.
    pub(crate) items: BTreeSet<String>,
    pub(crate) imports: Vec<Import>,
    /// Paths in its code.
    pub(crate) paths: Vec<Reference>,
}

/// One name that a `use` declaration brings in.
#[derive(Debug)]
pub(crate) struct Import {
    /// The new name; none for `as _` and for a glob.
    pub(crate) name: Option<String>,
    pub(crate) is_glob: bool,
    /// Whether the name can be used from outside.
    pub(crate) is_reexport: bool,
    pub(crate) reference: Reference,
}

/// A path as written, such as `["crate", "consent", "Purpose"]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reference {
    pub(crate) segments: Vec<String>,
    pub(crate) line: usize,
}

/// Collects the contents of a module from its items.
pub(crate) fn collect(items: &[Item]) -> Contents {
    let mut collector = Collector::default();
    for item in items {
        if !is_cut(item)
            && let Some(name) = defined(item)
        {
            collector.contents.items.insert(name);
        }
        collector.visit_item(item);
    }
    collector.contents
}

/// An identifier without the `r#` of a raw one.
pub(crate) fn name(identifier: &Ident) -> String {
    identifier.to_string().trim_start_matches("r#").to_owned()
}

#[derive(Default)]
struct Collector {
    contents: Contents,
}

impl<'ast> Visit<'ast> for Collector {
    fn visit_item(&mut self, item: &'ast Item) {
        if is_cut(item) {
            return;
        }
        match item {
            // Submodules are modules of their own in the tree.
            Item::Mod(module) => module.attrs.iter().for_each(|attribute| self.visit_attribute(attribute)),
            Item::Use(import) => self.import(import),
            _ => visit::visit_item(self, item),
        }
    }

    fn visit_impl_item(&mut self, item: &'ast ImplItem) {
        let attributes = match item {
            ImplItem::Const(item) => &item.attrs,
            ImplItem::Fn(item) => &item.attrs,
            ImplItem::Type(item) => &item.attrs,
            ImplItem::Macro(item) => &item.attrs,
            _ => return visit::visit_impl_item(self, item),
        };
        if !attributes.iter().any(is_test_only) {
            visit::visit_impl_item(self, item);
        }
    }

    fn visit_trait_item(&mut self, item: &'ast TraitItem) {
        if let TraitItem::Fn(function) = item
            && function.attrs.iter().any(is_test_only)
        {
            return;
        }
        visit::visit_trait_item(self, item);
    }

    fn visit_stmt(&mut self, statement: &'ast Stmt) {
        if let Stmt::Local(local) = statement
            && local.attrs.iter().any(is_test_only)
        {
            return;
        }
        visit::visit_stmt(self, statement);
    }

    fn visit_path(&mut self, path: &'ast Path) {
        if path.leading_colon.is_none()
            && let Some(first) = path.segments.first()
        {
            let segments = path.segments.iter().map(|segment| name(&segment.ident)).collect();
            self.add(segments, first.ident.span());
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        self.visit_path(&call.path);
        self.tokens(call.tokens.clone());
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        if attribute.path().is_ident("doc") {
            return;
        }
        self.visit_path(attribute.path());
        match &attribute.meta {
            syn::Meta::List(list) => self.tokens_of_attribute(list.tokens.clone()),
            syn::Meta::NameValue(pair) => self.visit_expr(&pair.value),
            syn::Meta::Path(_) => {}
        }
    }

    /// `pub(in crate::consent)` restricts visibility and is no dependency.
    fn visit_visibility(&mut self, _: &'ast Visibility) {}
}

impl Collector {
    fn add(&mut self, segments: Vec<String>, span: Span) {
        self.contents.paths.push(Reference { segments, line: span.start().line });
    }

    fn import(&mut self, import: &ItemUse) {
        if import.leading_colon.is_none() {
            let is_reexport = !matches!(import.vis, Visibility::Inherited);
            self.import_tree(&import.tree, &mut Vec::new(), is_reexport);
        }
    }

    fn import_tree(&mut self, tree: &UseTree, prefix: &mut Vec<String>, is_reexport: bool) {
        let mut add = |prefix: &[String], last: Option<&Ident>, new_name: Option<String>, span: Span| {
            let mut segments = prefix.to_vec();
            segments.extend(last.filter(|last| *last != "self").map(name));
            let name = new_name.or_else(|| segments.last().cloned()).filter(|name| name != "_");
            self.contents.imports.push(Import {
                name: name.filter(|_| last.is_some()),
                is_glob: last.is_none(),
                is_reexport,
                reference: Reference { segments, line: span.start().line },
            });
        };
        match tree {
            UseTree::Name(last) => add(prefix, Some(&last.ident), None, last.ident.span()),
            UseTree::Rename(last) => add(prefix, Some(&last.ident), Some(name(&last.rename)), last.ident.span()),
            UseTree::Glob(glob) => add(prefix, None, None, glob.star_token.spans[0]),
            UseTree::Path(path) => {
                prefix.push(name(&path.ident));
                self.import_tree(&path.tree, prefix, is_reexport);
                prefix.pop();
            }
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.import_tree(tree, prefix, is_reexport);
                }
            }
        }
    }

    /// Finds paths in tokens that aren't parsed: two or more identifiers joined by `::`, and single identifiers that
    /// may name a type, a function or a component, which the resolver decides.
    fn tokens(&mut self, tokens: TokenStream) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut position = 0;
        while position < tokens.len() {
            match &tokens[position] {
                TokenTree::Group(group) => self.tokens(group.stream()),
                TokenTree::Ident(first) if !follows_dot(&tokens, position) => {
                    let mut segments = vec![name(first)];
                    while let Some(next) = next_segment(&tokens, position) {
                        segments.push(name(next));
                        position += 3;
                    }
                    self.add(segments, first.span());
                }
                _ => {}
            }
            position += 1;
        }
    }

    /// Like [`Self::tokens`], but also finds paths in strings.
    fn tokens_of_attribute(&mut self, tokens: TokenStream) {
        for token in tokens.clone() {
            match token {
                TokenTree::Literal(literal) => {
                    let span = literal.span();
                    if let Lit::Str(text) = Lit::new(literal)
                        && let Ok(path) = text.parse::<Path>()
                        && path.segments.len() > 1
                    {
                        self.add(path.segments.iter().map(|segment| name(&segment.ident)).collect(), span);
                    }
                }
                TokenTree::Group(group) if group.delimiter() != Delimiter::None => {
                    self.tokens_of_attribute(group.stream());
                }
                _ => {}
            }
        }
        self.tokens(tokens);
    }
}

/// The identifier after `::`, if that follows the token at `position`.
fn next_segment(tokens: &[TokenTree], position: usize) -> Option<&Ident> {
    match tokens.get(position + 1..position + 4)? {
        [TokenTree::Punct(one), TokenTree::Punct(two), TokenTree::Ident(next)]
            if one.as_char() == ':' && one.spacing() == Spacing::Joint && two.as_char() == ':' =>
        {
            Some(next)
        }
        _ => None,
    }
}

/// Whether a token is a field or a method: one dot before it, not the two of a range.
fn follows_dot(tokens: &[TokenTree], position: usize) -> bool {
    let is_dot = |token: Option<&TokenTree>| matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == '.');
    let before = |distance: usize| position.checked_sub(distance).and_then(|position| tokens.get(position));
    is_dot(before(1)) && !is_dot(before(2))
}

fn is_cut(item: &Item) -> bool {
    attributes(item).iter().any(is_test_only)
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::ExternCrate(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::TraitAlias(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Union(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

/// The name that an item has in its module.
fn defined(item: &Item) -> Option<String> {
    let identifier = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Macro(item) => item.ident.as_ref()?,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::TraitAlias(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Union(item) => &item.ident,
        _ => return None,
    };
    Some(name(identifier))
}
