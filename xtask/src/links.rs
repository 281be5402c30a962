//! Checks the Markdown files of the repository: every relative link must lead to a file, and every anchor to a heading.
//! Links to other sites are not followed.
//!
//! `pulldown-cmark` does the parsing. Standalone link checkers are mostly about the web, and one would take 300 MB.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, bail};
use pulldown_cmark::{BrokenLink, CowStr, Event, LinkType, Options, Parser, Tag, TagEnd};

use crate::process;
use crate::workspace::Workspace;

/// Prints each broken link. Fails if there is one.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    let mut documents = BTreeMap::new();
    for file in markdown_files(workspace)? {
        let text =
            fs::read_to_string(workspace.root.join(&file)).with_context(|| format!("can't read {}", file.display()))?;
        documents.insert(file, Document::parse(&text));
    }
    let links: usize = documents.values().map(|document| document.links.len()).sum();
    let problems = problems(&documents, |path| workspace.root.join(path).exists());
    if !problems.is_empty() {
        bail!("{} links are broken:\n{}", problems.len(), problems.join("\n"));
    }
    println!("{links} links in {} files, none broken", documents.len());
    Ok(())
}

/// The Markdown files that git tracks or would add, relative to the workspace root.
fn markdown_files(workspace: &Workspace) -> Result<Vec<PathBuf>> {
    let mut command = workspace.command("git");
    command.args(["ls-files", "--cached", "--others", "--exclude-standard", "*.md"]);
    let listed = process::output(&mut command)?;
    Ok(listed.lines().map(PathBuf::from).filter(|file| workspace.root.join(file).is_file()).collect())
}

#[derive(Debug, Default)]
struct Document {
    links: Vec<Link>,
    anchors: BTreeSet<String>,
}

#[derive(Debug)]
struct Link {
    target: String,
    line: usize,
    /// A reference such as `[text][name]` without a definition of `name`.
    is_undefined: bool,
}

impl Document {
    fn parse<'a>(text: &'a str) -> Self {
        let mut document = Self::default();
        let line = |offset: usize| text[..offset].matches('\n').count() + 1;
        let mut undefined = Vec::new();
        let mut note_undefined = |link: BrokenLink<'a>| -> Option<(CowStr<'a>, CowStr<'a>)> {
            // A shortcut, `[text]`, is just as likely to be text in brackets.
            if link.link_type != LinkType::Shortcut {
                let target = link.reference.to_string();
                undefined.push(Link { target, line: line(link.span.start), is_undefined: true });
            }
            None
        };
        let options = Options::ENABLE_TABLES | Options::ENABLE_FOOTNOTES | Options::ENABLE_GFM;
        let parser = Parser::new_with_broken_link_callback(text, options, Some(&mut note_undefined));
        let mut heading: Option<String> = None;
        for (event, range) in parser.into_offset_iter() {
            match event {
                Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
                Event::End(TagEnd::Heading(_)) => document.add_heading(&heading.take().unwrap_or_default()),
                Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                    let target = dest_url.into_string();
                    document.links.push(Link { target, line: line(range.start), is_undefined: false });
                }
                Event::Text(text) | Event::Code(text) => heading.iter_mut().for_each(|heading| heading.push_str(&text)),
                Event::Html(html) | Event::InlineHtml(html) => document.add_html(&html, line(range.start)),
                _ => {}
            }
        }
        document.links.append(&mut undefined);
        document
    }

    /// Adds the anchor that GitHub gives a heading: lower case, hyphens for spaces, no punctuation, and a number if the
    /// anchor is taken.
    fn add_heading(&mut self, heading: &str) {
        let is_part = |character: &char| character.is_alphanumeric() || matches!(character, ' ' | '-' | '_');
        let anchor: String =
            heading.trim().to_lowercase().chars().filter(is_part).collect::<String>().replace(' ', "-");
        let mut numbered = (1..).map(|number| format!("{anchor}-{number}"));
        let mut candidate = anchor.clone();
        while !self.anchors.insert(candidate) {
            candidate = numbered.next().unwrap_or_default();
        }
    }

    fn add_html(&mut self, html: &str, line: usize) {
        for name in ["id", "name"] {
            self.anchors.extend(attributes(html, name).map(str::to_owned));
        }
        for name in ["href", "src", "srcset"] {
            for target in attributes(html, name) {
                self.links.push(Link { target: target.to_owned(), line, is_undefined: false });
            }
        }
    }
}

/// The values of an HTML attribute.
fn attributes<'a>(html: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    let start = format!(" {name}=\"");
    let parts: Vec<&str> = html.split(start.as_str()).skip(1).collect();
    parts.into_iter().filter_map(|rest| rest.split('"').next())
}

fn problems(documents: &BTreeMap<PathBuf, Document>, exists: impl Fn(&Path) -> bool) -> Vec<String> {
    let mut problems = Vec::new();
    for (file, document) in documents {
        for link in &document.links {
            if let Some(problem) = problem(documents, file, link, &exists) {
                problems.push(format!("{}:{} {}: {problem}", file.display(), link.line, link.target));
            }
        }
    }
    problems
}

fn problem(
    documents: &BTreeMap<PathBuf, Document>,
    file: &Path,
    link: &Link,
    exists: impl Fn(&Path) -> bool,
) -> Option<&'static str> {
    if link.is_undefined {
        return Some("no such reference");
    }
    if is_absolute_url(&link.target) {
        return None;
    }
    let (path, anchor) =
        link.target.split_once('#').map_or((&*link.target, None), |(path, anchor)| (path, Some(anchor)));
    let path = path.replace("%20", " ");
    let target = if path.is_empty() { Some(file.to_path_buf()) } else { resolve(file, &path) };
    let Some(target) = target else {
        return Some("outside the repository");
    };
    if !path.is_empty() && !exists(&target) {
        return Some("no such file");
    }
    let document = documents.get(&target)?;
    (!document.anchors.contains(anchor?)).then_some("no such heading")
}

/// Whether a link has a scheme, such as `https:` or `mailto:`.
fn is_absolute_url(target: &str) -> bool {
    target.split_once(':').is_some_and(|(scheme, _)| {
        !scheme.is_empty()
            && scheme.chars().all(|character| character.is_ascii_alphanumeric() || "+-.".contains(character))
    })
}

/// Returns the path of a link in a file, both relative to the root of the repository.
fn resolve(file: &Path, link: &str) -> Option<PathBuf> {
    let mut resolved = if link.starts_with('/') { PathBuf::new() } else { file.parent()?.to_path_buf() };
    for component in Path::new(link).components() {
        match component {
            Component::ParentDir => {
                if !resolved.pop() {
                    return None;
                }
            }
            Component::Normal(name) => resolved.push(name),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    Some(resolved)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems_of(files: &[(&str, &str)]) -> Vec<String> {
        let documents: BTreeMap<PathBuf, Document> =
            files.iter().map(|(name, text)| (PathBuf::from(name), Document::parse(text))).collect();
        problems(&documents, |path| documents.contains_key(path) || path == Path::new("docs/picture.png"))
    }

    #[test]
    fn existing_files_and_headings_are_found() {
        let readme = "# Lethe\n[one](docs/one.md) [two](#set-it-up-now) [web](https://example.org/x#y)\n\n\
                      ## Set it up, `now`\n![picture](docs/picture.png)\n<img src=\"docs/picture.png\">";
        let one = "# One\n[back](../README.md#lethe) [root](/README.md) [mail](mailto:x@example.org)\n";
        assert_eq!(problems_of(&[("README.md", readme), ("docs/one.md", one)]), Vec::<String>::new());
    }

    #[test]
    fn missing_files_and_headings_are_reported_with_their_line() {
        let readme =
            "# Lethe\n\n[one](docs/two.md)\n[two](#nowhere)\n[three](../x.md) [four][five]\n<a href=\"y.md\">y</a>\n";
        let problems = problems_of(&[("README.md", readme)]);
        assert_eq!(
            problems,
            [
                "README.md:3 docs/two.md: no such file",
                "README.md:4 #nowhere: no such heading",
                "README.md:5 ../x.md: outside the repository",
                "README.md:6 y.md: no such file",
                "README.md:5 five: no such reference",
            ]
        );
    }

    #[test]
    fn repeated_headings_are_numbered() {
        let document = Document::parse("# A b\n# A b\n# A b\n<a id=\"own\"></a>\n");
        assert_eq!(document.anchors.iter().map(String::as_str).collect::<Vec<_>>(), ["a-b", "a-b-1", "a-b-2", "own"]);
    }

    #[test]
    fn links_in_code_are_text() {
        assert_eq!(
            problems_of(&[("a.md", "`[x](y.md)`\n\n```\n[x](y.md)\n```\n[default: 3]\n")]),
            Vec::<String>::new()
        );
    }
}
