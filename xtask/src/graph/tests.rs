//! Tests the analysis with small crates.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use super::analysis::Analysis;
use super::dependencies::{Node, graphs};
use super::modules::Tree;
use super::report;

/// A crate in a folder that is deleted afterwards.
struct Fixture(PathBuf);

impl Fixture {
    /// Writes source files; the first one is the crate root.
    fn new(files: &[(&str, &str)]) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("xtask-graph-{}-{count}", std::process::id()));
        for (name, text) in files {
            let path = folder.join(name);
            fs::create_dir_all(path.parent().expect("it is in the folder")).expect("the folder is writable");
            fs::write(path, text).expect("the folder is writable");
        }
        Self(folder)
    }

    fn analyze(&self) -> Analysis {
        let tree = Tree::read(&self.0.join("lib.rs")).expect("the sources are valid");
        let graphs = graphs(&tree);
        Analysis { package: "fixture".to_owned(), name: "fixture".to_owned(), tree, graphs }
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn analyze(files: &[(&str, &str)]) -> Analysis {
    Fixture::new(files).analyze()
}

/// The edges of all graphs, such as `consent: record -> purpose`; the crate root's without prefix.
fn edges(files: &[(&str, &str)]) -> Vec<String> {
    let found = analyze(files);
    let name = |node: Node| match node {
        Node::Own => "own",
        Node::Submodule(module) => found.tree.modules[module].name.as_str(),
    };
    let mut edges = Vec::new();
    for graph in &found.graphs {
        let path = found.tree.path(graph.module);
        let prefix = if path.is_empty() { path } else { format!("{path}: ") };
        edges.extend(graph.edges.keys().map(|(from, to)| format!("{prefix}{} -> {}", name(*from), name(*to))));
    }
    edges.sort();
    edges
}

#[test]
fn imports_and_paths_make_edges() {
    let files = [
        ("lib.rs", "mod a; mod b; mod c; mod d;"),
        ("a.rs", "use crate::b::Thing;"),
        ("b.rs", "pub struct Thing; fn f() -> super::c::Other { crate::d::make() }"),
        ("c.rs", "pub struct Other;"),
        ("d.rs", "pub fn make() {}"),
    ];
    assert_eq!(edges(&files), ["a -> b", "b -> c", "b -> d"]);
}

#[test]
fn cycle_is_found_with_its_lines() {
    let fixture = Fixture::new(&[
        ("lib.rs", "mod a;\nmod b;\nmod c;\n"),
        ("a.rs", "use crate::b::B;\npub struct A;\n"),
        ("b.rs", "pub struct B;\n\nfn f() -> crate::a::A { todo!() }\n"),
        ("c.rs", "use crate::a::A;\n"),
    ]);
    let found = fixture.analyze();
    assert_eq!(found.cycle_count(), 1);
    let text = report::cycles(&found, &fixture.0);
    assert!(text.contains("in the crate root: a, b"), "{text}");
    assert!(text.contains("a.rs:1 crate::b::B"), "{text}");
    assert!(text.contains("b.rs:3 crate::a::A"), "{text}");
    assert!(!text.contains("c.rs"), "{text}");
    assert!(report::order(&found).contains("1. a + b"), "{text}");
}

#[test]
fn crate_without_cycle_passes() {
    let files = [("lib.rs", "mod a; mod b;"), ("a.rs", "use crate::b::B;"), ("b.rs", "pub struct B;")];
    let found = analyze(&files);
    assert_eq!(found.cycle_count(), 0);
    assert!(report::cycles(&found, Path::new("")).contains("no cycle"));
}

#[test]
fn reexport_leads_to_the_defining_module() {
    let files = [
        ("lib.rs", "mod a; mod b; pub use a::A; pub use self::a::Other as Renamed;"),
        ("a.rs", "pub struct A; pub struct Other;"),
        ("b.rs", "use crate::A; fn f(_: crate::Renamed) {}"),
    ];
    assert_eq!(edges(&files), ["b -> a"]);
}

#[test]
fn reexport_from_elsewhere_makes_an_edge_to_both_modules() {
    let files = [
        ("lib.rs", "mod a; mod b; mod c;"),
        ("a.rs", "pub struct A;"),
        ("b.rs", "pub use crate::a::A;"),
        ("c.rs", "use crate::b::A;"),
    ];
    assert_eq!(edges(&files), ["b -> a", "c -> a", "c -> b"]);
}

#[test]
fn globs_are_followed() {
    let files = [
        ("lib.rs", "mod a; mod b; mod c; use b::*;"),
        ("a.rs", "use super::*; fn f(_: B) {}"),
        ("b.rs", "pub use crate::c::*; pub struct B;"),
        ("c.rs", "pub struct C;"),
    ];
    assert_eq!(edges(&files), ["a -> b", "b -> c", "own -> b"]);
}

#[test]
fn parents_own_items_are_a_node() {
    let files = [
        ("lib.rs", "pub mod a; mod b; pub struct Own; pub use b::f;"),
        ("a.rs", "use crate::Own;"),
        ("b.rs", "pub fn f() {}"),
    ];
    assert_eq!(edges(&files), ["a -> own"]);
    let files = [("lib.rs", "mod a; pub struct Own; fn f() { a::g() }"), ("a.rs", "pub fn g(_: super::Own) {}")];
    assert_eq!(edges(&files), ["a -> own", "own -> a"]);
    assert_eq!(analyze(&files).cycle_count(), 1);
}

#[test]
fn nested_modules_have_graphs_of_their_own() {
    let files = [
        ("lib.rs", "mod outer; mod other;"),
        ("outer/mod.rs", "mod one; mod two; pub struct Own;"),
        ("outer/one.rs", "use super::two::Two; use super::Own; use crate::other::Other;"),
        ("outer/two.rs", "pub struct Two; mod inner { use super::Two; use crate::outer::one; }"),
        ("other.rs", "pub struct Other;"),
    ];
    assert_eq!(
        edges(&files),
        ["outer -> other", "outer: one -> own", "outer: one -> two", "outer: two -> one", "outer::two: inner -> own"]
    );
}

#[test]
fn macros_and_attributes_are_searched() {
    let files = [
        ("lib.rs", "mod a; mod b; mod c; mod d;"),
        ("a.rs", "fn f() { println!(\"{}\", crate::b::text()); }"),
        ("b.rs", "macro_rules! make { () => { $crate::c::C } }"),
        ("c.rs", "#[derive(Debug)] #[serde(with = \"crate::d::format\")] pub struct C { d: d }"),
        ("d.rs", "pub mod format {}"),
    ];
    assert_eq!(edges(&files), ["a -> b", "b -> c", "c -> d"]);
}

#[test]
fn fields_and_foreign_names_make_no_edges() {
    let files = [
        ("lib.rs", "mod fmt; mod keys; mod a;"),
        ("fmt.rs", "pub struct Formatter;"),
        ("keys.rs", "pub struct Keys;"),
        ("a.rs", "use std::fmt; fn f(x: X) -> fmt::Result { x.keys; println!(\"{}\", x.keys) }"),
    ];
    assert_eq!(edges(&files), Vec::<String>::new());
}

#[test]
fn module_and_function_of_one_name_are_distinguished() {
    let files = [
        ("lib.rs", "mod run; mod a; fn run() { run::start() }"),
        ("run.rs", "pub fn start() {}"),
        ("a.rs", "use crate::run; fn f() { run::start() }"),
    ];
    assert_eq!(edges(&files), ["a -> run", "own -> run"]);
}

#[test]
fn tests_are_left_out() {
    let files = [
        ("lib.rs", "mod a; mod b; #[cfg(test)] mod support;"),
        (
            "a.rs",
            "#[cfg(test)] mod tests { use crate::b::B; } #[cfg(test)] use crate::b::B; #[test] fn f() { crate::b::B }",
        ),
        ("b.rs", "pub struct B; impl B { #[cfg(test)] fn f() { crate::a::x() } }"),
    ];
    assert_eq!(edges(&files), Vec::<String>::new());
}

#[test]
fn inline_and_explicit_paths_of_modules_are_found() {
    let files = [
        ("lib.rs", "mod a { pub mod b; } #[path = \"elsewhere/c.rs\"] mod c;"),
        ("a/b.rs", "pub struct B;"),
        ("elsewhere/c.rs", "use crate::a::b::B; mod d;"),
        ("elsewhere/d.rs", ""),
    ];
    assert_eq!(edges(&files), ["c -> a"]);
}
