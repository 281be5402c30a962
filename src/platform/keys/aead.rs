//! Authenticated encryption with associated data: ChaCha20-Poly1305 (RFC 8439).

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

use crate::platform::Random;

/// A key of the cipher.
pub(super) type Key = [u8; 32];

/// What a sealed text belongs to, for example a row. It isn't part of the text: whoever opens it names it again, so that a
/// text which was moved to another row doesn't open there.
pub(super) struct AssociatedData(Vec<u8>);

impl AssociatedData {
    /// Each part is preceded by its length, so that different lists never encode to the same bytes.
    pub(super) fn new(purpose: &str, parts: &[&[u8]]) -> Self {
        let mut encoded = Vec::new();
        for part in std::iter::once(purpose.as_bytes()).chain(parts.iter().copied()) {
            encoded.extend_from_slice(&(part.len() as u64).to_be_bytes());
            encoded.extend_from_slice(part);
        }
        Self(encoded)
    }

    /// That of texts from before associated data was used.
    pub(super) const fn none() -> Self {
        Self(Vec::new())
    }
}

/// Encrypts `plain`. Returns the nonce, the ciphertext and the tag.
pub(super) fn seal(key: &Key, data: &AssociatedData, plain: &[u8], random: &Random) -> Vec<u8> {
    let nonce: [u8; NONCE_LEN] = random.bytes();
    let mut sealed = plain.to_vec();
    cipher(key)
        .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(&data.0), &mut sealed)
        .expect("a short text can be sealed");
    [nonce.as_slice(), &sealed].concat()
}

/// Decrypts what [`seal`] returned. With another key, other associated data or changed bytes, the result is `None`.
pub(super) fn open(key: &Key, data: &AssociatedData, sealed: &[u8]) -> Option<Vec<u8>> {
    let (nonce, sealed) = sealed.split_at_checked(NONCE_LEN)?;
    let mut plain = sealed.to_vec();
    let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
    let length = cipher(key).open_in_place(nonce, Aad::from(&data.0), &mut plain).ok()?.len();
    plain.truncate(length);
    Some(plain)
}

fn cipher(key: &Key) -> LessSafeKey {
    LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, key).expect("the key has 32 bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sealed_text_opens_only_unchanged_and_with_its_key_and_data() {
        let random = Random::system();
        let row = |id: &[u8]| AssociatedData::new("row", &[id]);
        let mut sealed = seal(&[1; 32], &row(b"1"), b"ada@example.org", &random);
        assert_eq!(open(&[1; 32], &row(b"1"), &sealed).as_deref(), Some(b"ada@example.org".as_slice()));
        assert_eq!(open(&[2; 32], &row(b"1"), &sealed), None);
        assert_eq!(open(&[1; 32], &row(b"2"), &sealed), None);
        assert_eq!(open(&[1; 32], &AssociatedData::none(), &sealed), None);
        *sealed.last_mut().expect("not empty") ^= 1;
        assert_eq!(open(&[1; 32], &row(b"1"), &sealed), None);
        assert_eq!(open(&[1; 32], &row(b"1"), b"short"), None);
    }

    #[test]
    fn parts_of_associated_data_are_distinguished() {
        let encoded = |parts: &[&[u8]]| AssociatedData::new("p", parts).0;
        assert_ne!(encoded(&[b"ab", b"c"]), encoded(&[b"a", b"bc"]));
        assert_ne!(encoded(&[b"ab"]), encoded(&[b"ab", b""]));
    }
}
