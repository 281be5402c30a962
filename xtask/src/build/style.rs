//! Builds the minified style sheet from the three files in `style`.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use lightningcss::stylesheet::{MinifyOptions, ParserOptions, PrinterOptions, StyleSheet};
use lightningcss::targets::{Features, Targets};

/// In the order of the cascade: utilities must come last to override the rest.
const PARTS: [&str; 3] = ["style/tokens.css", "style/base.css", "style/utilities.css"];

/// The style sheet of a checkout, minified.
pub(crate) fn sheet(root: &Path) -> Result<String> {
    let mut sheet = String::new();
    for part in PARTS {
        let path = root.join(part);
        sheet += &fs::read_to_string(&path).with_context(|| format!("can't read {}", path.display()))?;
    }
    minify(&sheet)
}

fn minify(sheet: &str) -> Result<String> {
    // By default the minifier writes `(width<=40rem)`, which is shorter but unknown to Safari before 16.4.
    let targets = Targets { include: Features::MediaRangeSyntax, ..Targets::default() };
    let mut sheet = StyleSheet::parse(sheet, ParserOptions::default()).map_err(|error| anyhow!("{error}"))?;
    sheet.minify(MinifyOptions { targets, ..MinifyOptions::default() })?;
    Ok(sheet.to_css(PrinterOptions { minify: true, targets, ..PrinterOptions::default() })?.code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sheet_of_this_checkout_contains_all_parts() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let sheet = sheet(&root).expect("it is valid");
        for rule in ["--river:", ".card{", ".mt-3{margin-top:.75rem}"] {
            assert!(sheet.contains(rule), "{rule}");
        }
    }

    #[test]
    fn significant_spaces_and_media_queries_are_preserved() {
        let sheet = "/* why */ a :hover , b { --x: clamp(1rem, 1.3rem + 2vw, 2rem); width: calc(100% - 2rem); }\n\
            @media (max-width: 40rem) { .sm\\:p-4 { content: \"a  /* b */ c\" } }";
        assert_eq!(
            minify(sheet).expect("it is a style sheet"),
            "a :hover,b{--x:clamp(1rem, 1.3rem + 2vw, 2rem);width:calc(100% - 2rem)}\
             @media (max-width:40rem){.sm\\:p-4{content:\"a  /* b */ c\"}}"
        );
    }

    #[test]
    fn invalid_sheet_is_an_error() {
        assert!(minify("a { color: red } }").is_err());
    }
}
