//! The CSS classes that views in Rust and plain HTML files use. Views are read from their syntax trees.
//!
//! A view's classes are the words of the strings that a `class` attribute may evaluate to, and the names in
//! `class:name=`. Values are followed through conditions, closures and blocks; names are followed to the `let` bindings
//! of the file, and to constants, statics and component properties of all files. A value that can't be followed is an
//! error, so that no class is missed.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use anyhow::{Context, Result, bail};
use rstml::Infallible;
use rstml::node::{KeyedAttribute, Node, NodeAttribute, NodeBlock, NodeElement};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{Expr, ExprLit, Lit, LitStr, Pat, Stmt};

/// A file's name and its text.
pub(crate) type Source = (String, String);

/// Each class, with the location of its first use. `views` are Rust files, `pages` are HTML files.
pub(crate) fn used_in(views: &[Source], pages: &[Source]) -> Result<BTreeMap<String, String>> {
    let mut classes = used_in_views(views)?;
    for (name, text) in pages {
        for (line, text) in (1..).zip(text.lines()) {
            let values = text.split("class=\"").skip(1).filter_map(|rest| rest.split_once('"'));
            for class in values.flat_map(|(value, _)| value.split_whitespace()) {
                classes.entry(class.to_owned()).or_insert_with(|| format!("{name}:{line}"));
            }
        }
    }
    Ok(classes)
}

fn used_in_views(sources: &[Source]) -> Result<BTreeMap<String, String>> {
    let files = sources.iter().map(|(name, text)| File::parse(name, text)).collect::<Result<Vec<_>>>()?;
    let mut shared: HashMap<&str, Vec<&Expr>> = HashMap::new();
    for (name, value) in files.iter().flat_map(|file| &file.shared) {
        shared.entry(name).or_default().push(value);
    }
    let mut classes = BTreeMap::new();
    for file in &files {
        for (class, line) in &file.named {
            classes.entry(class.clone()).or_insert_with(|| format!("{}:{line}", file.name));
        }
        for value in &file.values {
            let location = format!("{}:{}", file.name, value.span().start().line);
            let mut literals = Vec::new();
            Values { file, shared: &shared, seen: BTreeSet::new() }
                .collect(value, &mut literals)
                .with_context(|| format!("{location}: can't tell which classes this may be"))?;
            for class in literals.iter().flat_map(|literal| literal.split_whitespace()) {
                classes.entry(class.to_owned()).or_insert_with(|| location.clone());
            }
        }
    }
    Ok(classes)
}

/// What one file defines and uses.
#[derive(Default)]
struct File {
    name: String,
    /// The values of `class` attributes.
    values: Vec<Expr>,
    /// The names in `class:name=`, with their lines.
    named: Vec<(String, usize)>,
    /// `let` bindings.
    bindings: Vec<(String, Expr)>,
    /// Constants, statics, and the values and defaults of component properties.
    shared: Vec<(String, Expr)>,
    errors: Vec<syn::Error>,
}

impl File {
    fn parse(name: &str, text: &str) -> Result<Self> {
        let mut file = Self { name: name.to_owned(), ..Self::default() };
        file.visit_file(&syn::parse_file(text).with_context(|| format!("can't parse {name}"))?);
        if let Some(error) = file.errors.first() {
            bail!("{name}:{}: {error}", error.span().start().line);
        }
        Ok(file)
    }

    fn nodes(&mut self, nodes: &[Node]) {
        for node in nodes {
            match node {
                Node::Element(element) => self.element(element),
                Node::Fragment(fragment) => self.nodes(&fragment.children),
                Node::Block(NodeBlock::ValidBlock(block)) => self.visit_block(block),
                _ => {}
            }
        }
    }

    fn element(&mut self, element: &NodeElement<Infallible>) {
        let tag = element.open_tag.name.to_string();
        let is_component = tag.rsplit("::").next().is_some_and(|name| name.starts_with(char::is_uppercase));
        for attribute in &element.open_tag.attributes {
            match attribute {
                NodeAttribute::Attribute(attribute) => self.attribute(attribute, is_component),
                NodeAttribute::Block(NodeBlock::ValidBlock(block)) => self.visit_block(block),
                NodeAttribute::Block(NodeBlock::Invalid(_)) => {}
            }
        }
        self.nodes(&element.children);
    }

    fn attribute(&mut self, attribute: &KeyedAttribute, is_component: bool) {
        let key = attribute.key.to_string();
        if let Some(class) = key.strip_prefix("class:") {
            self.named.push((class.to_owned(), attribute.key.span().start().line));
        }
        let Some(value) = attribute.value() else { return };
        if key == "class" {
            self.values.push(value.clone());
        } else if is_component {
            self.shared.push((key, value.clone()));
        }
        self.visit_expr(value);
    }
}

impl<'ast> Visit<'ast> for File {
    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        if call.path.segments.last().is_some_and(|segment| segment.ident == "view") {
            match rstml::parse2(call.tokens.clone()) {
                Ok(nodes) => self.nodes(&nodes),
                Err(error) => self.errors.push(error),
            }
        }
    }

    fn visit_local(&mut self, local: &'ast syn::Local) {
        let pattern = match &local.pat {
            Pat::Type(typed) => &typed.pat,
            pattern => pattern,
        };
        if let (Pat::Ident(name), Some(init)) = (pattern, &local.init) {
            self.bindings.push((name.ident.to_string(), (*init.expr).clone()));
        }
        visit::visit_local(self, local);
    }

    fn visit_item_const(&mut self, item: &'ast syn::ItemConst) {
        self.shared.push((item.ident.to_string(), (*item.expr).clone()));
        visit::visit_item_const(self, item);
    }

    fn visit_impl_item_const(&mut self, item: &'ast syn::ImplItemConst) {
        self.shared.push((item.ident.to_string(), item.expr.clone()));
        visit::visit_impl_item_const(self, item);
    }

    fn visit_item_static(&mut self, item: &'ast syn::ItemStatic) {
        self.shared.push((item.ident.to_string(), (*item.expr).clone()));
        visit::visit_item_static(self, item);
    }

    /// `#[prop(default = "…")] name: &'static str`.
    fn visit_pat_type(&mut self, parameter: &'ast syn::PatType) {
        if let Pat::Ident(name) = &*parameter.pat {
            for attribute in parameter.attrs.iter().filter(|attribute| attribute.path().is_ident("prop")) {
                // Options without a value, such as `into`, can't be a class; the search stops there.
                let _ = attribute.parse_nested_meta(|option| {
                    if let Ok(value) = option.value()
                        && option.path.is_ident("default")
                    {
                        self.shared.push((name.ident.to_string(), value.parse()?));
                    }
                    Ok(())
                });
            }
        }
        visit::visit_pat_type(self, parameter);
    }
}

/// Follows an expression to the string literals that it may be.
struct Values<'a> {
    file: &'a File,
    shared: &'a HashMap<&'a str, Vec<&'a Expr>>,
    /// Names that were already followed, since a binding may shadow the one that it is made from.
    seen: BTreeSet<String>,
}

impl Values<'_> {
    fn collect(&mut self, value: &Expr, literals: &mut Vec<String>) -> Result<()> {
        match value {
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => literals.push(text.value()),
            Expr::Paren(inner) => self.collect(&inner.expr, literals)?,
            Expr::Group(inner) => self.collect(&inner.expr, literals)?,
            Expr::Reference(inner) => self.collect(&inner.expr, literals)?,
            Expr::Closure(closure) => self.collect(&closure.body, literals)?,
            Expr::Block(block) => self.block(&block.block, literals)?,
            Expr::If(condition) => {
                self.block(&condition.then_branch, literals)?;
                if let Some((_, other)) = &condition.else_branch {
                    self.collect(other, literals)?;
                }
            }
            Expr::Match(choice) => {
                for arm in &choice.arms {
                    self.collect(&arm.body, literals)?;
                }
            }
            // `class=("name", condition)`.
            Expr::Tuple(pair) if pair.elems.len() == 2 => self.collect(&pair.elems[0], literals)?,
            Expr::Macro(call) if call.mac.path.is_ident("concat") => {
                let parser = syn::punctuated::Punctuated::<LitStr, syn::Token![,]>::parse_terminated;
                literals.push(call.mac.parse_body_with(parser)?.iter().map(LitStr::value).collect());
            }
            Expr::Path(path) => {
                let name = path.path.segments.last().map(|segment| segment.ident.to_string()).unwrap_or_default();
                self.named(&name, literals)?;
            }
            _ => bail!("only string literals, conditions and names can be followed"),
        }
        Ok(())
    }

    fn block(&mut self, block: &syn::Block, literals: &mut Vec<String>) -> Result<()> {
        match block.stmts.last() {
            Some(Stmt::Expr(value, None)) => self.collect(value, literals),
            _ => bail!("a block without a value can't be followed"),
        }
    }

    fn named(&mut self, name: &str, literals: &mut Vec<String>) -> Result<()> {
        if !self.seen.insert(name.to_owned()) {
            return Ok(());
        }
        let bindings = self.file.bindings.iter().filter(|(bound, _)| bound == name).map(|(_, value)| value);
        let values: Vec<&Expr> = bindings.chain(self.shared.get(name).into_iter().flatten().copied()).collect();
        if values.is_empty() {
            bail!("nothing named {name:?} was found");
        }
        for value in values {
            self.collect(value, literals)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(sources: &[&str]) -> Result<Vec<String>> {
        let sources: Vec<_> = sources.iter().map(|text| ("a.rs".to_owned(), (*text).to_owned())).collect();
        Ok(used_in(&sources, &[])?.into_keys().collect())
    }

    fn view(view: &str) -> Result<Vec<String>> {
        files(&[&format!("fn page() {{ view! {{ {view} }} }}")])
    }

    #[test]
    fn literals_and_names_are_found() {
        let found = view(r#"<p class="flex  gap-2" id="name" class:is-open=open class:b=move || b()>"text here"</p>"#);
        assert_eq!(found.unwrap(), ["b", "flex", "gap-2", "is-open"]);
    }

    #[test]
    fn all_branches_are_found_and_conditions_are_not() {
        for (source, expected) in [
            (r#"class={ if kind == "stop" { "a" } else if x("n") { "b c" } else { "" } }"#, &["a", "b", "c"][..]),
            (r#"class=move || match kind { "no" => "one", _ => { note("no"); "two" } }"#, &["one", "two"]),
            (r#"class=("hidden", move || closed("no"))"#, &["hidden"]),
            (r#"class=&("x")"#, &["x"]),
        ] {
            assert_eq!(view(&format!("<p {source} title=\"no class\">\"c\"</p>")).unwrap(), expected, "{source}");
        }
    }

    #[test]
    fn views_within_values_and_children_are_read() {
        let found = view(
            r#"<Show when=open fallback=|| view! { <i class="a"/> }>
                {x.map(|x| view! { <b class="b">{x.then(|| view! { <u class="c"/> })}</b> })} <><s class="d"/></>
            </Show>"#,
        );
        assert_eq!(found.unwrap(), ["a", "b", "c", "d"]);
    }

    #[test]
    fn names_are_followed() {
        let source = r##"
            const CARD: &str = concat!("rounded-2xl ", "border");
            impl Kind { const QUIET: &str = r#"quiet"#; }
            const OTHER: &str = "unused";
            // class="in-a-comment"
            fn page() {
                let class = CARD;
                let class = if loud { class } else { Kind::QUIET };
                view! { <div class=class><a class=move || theme::LINK href="/y">"z"</a></div> }
            }
        "##;
        let other = r#"pub static LINK: &str = "link"; fn other() { let class = "of-another-file"; }"#;
        assert_eq!(files(&[source, other]).unwrap(), ["border", "link", "quiet", "rounded-2xl"]);
    }

    #[test]
    fn properties_of_components_are_followed() {
        let source = r#"
            #[component]
            fn Frame(#[prop(into)] title: String, #[prop(optional, default = "page narrow")] layout: &'static str) {
                view! { <main class=layout title=title></main> }
            }
        "#;
        let other = r#"fn page() { view! { <frame::Frame title="no class" layout="page wide"/> } }"#;
        assert_eq!(files(&[source, other]).unwrap(), ["narrow", "page", "wide"]);
    }

    #[test]
    fn classes_of_html_files_are_found() {
        let page = "<p class=\"lead mt-4\" id=\"x\">\n<a\nclass=\"button\" href=\"class\">";
        let found = used_in(&[], &[("a.html".to_owned(), page.to_owned())]).unwrap();
        assert_eq!(
            found.into_iter().collect::<Vec<_>>(),
            [
                ("button".to_owned(), "a.html:3".to_owned()),
                ("lead".to_owned(), "a.html:1".to_owned()),
                ("mt-4".to_owned(), "a.html:1".to_owned()),
            ]
        );
    }

    #[test]
    fn value_that_cannot_be_followed_is_an_error() {
        for source in ["<p class=unknown/>", "<p class=class_of(kind)/>", r#"<p class=format!("a-{n}")/>"#] {
            let error = format!("{:#}", view(source).unwrap_err());
            assert!(error.starts_with("a.rs:1: can't tell"), "{error}");
        }
        assert!(view("<p class=>").is_err());
    }
}
