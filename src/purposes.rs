//! The purposes that a person consents to, each with the text that is shown.

use std::sync::Arc;

use data_encoding::HEXLOWER;
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
    /// Identifies the present text.
    #[must_use]
    pub fn text_id(&self) -> TextId {
        let hash = digest(&SHA256, format!("{}\n{}", self.title, self.text).as_bytes());
        TextId { hash: hash.as_ref().try_into().expect("SHA-256 gives 32 bytes"), version: self.version.clone() }
    }
}

/// Identifies the text that a person decides on: its version and its hash. As text `hash:version`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TextId {
    hash: [u8; 32],
    version: String,
}

/// The text isn't that of a [`TextId`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the id of a purpose's text: it must be 64 hexadecimal digits, a colon and the version")]
pub struct InvalidTextId;

impl TextId {
    /// Reads what a form or a client sent.
    pub fn parse(text: &str) -> Result<Self, InvalidTextId> {
        let (hash, version) = text.split_once(':').ok_or(InvalidTextId)?;
        let hash = HEXLOWER.decode(hash.as_bytes()).ok().and_then(|hash| hash.try_into().ok());
        Ok(Self { hash: hash.ok_or(InvalidTextId)?, version: version.to_owned() })
    }

    /// Takes what the ledger stores.
    pub(crate) fn from_columns(hash: Vec<u8>, version: String) -> Option<Self> {
        Some(Self { hash: hash.try_into().ok()?, version })
    }

    /// The SHA-256 hash of title and text.
    pub(crate) const fn hash(&self) -> &[u8] {
        &self.hash
    }

    /// The version, as the operator names it.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }
}

impl std::fmt::Display for TextId {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}:{}", HEXLOWER.encode(&self.hash), self.version)
    }
}

/// All purposes, in the order in which the page shows them. Keys are valid and unique. None by default: what users are asked
/// is up to the operator.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.purposes.is_empty()
    }

    /// The keys, in the order of the purposes.
    #[must_use]
    pub fn keys(&self) -> &[String] {
        &self.keys
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Marketing, analytics and third parties, each off.
    pub(crate) fn sample() -> Vec<Purpose> {
        let purpose = |key: &str| Purpose {
            key: key.to_owned(),
            title: key.to_owned(),
            text: format!("About {key}."),
            version: "2026-11-01".to_owned(),
            group: None,
            legal_basis: LegalBasis::Consent,
            default_granted: false,
            opt_out_signal: key == "thirdParty",
        };
        ["marketing", "analytics", "thirdParty"].map(purpose).to_vec()
    }

    #[test]
    fn there_are_no_purposes_but_the_operators() {
        assert!(Purposes::default().is_empty());
    }

    #[test]
    fn id_of_a_text_changes_with_each_word_and_with_the_version() {
        let purpose = sample().remove(0);
        let id = purpose.text_id();
        assert_eq!(TextId::parse(&id.to_string()), Ok(id.clone()));
        assert_ne!(id, Purpose { title: "News".to_owned(), ..purpose.clone() }.text_id());
        assert_ne!(id, Purpose { text: "News.".to_owned(), ..purpose.clone() }.text_id());
        assert_ne!(id, Purpose { version: "2: of: May".to_owned(), ..purpose }.text_id());
        for wrong in ["", "2026-11-01", "00ff:1", &id.to_string()[1..]] {
            assert_eq!(TextId::parse(wrong), Err(InvalidTextId), "{wrong}");
        }
    }

    #[test]
    fn consent_never_starts_granted() {
        let mut purposes = sample();
        purposes[0].default_granted = true;
        assert_eq!(Purposes::new(purposes.clone()), Err(InvalidPurposes::PreTicked("marketing".into())));
        purposes[0].legal_basis = LegalBasis::LegitimateInterest;
        assert!(Purposes::new(purposes).is_ok());
    }

    #[test]
    fn purpose_keys_are_validated() {
        let with_key = |key: &str| {
            let mut purposes = sample();
            purposes[0].key = key.to_owned();
            Purposes::new(purposes).map(|_| ())
        };
        assert_eq!(with_key("Upper"), Err(InvalidPurposes::InvalidKey("Upper".into())));
        assert_eq!(with_key(""), Err(InvalidPurposes::InvalidKey(String::new())));
        assert_eq!(with_key("updatedAt"), Err(InvalidPurposes::ReservedKey));
        assert_eq!(with_key("analytics"), Err(InvalidPurposes::DuplicateKey("analytics".into())));
    }
}
