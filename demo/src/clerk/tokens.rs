//! Signing keys and the JSON Web Tokens made with them. Knows claims, not who gets them.

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use ring::{
    rand::SystemRandom,
    rsa::{KeyPair, PublicKeyComponents},
    signature::{RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256},
};
use rsa::{
    BigUint, RsaPrivateKey, RsaPublicKey,
    pkcs8::{EncodePrivateKey, EncodePublicKey},
    rand_core::OsRng,
};
use serde_json::{Map, Value, json};
use sqlx::PgPool;

use super::{ids, sessions::Session};

/// The header `cat` of session tokens, by which the SDKs tell them from other tokens of the instance.
const SESSION_CATEGORY: &str = "cl_B7d4PD111AAA";
const LIFETIME_SECONDS: i64 = 60;
/// How far before its making a token is valid, so that clocks may differ a little.
const NOT_BEFORE_SECONDS: i64 = 10;

/// What a test may ask of a token that the stand-in would not make by itself.
#[derive(Debug, Clone, Default)]
pub struct TokenOptions {
    /// Unix seconds of `iat`; now, if absent.
    pub issued_at: Option<i64>,
    /// Seconds from `iat` to `exp`; 60, if absent.
    pub lifetime: Option<i64>,
    /// `fva`: minutes since the first and the second factor were verified, -1 for none.
    pub factor_ages: Option<[i64; 2]>,
    /// `act`: the id of who acts as this person.
    pub actor: Option<String>,
    /// `sts`, for example `pending`.
    pub status: Option<String>,
    /// `azp`, the origin of the application.
    pub authorized_party: Option<String>,
    /// Further claims; `null` takes one away.
    pub claims: Map<String, Value>,
    /// Further header fields; `null` takes one away.
    pub header: Map<String, Value>,
}

/// An RS256 key.
pub(super) struct Key {
    kid: String,
    pair: KeyPair,
}

impl Key {
    /// Makes a key and stores it. Takes a second in a build without optimisation.
    pub(super) async fn generate(pool: &PgPool, now: i64) -> anyhow::Result<Self> {
        let pkcs8 = tokio::task::spawn_blocking(|| {
            let key = RsaPrivateKey::new(&mut OsRng, 2048)?;
            anyhow::Ok(key.to_pkcs8_der()?.as_bytes().to_vec())
        })
        .await??;
        let kid = ids::random("ins");
        sqlx::query("INSERT INTO keys (kid, pkcs8, created_at) VALUES ($1, $2, $3)")
            .bind(&kid)
            .bind(&pkcs8)
            .bind(now)
            .execute(pool)
            .await?;
        Self::read(kid, &pkcs8)
    }

    /// All stored keys, the newest first.
    pub(super) async fn load(pool: &PgPool) -> anyhow::Result<Vec<Self>> {
        let rows: Vec<(String, Vec<u8>)> =
            sqlx::query_as("SELECT kid, pkcs8 FROM keys ORDER BY created_at DESC, kid").fetch_all(pool).await?;
        rows.into_iter().map(|(kid, pkcs8)| Self::read(kid, &pkcs8)).collect()
    }

    fn read(kid: String, pkcs8: &[u8]) -> anyhow::Result<Self> {
        let pair =
            KeyPair::from_pkcs8(pkcs8).map_err(|rejected| anyhow::anyhow!("key {kid} can't be read: {rejected}"))?;
        Ok(Self { kid, pair })
    }

    /// The public half as a member of a key set.
    pub(super) fn jwk(&self) -> Value {
        let public: PublicKeyComponents<Vec<u8>> = self.pair.public().into();
        json!({
            "use": "sig", "kty": "RSA", "alg": "RS256", "kid": self.kid,
            "n": BASE64URL_NOPAD.encode(&public.n), "e": BASE64URL_NOPAD.encode(&public.e),
        })
    }

    /// The public half as DER with its algorithm, as in a PEM file.
    pub(super) fn public_der(&self) -> Vec<u8> {
        let public: PublicKeyComponents<Vec<u8>> = self.pair.public().into();
        let (n, e) = (BigUint::from_bytes_be(&public.n), BigUint::from_bytes_be(&public.e));
        let key = RsaPublicKey::new(n, e).expect("ring accepted the key");
        key.to_public_key_der().expect("a public key has a DER form").into_vec()
    }

    /// A signed token of the session category.
    pub(super) fn sign(&self, claims: &Value, header: Map<String, Value>) -> String {
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

    /// The claims of a token that this key signed, expired or not.
    pub(super) fn claims(&self, token: &str) -> Option<Value> {
        let (message, signature) = token.rsplit_once('.')?;
        let (_, claims) = message.split_once('.')?;
        let public: PublicKeyComponents<Vec<u8>> = self.pair.public().into();
        let signature = BASE64URL_NOPAD.decode(signature.as_bytes()).ok()?;
        public.verify(&RSA_PKCS1_2048_8192_SHA256, message.as_bytes(), &signature).ok()?;
        serde_json::from_slice(&BASE64URL_NOPAD.decode(claims.as_bytes()).ok()?).ok()
    }
}

/// The claims of a session token, version 2. `now` in milliseconds.
pub(super) fn session_claims(session: &Session, issuer: &str, now: i64, options: TokenOptions) -> Value {
    let issued_at = options.issued_at.unwrap_or(now / 1000);
    let minutes = (issued_at - session.verified_at / 1000).max(0) / 60;
    let mut claims = json!({
        "exp": issued_at + options.lifetime.unwrap_or(LIFETIME_SECONDS),
        "fva": options.factor_ages.unwrap_or([minutes, -1]),
        "iat": issued_at,
        "iss": issuer,
        "jti": HEXLOWER.encode(&ids::bytes::<10>()),
        "nbf": issued_at - NOT_BEFORE_SECONDS,
        "sid": session.id,
        "sts": options.status.as_deref().unwrap_or("active"),
        "sub": session.user_id,
        "v": 2,
    });
    if let Some(origin) = options.authorized_party {
        claims["azp"] = origin.into();
    }
    if let Some(actor) = options.actor {
        claims["act"] = json!({ "sub": actor });
    }
    overlay(&mut claims, options.claims);
    claims
}

fn overlay(object: &mut Value, changes: Map<String, Value>) {
    let fields = object.as_object_mut().expect("header and claims are objects");
    for (name, value) in changes {
        if value.is_null() {
            fields.remove(&name);
        } else {
            fields.insert(name, value);
        }
    }
}
