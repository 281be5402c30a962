//! The e-mail templates in `src/platform/mail/templates` with their classes turned into inline styles, because many
//! mail clients ignore style sheets. Colours are named as in `style/tokens.css`; e-mails get those of the light scheme.

use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use tailwind_rs::{CLIConfig, CssInlineMode, TailwindBuilder};

use crate::files::{Generated, files_below, read};

const TEMPLATES: &str = "src/platform/mail/templates";
const INLINED: &str = "src/platform/mail/inlined";

/// Every HTML template, in the order of their paths.
pub(crate) fn generate(root: &Path) -> Result<Vec<Generated>> {
    let colours = colours(&read(&root.join("style/tokens.css"))?);
    let templates = root.join(TEMPLATES);
    files_below(&templates, "html")?
        .iter()
        .map(|path| {
            let name = path.strip_prefix(&templates)?;
            let text = inline(&read(path)?, &colours).with_context(|| path.display().to_string())?;
            Ok((Path::new(INLINED).join(name), text))
        })
        .collect()
}

/// Replaces the classes of a page with inline styles. Its first line is left as it is.
fn inline(source: &str, colours: &[(String, String)]) -> Result<String> {
    let (first, page) = source.split_once('\n').context("a template begins with a line for its type or its layout")?;
    let config = CLIConfig { mode: CssInlineMode::Inline, ..CLIConfig::default() };
    let mut builder = TailwindBuilder::default();
    let page = with_colours(page, colours);
    let (page, _) = config.compile_html(&page, &mut builder).map_err(|error| anyhow!("{error}"))?;
    if let Some((_, rest)) = page.split_once("class=") {
        bail!("no inline style for the class {}", rest.chars().take(60).collect::<String>());
    }
    Ok(format!("{first}\n{}\n", page.trim()))
}

/// Writes out the colours of classes such as `bg-river`: `bg-[#0b5e63]`.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn template_tags_survive_and_no_class_is_left() {
        let root = crate::files::root();
        for (path, text) in generate(&root).expect("the templates can be inlined") {
            let name = path.strip_prefix(INLINED).expect("it is one of the inlined");
            let source = read(&root.join(TEMPLATES).join(name)).expect("it has a source");
            let tags = |text: &str| (text.matches("{{ ").count(), text.matches("{%").count());
            assert_eq!(tags(&text), tags(&source), "{}", path.display());
            assert!(!text.contains("class="), "{} needs a style sheet", path.display());
        }
    }

    #[test]
    fn unknown_class_is_an_error() {
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
