//! Where settings come from: the file that `LETHE_CONFIG` names, and the environment, which takes precedence.
//! Knows names and text, not what a setting is for.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use figment::Figment;
use figment::providers::{Format, Serialized, Toml};
use secrecy::SecretString;
use serde::Deserialize;

use super::setting::{Setting, Value, key};
use super::types::elements;

/// Everything that is wrong with the configuration.
#[derive(Debug, thiserror::Error)]
#[error("the configuration is not valid:\n{}", .0.iter().map(|line| format!("  - {line}")).collect::<Vec<_>>().join("\n"))]
pub struct ConfigError(pub Vec<String>);

/// A value as the file may spell it; the environment holds text only.
#[derive(Deserialize)]
#[serde(untagged)]
enum RawValue {
    Text(String),
    Number(i64),
    Flag(bool),
    List(Vec<String>),
}

impl RawValue {
    fn into_text(self) -> String {
        match self {
            Self::Text(text) => text,
            Self::Number(number) => number.to_string(),
            Self::Flag(flag) => flag.to_string(),
            Self::List(list) => list.join(","),
        }
    }
}

/// The merged settings as text, and the problems found while reading them.
#[derive(Clone)]
pub struct Values {
    known: Vec<Setting>,
    entries: BTreeMap<String, String>,
    problems: Vec<String>,
    warnings: Vec<String>,
    /// Whether `LETHE_CONFIG` names a file.
    has_file: bool,
    /// Keys whose values can't be had, for a reason among the problems.
    unreadable: BTreeSet<String>,
}

impl Values {
    /// Merges the sources. Keys of the file that belong to none of the `known` settings are problems.
    pub(super) fn from_sources(
        known: Vec<Setting>,
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (impl AsRef<str>, String)>,
    ) -> Result<Self, ConfigError> {
        let mut figment = Figment::new();
        let mut warnings = Vec::new();
        if let Some(path) = file {
            if !path.is_file() {
                let problem = format!("LETHE_CONFIG names {}, which is not a readable file", path.display());
                return Err(ConfigError(vec![problem]));
            }
            let toml = Figment::from(Toml::file_exact(path));
            let has_secret = known.iter().any(|setting| setting.is_secret && toml.contains(&setting.key()));
            if has_secret && std::fs::metadata(path).is_ok_and(|file| is_readable_by_all(&file)) {
                warnings.push(format!(
                    "LETHE_CONFIG names {}, which has secrets and which every user of this machine can read",
                    path.display()
                ));
            }
            figment = figment.merge(toml);
        }
        let environment: BTreeMap<String, String> = environment
            .into_iter()
            // `LETHE_X=` in a unit file means "not set".
            .filter(|(_, value)| !value.trim().is_empty())
            .map(|(name, value)| (key(name.as_ref()), value))
            .collect();
        figment = figment.merge(Serialized::defaults(environment));
        let entries: BTreeMap<String, RawValue> = figment
            .extract()
            .map_err(|error| ConfigError(error.into_iter().map(|error| describe(&error)).collect()))?;
        let is_of = |setting: &Setting, given: &str| {
            setting.key() == given || setting.file_name().is_some_and(|name| key(&name) == given)
        };
        let unknown = |given: &&String| !known.iter().any(|setting| is_of(setting, given));
        let problems = entries.keys().filter(unknown).map(|given| unknown_key(&known, given)).collect();
        let entries = entries.into_iter().map(|(key, value)| (key, value.into_text())).collect();
        let has_file = file.is_some();
        let mut values = Self { known, entries, problems, warnings, has_file, unreadable: BTreeSet::new() };
        values.read_secret_files();
        Ok(values)
    }

    /// Replaces each setting that names a file with a secret by the file's content.
    fn read_secret_files(&mut self) {
        for setting in self.known.clone() {
            let Some(name) = setting.file_name() else { continue };
            let Some(path) = self.entries.remove(&key(&name)) else { continue };
            if self.entries.contains_key(&setting.key()) {
                self.problems.push(format!("{} and {name} are both set; it must be one of the two", setting.name));
                continue;
            }
            match read_secret(Path::new(path.trim())) {
                Ok((text, is_readable_by_all)) => {
                    if is_readable_by_all {
                        let warning = format!("{name} names {path}, which every user of this machine can read");
                        self.warnings.push(warning);
                    }
                    self.entries.insert(setting.key(), text);
                }
                Err(error) => {
                    self.unreadable.insert(setting.key());
                    self.problems.push(format!("{name} names {path}, which can't be used: {error}"));
                }
            }
        }
    }

    /// What isn't wrong, but should be different.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Whether `LETHE_CONFIG` names a file.
    #[must_use]
    pub const fn has_file(&self) -> bool {
        self.has_file
    }

    /// Returns what is set, without a default.
    #[must_use]
    pub fn given(&self, setting: &Setting) -> Option<&str> {
        self.entries.get(&setting.key()).map(|value| value.trim())
    }

    /// Returns the text of a setting: what is set, or else its default.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        let declared = self.known.iter().find(|setting| setting.name == name);
        debug_assert!(declared.is_some(), "{name} is declared");
        let set = self.entries.get(&key(name)).map(|value| value.trim());
        set.or_else(|| declared?.default)
    }

    /// Returns a secret as [`Values::text`] does.
    #[must_use]
    pub fn secret(&self, name: &str) -> Option<SecretString> {
        self.text(name).map(SecretString::from)
    }

    /// Returns the elements of a list.
    #[must_use]
    pub fn list(&self, name: &str) -> Vec<String> {
        elements(self.text(name).unwrap_or_default()).map(str::to_owned).collect()
    }

    /// Reads a setting. Returns `None` where it can't be used, and records why.
    pub fn read<T: Value>(&mut self, setting: &Setting) -> Option<T> {
        let accepted = setting.accepted.unwrap_or(T::ACCEPTED);
        if self.unreadable.contains(&setting.key()) {
            return None;
        }
        let Some(text) = self.text(setting.name).map(str::to_owned) else {
            let value = T::missing();
            if value.is_none() {
                self.report(setting, &format!("is missing; it must be {accepted}"));
            }
            return value;
        };
        match T::from_text(&text) {
            Ok(value) => Some(value),
            // Neither a secret nor what a parser says about it may be printed.
            Err(_) if setting.is_secret => {
                self.report(setting, &format!("is not valid; it must be {accepted}"));
                None
            }
            Err(reason) => {
                self.report(setting, &format!("is `{text}` ({reason}); it must be {accepted}"));
                None
            }
        }
    }

    /// Records a problem with one setting.
    pub fn report(&mut self, setting: &Setting, problem: &str) {
        self.problems.push(format!("{} {problem}", setting.name));
    }

    /// Returns the problems found so far, and forgets them.
    pub fn take_problems(&mut self) -> Vec<String> {
        std::mem::take(&mut self.problems)
    }

    /// Returns the configuration, or everything that is wrong with it.
    pub fn finish<T>(self, config: Option<T>) -> Result<T, ConfigError> {
        match config {
            Some(config) if self.problems.is_empty() => Ok(config),
            _ => Err(ConfigError(self.problems)),
        }
    }
}

/// Returns the content without the space around it, and whether every user may read it.
fn read_secret(path: &Path) -> io::Result<(String, bool)> {
    let text = std::fs::read_to_string(path)?;
    if text.trim().is_empty() {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it is empty"));
    }
    Ok((text.trim().to_owned(), is_readable_by_all(&std::fs::metadata(path)?)))
}

fn is_readable_by_all(file: &std::fs::Metadata) -> bool {
    file.mode() & 0o004 != 0
}

fn unknown_key(known: &[Setting], given: &str) -> String {
    match known.iter().find(|setting| setting.name.eq_ignore_ascii_case(given)) {
        Some(setting) => {
            format!("`{given}` in the file that LETHE_CONFIG names is unknown; it must be `{}`", setting.key())
        }
        None => format!("`{given}` in the file that LETHE_CONFIG names is not a setting"),
    }
}

/// Says where the file is wrong. The parser's own words quote the line, which may be a secret.
fn describe(error: &figment::Error) -> String {
    let text = error.kind.to_string();
    let location = text.lines().next().filter(|line| line.starts_with("TOML parse error"));
    let problem = location.map_or_else(
        || format!("`{}` has a value of the wrong type", error.path.join(".")),
        |location| format!("{location}; the line isn't printed, because it may be a secret"),
    );
    format!("the file that LETHE_CONFIG names: {problem}")
}
