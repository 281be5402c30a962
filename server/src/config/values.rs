//! Where settings come from: defaults, then the file that `LETHE_CONFIG` names, then the environment.
//! Knows names and text, not what a setting is for.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::Path;
use std::str::FromStr;

use figment::Figment;
use figment::providers::{Format, Serialized, Toml};
use secrecy::SecretString;
use serde::Deserialize;

/// Every setting, under the name that it has in the environment.
/// In the file it has the same name in small letters, without `lethe_`.
pub const NAMES: &[&str] = &[
    "DATABASE_URL",
    "CLERK_SECRET_KEY",
    "CLERK_PUBLISHABLE_KEY",
    "CLERK_WEBHOOK_SIGNING_SECRET",
    "CLERK_API_URL",
    "CLERK_PROXY_URL",
    "CLERK_SIGN_IN_URL",
    "CLERK_IS_SATELLITE",
    "CLERK_SATELLITE_AUTO_SYNC",
    "CLERK_DOMAIN",
    "CLERK_JWT_KEY",
    "CLERK_AUTHORIZED_PARTIES",
    "CLERK_REQUESTS_PER_TEN_SECONDS",
    "LETHE_URL",
    "LETHE_LISTEN",
    "LETHE_BRAND",
    "LETHE_SITE",
    "LETHE_DATA_MAP",
    "LETHE_SECRET",
    "LETHE_STORAGE",
    "LETHE_SMTP_URL",
    "LETHE_MAIL_FROM",
    "LETHE_ALERT_TO",
    "LETHE_TRUSTED_PROXIES",
    "LETHE_LOG",
    "LETHE_LOG_FORMAT",
    "LETHE_DATABASE_CONNECTIONS",
    "LETHE_WORKERS",
    "LETHE_EXPORTS_PER_HOUR",
    "LETHE_DELETIONS_PER_HOUR",
    "LETHE_ANONYMOUS_WRITES_PER_MINUTE",
    "LETHE_METRICS_TOKEN",
];

/// What is wrong with the settings, all of it at once.
#[derive(Debug, thiserror::Error)]
#[error("the settings are not usable:\n{}", .0.iter().map(|line| format!("  - {line}")).collect::<Vec<_>>().join("\n"))]
pub struct ConfigError(pub Vec<String>);

/// A value as the file may spell it; the environment knows text only.
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

/// The merged settings as text, and the problems met while reading them.
pub struct Values {
    entries: BTreeMap<String, String>,
    problems: Vec<String>,
}

impl Values {
    /// Reads the file that `LETHE_CONFIG` names, if any, and the environment.
    pub fn load() -> Result<Self, ConfigError> {
        #[expect(clippy::disallowed_methods, reason = "these are the settings")]
        let read = |name: &str| std::env::var(name).ok();
        let file = read("LETHE_CONFIG").filter(|path| !path.is_empty());
        let environment = NAMES.iter().filter_map(|name| read(name).map(|value| (*name, value)));
        Self::from_sources(file.as_deref().map(Path::new), environment)
    }

    /// The same from given sources, so that tests need no process of their own.
    pub fn from_sources<'a>(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (&'a str, String)>,
    ) -> Result<Self, ConfigError> {
        let mut figment = Figment::new();
        if let Some(path) = file {
            if !path.is_file() {
                let problem = format!("LETHE_CONFIG names {}, which is not a readable file", path.display());
                return Err(ConfigError(vec![problem]));
            }
            figment = figment.merge(Toml::file_exact(path));
        }
        let environment: BTreeMap<String, String> = environment
            .into_iter()
            // `LETHE_X=` in a unit file means "not set".
            .filter(|(_, value)| !value.trim().is_empty())
            .map(|(name, value)| (key(name), value))
            .collect();
        figment = figment.merge(Serialized::defaults(environment));
        let entries: BTreeMap<String, RawValue> = figment
            .extract()
            .map_err(|error| ConfigError(vec![format!("the file that LETHE_CONFIG names: {error}")]))?;
        let mut problems = Vec::new();
        for given in entries.keys() {
            if !NAMES.iter().any(|name| key(name) == *given) {
                problems.push(format!("`{given}` in the file that LETHE_CONFIG names is not a setting of Lethe"));
            }
        }
        let entries = entries.into_iter().map(|(key, entry)| (key, entry.into_text())).collect();
        Ok(Self { entries, problems })
    }

    /// The text of a setting, if it is set.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        debug_assert!(NAMES.contains(&name), "{name} is listed");
        self.entries.get(&key(name)).map(|value| value.trim())
    }

    /// The text of a setting that must be set. `accepted` says what belongs there.
    pub fn required(&mut self, name: &str, accepted: &str) -> Option<String> {
        let text = self.text(name).map(str::to_owned);
        if text.is_none() {
            self.problem(name, &format!("is missing; it must be {accepted}"));
        }
        text
    }

    /// A secret that must be set.
    pub fn required_secret(&mut self, name: &str, accepted: &str) -> Option<SecretString> {
        self.required(name, accepted).map(SecretString::from)
    }

    /// A secret that may be missing.
    #[must_use]
    pub fn secret(&self, name: &str) -> Option<SecretString> {
        self.text(name).map(|text| SecretString::from(text.to_owned()))
    }

    /// A parsed setting that may be missing. What was given is repeated in the message, so never use this for secrets.
    pub fn parsed<T>(&mut self, name: &str, accepted: &str) -> Option<T>
    where
        T: FromStr,
        T::Err: Display,
    {
        let text = self.text(name)?.to_owned();
        match text.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                self.problem(name, &format!("is `{text}` ({error}); it must be {accepted}"));
                None
            }
        }
    }

    /// A list, separated by commas.
    pub fn list(&self, name: &str) -> Vec<String> {
        let text = self.text(name).unwrap_or_default();
        text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
    }

    /// Notes a problem with one setting.
    pub fn problem(&mut self, name: &str, text: &str) {
        self.problems.push(format!("{name} {text}"));
    }

    /// What was wrong so far.
    pub fn take_problems(&mut self) -> Vec<String> {
        std::mem::take(&mut self.problems)
    }

    /// The settings, or everything that is wrong with them.
    pub fn finish<T>(self, settings: Option<T>) -> Result<T, ConfigError> {
        match settings {
            Some(settings) if self.problems.is_empty() => Ok(settings),
            _ => Err(ConfigError(self.problems)),
        }
    }
}

fn key(name: &str) -> String {
    let name = name.strip_prefix("LETHE_").unwrap_or(name);
    name.to_ascii_lowercase()
}
