//! What Clerk answers, by the secret key and by the publishable key.

use clerk_session::{Config, PublicKey, ValidatedConfig};
use futures::join;
use lethe::Clock;
use lethe::clerk::Jwk;
use lethe::clerk::probe::{Seen, Silence, probe};
use secrecy::SecretString;
use url::Url;

use super::PATIENCE;
use super::keys::{not_set, url};
use super::report::Line;
use crate::session;
use crate::settings::Values;

/// Tokens whose times differ by more than this are refused.
const SKEW: time::Duration = time::Duration::seconds(5);
const NOTABLE: time::Duration = time::Duration::seconds(2);

type Answer = Option<Result<Seen, Silence>>;

pub(super) async fn lines(values: &Values) -> Vec<Line> {
    let (frontend_url, sign_in_url) = match pages(values) {
        Some((frontend, sign_in)) => (frontend.join(".well-known/jwks.json").ok(), Some(sign_in)),
        None => (None, None),
    };
    let secret_key = values.secret("CLERK_SECRET_KEY");
    let backend_url = secret_key.as_ref().and_then(|_| backend_url(values));
    let (backend, frontend, sign_in) = join!(
        ask(backend_url.as_ref(), secret_key.as_ref()),
        ask(frontend_url.as_ref(), None),
        ask(sign_in_url.as_ref(), None)
    );
    vec![
        backend_line(&backend),
        frontend_line(&frontend),
        keys_line(&backend, &frontend),
        clock_line(&backend, &frontend),
        jwt_key_line(values, &backend, &frontend),
        sign_in_line(sign_in_url.as_ref(), &sign_in),
    ]
}

/// Where the Frontend API and the sign-in page are, as a serving process works it out.
fn pages(values: &Values) -> Option<(Url, Url)> {
    // What these addresses are doesn't depend on it.
    let own = url(values, "LETHE_URL").or_else(|| Url::parse("http://localhost").ok())?;
    let config = Config {
        proxy_url: url(values, "CLERK_PROXY_URL"),
        sign_in_url: url(values, "CLERK_SIGN_IN_URL"),
        ..Config::new(values.text("CLERK_PUBLISHABLE_KEY")?, own.clone())
    };
    let config = ValidatedConfig::new(config).ok()?;
    let mut sign_in = config.sign_in_url().clone();
    // As people are sent there.
    sign_in.query_pairs_mut().append_pair("redirect_url", own.as_str());
    Some((config.frontend_url().clone(), sign_in))
}

fn backend_url(values: &Values) -> Option<Url> {
    let base = values.text("CLERK_API_URL").unwrap_or("https://api.clerk.com");
    Url::parse(&format!("{}/v1/jwks", base.trim_end_matches('/').trim_end_matches("/v1"))).ok()
}

async fn ask(url: Option<&Url>, key: Option<&SecretString>) -> Answer {
    let clock = Clock::system();
    Some(probe(url?, key, || clock.now(), PATIENCE).await)
}

fn backend_line(answer: &Answer) -> Line {
    const CHECK: &str = "backend_api";
    match answer {
        None => not_set(CHECK, "CLERK_SECRET_KEY"),
        Some(Err(silence)) => Line::wrong(
            CHECK,
            format!("Clerk's Backend API: {silence}"),
            "see that this machine reaches CLERK_API_URL (by default https://api.clerk.com), a proxy included",
        ),
        Some(Ok(seen)) if !keys(seen).is_empty() => Line::ok(CHECK, "it answers and accepts the secret key"),
        Some(Ok(seen)) if matches!(seen.status, 401 | 403) => Line::wrong(
            CHECK,
            format!("Clerk refuses the secret key ({})", seen.status),
            "copy the key of this instance again from Clerk's dashboard; it may have been revoked",
        ),
        Some(Ok(seen)) => Line::wrong(
            CHECK,
            format!("what answers ({}) gives no keys", seen.status),
            "set CLERK_API_URL to Clerk's Backend API, or leave it out; see status.clerk.com",
        ),
    }
}

fn frontend_line(answer: &Answer) -> Line {
    const CHECK: &str = "frontend_api";
    match answer {
        None => Line::skipped(CHECK, "needs a publishable key that can be read"),
        Some(Err(silence)) => Line::wrong(
            CHECK,
            format!("Clerk's Frontend API: {silence}"),
            "see that the publishable key's host has its DNS record and certificate (Clerk's dashboard, Domains), or \
             set CLERK_PROXY_URL where a proxy serves it",
        ),
        Some(Ok(seen)) if !keys(seen).is_empty() => Line::ok(CHECK, "it answers with its keys"),
        Some(Ok(seen)) => Line::wrong(
            CHECK,
            format!("what answers ({}) gives no keys", seen.status),
            "set CLERK_PROXY_URL to the Frontend API's proxy, or leave it out",
        ),
    }
}

fn keys_line(backend: &Answer, frontend: &Answer) -> Line {
    const CHECK: &str = "keys_belong_together";
    let (Some(Ok(backend)), Some(Ok(frontend))) = (backend, frontend) else {
        return Line::skipped(CHECK, "needs both APIs' keys");
    };
    let (backend, frontend) = (keys(backend), keys(frontend));
    if backend.is_empty() || frontend.is_empty() {
        return Line::skipped(CHECK, "needs both APIs' keys");
    }
    let is_shared = backend.iter().any(|one| frontend.iter().any(|other| one.kid == other.kid && one.n == other.n));
    if is_shared {
        return Line::ok(CHECK, "the secret key and the publishable key are of one instance");
    }
    Line::wrong(
        CHECK,
        "the secret key and the publishable key are of different instances: no session would be accepted",
        "take both keys from the same instance in Clerk's dashboard",
    )
}

fn clock_line(backend: &Answer, frontend: &Answer) -> Line {
    const CHECK: &str = "clock";
    let seen = [backend, frontend].into_iter().filter_map(|answer| answer.as_ref()?.as_ref().ok()?.clock_ahead);
    let Some(ahead) = seen.max_by_key(|difference| difference.abs()) else {
        return Line::skipped(CHECK, "nothing answered with a time");
    };
    let seconds = ahead.abs().as_seconds_f64();
    let side = if ahead.is_negative() { "behind" } else { "ahead of" };
    let message = format!("Clerk's clock is {seconds:.1} seconds {side} this machine's");
    let remedy = "set this machine's clock by NTP";
    if ahead.abs() > SKEW {
        Line::wrong(CHECK, format!("{message}; sessions are refused beyond {} seconds", SKEW.whole_seconds()), remedy)
    } else if ahead.abs() > NOTABLE {
        Line::warning(CHECK, message, remedy)
    } else {
        Line::ok(CHECK, "Clerk's clock and this machine's agree")
    }
}

fn jwt_key_line(values: &Values, backend: &Answer, frontend: &Answer) -> Line {
    const CHECK: &str = "jwt_key";
    let remedy =
        "copy the instance's public key (PEM) again from Clerk's dashboard, API keys, or leave CLERK_JWT_KEY out";
    let Some(pem) = values.text("CLERK_JWT_KEY") else {
        return Line::skipped(CHECK, "CLERK_JWT_KEY isn't set: keys are fetched and cached");
    };
    let Some(configured) = PublicKey::from_pem(pem) else {
        return Line::wrong(CHECK, "CLERK_JWT_KEY is no public key in PEM", remedy);
    };
    let published: Vec<&Jwk> =
        [backend, frontend].into_iter().flatten().filter_map(|answer| answer.as_ref().ok()).flat_map(keys).collect();
    if published.is_empty() {
        return Line::skipped(CHECK, "needs one API's keys to be compared with");
    }
    let is_same =
        |key: &Jwk| PublicKey::from_jwk(&session::jwk(key.clone())).is_some_and(|key| key.is_same_key(&configured));
    if published.into_iter().any(is_same) {
        return Line::ok(CHECK, "CLERK_JWT_KEY is a key of this instance");
    }
    Line::wrong(CHECK, "CLERK_JWT_KEY is none of this instance's keys: no session would be accepted", remedy)
}

fn sign_in_line(url: Option<&Url>, answer: &Answer) -> Line {
    const CHECK: &str = "sign_in_url";
    let remedy = "set CLERK_SIGN_IN_URL to the page where people sign in";
    let (Some(url), Some(answer)) = (url, answer) else {
        return Line::skipped(CHECK, "needs a publishable key that can be read");
    };
    let place = format!("{}{}", url.origin().ascii_serialization(), url.path());
    match answer {
        Err(silence) => Line::wrong(CHECK, format!("{place}: {silence}"), remedy),
        Ok(seen) if seen.status < 400 => Line::ok(CHECK, format!("{place} answers")),
        Ok(seen) if seen.status == 404 || seen.status >= 500 => {
            Line::wrong(CHECK, format!("{place} answers {}", seen.status), remedy)
        }
        Ok(seen) => Line::warning(
            CHECK,
            format!("{place} answers {} to a program", seen.status),
            format!("open it in a browser; if there is no sign-in page, {remedy}"),
        ),
    }
}

fn keys(seen: &Seen) -> &[Jwk] {
    match &seen.keys {
        Some(keys) if seen.status == 200 => &keys.keys,
        _ => &[],
    }
}
