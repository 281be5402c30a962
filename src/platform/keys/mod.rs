//! The keys that are derived from the configured secrets, and what is encrypted with them. Knows ids, and nothing of what
//! becomes of the texts.
//!
//! There may be several secrets. The newest makes everything; all of them recognise and open what they once made. A sealed
//! text names the secret that sealed it: a version (1), the secret's id, the nonce and the ciphertext. Texts from before,
//! without version, id and associated data, still open.

mod aead;
mod key_set;
mod subject_key;

use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER};
use ring::hmac;
use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

pub use key_set::KeyId;
pub(crate) use subject_key::{EntryContext, SubjectKey};

use self::aead::{AssociatedData, Key};
use self::key_set::KeySet;
use crate::identifiers::Identifiers;
use crate::ids::{ClerkUserId, DataSubjectId, UserHandle};
use crate::platform::Random;

/// The first byte of a text that names the secret which sealed it.
const VERSION: u8 = 1;

/// 256 bits, as the keys that are derived from it have.
const MIN_SECRET_BYTES: usize = 32;

/// A secret is too short or isn't base64, or there is none.
#[derive(Debug, thiserror::Error)]
#[error(
    "a secret must be at least 32 random bytes in base64 (for example from `openssl rand -base64 32`); several are separated by commas or lines, the newest first"
)]
pub struct InvalidSecret;

/// The keys that are derived from the secrets. `Debug` doesn't show them.
pub struct Keys {
    newest: KeySet,
    older: Vec<KeySet>,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Keys(..)")
    }
}

impl Keys {
    /// Derives all keys from `secrets`: one or several, the newest first, separated by commas, spaces or lines. Each is at
    /// least 32 bytes in base64.
    ///
    /// ```
    /// use lethe::keys::Keys;
    ///
    /// let old = "dGhlIHNlY3JldCBvZiB0aGUgdGVzdHMsIDMyIGJ5dGVzIG9yIG1vcmU=";
    /// let new = "YW5vdGhlciBzZWNyZXQgb2YgdGhlIHRlc3RzLCAzMiBieXRlcyBhcyB3ZWxs";
    /// let keys = Keys::derive(&format!("{new},{old}").into())?;
    /// assert_eq!(keys.ids().last(), Keys::derive(&old.into())?.ids().next());
    /// # Ok::<(), lethe::keys::InvalidSecret>(())
    /// ```
    pub fn derive(secrets: &SecretString) -> Result<Self, InvalidSecret> {
        let is_separator = |letter: char| letter == ',' || letter.is_whitespace();
        let mut sets: Vec<KeySet> = Vec::new();
        for secret in secrets.expose_secret().split(is_separator).filter(|secret| !secret.is_empty()) {
            let secret = BASE64.decode(secret.as_bytes()).map_err(|_| InvalidSecret)?;
            if secret.len() < MIN_SECRET_BYTES {
                return Err(InvalidSecret);
            }
            let set = KeySet::derive(&secret);
            if !sets.iter().any(|other| other.id == set.id) {
                sets.push(set);
            }
        }
        let mut sets = sets.into_iter();
        Ok(Self { newest: sets.next().ok_or(InvalidSecret)?, older: sets.collect() })
    }

    /// The ids of the secrets, the newest first.
    pub fn ids(&self) -> impl Iterator<Item = KeyId> {
        self.sets().map(|set| set.id)
    }

    /// The id of the secret that makes everything new.
    #[must_use]
    pub const fn newest_id(&self) -> KeyId {
        self.newest.id
    }

    /// Returns the keyed hash by which an erased user is recognised.
    #[must_use]
    pub fn tombstone(&self, subject: &ClerkUserId) -> [u8; 32] {
        tombstone(&self.newest, subject)
    }

    /// Returns all hashes by which an erased user is recognised: one for each secret, the newest first.
    #[must_use]
    pub fn tombstones(&self, subject: &ClerkUserId) -> Vec<[u8; 32]> {
        self.sets().map(|set| tombstone(set, subject)).collect()
    }

    /// Returns the keyed hash that identifies a user to their own browser.
    ///
    /// ```
    /// use lethe::{ClerkUserId, keys::Keys};
    ///
    /// let keys = Keys::derive(&"dGhlIHNlY3JldCBvZiB0aGUgdGVzdHMsIDMyIGJ5dGVzIG9yIG1vcmU=".into())?;
    /// let handle = keys.user_handle(&ClerkUserId::parse("user_2abcDEF0123456789")?);
    /// assert_eq!(handle.as_str().len(), 32);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn user_handle(&self, subject: &ClerkUserId) -> UserHandle {
        user_handle(&self.newest, subject)
    }

    /// Returns the handles that the user had under older secrets. Forms that were rendered before a rotation carry them.
    #[must_use]
    pub fn former_user_handles(&self, subject: &ClerkUserId) -> Vec<UserHandle> {
        self.older.iter().map(|set| user_handle(set, subject)).collect()
    }

    /// Encrypts what a browser stores for the server under `name`, as base64url text. Only the server can read or make it.
    #[must_use]
    pub fn seal_for_browser(&self, name: &str, plain: &[u8], random: &Random) -> String {
        BASE64URL_NOPAD.encode(&self.seal(|set| &set.browser, &browser_data(name), plain, random))
    }

    /// Decrypts what [`Keys::seal_for_browser`] returned for this name. Anything else is `None`.
    #[must_use]
    pub fn open_from_browser(&self, name: &str, sealed: &str) -> Option<Vec<u8>> {
        self.open(|set| &set.browser, &browser_data(name), &BASE64URL_NOPAD.decode(sealed.as_bytes()).ok()?)
    }

    /// Returns the bytes of the receipt code of `subject`'s request with this idempotency key. Without the secret they
    /// can't be guessed, and nothing leads from them to the subject.
    pub(crate) fn receipt(&self, subject: &ClerkUserId, idempotency_key: Uuid) -> [u8; 13] {
        let mut context = hmac::Context::with_key(&self.newest.receipt);
        context.update(idempotency_key.as_bytes());
        context.update(subject.as_str().as_bytes());
        let mut bytes = [0; 13];
        bytes.copy_from_slice(&context.sign().as_ref()[..13]);
        bytes
    }

    /// Encrypts the address for the receipt of a deletion request, until the receipt is sent.
    pub(crate) fn seal_contact(&self, request: Uuid, address: &str, random: &Random) -> Vec<u8> {
        self.seal(|set| &set.contact, &contact_data(request), address.as_bytes(), random)
    }

    /// Decrypts what [`Keys::seal_contact`] returned for this request.
    pub(crate) fn open_contact(&self, request: Uuid, sealed: &[u8]) -> Option<String> {
        String::from_utf8(self.open(|set| &set.contact, &contact_data(request), sealed)?).ok()
    }

    /// Encrypts the identifiers of whoever a deletion request is about, until the last recheck.
    pub(crate) fn seal_identifiers(&self, request: Uuid, subject: &Identifiers, random: &Random) -> Vec<u8> {
        self.seal(|set| &set.contact, &user_id_data(request), subject.to_json().as_bytes(), random)
    }

    /// Decrypts what [`Keys::seal_identifiers`] returned for this request.
    pub(crate) fn open_identifiers(&self, request: Uuid, sealed: &[u8]) -> Option<Identifiers> {
        let stored = self.open(|set| &set.contact, &user_id_data(request), sealed)?;
        Identifiers::from_stored(std::str::from_utf8(&stored).ok()?)
    }

    /// Encrypts the key of a data subject.
    pub(crate) fn wrap(&self, subject: DataSubjectId, key: &SubjectKey, random: &Random) -> Vec<u8> {
        self.seal(|set| &set.subject, &subject_data(subject), &key.0, random)
    }

    /// Decrypts what [`Keys::wrap`] returned for this data subject.
    pub(crate) fn unwrap_key(&self, subject: DataSubjectId, wrapped: &[u8]) -> Option<SubjectKey> {
        let key = self.open(|set| &set.subject, &subject_data(subject), wrapped)?;
        key.try_into().ok().map(SubjectKey)
    }

    /// What a text begins with that the newest secret sealed.
    pub(crate) fn newest_prefix(&self) -> Vec<u8> {
        prefix(&self.newest)
    }

    /// For each secret, the newest first, its id and a value by which it is recognised. Nothing else is derived from that.
    pub(crate) fn checks(&self) -> impl Iterator<Item = (KeyId, &[u8])> {
        self.sets().map(|set| (set.id, set.check.as_slice()))
    }

    fn sets(&self) -> impl Iterator<Item = &KeySet> {
        std::iter::once(&self.newest).chain(&self.older)
    }

    fn seal(&self, key: fn(&KeySet) -> &Key, data: &AssociatedData, plain: &[u8], random: &Random) -> Vec<u8> {
        [prefix(&self.newest), aead::seal(key(&self.newest), data, plain, random)].concat()
    }

    fn open(&self, key: fn(&KeySet) -> &Key, data: &AssociatedData, sealed: &[u8]) -> Option<Vec<u8>> {
        let versioned = self.sets().find_map(|set| {
            let sealed = sealed.strip_prefix(prefix(set).as_slice())?;
            aead::open(key(set), data, sealed)
        });
        // The authentication tag decides: no text opens both ways.
        versioned.or_else(|| self.sets().find_map(|set| aead::open(key(set), &AssociatedData::none(), sealed)))
    }
}

fn prefix(set: &KeySet) -> Vec<u8> {
    [&[VERSION], set.id.as_bytes()].concat()
}

fn tombstone(set: &KeySet, subject: &ClerkUserId) -> [u8; 32] {
    let mut digest = [0; 32];
    digest.copy_from_slice(hmac::sign(&set.tombstone, subject.as_str().as_bytes()).as_ref());
    digest
}

fn user_handle(set: &KeySet, subject: &ClerkUserId) -> UserHandle {
    UserHandle(HEXLOWER.encode(&hmac::sign(&set.user_handle, subject.as_str().as_bytes()).as_ref()[..16]))
}

fn browser_data(name: &str) -> AssociatedData {
    AssociatedData::new("browser", &[name.as_bytes()])
}

fn contact_data(request: Uuid) -> AssociatedData {
    AssociatedData::new("contact", &[request.as_bytes()])
}

fn user_id_data(request: Uuid) -> AssociatedData {
    AssociatedData::new("recheck", &[request.as_bytes()])
}

fn subject_data(subject: DataSubjectId) -> AssociatedData {
    AssociatedData::new("data_subject", &[subject.0.as_bytes()])
}

#[cfg(test)]
mod tests;
