//! This module could be a crate of its own: it names nothing of the server, and of `lethe` only what is listed here.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// All that a crate of its own would take along or ask for.
const FROM_LETHE: [&str; 9] = [
    "lethe::Clock",
    "lethe::clerk::API_VERSION",
    "lethe::clerk::Client",
    "lethe::clerk::Error",
    "lethe::clerk::Jwk",
    "lethe::clerk::Jwks",
    "lethe::clerk::Kind",
    "lethe::clerk::RefreshRequest",
    "lethe::subject::ClerkUserId",
];

/// Every path that begins with `start`, braces written out.
fn paths(source: &str, start: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in source.match_indices(start) {
        if source[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_') {
            continue;
        }
        let rest = &source[at..];
        let end = rest.find(|letter: char| !(letter.is_alphanumeric() || "_:".contains(letter))).unwrap_or(rest.len());
        let (path, after) = rest.split_at(end);
        match after.strip_prefix('{').and_then(|list| list.split_once('}')) {
            Some((list, _)) => found.extend(list.split(',').map(|name| format!("{path}{}", name.trim()))),
            None => found.push(path.to_owned()),
        }
    }
    found
}

#[test]
fn the_module_knows_little_of_what_is_around_it() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/session");
    let mut taken = BTreeSet::new();
    let mut files = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        let source = fs::read_to_string(&path).unwrap();
        // Of a file with its own tests only what goes into the program.
        let source = source.split("#[cfg(test)]\nmod tests {").next().unwrap();
        for foreign in ["crate::", "app::", "demo::", "super::super::"] {
            assert_eq!(paths(source, foreign), Vec::<String>::new(), "{}", path.display());
        }
        if path.file_name().is_some_and(|name| name == "mod.rs") {
            assert_eq!(paths(source, "super::"), Vec::<String>::new());
        }
        taken.extend(paths(source, "lethe::"));
        files += 1;
    }
    assert!(files >= 12, "{files} files");
    let listed: BTreeSet<String> = FROM_LETHE.into_iter().map(str::to_owned).collect();
    assert_eq!(taken, listed);
}

#[test]
fn paths_are_found_in_every_form() {
    let source = "use crate::a::{B, C as D};\nlet x = crate::f(1);\nlet y = mycrate::g();";
    assert_eq!(paths(source, "crate::"), ["crate::a::B", "crate::a::C as D", "crate::f"]);
}
