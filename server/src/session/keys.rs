//! Public keys, and verifying signatures with them.

use data_encoding::{BASE64, BASE64URL_NOPAD};
use lethe::clerk::{Jwk, Jwks};
use ring::signature::{
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RsaPublicKeyComponents,
};

use super::reason::TokenError;
use super::token::{Algorithm, Token};

/// An RSA key that signatures are verified with.
#[derive(Clone)]
pub struct PublicKey {
    modulus: Vec<u8>,
    exponent: Vec<u8>,
    /// The only algorithm that it may be used with.
    algorithm: Option<Algorithm>,
}

impl PublicKey {
    fn from_jwk(jwk: &Jwk) -> Option<Self> {
        if jwk.kty != "RSA" {
            return None;
        }
        let algorithm = match jwk.alg.as_deref() {
            None => None,
            Some(name) => Some(Algorithm::parse(name)?),
        };
        let number = |text: &str| BASE64URL_NOPAD.decode(text.as_bytes()).ok().and_then(unsigned);
        Some(Self { modulus: number(&jwk.n)?, exponent: number(&jwk.e)?, algorithm })
    }

    /// Reads a key as Clerk's dashboard shows it; line breaks may be written as `\n`.
    pub(super) fn from_pem(pem: &str) -> Option<Self> {
        let pem = pem.replace("\\n", "\n");
        let (_, rest) = pem.split_once("-----BEGIN PUBLIC KEY-----")?;
        let (body, _) = rest.split_once("-----END PUBLIC KEY-----")?;
        let body: String = body.split_whitespace().collect();
        let der = BASE64.decode(body.as_bytes()).ok()?;
        let (modulus, exponent) = components(&der)?;
        Some(Self { modulus, exponent, algorithm: Some(Algorithm::Rs256) })
    }

    pub(super) fn verify(&self, token: &Token<'_>, algorithm: Algorithm) -> Result<(), TokenError> {
        if self.algorithm.is_some_and(|only| only != algorithm) {
            return Err(TokenError::VerificationFailed);
        }
        let parameters = match algorithm {
            Algorithm::Rs256 => &RSA_PKCS1_2048_8192_SHA256,
            Algorithm::Rs384 => &RSA_PKCS1_2048_8192_SHA384,
            Algorithm::Rs512 => &RSA_PKCS1_2048_8192_SHA512,
        };
        RsaPublicKeyComponents { n: &self.modulus, e: &self.exponent }
            .verify(parameters, token.signed, &token.signature)
            .map_err(|_unspecified| TokenError::InvalidSignature)
    }
}

impl std::fmt::Debug for PublicKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "PublicKey({} bits)", self.modulus.len() * 8)
    }
}

/// The keys of an instance, by id.
#[derive(Clone, Debug, Default)]
pub struct KeyRing(Vec<(String, PublicKey)>);

impl KeyRing {
    /// Takes the RSA keys out of a set.
    #[must_use]
    pub fn new(jwks: &Jwks) -> Self {
        let read = |jwk: &Jwk| Some((jwk.kid.clone(), PublicKey::from_jwk(jwk)?));
        Self(jwks.keys.iter().filter_map(read).collect())
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The key with this id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&PublicKey> {
        self.0.iter().find(|(known, _)| known == id).map(|(_, key)| key)
    }
}

/// What it means that a key isn't in the ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absent {
    /// Nobody has looked yet: fetch the keys and decide again.
    Ask,
    /// The ring is new: there is no such key.
    Unknown,
    /// The keys couldn't be fetched.
    Unavailable,
}

/// The keys that a decision is made with.
#[derive(Clone, Copy, Debug)]
pub struct KeySource<'a> {
    /// The keys that are known.
    pub ring: &'a KeyRing,
    /// What to think of others.
    pub absent: Absent,
}

/// Why a key isn't at hand.
pub(super) enum NoKey {
    Fetch,
    Refused(TokenError),
}

impl<'a> KeySource<'a> {
    pub(super) fn find(&self, id: Option<&str>) -> Result<&'a PublicKey, NoKey> {
        match (id.and_then(|id| self.ring.get(id)), self.absent) {
            (Some(key), _) => Ok(key),
            (None, Absent::Ask) => Err(NoKey::Fetch),
            (None, Absent::Unknown) => Err(NoKey::Refused(TokenError::UnknownKey)),
            (None, Absent::Unavailable) => Err(NoKey::Refused(TokenError::KeysUnavailable)),
        }
    }
}

/// Modulus and exponent out of a `SubjectPublicKeyInfo` in DER.
fn components(der: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    const SEQUENCE: u8 = 0x30;
    const BIT_STRING: u8 = 0x03;
    const INTEGER: u8 = 0x02;
    /// `rsaEncryption` without parameters.
    const RSA: &[u8] = &[0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00];
    let (info, rest) = element(SEQUENCE, der)?;
    let (algorithm, info) = element(SEQUENCE, info)?;
    let (bits, end) = element(BIT_STRING, info)?;
    let (key, trailing) = element(SEQUENCE, bits.strip_prefix(&[0])?)?;
    let (modulus, key) = element(INTEGER, key)?;
    let (exponent, key) = element(INTEGER, key)?;
    let complete = algorithm == RSA && [rest, end, trailing, key].iter().all(|left| left.is_empty());
    let modulus = unsigned(modulus.to_vec())?;
    complete.then_some((modulus, unsigned(exponent.to_vec())?))
}

/// The content of the element at the beginning, and what follows it.
fn element(tag: u8, der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&[found, first], rest) = der.split_first_chunk::<2>()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81 => (usize::from(*rest.first()?), &rest[1..]),
        0x82 => {
            let (length, rest) = rest.split_first_chunk::<2>()?;
            (usize::from(u16::from_be_bytes(*length)), rest)
        }
        _ => return None,
    };
    (found == tag && length <= rest.len()).then(|| rest.split_at(length))
}

/// Without leading zeros, which ring doesn't take.
fn unsigned(bytes: Vec<u8>) -> Option<Vec<u8>> {
    let start = bytes.iter().position(|byte| *byte != 0)?;
    Some(if start == 0 { bytes } else { bytes[start..].to_vec() })
}
