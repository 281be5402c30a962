//! The purposes that a person decides on, each with the text they are shown.

use ring::digest::{SHA256, digest};
use serde::Deserialize;

/// What the processing rests on (GDPR 6(1)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LegalBasis {
    /// Opt-in: off until the person turns it on.
    Consent,
    /// Opt-out: may be on until the person turns it off, and the page says so.
    LegitimateInterest,
}

/// One purpose.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Purpose {
    /// Its name for programs, camelCase: the key in Clerk's metadata and in the HTTP interface.
    pub key: String,
    /// Its name for people.
    pub title: String,
    /// What it means, in one sentence. Together with `title` this is what is consented to.
    pub text: String,
    /// Which version of the text this is, for example its date.
    pub version: String,
    /// What it rests on.
    #[serde(default = "default_legal_basis")]
    pub legal_basis: LegalBasis,
    /// Whether it is on for who has never decided. Only with [`LegalBasis::LegitimateInterest`]:
    /// a box that is ticked beforehand is no consent (Recital 32, CJEU C-673/17).
    #[serde(default)]
    pub default_granted: bool,
    /// Whether Global Privacy Control turns it off: selling and sharing (11 CCR 7025).
    #[serde(default)]
    pub opt_out_signal: bool,
}

const fn default_legal_basis() -> LegalBasis {
    LegalBasis::Consent
}

impl Purpose {
    /// SHA-256 of the text that was shown.
    pub(crate) fn text_hash(&self) -> Vec<u8> {
        digest(&SHA256, format!("{}\n{}", self.title, self.text).as_bytes()).as_ref().to_vec()
    }
}

/// Every purpose, in the order of the page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Purposes(Vec<Purpose>);

/// Why a catalogue can't be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPurposes {
    /// The key is empty, too long or not camelCase.
    #[error("purpose `{0}`: a key is 1 to 40 letters and digits and begins with a small letter")]
    InvalidKey(String),
    /// The mirror writes when it was updated beside the purposes.
    #[error("purpose `updatedAt`: this key is taken by the time of the newest decision")]
    ReservedKey,
    /// Two purposes have one key.
    #[error("purpose `{0}` is there twice")]
    DuplicateKey(String),
    /// A box that is ticked beforehand is no consent.
    #[error(
        "purpose `{0}`: what rests on consent can't start granted (GDPR recital 32, CJEU C-673/17); set legal_basis = \"legitimate_interest\" where that is true, or default_granted = false"
    )]
    PreTicked(String),
}

impl Purposes {
    /// Checks and takes `purposes`.
    pub fn new(purposes: Vec<Purpose>) -> Result<Self, InvalidPurposes> {
        for (index, purpose) in purposes.iter().enumerate() {
            let key = &purpose.key;
            let valid = key.len() <= 40
                && key.starts_with(|first: char| first.is_ascii_lowercase())
                && key.bytes().all(|byte| byte.is_ascii_alphanumeric());
            if !valid {
                return Err(InvalidPurposes::InvalidKey(key.clone()));
            }
            if key == "updatedAt" {
                return Err(InvalidPurposes::ReservedKey);
            }
            if purposes[..index].iter().any(|other| other.key == *key) {
                return Err(InvalidPurposes::DuplicateKey(key.clone()));
            }
            if purpose.default_granted && purpose.legal_basis == LegalBasis::Consent {
                return Err(InvalidPurposes::PreTicked(key.clone()));
            }
        }
        Ok(Self(purposes))
    }

    /// The purpose with this key.
    #[must_use]
    pub fn find(&self, key: &str) -> Option<&Purpose> {
        self.iter().find(|purpose| purpose.key == key)
    }

    /// Every purpose.
    pub fn iter(&self) -> impl Iterator<Item = &Purpose> {
        self.0.iter()
    }

    /// Every key.
    #[must_use]
    pub fn keys(&self) -> Vec<String> {
        self.iter().map(|purpose| purpose.key.clone()).collect()
    }
}

impl Default for Purposes {
    /// Marketing, analytics and third parties, each off.
    fn default() -> Self {
        let purpose = |key: &str, title: &str, text: &str, opt_out_signal| Purpose {
            key: key.to_owned(),
            title: title.to_owned(),
            text: text.to_owned(),
            version: "2026-11-01".to_owned(),
            legal_basis: LegalBasis::Consent,
            default_granted: false,
            opt_out_signal,
        };
        Self(vec![
            purpose("marketing", "Marketing communications", "News and offers by e-mail, about twice a month.", false),
            purpose(
                "analytics",
                "Analytics",
                "Counts which pages are read, so that we mend the ones that fail. No profile of you.",
                false,
            ),
            purpose(
                "thirdParty",
                "Sharing with third parties",
                "Advertising partners may learn what you read here.",
                true,
            ),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn default_purposes_are_valid_and_off() {
        let defaults = Purposes::default();
        assert!(Purposes::new(defaults.0.clone()).is_ok());
        assert!(defaults.iter().all(|purpose| !purpose.default_granted));
    }

    #[test]
    fn consent_never_starts_granted() {
        let mut purposes = Purposes::default().0;
        purposes[0].default_granted = true;
        assert_eq!(Purposes::new(purposes.clone()), Err(InvalidPurposes::PreTicked("marketing".into())));
        purposes[0].legal_basis = LegalBasis::LegitimateInterest;
        assert!(Purposes::new(purposes).is_ok());
    }

    #[test]
    fn purpose_keys_are_validated() {
        let with_key = |key: &str| {
            let mut purposes = Purposes::default().0;
            purposes[0].key = key.to_owned();
            Purposes::new(purposes).map(|_| ())
        };
        assert_eq!(with_key("Upper"), Err(InvalidPurposes::InvalidKey("Upper".into())));
        assert_eq!(with_key(""), Err(InvalidPurposes::InvalidKey(String::new())));
        assert_eq!(with_key("updatedAt"), Err(InvalidPurposes::ReservedKey));
        assert_eq!(with_key("analytics"), Err(InvalidPurposes::DuplicateKey("analytics".into())));
    }
}
