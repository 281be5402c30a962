//! The keys that are derived from the configured secret, and authenticated encryption. Knows nothing of what is
//! encrypted.

use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::{hkdf, hmac};
use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

use crate::ids::{ClerkUserId, UserHandle};
use crate::platform::Random;

/// The secret is too short or isn't base64.
#[derive(Debug, thiserror::Error)]
#[error("the secret must be at least 32 random bytes in base64 (for example from `openssl rand -base64 32`)")]
pub struct InvalidSecret;

/// The keys that are derived from the secret. `Debug` doesn't show them.
pub struct Keys {
    tombstone: hmac::Key,
    user_handle: hmac::Key,
    receipt: hmac::Key,
    contact: [u8; 32],
    browser: [u8; 32],
    check: [u8; 32],
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Keys(..)")
    }
}

impl Keys {
    /// Derives all keys from `secret`, at least 32 bytes in base64, with HKDF-SHA-256.
    pub fn derive(secret: &SecretString) -> Result<Self, InvalidSecret> {
        let secret = BASE64.decode(secret.expose_secret().trim().as_bytes()).map_err(|_| InvalidSecret)?;
        if secret.len() < 32 {
            return Err(InvalidSecret);
        }
        let root = hkdf::Salt::new(hkdf::HKDF_SHA256, b"lethe").extract(&secret);
        let hmac_key = |purpose| hmac::Key::new(hmac::HMAC_SHA256, &expand(&root, purpose));
        Ok(Self {
            tombstone: hmac_key(b"tombstone"),
            user_handle: hmac_key(b"mark"),
            receipt: hmac_key(b"receipt"),
            contact: expand(&root, b"contact"),
            browser: expand(&root, b"browser"),
            check: expand(&root, b"check"),
        })
    }

    /// Returns the keyed hash by which an erased user is recognised.
    #[must_use]
    pub fn tombstone(&self, subject: &ClerkUserId) -> [u8; 32] {
        let mut digest = [0; 32];
        digest.copy_from_slice(hmac::sign(&self.tombstone, subject.as_str().as_bytes()).as_ref());
        digest
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
        UserHandle(HEXLOWER.encode(&hmac::sign(&self.user_handle, subject.as_str().as_bytes()).as_ref()[..16]))
    }

    /// Encrypts what a browser stores for the server, as base64url text. Only the server can read or make it.
    #[must_use]
    pub fn seal_for_browser(&self, plain: &[u8], random: &Random) -> String {
        BASE64URL_NOPAD.encode(&seal(&self.browser, plain, random))
    }

    /// Decrypts what [`Keys::seal_for_browser`] returned. Anything else is `None`.
    #[must_use]
    pub fn open_from_browser(&self, sealed: &str) -> Option<Vec<u8>> {
        open(&self.browser, &BASE64URL_NOPAD.decode(sealed.as_bytes()).ok()?)
    }

    /// Returns the bytes of the receipt code of `subject`'s request with this idempotency key. Without the secret they
    /// can't be guessed, and nothing leads from them to the subject.
    pub(crate) fn receipt(&self, subject: &ClerkUserId, idempotency_key: Uuid) -> [u8; 13] {
        let mut context = hmac::Context::with_key(&self.receipt);
        context.update(idempotency_key.as_bytes());
        context.update(subject.as_str().as_bytes());
        let mut bytes = [0; 13];
        bytes.copy_from_slice(&context.sign().as_ref()[..13]);
        bytes
    }

    /// A value by which the secret is recognised. Nothing else is derived from it.
    pub(crate) fn check(&self) -> &[u8; 32] {
        &self.check
    }

    /// The key that encrypts the address for a receipt until the receipt is sent.
    pub(crate) fn contact(&self) -> &[u8; 32] {
        &self.contact
    }
}

fn expand(root: &hkdf::Prk, label: &'static [u8]) -> [u8; 32] {
    let mut key = [0; 32];
    root.expand(&[label], hkdf::HKDF_SHA256)
        .and_then(|material| material.fill(&mut key))
        .expect("32 bytes can be expanded from SHA-256");
    key
}

/// Encrypts `plain` with ChaCha20-Poly1305. Returns the nonce, the ciphertext and the tag.
#[must_use]
pub(crate) fn seal(key: &[u8; 32], plain: &[u8], random: &Random) -> Vec<u8> {
    let nonce: [u8; NONCE_LEN] = random.bytes();
    let mut sealed = plain.to_vec();
    cipher(key)
        .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut sealed)
        .expect("a short text can be sealed");
    [nonce.as_slice(), &sealed].concat()
}

/// Decrypts what [`seal`] returned. With another key, or changed bytes, the result is `None`.
#[must_use]
pub(crate) fn open(key: &[u8; 32], sealed: &[u8]) -> Option<Vec<u8>> {
    let (nonce, sealed) = sealed.split_at_checked(NONCE_LEN)?;
    let mut plain = sealed.to_vec();
    let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
    let length = cipher(key).open_in_place(nonce, Aad::empty(), &mut plain).ok()?.len();
    plain.truncate(length);
    Some(plain)
}

fn cipher(key: &[u8; 32]) -> LessSafeKey {
    LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, key).expect("the key has 32 bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sealed_text_opens_only_unchanged_and_with_its_key() {
        let random = Random::system();
        let mut sealed = seal(&[1; 32], b"ada@example.org", &random);
        assert_eq!(open(&[1; 32], &sealed).as_deref(), Some(b"ada@example.org".as_slice()));
        assert_eq!(open(&[2; 32], &sealed), None);
        *sealed.last_mut().expect("not empty") ^= 1;
        assert_eq!(open(&[1; 32], &sealed), None);
        assert_eq!(open(&[1; 32], b"short"), None);
    }

    #[test]
    fn browser_value_opens_only_with_the_key_that_sealed_it() {
        let random = Random::system();
        let keys = |byte: u8| Keys::derive(&BASE64.encode(&[byte; 32]).into()).expect("long enough");
        let sealed = keys(1).seal_for_browser(b"an errand", &random);
        assert_eq!(keys(1).open_from_browser(&sealed).as_deref(), Some(b"an errand".as_slice()));
        assert_eq!(keys(2).open_from_browser(&sealed), None);
        for wrong in ["", "=", "not sealed", &sealed[1..], &format!("{sealed}A")] {
            assert_eq!(keys(1).open_from_browser(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn user_handle_differs_by_user_and_installation() {
        let keys = |byte: u8| Keys::derive(&BASE64.encode(&[byte; 32]).into()).expect("long enough");
        let person = |id: &str| ClerkUserId::parse(id).expect("it is an id");
        let (ada, grace) = (person("user_2abcdefghijklmnopqrstuvwxyz"), person("user_2zyxwvutsrqponmlkjihgfedcba"));
        assert_eq!(keys(1).user_handle(&ada), keys(1).user_handle(&ada));
        assert_ne!(keys(1).user_handle(&ada), keys(1).user_handle(&grace));
        assert_ne!(keys(1).user_handle(&ada), keys(2).user_handle(&ada));
    }

    #[test]
    fn short_secret_is_refused() {
        assert!(Keys::derive(&"c2hvcnQ=".into()).is_err());
        assert!(Keys::derive(&"not base64!".into()).is_err());
        assert!(Keys::derive(&BASE64.encode(&[7; 32]).into()).is_ok());
    }
}
