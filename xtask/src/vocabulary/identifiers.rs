//! The identifiers of a source file and the words that they consist of. Comments and strings are ignored.

use anyhow::{Result, anyhow};
use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// An identifier and where it occurs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identifier {
    pub(crate) name: String,
    pub(crate) line: usize,
    pub(crate) role: Role,
}

/// What an identifier names, where that matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// A module, where `mod` declares it.
    Module,
    /// A test: its name is a sentence, in which ordinary English words are right.
    Test,
    Other,
}

/// All identifiers of a Rust file in their order, those in the arguments of macros included.
pub(crate) fn identifiers(text: &str) -> Result<Vec<Identifier>> {
    let tokens: TokenStream = text.parse().map_err(|error| anyhow!("it can't be read as Rust: {error}"))?;
    let mut found = Vec::new();
    collect(tokens, &mut found);
    Ok(found)
}

fn collect(tokens: TokenStream, found: &mut Vec<Identifier>) {
    let mut keyword = String::new();
    let mut is_test = false;
    for token in tokens {
        match token {
            TokenTree::Group(group) => {
                is_test |= group.delimiter() == Delimiter::Bracket && names_test(group.stream());
                collect(group.stream(), found);
            }
            TokenTree::Ident(identifier) => {
                let name = identifier.to_string().trim_start_matches("r#").to_owned();
                let role = match keyword.as_str() {
                    "mod" => Role::Module,
                    "fn" if std::mem::take(&mut is_test) => Role::Test,
                    _ => Role::Other,
                };
                found.push(Identifier { name: name.clone(), line: identifier.span().start().line, role });
                keyword = name;
            }
            TokenTree::Punct(_) | TokenTree::Literal(_) => keyword.clear(),
        }
    }
}

/// Whether an attribute marks a test, such as `test` or `tokio::test(flavor = "multi_thread")`.
fn names_test(attribute: TokenStream) -> bool {
    let path = attribute.into_iter().take_while(|token| !matches!(token, TokenTree::Group(_)));
    path.last().is_some_and(|last| last.to_string() == "test")
}

/// The words of an identifier in lower case: `told_text`, `ToldText` and `TOLD_TEXT` are two each.
pub(crate) fn words(identifier: &str) -> Vec<String> {
    let characters: Vec<char> = identifier.chars().collect();
    let mut words = vec![String::new()];
    for (position, character) in characters.iter().copied().enumerate() {
        let before = position.checked_sub(1).map(|position| characters[position]);
        let after = characters.get(position + 1);
        // `HttpError` and `HTTPError` both consist of "http" and "error".
        let starts_word = character.is_uppercase()
            && before.is_some_and(|before| {
                before.is_lowercase()
                    || before.is_ascii_digit()
                    || before.is_uppercase() && after.is_some_and(|after| after.is_lowercase())
            });
        if character == '_' || starts_word {
            words.push(String::new());
        }
        if character != '_'
            && let Some(word) = words.last_mut()
        {
            word.extend(character.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_split_at_underscores_and_capitals() {
        assert_eq!(words("told_text"), ["told", "text"]);
        assert_eq!(words("ToldText"), ["told", "text"]);
        assert_eq!(words("TOLD_TEXT"), ["told", "text"]);
        assert_eq!(words("HTTPError2"), ["http", "error2"]);
        assert_eq!(words("_x"), ["x"]);
        assert_eq!(words("replace"), ["replace"]);
    }

    #[test]
    fn comments_and_strings_are_ignored() {
        let text = "/// A desk.\nmod shelf;\n// kept\nfn f() { println!(\"told {}\", wave); }\n";
        let found = identifiers(text).expect("it is Rust");
        let names: Vec<&str> = found.iter().map(|found| found.name.as_str()).collect();
        assert_eq!(names, ["doc", "mod", "shelf", "fn", "f", "println", "wave"]);
        assert_eq!((found[2].line, found[2].role), (2, Role::Module));
        assert_eq!(found[6].role, Role::Other);
    }

    #[test]
    fn names_of_tests_are_recognized() {
        let text = "#[tokio::test(flavor = \"current_thread\")]\nasync fn works() {}\n#[test]\nfn works_too() {}\nfn helper() {}";
        let found = identifiers(text).expect("it is Rust");
        let tests: Vec<&str> =
            found.iter().filter(|found| found.role == Role::Test).map(|found| found.name.as_str()).collect();
        assert_eq!(tests, ["works", "works_too"]);
    }
}
