//! Makes the e-mail templates in `src/mail/templates` from those in `style/mail`: mail programs read no style sheets, so
//! every class becomes an inline style. Colours are named as in `style/tokens.css`; mail gets those of the light scheme.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, anyhow, bail};
use tailwind_rs::{CLIConfig, CssInlineMode, TailwindBuilder};

const SOURCES: &str = "style/mail";
const TEMPLATES: &str = "src/mail/templates";

fn main() -> ExitCode {
    let check = std::env::args().any(|argument| argument == "--check");
    match work(check) {
        Ok(count) => {
            println!("{count} e-mail templates {}", if check { "are up to date" } else { "written" });
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn work(check: bool) -> Result<usize> {
    let root = root();
    let templates = root.join(TEMPLATES);
    fs::create_dir_all(&templates)?;
    let made = generate(&root)?;
    for (name, text) in &made {
        let path = templates.join(name);
        if check && !fs::read_to_string(&path).is_ok_and(|present| present == *text) {
            bail!("{} is not up to date; run `cargo xtask mail`", path.display());
        }
        if !check {
            fs::write(path, text)?;
        }
    }
    Ok(made.len())
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Every template by its file name, in the order of the names.
fn generate(root: &Path) -> Result<Vec<(String, String)>> {
    let tokens = read(&root.join("style/tokens.css"))?;
    let colours = colours(&tokens);
    let mut paths: Vec<PathBuf> =
        fs::read_dir(root.join(SOURCES))?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "html"));
    paths.sort();
    paths
        .iter()
        .map(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let text = inline(&read(path)?, &colours).with_context(|| name.clone())?;
            Ok((name, text))
        })
        .collect()
}

/// The same page with styles in place of classes.
fn inline(source: &str, colours: &[(String, String)]) -> Result<String> {
    let (doctype, page) = source.split_once('\n').context("a page begins with a line for its type")?;
    let config = CLIConfig { mode: CssInlineMode::Inline, ..CLIConfig::default() };
    let mut builder = TailwindBuilder::default();
    let page = with_colours(page, colours);
    let (page, _) = config.compile_html(&page, &mut builder).map_err(|error| anyhow!("{error}"))?;
    if let Some((_, rest)) = page.split_once("class=") {
        bail!("no inline style for the class {}", rest.chars().take(60).collect::<String>());
    }
    Ok(format!("{doctype}\n{}\n", page.trim()))
}

/// Classes such as `bg-river`, their colours written out: `bg-[#0b5e63]`.
fn with_colours(page: &str, colours: &[(String, String)]) -> String {
    let mut written = page.to_owned();
    for (name, value) in colours {
        for end in [" ", "\""] {
            for property in ["bg", "text"] {
                for start in [" ", "\""] {
                    written = written.replace(
                        &format!("{start}{property}-{name}{end}"),
                        &format!("{start}{property}-[{value}]{end}"),
                    );
                }
            }
        }
    }
    written
}

/// The tokens that are colours, in the light scheme.
fn colours(tokens: &str) -> Vec<(String, String)> {
    let mut colours: Vec<(String, String)> = Vec::new();
    for line in tokens.lines() {
        let Some((name, value)) = line.trim().strip_prefix("--").and_then(|line| line.split_once(':')) else {
            continue;
        };
        let value = value.trim().trim_start_matches("light-dark(");
        let end = value.find([',', ';', ')', ' ']).unwrap_or(value.len());
        let name = name.strip_prefix("color-").unwrap_or(name);
        // The first one counts: the dark scheme comes after it.
        if value.starts_with('#') && !colours.iter().any(|(known, _)| known == name) {
            colours.push((name.to_owned(), value[..end].to_owned()));
        }
    }
    colours
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("can't read {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_checked_in_is_what_is_made() {
        for (name, text) in generate(&root()).expect("the templates can be made") {
            let present = read(&root().join(TEMPLATES).join(&name)).expect("it is checked in");
            assert!(present == text, "{name} is not up to date; run `cargo xtask mail`");
            assert!(!text.contains("class="), "{name} needs a style sheet");
        }
    }

    #[test]
    fn making_them_twice_gives_the_same() {
        let first = generate(&root()).expect("the templates can be made");
        assert_eq!(generate(&root()).expect("the templates can be made"), first);
    }

    #[test]
    fn placeholders_survive() {
        for (name, text) in generate(&root()).expect("the templates can be made") {
            let source = read(&root().join(SOURCES).join(&name)).expect("it is a source");
            let count = |text: &str| text.matches("{{").count();
            assert_eq!(count(&text), count(&source), "{name}");
        }
    }

    #[test]
    fn an_unknown_class_is_an_error() {
        let page = "<!DOCTYPE html>\n<p class=\"nonsense\">x</p>";
        assert!(inline(page, &[]).is_err());
    }

    #[test]
    fn colours_are_those_of_the_light_scheme() {
        let tokens = ":root {\n  --river: light-dark(#0b5e63, #6fc3c1);\n  --color-ink: #16232b;\n  --gap: 4px;\n}\n.dark {\n  --color-ink: #e9eef0;\n}\n";
        let colours = colours(tokens);
        assert_eq!(
            with_colours(r#"<p class="bg-river text-ink text-sm">"#, &colours),
            r#"<p class="bg-[#0b5e63] text-[#16232b] text-sm">"#
        );
    }
}
