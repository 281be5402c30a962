//! The keys that are derived from one secret.

use std::fmt;

use data_encoding::HEXLOWER;
use ring::{hkdf, hmac};

use super::aead::Key;

/// Bytes of an id. With four, two secrets of one installation have the same id once in four thousand million times.
const ID_BYTES: usize = 4;

/// Identifies a secret without revealing anything about it: it is derived from the secret like a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId([u8; ID_BYTES]);

impl KeyId {
    pub(super) const fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Eight hexadecimal digits.
impl fmt::Display for KeyId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&HEXLOWER.encode(&self.0))
    }
}

/// The keys of one secret, one for each use.
pub(super) struct KeySet {
    pub(super) id: KeyId,
    pub(super) tombstone: hmac::Key,
    pub(super) user_handle: hmac::Key,
    pub(super) receipt: hmac::Key,
    /// Encrypts the address for a receipt.
    pub(super) contact: Key,
    /// Encrypts the keys of data subjects.
    pub(super) subject: Key,
    /// Encrypts what browsers store.
    pub(super) browser: Key,
    pub(super) check: Key,
}

impl KeySet {
    /// Derives all keys with HKDF-SHA-256.
    pub(super) fn derive(secret: &[u8]) -> Self {
        let root = hkdf::Salt::new(hkdf::HKDF_SHA256, b"lethe").extract(secret);
        let hmac_key = |label| hmac::Key::new(hmac::HMAC_SHA256, &expand(&root, label));
        let mut id = [0; ID_BYTES];
        id.copy_from_slice(&expand(&root, b"id")[..ID_BYTES]);
        Self {
            id: KeyId(id),
            tombstone: hmac_key(b"tombstone"),
            user_handle: hmac_key(b"mark"),
            receipt: hmac_key(b"receipt"),
            contact: expand(&root, b"contact"),
            subject: expand(&root, b"subject"),
            browser: expand(&root, b"browser"),
            check: expand(&root, b"check"),
        }
    }
}

fn expand(root: &hkdf::Prk, label: &'static [u8]) -> Key {
    let mut key = [0; 32];
    root.expand(&[label], hkdf::HKDF_SHA256)
        .and_then(|material| material.fill(&mut key))
        .expect("32 bytes can be expanded from SHA-256");
    key
}
