//! What Clerk answers, by the secret key and by the publishable key.

use clerk_session::{Config, PublicKey, ValidatedConfig};
use futures::join;
use lethe::Clock;
use lethe::clerk::Jwk;
use lethe::clerk::probe::{ProbeError, ProbeResponse, probe};
use secrecy::SecretString;
use url::Url;

use super::CHECK_TIMEOUT;
use super::report::CheckResult;
use super::settings::{not_set, url_setting};
use crate::config::Values;
use crate::session;

/// Tokens whose times differ by more than this are refused.
const MAX_CLOCK_SKEW: time::Duration = time::Duration::seconds(5);
const CLOCK_SKEW_WARNING: time::Duration = time::Duration::seconds(2);

type ProbeResult = Option<Result<ProbeResponse, ProbeError>>;

pub(super) async fn check_clerk(values: &Values) -> Vec<CheckResult> {
    let (frontend_url, sign_in_url) = match frontend_and_sign_in_urls(values) {
        Some((frontend, sign_in)) => (frontend.join(".well-known/jwks.json").ok(), Some(sign_in)),
        None => (None, None),
    };
    let secret_key = values.secret("CLERK_SECRET_KEY");
    let backend_url = secret_key.as_ref().and_then(|_| backend_url(values));
    let (backend, frontend, sign_in) = join!(
        probe_url(backend_url.as_ref(), secret_key.as_ref()),
        probe_url(frontend_url.as_ref(), None),
        probe_url(sign_in_url.as_ref(), None)
    );
    vec![
        check_backend_api(&backend),
        check_frontend_api(&frontend),
        check_keys_belong_together(&backend, &frontend),
        check_clock(&backend, &frontend),
        check_jwt_key(values, &backend, &frontend),
        check_sign_in_url(sign_in_url.as_ref(), &sign_in),
    ]
}

/// Where the Frontend API and the sign-in page are, as a serving process works it out.
fn frontend_and_sign_in_urls(values: &Values) -> Option<(Url, Url)> {
    // What these addresses are doesn't depend on it.
    let own = url_setting(values, "LETHE_URL").or_else(|| Url::parse("http://localhost").ok())?;
    let config = Config {
        proxy_url: url_setting(values, "CLERK_PROXY_URL"),
        sign_in_url: url_setting(values, "CLERK_SIGN_IN_URL"),
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

async fn probe_url(url: Option<&Url>, key: Option<&SecretString>) -> ProbeResult {
    let clock = Clock::system();
    Some(probe(url?, key, || clock.now(), CHECK_TIMEOUT).await)
}

fn check_backend_api(answer: &ProbeResult) -> CheckResult {
    const CHECK: &str = "backend_api";
    match answer {
        None => not_set(CHECK, "CLERK_SECRET_KEY"),
        Some(Err(silence)) => CheckResult::wrong(
            CHECK,
            format!("Clerk's Backend API: {silence}"),
            "see that this machine reaches CLERK_API_URL (by default https://api.clerk.com), a proxy included",
        ),
        Some(Ok(seen)) if !published_keys(seen).is_empty() => {
            CheckResult::ok(CHECK, "it answers and accepts the secret key")
        }
        Some(Ok(seen)) if matches!(seen.status, 401 | 403) => CheckResult::wrong(
            CHECK,
            format!("Clerk refuses the secret key ({})", seen.status),
            "copy the key of this instance again from Clerk's dashboard; it may have been revoked",
        ),
        Some(Ok(seen)) => CheckResult::wrong(
            CHECK,
            format!("what answers ({}) gives no keys", seen.status),
            "set CLERK_API_URL to Clerk's Backend API, or leave it out; see status.clerk.com",
        ),
    }
}

fn check_frontend_api(answer: &ProbeResult) -> CheckResult {
    const CHECK: &str = "frontend_api";
    match answer {
        None => CheckResult::skipped(CHECK, "needs a publishable key that can be read"),
        Some(Err(silence)) => CheckResult::wrong(
            CHECK,
            format!("Clerk's Frontend API: {silence}"),
            "see that the publishable key's host has its DNS record and certificate (Clerk's dashboard, Domains), or \
             set CLERK_PROXY_URL where a proxy serves it",
        ),
        Some(Ok(seen)) if !published_keys(seen).is_empty() => CheckResult::ok(CHECK, "it answers with its keys"),
        Some(Ok(seen)) => CheckResult::wrong(
            CHECK,
            format!("what answers ({}) gives no keys", seen.status),
            "set CLERK_PROXY_URL to the Frontend API's proxy, or leave it out",
        ),
    }
}

fn check_keys_belong_together(backend: &ProbeResult, frontend: &ProbeResult) -> CheckResult {
    const CHECK: &str = "keys_belong_together";
    let (Some(Ok(backend)), Some(Ok(frontend))) = (backend, frontend) else {
        return CheckResult::skipped(CHECK, "needs both APIs' keys");
    };
    let (backend, frontend) = (published_keys(backend), published_keys(frontend));
    if backend.is_empty() || frontend.is_empty() {
        return CheckResult::skipped(CHECK, "needs both APIs' keys");
    }
    let is_shared = backend.iter().any(|one| frontend.iter().any(|other| one.kid == other.kid && one.n == other.n));
    if is_shared {
        return CheckResult::ok(CHECK, "the secret key and the publishable key are of one instance");
    }
    CheckResult::wrong(
        CHECK,
        "the secret key and the publishable key are of different instances: no session would be accepted",
        "take both keys from the same instance in Clerk's dashboard",
    )
}

fn check_clock(backend: &ProbeResult, frontend: &ProbeResult) -> CheckResult {
    const CHECK: &str = "clock";
    let seen = [backend, frontend].into_iter().filter_map(|answer| answer.as_ref()?.as_ref().ok()?.clock_ahead);
    let Some(ahead) = seen.max_by_key(|difference| difference.abs()) else {
        return CheckResult::skipped(CHECK, "nothing answered with a time");
    };
    let seconds = ahead.abs().as_seconds_f64();
    let side = if ahead.is_negative() { "behind" } else { "ahead of" };
    let message = format!("Clerk's clock is {seconds:.1} seconds {side} this machine's");
    let remedy = "set this machine's clock by NTP";
    if ahead.abs() > MAX_CLOCK_SKEW {
        CheckResult::wrong(
            CHECK,
            format!("{message}; sessions are refused beyond {} seconds", MAX_CLOCK_SKEW.whole_seconds()),
            remedy,
        )
    } else if ahead.abs() > CLOCK_SKEW_WARNING {
        CheckResult::warning(CHECK, message, remedy)
    } else {
        CheckResult::ok(CHECK, "Clerk's clock and this machine's agree")
    }
}

fn check_jwt_key(values: &Values, backend: &ProbeResult, frontend: &ProbeResult) -> CheckResult {
    const CHECK: &str = "jwt_key";
    let remedy =
        "copy the instance's public key (PEM) again from Clerk's dashboard, API keys, or leave CLERK_JWT_KEY out";
    let Some(pem) = values.text("CLERK_JWT_KEY") else {
        return CheckResult::skipped(CHECK, "CLERK_JWT_KEY isn't set: keys are fetched and cached");
    };
    let Some(configured) = PublicKey::from_pem(pem) else {
        return CheckResult::wrong(CHECK, "CLERK_JWT_KEY is no public key in PEM", remedy);
    };
    let published: Vec<&Jwk> = [backend, frontend]
        .into_iter()
        .flatten()
        .filter_map(|answer| answer.as_ref().ok())
        .flat_map(published_keys)
        .collect();
    if published.is_empty() {
        return CheckResult::skipped(CHECK, "needs one API's keys to be compared with");
    }
    let is_same =
        |key: &Jwk| PublicKey::from_jwk(&session::jwk(key.clone())).is_some_and(|key| key.is_same_key(&configured));
    if published.into_iter().any(is_same) {
        return CheckResult::ok(CHECK, "CLERK_JWT_KEY is a key of this instance");
    }
    CheckResult::wrong(CHECK, "CLERK_JWT_KEY is none of this instance's keys: no session would be accepted", remedy)
}

fn check_sign_in_url(url: Option<&Url>, answer: &ProbeResult) -> CheckResult {
    const CHECK: &str = "sign_in_url";
    let remedy = "set CLERK_SIGN_IN_URL to the page where people sign in";
    let (Some(url), Some(answer)) = (url, answer) else {
        return CheckResult::skipped(CHECK, "needs a publishable key that can be read");
    };
    let place = format!("{}{}", url.origin().ascii_serialization(), url.path());
    match answer {
        Err(silence) => CheckResult::wrong(CHECK, format!("{place}: {silence}"), remedy),
        Ok(seen) if seen.status < 400 => CheckResult::ok(CHECK, format!("{place} answers")),
        Ok(seen) if seen.status == 404 || seen.status >= 500 => {
            CheckResult::wrong(CHECK, format!("{place} answers {}", seen.status), remedy)
        }
        Ok(seen) => CheckResult::warning(
            CHECK,
            format!("{place} answers {} to a program", seen.status),
            format!("open it in a browser; if there is no sign-in page, {remedy}"),
        ),
    }
}

fn published_keys(seen: &ProbeResponse) -> &[Jwk] {
    match &seen.keys {
        Some(keys) if seen.status == 200 => &keys.keys,
        _ => &[],
    }
}
