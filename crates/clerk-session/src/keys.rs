//! Public keys (JWK and PEM), and verifying signatures with them.

use data_encoding::{BASE64, BASE64URL_NOPAD};
use pkcs1::RsaPublicKey;
use ring::signature::{
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RsaPublicKeyComponents,
};
use spki::SubjectPublicKeyInfoRef;
use spki::der::Decode;

use crate::jwks::{Jwk, Jwks};
use crate::reason::TokenError;

/// A signature algorithm (`alg`, RFC 7518) that is accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    Rs384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    Rs512,
}

impl Algorithm {
    pub(crate) fn parse(name: &str) -> Option<Self> {
        match name {
            "RS256" => Some(Self::Rs256),
            "RS384" => Some(Self::Rs384),
            "RS512" => Some(Self::Rs512),
            _ => None,
        }
    }
}

/// An RSA public key.
#[derive(Clone)]
pub struct PublicKey {
    /// Big-endian, without leading zeros.
    modulus: Vec<u8>,
    /// Big-endian, without leading zeros, as the modulus.
    exponent: Vec<u8>,
    /// The only algorithm that the key may be used with; `None`: any.
    algorithm: Option<Algorithm>,
}

impl PublicKey {
    /// Reads a JWK. `None` if it is not an RSA key, not for verifying signatures, names an unsupported algorithm, or is
    /// damaged.
    #[must_use]
    pub fn from_jwk(jwk: &Jwk) -> Option<Self> {
        let is_for_signatures = jwk.usage.as_deref().is_none_or(|usage| usage == "sig")
            && jwk.key_ops.as_ref().is_none_or(|operations| operations.iter().any(|operation| operation == "verify"));
        if jwk.kty != "RSA" || !is_for_signatures {
            return None;
        }
        let algorithm = match jwk.alg.as_deref() {
            None => None,
            Some(name) => Some(Algorithm::parse(name)?),
        };
        let integer = |text: &str| without_leading_zeros(&BASE64URL_NOPAD.decode(text.as_bytes()).ok()?);
        Some(Self { modulus: integer(&jwk.n)?, exponent: integer(&jwk.e)?, algorithm })
    }

    /// Reads the instance's key in PEM (`-----BEGIN PUBLIC KEY-----`), as Clerk's dashboard shows it.
    ///
    /// As in Clerk's SDK line breaks may be anywhere, missing, or written as `\n`: keys are often passed in environment
    /// variables. A parser for RFC 7468 would refuse those.
    #[must_use]
    pub fn from_pem(pem: &str) -> Option<Self> {
        let pem = pem.replace("\\n", "\n");
        let (_, rest) = pem.split_once("-----BEGIN PUBLIC KEY-----")?;
        let (body, _) = rest.split_once("-----END PUBLIC KEY-----")?;
        let body: String = body.split_whitespace().collect();
        let der = BASE64.decode(body.as_bytes()).ok()?;
        let info = SubjectPublicKeyInfoRef::from_der(&der).ok()?;
        (info.algorithm == pkcs1::ALGORITHM_ID).then_some(())?;
        let key = RsaPublicKey::from_der(info.subject_public_key.as_bytes()?).ok()?;
        Some(Self {
            modulus: without_leading_zeros(key.modulus.as_bytes())?,
            exponent: without_leading_zeros(key.public_exponent.as_bytes())?,
            algorithm: Some(Algorithm::Rs256),
        })
    }

    /// Whether both have the same modulus and exponent, whatever algorithms they may be used with.
    #[must_use]
    pub fn is_same_key(&self, other: &Self) -> bool {
        self.modulus == other.modulus && self.exponent == other.exponent
    }

    /// Verifies `signature` over `signed`. Keys of fewer than 256 bytes (2048 bits) verify nothing.
    pub fn verify(&self, algorithm: Algorithm, signed: &[u8], signature: &[u8]) -> Result<(), TokenError> {
        if self.algorithm.is_some_and(|only| only != algorithm) {
            return Err(TokenError::VerificationFailed);
        }
        let parameters = match algorithm {
            Algorithm::Rs256 => &RSA_PKCS1_2048_8192_SHA256,
            Algorithm::Rs384 => &RSA_PKCS1_2048_8192_SHA384,
            Algorithm::Rs512 => &RSA_PKCS1_2048_8192_SHA512,
        };
        RsaPublicKeyComponents { n: &self.modulus, e: &self.exponent }
            .verify(parameters, signed, signature)
            .map_err(|_unspecified| TokenError::InvalidSignature)
    }
}

impl std::fmt::Debug for PublicKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "PublicKey({} bits)", self.modulus.len() * 8)
    }
}

/// `ring` refuses leading zeros. `None` for zero.
fn without_leading_zeros(bytes: &[u8]) -> Option<Vec<u8>> {
    let start = bytes.iter().position(|byte| *byte != 0)?;
    Some(bytes[start..].to_vec())
}

/// An instance's public keys by id (`kid`).
#[derive(Clone, Debug, Default)]
pub struct KeyRing(Vec<(String, PublicKey)>);

impl KeyRing {
    /// Takes the usable keys of a set and skips the others.
    #[must_use]
    pub fn new(jwks: &Jwks) -> Self {
        let read = |jwk: &Jwk| Some((jwk.kid.clone(), PublicKey::from_jwk(jwk)?));
        Self(jwks.keys.iter().filter_map(read).collect())
    }

    /// Whether there is no key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The key with this id; of several the last.
    #[must_use]
    pub fn get(&self, kid: &str) -> Option<&PublicKey> {
        self.0.iter().rev().find(|(known, _)| known == kid).map(|(_, key)| key)
    }
}

/// What it means that a key is not in the ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyMiss {
    /// The keys were not fetched for this request yet: fetch them and decide again.
    Fetch,
    /// The ring is up to date: the instance has no such key.
    Unknown,
    /// The keys could not be fetched.
    Unavailable,
}

/// The keys that a decision is made with.
#[derive(Clone, Copy, Debug)]
pub struct KeySource<'a> {
    /// The keys at hand.
    pub ring: &'a KeyRing,
    /// What it means that a key is not among them.
    pub on_miss: KeyMiss,
}

/// Why there is no key to verify with.
pub(crate) enum KeyError {
    FetchRequired,
    Token(TokenError),
}

impl<'a> KeySource<'a> {
    pub(crate) fn find(&self, kid: Option<&str>) -> Result<&'a PublicKey, KeyError> {
        match (kid.and_then(|kid| self.ring.get(kid)), self.on_miss) {
            (Some(key), _) => Ok(key),
            (None, KeyMiss::Fetch) => Err(KeyError::FetchRequired),
            (None, KeyMiss::Unknown) => Err(KeyError::Token(TokenError::UnknownKey)),
            (None, KeyMiss::Unavailable) => Err(KeyError::Token(TokenError::KeysUnavailable)),
        }
    }
}
