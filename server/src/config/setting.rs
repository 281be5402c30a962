//! What a setting is: its name, how its text is read, and what the documentation says about it.
//! Knows neither where the text comes from nor what the value is used for.

use std::fmt::Display;
use std::str::FromStr;

/// The declaration of one setting. Its type is the type of the struct's field.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// The name of the environment variable.
    pub name: &'static str,
    /// The value that applies when nothing is set, as one would write it.
    pub default: Option<&'static str>,
    /// What happens when nothing is set, for the documentation, where that isn't a plain default.
    pub unset: Option<&'static str>,
    /// A value for the example file.
    pub example: Option<&'static str>,
    /// What is accepted, where the type alone doesn't say it.
    pub accepted: Option<&'static str>,
    /// Whether the value must never be printed, not even in an error message.
    pub is_secret: bool,
}

/// A setting with everything that the documentation says about it.
#[derive(Clone, Copy, Debug)]
pub struct SettingDoc {
    /// The declaration.
    pub setting: Setting,
    /// What it does: the field's doc comment.
    pub description: &'static str,
    /// Whether Lethe refuses to start without it.
    pub is_required: bool,
    /// Whether the file holds a list, a number or a boolean in place of text.
    pub syntax: Syntax,
}

/// How a value is written in TOML. In the environment everything is text, and lists are separated by commas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Syntax {
    /// A quoted string.
    Text,
    /// A number or a boolean.
    Bare,
    /// An array of strings.
    List,
}

/// A type that a setting can have.
pub trait Value: Sized {
    /// What is accepted, in words that fit after "must be".
    const ACCEPTED: &'static str;
    /// How it is written in TOML.
    const SYNTAX: Syntax = Syntax::Text;
    /// Whether the setting may be missing, so that there is a value without text.
    const IS_OPTIONAL: bool = false;

    /// Reads the text. The error says what is wrong with it and is shown only where the setting is no secret.
    fn from_text(text: &str) -> Result<Self, String>;

    /// The value of a setting that isn't set and has no default.
    #[must_use]
    fn missing() -> Option<Self> {
        None
    }
}

impl<T: Value> Value for Option<T> {
    const ACCEPTED: &'static str = T::ACCEPTED;
    const SYNTAX: Syntax = T::SYNTAX;
    const IS_OPTIONAL: bool = true;

    fn from_text(text: &str) -> Result<Self, String> {
        T::from_text(text).map(Some)
    }

    fn missing() -> Option<Self> {
        Some(None)
    }
}

impl Setting {
    /// A setting without a default.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self { name, default: None, unset: None, example: None, accepted: None, is_secret: false }
    }

    /// With the value that applies when nothing is set.
    #[must_use]
    pub const fn default(self, default: &'static str) -> Self {
        Self { default: Some(default), ..self }
    }

    /// With the documentation of what applies when nothing is set.
    #[must_use]
    pub const fn unset(self, unset: &'static str) -> Self {
        Self { unset: Some(unset), ..self }
    }

    /// With a value for the example file.
    #[must_use]
    pub const fn example(self, example: &'static str) -> Self {
        Self { example: Some(example), ..self }
    }

    /// With what is accepted, in words that fit after "must be".
    #[must_use]
    pub const fn accepts(self, accepted: &'static str) -> Self {
        Self { accepted: Some(accepted), ..self }
    }

    /// Its value is never printed.
    #[must_use]
    pub const fn secret(self) -> Self {
        Self { is_secret: true, ..self }
    }

    /// The declaration with the documentation of a field of type `T`.
    #[must_use]
    pub const fn describe<T: Value>(self, description: &'static str) -> SettingDoc {
        let is_required = self.default.is_none() && !T::IS_OPTIONAL;
        SettingDoc { setting: self, description, is_required, syntax: T::SYNTAX }
    }

    /// The key in the TOML file: the name in lower case, without `LETHE_`.
    #[must_use]
    pub fn key(&self) -> String {
        key(self.name)
    }
}

impl Setting {
    /// The environment variable that names a file with the value, where that is a secret.
    #[must_use]
    pub fn file_name(&self) -> Option<String> {
        self.is_secret.then(|| format!("{}_FILE", self.name))
    }
}

/// The key in the TOML file of the setting with this environment variable.
pub(super) fn key(name: &str) -> String {
    let name = name.strip_prefix("LETHE_").unwrap_or(name);
    name.to_ascii_lowercase()
}

/// Reads what [`FromStr`] reads.
pub(super) fn parse<T>(text: &str) -> Result<T, String>
where
    T: FromStr,
    T::Err: Display,
{
    text.parse().map_err(|error: T::Err| error.to_string())
}
