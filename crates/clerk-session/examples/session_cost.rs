//! Measures what authenticating a request costs with cached keys, in time and allocations, compared with one RSA
//! verification of the same token. Prints JSON; `cargo xtask bench session` builds it for release and runs it.

use std::hint::black_box;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use clerk_session::{Authenticator, BackendApi, BackendError, Config, Jwk, Jwks, RefreshRequest};
use data_encoding::BASE64URL_NOPAD;
use futures::FutureExt;
use futures::future::BoxFuture;
use http::Request;
use http::request::Parts;
use ring::rand::SystemRandom;
use ring::rsa::PublicKeyComponents;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair};
use serde_json::{Value, json};
use url::Url;

/// A key made for tests, used nowhere else.
const KEY: &[u8] = include_bytes!("../src/tests/key.pk8");
const ORIGIN: &str = "https://privacy.example.org";
/// A production instance at `clerk.example.org`.
const PUBLISHABLE_KEY: &str = "pk_live_Y2xlcmsuZXhhbXBsZS5vcmck";
const SUFFIX: &str = "ZfWrcLFJ";
const BATCHES: usize = 400;
const ROUNDS: u32 = 20;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let pair = RsaKeyPair::from_pkcs8(KEY).map_err(|rejected| anyhow::anyhow!("the key can't be read: {rejected}"))?;
    let public = PublicKeyComponents::<Vec<u8>>::from(pair.public());
    let config = Config::new(PUBLISHABLE_KEY, Url::parse(ORIGIN)?);
    let token = token(&pair, seconds_since_epoch(&config))?;
    let authenticator = Authenticator::new(config, OneKey::new(&public))?;
    authenticator.warm_up().await;
    let parts = request(&token)?;

    // With cached keys nothing is awaited, so the outcome is ready at once.
    let decide = || {
        let decided = authenticator.authenticate(black_box(&parts)).now_or_never();
        decided.is_some_and(|decided| decided.session().is_some())
    };
    let (signed, signature) = token.rsplit_once('.').context("a token has three parts")?;
    let signature = BASE64URL_NOPAD.decode(signature.as_bytes())?;
    let verify = || public.verify(&RSA_PKCS1_2048_8192_SHA256, black_box(signed.as_bytes()), &signature).is_ok();
    ensure!(decide(), "the request is not signed in");
    ensure!(verify(), "the signature is not valid");

    let (decision, reference) = (median(&decide), median(&verify));
    let allocations = allocation_counter::measure(|| {
        black_box(decide());
    });
    let report = json!({
        "build": if cfg!(debug_assertions) { "development" } else { "release" },
        "decision_us": decision.as_secs_f64() * 1e6,
        "reference_us": reference.as_secs_f64() * 1e6,
        "allocations": allocations.count_total,
        "allocated_bytes": allocations.bytes_total,
        "allocated_bytes_at_once": allocations.bytes_max,
    });
    println!("{report}");
    Ok(())
}

/// The median of many short batches, so that other processes on the machine hardly matter.
fn median(work: &impl Fn() -> bool) -> Duration {
    let batch = || {
        let started = Instant::now();
        for _ in 0..ROUNDS {
            assert!(work());
        }
        started.elapsed() / ROUNDS
    };
    let mut batches: Vec<Duration> = (0..BATCHES).map(|_| batch()).collect();
    batches.sort_unstable();
    batches[BATCHES / 2]
}

fn seconds_since_epoch(config: &Config) -> u64 {
    #[expect(clippy::disallowed_types, reason = "the type of the crate's clock")]
    let epoch = std::time::SystemTime::UNIX_EPOCH;
    (config.clock)().duration_since(epoch).unwrap_or_default().as_secs()
}

/// A token with the claims of a real one, version 2.
fn token(pair: &RsaKeyPair, now: u64) -> anyhow::Result<String> {
    let header = json!({"alg": "RS256", "cat": "cl_B7d4PD111AAA", "kid": "ins_1", "typ": "JWT"});
    let claims = json!({
        "azp": ORIGIN, "exp": now + 3_600, "fva": [3, -1], "iat": now, "iss": "https://clerk.example.org",
        "jti": "0123456789abcdef0123", "nbf": now - 10, "pla": "u:free", "fea": "", "sid": "sess_2abcdefghijklmnopqrstuvwxyz",
        "sts": "active", "sub": "user_2abcdefghijklmnopqrstuvwxyz", "v": 2,
    });
    let part = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
    let signed = format!("{}.{}", part(&header), part(&claims));
    let mut signature = vec![0; pair.public().modulus_len()];
    pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature)
        .map_err(|_unspecified| anyhow::anyhow!("the token can't be signed"))?;
    Ok(format!("{signed}.{}", BASE64URL_NOPAD.encode(&signature)))
}

/// A Backend API that knows one key.
struct OneKey(Jwks);

impl OneKey {
    fn new(public: &PublicKeyComponents<Vec<u8>>) -> Self {
        let integer = |bytes: &[u8]| BASE64URL_NOPAD.encode(bytes);
        let (n, e) = (integer(&public.n), integer(&public.e));
        let key = Jwk {
            kid: "ins_1".to_owned(),
            kty: "RSA".to_owned(),
            alg: Some("RS256".to_owned()),
            usage: None,
            key_ops: None,
            n,
            e,
        };
        Self(Jwks { keys: vec![key] })
    }
}

impl BackendApi for OneKey {
    fn jwks(&self) -> BoxFuture<'_, Result<Jwks, BackendError>> {
        async { Ok(self.0.clone()) }.boxed()
    }

    fn handshake_payload<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Vec<String>, BackendError>> {
        unreachable!("the request has no handshake")
    }

    fn refresh_session<'a>(
        &'a self,
        _: &'a str,
        _: RefreshRequest,
    ) -> BoxFuture<'a, Result<Vec<String>, BackendError>> {
        unreachable!("the token has not expired")
    }
}

/// The request of a signed-in browser.
fn request(token: &str) -> anyhow::Result<Parts> {
    let cookies =
        format!("theme=dark; __session={token}; __session_{SUFFIX}={token}; __client_uat=5; __client_uat_{SUFFIX}=5");
    let request = Request::get("/delete?a=b")
        .header("accept", "text/html,application/xhtml+xml")
        .header("sec-fetch-dest", "document")
        .header("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
        .header("cookie", cookies);
    Ok(request.body(())?.into_parts().0)
}
