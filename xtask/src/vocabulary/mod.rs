//! Identifiers use the terms of the field: GDPR, HTTP, SQL, axum, Leptos, Clerk. This check rejects a short list of
//! words that only this project used in a special sense.

mod identifiers;
mod terms;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use self::identifiers::{Identifier, Role, identifiers, words};
use self::terms::{STANDARD_USES, Scope, TERMS, Term};
use crate::process;
use crate::workspace::Workspace;

/// Prints each use of a listed word in the Rust files of the repository. Fails when there is one.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    let mut count = 0;
    let files = rust_files(workspace)?;
    for file in &files {
        let text =
            fs::read_to_string(workspace.root.join(file)).with_context(|| format!("can't read {}", file.display()))?;
        for (found, word, term) in uses(&text).with_context(|| file.display().to_string())? {
            count += 1;
            println!(
                "{}:{} `{}`: \"{word}\" is not a standard term; use {}",
                file.display(),
                found.line,
                found.name,
                term.instead
            );
        }
    }
    if count > 0 {
        bail!("{count} lines use a word from the list in xtask/src/vocabulary/terms.rs");
    }
    println!("{} files use standard terms", files.len());
    Ok(())
}

/// The Rust files that git tracks or would add, relative to the workspace root, without this check itself.
fn rust_files(workspace: &Workspace) -> Result<Vec<PathBuf>> {
    let mut command = workspace.command("git");
    command.args(["ls-files", "--cached", "--others", "--exclude-standard", "*.rs"]);
    let listed = process::output(&mut command)?;
    // A file that was deleted and not yet committed is still listed.
    let files = listed.lines().map(PathBuf::from).filter(|file| workspace.root.join(file).is_file());
    Ok(files.filter(|file| !file.starts_with(Path::new("xtask/src/vocabulary"))).collect())
}

fn uses(text: &str) -> Result<Vec<(Identifier, String, &'static Term)>> {
    let mut uses = Vec::new();
    for found in identifiers(text)? {
        if STANDARD_USES.iter().any(|(name, _)| *name == found.name) {
            continue;
        }
        let listed = words(&found.name).into_iter().find_map(|word| Some((term(&word, found.role)?, word)));
        if let Some((term, word)) = listed {
            uses.push((found, word, term));
        }
    }
    // Once per line.
    uses.dedup_by(|(one, _, _), (other, _, _)| one.line == other.line && one.name == other.name);
    Ok(uses)
}

fn term(word: &str, role: Role) -> Option<&'static Term> {
    TERMS.iter().find(|term| {
        let applies = match term.scope {
            Scope::Everywhere => true,
            Scope::ExceptTests => role != Role::Test,
            Scope::Modules => role == Role::Module,
        };
        applies && term.words.contains(&word)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<(String, String)> {
        let uses = uses(text).expect("it is Rust");
        uses.into_iter().map(|(found, word, _)| (found.name, word)).collect()
    }

    fn pair(name: &str, word: &str) -> (String, String) {
        (name.to_owned(), word.to_owned())
    }

    #[test]
    fn words_are_found_inside_identifiers_and_macros() {
        assert_eq!(found("struct ToldText;"), [pair("ToldText", "told")]);
        assert_eq!(found("const SIGN_IN_PATIENCE: u8 = 1;"), [pair("SIGN_IN_PATIENCE", "patience")]);
        assert_eq!(found("fn f() { view! { <Desk/> } }"), [pair("Desk", "desk")]);
        assert_eq!(found("fn replace() { let marker = placeholder; }"), []);
    }

    #[test]
    fn some_words_are_standard_except_as_modules() {
        assert_eq!(found("mod open;"), [pair("open", "open")]);
        assert_eq!(found("fn f() { File::open(path); visit.load(); }"), []);
    }

    #[test]
    fn sentences_that_name_tests_may_use_ordinary_words() {
        assert_eq!(found("#[test] fn a_choice_is_kept() {}"), []);
        assert_eq!(found("#[test] fn a_delay_is_told() {}"), [pair("a_delay_is_told", "told")]);
        assert_eq!(found("fn is_kept() {}"), [pair("is_kept", "kept")]);
    }

    #[test]
    fn names_of_libraries_are_accepted() {
        assert_eq!(found("fn f() { key.open_in_place(nonce, aad, data); }"), []);
    }

    #[test]
    fn no_word_is_listed_twice() {
        let mut all: Vec<&str> = TERMS.iter().flat_map(|term| term.words).copied().collect();
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
    }
}
