//! The purposes that a person consents to, each with the text that is shown.

use std::sync::Arc;

use ring::digest::{SHA256, digest};
use serde::Deserialize;

/// The legal basis of the processing (GDPR Article 6(1)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LegalBasis {
    /// Opt-in: off until the person turns it on.
    Consent,
    /// Opt-out: may be on until the person turns it off, and the page says so.
    LegitimateInterest,
}

/// A purpose of processing, as the data map defines it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Purpose {
    /// The camelCase key in Clerk's metadata and in the HTTP interface.
    pub key: String,
    /// The title on the page.
    pub title: String,
    /// The description, one sentence. The person consents to title and text together.
    pub text: String,
    /// The version of the text, for example its date.
    pub version: String,
    /// The heading under which the page shows it, together with the other purposes of this group.
    #[serde(default)]
    pub group: Option<String>,
    /// The legal basis, [`LegalBasis::Consent`] unless stated.
    #[serde(default = "default_legal_basis")]
    pub legal_basis: LegalBasis,
    /// Whether it is on for a person who has never decided. Only with [`LegalBasis::LegitimateInterest`]:
    /// a pre-ticked box isn't valid consent (GDPR Recital 32, CJEU C-673/17).
    #[serde(default)]
    pub default_granted: bool,
    /// Whether the Global Privacy Control signal turns it off, as it must for selling and sharing
    /// (11 CCR 7025).
    #[serde(default)]
    pub opt_out_signal: bool,
}

const fn default_legal_basis() -> LegalBasis {
    LegalBasis::Consent
}

impl Purpose {
    /// Returns the SHA-256 hash of the text that was shown.
    pub(crate) fn text_hash(&self) -> Vec<u8> {
        digest(&SHA256, format!("{}\n{}", self.title, self.text).as_bytes()).as_ref().to_vec()
    }
}

/// All purposes, in the order in which the page shows them. Keys are valid and unique.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Purposes {
    purposes: Vec<Arc<Purpose>>,
    keys: Vec<String>,
}

/// Why a list of purposes is invalid.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPurposes {
    /// The key is empty, too long or not camelCase.
    #[error("purpose `{0}`: a key is 1 to 40 letters and digits and begins with a lower-case letter")]
    InvalidKey(String),
    /// `updatedAt` is written to Clerk's metadata beside the purposes.
    #[error("purpose `updatedAt`: this key is reserved for the time of the newest decision")]
    ReservedKey,
    /// Two purposes have the same key.
    #[error("purpose `{0}` is defined twice")]
    DuplicateKey(String),
    /// A pre-ticked box isn't valid consent.
    #[error(
        "purpose `{0}`: what rests on consent can't start granted (GDPR recital 32, CJEU C-673/17); set legal_basis = \"legitimate_interest\" where that is true, or default_granted = false"
    )]
    PreTicked(String),
}

impl Purposes {
    /// Validates `purposes`.
    ///
    /// ```
    /// use lethe::purposes::{InvalidPurposes, Purpose, Purposes};
    ///
    /// let newsletter: Purpose = toml::from_str(
    ///     r#"
    ///     key = "newsletter"
    ///     title = "Newsletter"
    ///     text = "One e-mail a month."
    ///     version = "2026-11-01"
    ///     "#,
    /// )?;
    /// let purposes = Purposes::new(vec![newsletter.clone()])?;
    /// assert!(!purposes.find("newsletter").unwrap().default_granted);
    ///
    /// let twice = Purposes::new(vec![newsletter.clone(), newsletter]);
    /// assert_eq!(twice, Err(InvalidPurposes::DuplicateKey("newsletter".to_owned())));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
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
        let keys = purposes.iter().map(|purpose| purpose.key.clone()).collect();
        Ok(Self { purposes: purposes.into_iter().map(Arc::new).collect(), keys })
    }

    /// Returns the purpose with this key.
    #[must_use]
    pub fn find(&self, key: &str) -> Option<&Arc<Purpose>> {
        self.iter().find(|purpose| purpose.key == key)
    }

    /// Iterates over the purposes in their order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Purpose>> {
        self.purposes.iter()
    }

    /// The keys, in the order of the purposes.
    #[must_use]
    pub fn keys(&self) -> &[String] {
        &self.keys
    }
}

impl Default for Purposes {
    /// Marketing, analytics and third parties, each off.
    fn default() -> Self {
        Self::new(default_purposes()).expect("the default purposes are valid")
    }
}

fn default_purposes() -> Vec<Purpose> {
    let purpose = |key: &str, title: &str, text: &str, opt_out_signal| Purpose {
        key: key.to_owned(),
        title: title.to_owned(),
        text: text.to_owned(),
        version: "2026-11-01".to_owned(),
        group: None,
        legal_basis: LegalBasis::Consent,
        default_granted: false,
        opt_out_signal,
    };
    vec![
        purpose("marketing", "Marketing communications", "News and offers by email.", false),
        purpose("analytics", "Analytics", "We count page views so we can fix pages that don’t work.", false),
        purpose("thirdParty", "Sharing with third parties", "We tell our partners how you use this service.", true),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn default_purposes_are_valid_and_off() {
        assert!(Purposes::default().iter().all(|purpose| !purpose.default_granted));
    }

    #[test]
    fn consent_never_starts_granted() {
        let mut purposes = default_purposes();
        purposes[0].default_granted = true;
        assert_eq!(Purposes::new(purposes.clone()), Err(InvalidPurposes::PreTicked("marketing".into())));
        purposes[0].legal_basis = LegalBasis::LegitimateInterest;
        assert!(Purposes::new(purposes).is_ok());
    }

    #[test]
    fn purpose_keys_are_validated() {
        let with_key = |key: &str| {
            let mut purposes = default_purposes();
            purposes[0].key = key.to_owned();
            Purposes::new(purposes).map(|_| ())
        };
        assert_eq!(with_key("Upper"), Err(InvalidPurposes::InvalidKey("Upper".into())));
        assert_eq!(with_key(""), Err(InvalidPurposes::InvalidKey(String::new())));
        assert_eq!(with_key("updatedAt"), Err(InvalidPurposes::ReservedKey));
        assert_eq!(with_key("analytics"), Err(InvalidPurposes::DuplicateKey("analytics".into())));
    }
}
