//! The stages of `cargo xtask test`.

use clap::ValueEnum;

/// The stages in the order in which they run: those that are quick and fail most often come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Stage {
    /// `cargo fmt`.
    Format,
    /// Identifiers use standard terms.
    Vocabulary,
    /// The module graph of every crate is free of cycles.
    Graph,
    /// Links in Markdown files lead to files and headings that exist.
    Links,
    /// Every dependency is used.
    Dependencies,
    /// Everything that runs on a server or a developer's machine compiles without warnings from the compiler or Clippy.
    Build,
    /// Licenses, sources and advisories of the dependencies.
    Deny,
    /// `cargo doc` has no warnings, and generated documentation is up to date.
    Docs,
    /// `.sqlx` matches the migrated database.
    Queries,
    /// Every class of the pages has a rule, and the files that tailwind-rs generates are up to date.
    Styles,
    /// Unit and integration tests, those of this tool included.
    Tests,
    /// What the browser downloads compiles without a warning, and contains neither SQL nor server types.
    Bundle,
    /// The first visit stays within its budget.
    Size,
    /// A minute in which everything around Lethe fails while people use it.
    Chaos,
    /// Playwright in a real Chromium with a running demo.
    Browser,
}

impl Stage {
    /// The name on the command line.
    pub(crate) fn name(self) -> String {
        self.to_possible_value().expect("no stage is hidden").get_name().to_owned()
    }

    /// Whether the stage needs the frontend's WASM.
    pub(crate) fn needs_site(self) -> bool {
        matches!(self, Self::Bundle | Self::Size | Self::Chaos | Self::Browser)
    }
}
