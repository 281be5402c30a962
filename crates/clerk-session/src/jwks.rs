//! JSON Web Key Sets (RFC 7517), as Clerk's `GET /v1/jwks` returns them.

use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// A set of public keys.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Jwks {
    /// The keys. Deserializing skips entries that are not readable as a [`Jwk`], so that a key of a new kind does not
    /// make the others unusable, and private keys.
    #[serde(deserialize_with = "deserialize_readable")]
    pub keys: Vec<Jwk>,
}

/// A public key. Only RSA keys are used.
#[derive(Clone, Debug, Deserialize)]
pub struct Jwk {
    /// The key's id, which the header of a token names.
    pub kid: String,
    /// The key's type: `RSA`.
    pub kty: String,
    /// The only algorithm that the key may be used with. `None`: any supported one.
    #[serde(default)]
    pub alg: Option<String>,
    /// What the key is for: `sig`. `None`: not stated.
    #[serde(default, rename = "use")]
    pub usage: Option<String>,
    /// The operations that the key is for, among them `verify`. `None`: not stated.
    #[serde(default)]
    pub key_ops: Option<Vec<String>>,
    /// The modulus in base64url without padding.
    #[serde(default)]
    pub n: String,
    /// The public exponent in base64url without padding.
    #[serde(default)]
    pub e: String,
}

fn deserialize_readable<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Jwk>, D::Error> {
    let values = Vec::<Value>::deserialize(deserializer)?;
    let public = values.into_iter().filter(|value| value.get("d").is_none());
    Ok(public.filter_map(|value| serde_json::from_value(value).ok()).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn unreadable_keys_are_skipped() {
        let jwks: Jwks = serde_json::from_value(json!({"keys": [
            {"kid": 5},
            {"kid": "private", "kty": "RSA", "n": "AQ", "e": "AQAB", "d": "AQ"},
            {"kid": "a", "kty": "OKP", "crv": "Ed25519", "x": "…"},
            {"kid": "b", "kty": "RSA", "n": "AQ", "e": "AQAB", "use": "sig"},
        ]}))
        .unwrap();
        assert_eq!(jwks.keys.iter().map(|key| key.kid.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    }
}
