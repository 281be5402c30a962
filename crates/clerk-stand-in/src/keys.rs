//! Signing keys: stored in the database, published as a key set, used to sign JSON Web Tokens.

use data_encoding::BASE64URL_NOPAD;
use ring::{
    rand::SystemRandom,
    rsa::{KeyPair, PublicKeyComponents},
    signature::{RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256},
};
use rsa::{
    BigUint, RsaPrivateKey, RsaPublicKey,
    pkcs8::{EncodePrivateKey, EncodePublicKey, LineEnding},
    rand_core::OsRng,
};
use serde_json::{Map, Value, json};
use sqlx::PgPool;

use crate::{Error, ids};

/// The header field `cat` of session tokens, by which the SDKs tell them from the instance's other tokens.
const SESSION_CATEGORY: &str = "cl_B7d4PD111AAA";

/// An RS256 key.
pub(crate) struct Key {
    kid: String,
    pair: KeyPair,
}

impl Key {
    /// Generates a key and stores it. Takes up to a second if `rsa` is compiled without optimizations.
    pub(crate) async fn generate(pool: &PgPool, now: i64) -> Result<Self, Error> {
        let pkcs8 = tokio::task::spawn_blocking(|| {
            let key = RsaPrivateKey::new(&mut OsRng, 2048).map_err(|error| error.to_string())?;
            let der = key.to_pkcs8_der().map_err(|error| error.to_string())?;
            Ok(der.as_bytes().to_vec())
        })
        .await
        .unwrap_or_else(|error| Err(error.to_string()))
        .map_err(Error::KeyGeneration)?;
        let kid = ids::random("ins");
        sqlx::query("INSERT INTO keys (kid, pkcs8, created_at) VALUES ($1, $2, $3)")
            .bind(&kid)
            .bind(&pkcs8)
            .bind(now)
            .execute(pool)
            .await?;
        Self::read(kid, &pkcs8)
    }

    /// Loads all keys, the newest first.
    pub(crate) async fn load(pool: &PgPool) -> Result<Vec<Self>, Error> {
        let rows: Vec<(String, Vec<u8>)> =
            sqlx::query_as("SELECT kid, pkcs8 FROM keys ORDER BY created_at DESC, kid").fetch_all(pool).await?;
        rows.into_iter().map(|(kid, pkcs8)| Self::read(kid, &pkcs8)).collect()
    }

    fn read(kid: String, pkcs8: &[u8]) -> Result<Self, Error> {
        match KeyPair::from_pkcs8(pkcs8) {
            Ok(pair) => Ok(Self { kid, pair }),
            Err(rejected) => Err(Error::InvalidSigningKey { kid, reason: rejected.to_string() }),
        }
    }

    /// The public key as a member of a JSON Web Key Set.
    pub(crate) fn jwk(&self) -> Value {
        let public: PublicKeyComponents<Vec<u8>> = self.pair.public().into();
        json!({
            "use": "sig", "kty": "RSA", "alg": "RS256", "kid": self.kid,
            "n": BASE64URL_NOPAD.encode(&public.n), "e": BASE64URL_NOPAD.encode(&public.e),
        })
    }

    /// The public key as PEM, as `CLERK_JWT_KEY` expects it.
    pub(crate) fn public_pem(&self) -> String {
        let public: PublicKeyComponents<Vec<u8>> = self.pair.public().into();
        let (n, e) = (BigUint::from_bytes_be(&public.n), BigUint::from_bytes_be(&public.e));
        let key = RsaPublicKey::new(n, e).expect("ring accepted the key");
        key.to_public_key_pem(LineEnding::LF).expect("a public key can be encoded")
    }

    /// Signs a session token. `header` overrides the usual header fields.
    pub(crate) fn sign(&self, claims: &Value, header: Map<String, Value>) -> String {
        let mut fields = json!({ "alg": "RS256", "cat": SESSION_CATEGORY, "kid": self.kid, "typ": "JWT" });
        overlay(&mut fields, header);
        let message = format!(
            "{}.{}",
            BASE64URL_NOPAD.encode(fields.to_string().as_bytes()),
            BASE64URL_NOPAD.encode(claims.to_string().as_bytes())
        );
        let mut signature = vec![0; self.pair.public().modulus_len()];
        self.pair
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message.as_bytes(), &mut signature)
            .expect("the signature has the modulus' length");
        format!("{message}.{}", BASE64URL_NOPAD.encode(&signature))
    }

    /// The claims of a token that this key signed, even an expired one.
    pub(crate) fn claims(&self, token: &str) -> Option<Value> {
        let (message, signature) = token.rsplit_once('.')?;
        let (_, claims) = message.split_once('.')?;
        let public: PublicKeyComponents<Vec<u8>> = self.pair.public().into();
        let signature = BASE64URL_NOPAD.decode(signature.as_bytes()).ok()?;
        public.verify(&RSA_PKCS1_2048_8192_SHA256, message.as_bytes(), &signature).ok()?;
        serde_json::from_slice(&BASE64URL_NOPAD.decode(claims.as_bytes()).ok()?).ok()
    }
}

/// Sets the fields of an object; `null` removes a field.
pub(crate) fn overlay(object: &mut Value, changes: Map<String, Value>) {
    let fields = object.as_object_mut().expect("header and claims are objects");
    for (name, value) in changes {
        if value.is_null() {
            fields.remove(&name);
        } else {
            fields.insert(name, value);
        }
    }
}
