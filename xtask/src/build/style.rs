//! Makes the style sheet: the hand-written parts, and the utilities that the pages name.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use encre_css::{Config, Preflight};

use super::classes;
use crate::files::files_below;

/// What a colour's value begins with, among the tokens.
const COLOURS: [&str; 7] = ["#", "rgb", "hsl", "oklch", "oklab", "color-mix", "light-dark"];

/// The style sheet of a checkout, made smaller.
pub(crate) fn sheet(root: &Path) -> Result<String> {
    let tokens = read(&root.join("style/tokens.css"))?;
    let base = read(&root.join("style/base.css"))?;
    let utilities = utilities(&config(&tokens), &sources_of_pages(root)?);
    Ok(minify(&format!("{tokens}\n{}\n{base}\n{utilities}", defaults(&utilities))))
}

/// How many classes the pages name, and those for which no rule exists: neither a utility nor one in the hand-written
/// sheet.
pub(crate) fn without_rule(root: &Path) -> Result<(usize, Vec<String>)> {
    let tokens = read(&root.join("style/tokens.css"))?;
    let by_hand = selectors(&read(&root.join("style/base.css"))?);
    let config = config(&tokens);
    let mut classes = classes_of_pages(root)?;
    let count = classes.len();
    classes
        .retain(|class| !by_hand.contains(class) && encre_css::generate([class.as_str()], &config).trim().is_empty());
    Ok((count, classes.into_iter().collect()))
}

fn classes_of_pages(root: &Path) -> Result<BTreeSet<String>> {
    Ok(classes::named_in(sources_of_pages(root)?.iter().map(String::as_str)))
}

fn sources_of_pages(root: &Path) -> Result<Vec<String>> {
    let mut files: Vec<PathBuf> = files_below(&root.join("app/src"))?;
    files.retain(|path| path.extension().is_some_and(|extension| extension == "rs"));
    files.iter().map(|path| read(path)).collect()
}

/// The rules for every utility among the words of all string literals. That is more than the classes, but misses none,
/// whatever expression chooses between them.
fn utilities(config: &Config, sources: &[String]) -> String {
    let words = classes::words_of_literals(sources.iter().map(String::as_str));
    let text: Vec<&str> = words.iter().map(String::as_str).collect();
    encre_css::generate([text.join(" ").as_str()], config)
}

/// Every colour among the tokens is a colour of the utilities: `--river` gives `bg-river`, `text-river` and the others.
fn config(tokens: &str) -> Config {
    let mut config = Config::default();
    config.preflight = Preflight::new_none();
    for (name, value) in tokens.lines().filter_map(declaration) {
        if COLOURS.iter().any(|start| value.starts_with(start)) {
            let short = name.strip_prefix("color-").unwrap_or(name).to_owned();
            config.theme.colors.add(short, format!("var(--{name})"));
        }
    }
    config
}

/// A line that declares one custom property.
fn declaration(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.trim().strip_prefix("--")?.split_once(':')?;
    Some((name.trim(), value.trim()))
}

/// Initial values of the variables that some utilities are made of, for those that are used.
fn defaults(utilities: &str) -> String {
    let full = encre_css::generate([], &Config::default());
    let declarations: BTreeSet<&str> = full
        .lines()
        .map(str::trim)
        .filter(|line| line.starts_with("--en-"))
        .filter(|line| {
            line.split_once(':').is_some_and(|(name, _)| {
                utilities.contains(&format!("var({name})")) || utilities.contains(&format!("var({name},"))
            })
        })
        .collect();
    if declarations.is_empty() {
        return String::new();
    }
    let lines: Vec<&str> = declarations.into_iter().collect();
    format!("*, ::before, ::after, ::backdrop {{ {} }}", lines.join(" "))
}

/// The class names for which a sheet has a rule.
fn selectors(sheet: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for prelude in minify(sheet).split(['{', '}', ';']) {
        for part in prelude.split('.').skip(1) {
            let end = part
                .find(|character: char| !(character.is_alphanumeric() || character == '-' || character == '_'))
                .unwrap_or(part.len());
            let name = &part[..end];
            if name.starts_with(|character: char| character.is_alphabetic() || character == '_') {
                names.insert(name.to_owned());
            }
        }
    }
    names
}

/// Drops comments and the white space that means nothing. Strings stay as they are.
pub(crate) fn minify(sheet: &str) -> String {
    let mut small = String::with_capacity(sheet.len());
    let mut characters = sheet.chars().peekable();
    let mut space = false;
    while let Some(character) = characters.next() {
        match character {
            '/' if characters.peek() == Some(&'*') => {
                characters.next();
                let mut last = ' ';
                for inside in characters.by_ref() {
                    if last == '*' && inside == '/' {
                        break;
                    }
                    last = inside;
                }
                space = true;
            }
            '"' | '\'' => {
                push_space(&mut small, &mut space, character);
                small.push(character);
                copy_string(&mut characters, character, &mut small);
            }
            '\\' => {
                push_space(&mut small, &mut space, character);
                small.push(character);
                small.extend(characters.next());
            }
            _ if character.is_whitespace() => space = true,
            _ => {
                push_space(&mut small, &mut space, character);
                if character == '}' && small.ends_with(';') {
                    small.pop();
                }
                small.push(character);
            }
        }
    }
    small
}

/// Keeps a space only where it means something: `a :hover`, `calc(1px + 2px)` and `width >= 4em` need theirs.
fn push_space(small: &mut String, space: &mut bool, next: char) {
    let needless =
        small.is_empty() || small.ends_with(['{', '}', ';', ',', ':']) || matches!(next, '{' | '}' | ';' | ',');
    if std::mem::take(space) && !needless {
        small.push(' ');
    }
}

fn copy_string(characters: &mut impl Iterator<Item = char>, quote: char, small: &mut String) {
    let mut escaped = false;
    for character in characters {
        small.push(character);
        if character == quote && !escaped {
            return;
        }
        escaped = character == '\\' && !escaped;
    }
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("can't read {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_needless_spaces_go() {
        assert_eq!(
            minify(
                "/* why */\na  :hover ,\n b {\n  color : red;\n  width: calc(1px + 2px);\n}\n@media (width >= 4em) { c { d: e } }\n"
            ),
            "a :hover,b{color :red;width:calc(1px + 2px)}@media (width >= 4em){c{d:e}}"
        );
    }

    #[test]
    fn strings_and_escapes_stay() {
        assert_eq!(minify(r#".sm\:p-4 { content: "a  /* b */ \" c"; }"#), r#".sm\:p-4{content:"a  /* b */ \" c"}"#);
    }

    #[test]
    fn tokens_are_colours_of_the_utilities() {
        let config =
            config(":root {\n  --river: #0b5e63;\n  --color-ink: light-dark(#16232b, #e9eef0);\n  --space: 4px;\n}\n");
        let source = r#"class="bg-river text-ink md:p-4 bg-space""#.to_owned();
        let sheet = minify(&utilities(&config, &[source]));
        assert!(sheet.contains(".bg-river{background-color:var(--river)}"), "{sheet}");
        assert!(sheet.contains(".text-ink{color:var(--color-ink)}"), "{sheet}");
        assert!(sheet.contains("md\\:p-4"), "{sheet}");
        assert!(!sheet.contains("--space"), "{sheet}");
    }

    #[test]
    fn classes_of_the_hand_written_sheet_are_found() {
        let names = selectors(
            ".card > header, a.btn:hover { margin: .5em 1.25rem } @media (min-width: 1.5em) { .wide\n{ x: y } }",
        );
        assert_eq!(names.into_iter().collect::<Vec<_>>(), ["btn", "card", "wide"]);
    }

    #[test]
    fn utilities_made_of_variables_bring_their_initial_values() {
        let source = r#"class="rotate-x-45 translate-x-2 flex""#.to_owned();
        let sheet = utilities(&config(""), &[source]);
        for name in sheet.split("var(--en-").skip(1).filter_map(|rest| rest.split([',', ')']).next()) {
            assert!(
                defaults(&sheet).contains(&format!("--en-{name}:")) || sheet.contains(&format!("--en-{name}:")),
                "{name}"
            );
        }
        assert_eq!(defaults("flex"), "");
    }
}
