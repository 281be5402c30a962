//! Checks of the Clerk instance, with the secret key and with the publishable key.

use anyhow::bail;
use clerk_session::{Config, PublicKey, ValidatedConfig};
use futures::join;
use lethe::Clock;
use lethe::clerk::Jwk;
use lethe::clerk::probe::{ProbeError, ProbeResponse, probe};
use secrecy::SecretString;
use url::Url;

use super::report::CheckResult;
use super::settings::url_setting;
use super::timeout::CHECK_TIMEOUT;
use crate::config::Values;
use crate::session;

/// Tokens are refused when the clocks differ by more than this.
const MAX_CLOCK_SKEW: time::Duration = time::Duration::seconds(5);
const CLOCK_SKEW_WARNING: time::Duration = time::Duration::seconds(2);

/// `None` where the settings don't say which URL to probe.
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

/// Returns the URLs of the Frontend API and of the sign-in page, as a serving process derives them.
fn frontend_and_sign_in_urls(values: &Values) -> Option<(Url, Url)> {
    // Neither depends on LETHE_URL.
    let public_url = url_setting(values, "LETHE_URL").or_else(|| Url::parse("http://localhost").ok())?;
    let config = Config {
        proxy_url: url_setting(values, "CLERK_PROXY_URL"),
        sign_in_url: url_setting(values, "CLERK_SIGN_IN_URL"),
        ..Config::new(values.text("CLERK_PUBLISHABLE_KEY")?, public_url.clone())
    };
    let config = ValidatedConfig::new(config).ok()?;
    let mut sign_in = config.sign_in_url().clone();
    // As browsers are redirected there.
    sign_in.query_pairs_mut().append_pair("redirect_url", public_url.as_str());
    Some((config.frontend_url().clone(), sign_in))
}

fn backend_url(values: &Values) -> Option<Url> {
    let base = values.text("CLERK_API_URL")?;
    Url::parse(&format!("{}/v1/jwks", base.trim_end_matches('/').trim_end_matches("/v1"))).ok()
}

async fn probe_url(url: Option<&Url>, key: Option<&SecretString>) -> ProbeResult {
    let clock = Clock::system();
    Some(probe(url?, key, || clock.now(), CHECK_TIMEOUT).await)
}

fn check_backend_api(result: &ProbeResult) -> CheckResult {
    const CHECK: &str = "backend_api";
    match result {
        None => CheckResult::not_set(CHECK, "CLERK_SECRET_KEY"),
        Some(Err(error)) => CheckResult::wrong(
            CHECK,
            format!("Clerk's Backend API: {error}"),
            "check that this machine reaches CLERK_API_URL (default: https://api.clerk.com), through proxies too",
        ),
        Some(Ok(response)) if !published_keys(response).is_empty() => {
            CheckResult::ok(CHECK, "it responds and accepts the secret key")
        }
        Some(Ok(response)) if matches!(response.status, 401 | 403) => CheckResult::wrong(
            CHECK,
            format!("Clerk rejects the secret key ({})", response.status),
            "copy the instance's key again from Clerk's dashboard; it may have been revoked",
        ),
        Some(Ok(response)) => CheckResult::wrong(
            CHECK,
            format!("the response ({}) contains no keys", response.status),
            "set CLERK_API_URL to Clerk's Backend API, or remove it; see status.clerk.com",
        ),
    }
}

fn check_frontend_api(result: &ProbeResult) -> CheckResult {
    const CHECK: &str = "frontend_api";
    match result {
        None => CheckResult::skipped(CHECK, "requires a valid publishable key"),
        Some(Err(error)) => CheckResult::wrong(
            CHECK,
            format!("Clerk's Frontend API: {error}"),
            "check DNS record and certificate of the host in the publishable key (Clerk's dashboard, Domains), or set \
             CLERK_PROXY_URL where a proxy serves it",
        ),
        Some(Ok(response)) if !published_keys(response).is_empty() => {
            CheckResult::ok(CHECK, "it responds with its keys")
        }
        Some(Ok(response)) => CheckResult::wrong(
            CHECK,
            format!("the response ({}) contains no keys", response.status),
            "set CLERK_PROXY_URL to the proxy of the Frontend API, or remove it",
        ),
    }
}

/// Fails if the secret key and the publishable key are of different instances: users of the one are unknown to the other, and
/// their deletion would seem complete while their accounts live. What can't be reached proves nothing.
pub(in crate::cli) async fn ensure_one_instance(values: &Values) -> anyhow::Result<()> {
    let frontend_url = frontend_and_sign_in_urls(values).and_then(|(url, _)| url.join(".well-known/jwks.json").ok());
    let secret_key = values.secret("CLERK_SECRET_KEY");
    let backend_url = backend_url(values);
    let (backend, frontend) =
        join!(probe_url(backend_url.as_ref(), secret_key.as_ref()), probe_url(frontend_url.as_ref(), None));
    if are_keys_of_one_instance(&backend, &frontend) == Some(false) {
        bail!("CLERK_SECRET_KEY and CLERK_PUBLISHABLE_KEY: {DIFFERENT_INSTANCES}; {COPY_BOTH_KEYS}");
    }
    Ok(())
}

const DIFFERENT_INSTANCES: &str =
    "secret key and publishable key are of different instances: no session would be accepted";
const COPY_BOTH_KEYS: &str = "copy both keys from the same instance in Clerk's dashboard";

/// Returns `None` where it can't be told.
fn are_keys_of_one_instance(backend: &ProbeResult, frontend: &ProbeResult) -> Option<bool> {
    let (Some(Ok(backend)), Some(Ok(frontend))) = (backend, frontend) else { return None };
    let (backend, frontend) = (published_keys(backend), published_keys(frontend));
    if backend.is_empty() || frontend.is_empty() {
        return None;
    }
    Some(backend.iter().any(|one| frontend.iter().any(|other| one.kid == other.kid && one.n == other.n)))
}

fn check_keys_belong_together(backend: &ProbeResult, frontend: &ProbeResult) -> CheckResult {
    const CHECK: &str = "keys_belong_together";
    match are_keys_of_one_instance(backend, frontend) {
        None => CheckResult::skipped(CHECK, "requires the keys of both APIs"),
        Some(true) => CheckResult::ok(CHECK, "secret key and publishable key are of one instance"),
        Some(false) => CheckResult::wrong(CHECK, DIFFERENT_INSTANCES, COPY_BOTH_KEYS),
    }
}

fn check_clock(backend: &ProbeResult, frontend: &ProbeResult) -> CheckResult {
    const CHECK: &str = "clock";
    let differences = [backend, frontend].into_iter().filter_map(|result| result.as_ref()?.as_ref().ok()?.clock_ahead);
    let Some(ahead) = differences.max_by_key(|difference| difference.abs()) else {
        return CheckResult::skipped(CHECK, "no response contained a time");
    };
    let seconds = ahead.abs().as_seconds_f64();
    let side = if ahead.is_negative() { "behind" } else { "ahead of" };
    let message = format!("Clerk's clock is {seconds:.1} seconds {side} this machine's");
    let remedy = "synchronise this machine's clock with NTP";
    if ahead.abs() > MAX_CLOCK_SKEW {
        let limit = MAX_CLOCK_SKEW.whole_seconds();
        CheckResult::wrong(CHECK, format!("{message}; sessions are refused beyond {limit} seconds"), remedy)
    } else if ahead.abs() > CLOCK_SKEW_WARNING {
        CheckResult::warning(CHECK, message, remedy)
    } else {
        CheckResult::ok(CHECK, "Clerk's clock and this machine's agree")
    }
}

fn check_jwt_key(values: &Values, backend: &ProbeResult, frontend: &ProbeResult) -> CheckResult {
    const CHECK: &str = "jwt_key";
    let remedy = "copy the instance's public key (PEM) again from Clerk's dashboard, API keys, or remove CLERK_JWT_KEY";
    let Some(pem) = values.text("CLERK_JWT_KEY") else {
        return CheckResult::skipped(CHECK, "CLERK_JWT_KEY isn't set: keys are fetched and cached");
    };
    let Some(configured) = PublicKey::from_pem(pem) else {
        return CheckResult::wrong(CHECK, "CLERK_JWT_KEY is not a public key in PEM", remedy);
    };
    let published: Vec<&Jwk> = [backend, frontend]
        .into_iter()
        .flatten()
        .filter_map(|result| result.as_ref().ok())
        .flat_map(published_keys)
        .collect();
    if published.is_empty() {
        return CheckResult::skipped(CHECK, "requires the keys of one API");
    }
    let is_same =
        |key: &Jwk| PublicKey::from_jwk(&session::jwk(key.clone())).is_some_and(|key| key.is_same_key(&configured));
    if published.into_iter().any(is_same) {
        return CheckResult::ok(CHECK, "CLERK_JWT_KEY is a key of this instance");
    }
    CheckResult::wrong(CHECK, "CLERK_JWT_KEY is not a key of this instance: no session would be accepted", remedy)
}

fn check_sign_in_url(url: Option<&Url>, result: &ProbeResult) -> CheckResult {
    const CHECK: &str = "sign_in_url";
    let remedy = "set CLERK_SIGN_IN_URL to the sign-in page";
    let (Some(url), Some(result)) = (url, result) else {
        return CheckResult::skipped(CHECK, "requires a valid publishable key");
    };
    let target = format!("{}{}", url.origin().ascii_serialization(), url.path());
    match result {
        Err(error) => CheckResult::wrong(CHECK, format!("{target}: {error}"), remedy),
        Ok(response) if response.status < 400 => CheckResult::ok(CHECK, format!("{target} responds")),
        Ok(response) if response.status == 404 || response.status >= 500 => {
            CheckResult::wrong(CHECK, format!("{target} responds with {}", response.status), remedy)
        }
        Ok(response) => CheckResult::warning(
            CHECK,
            format!("{target} responds to a program with {}", response.status),
            format!("open it in a browser; if it isn't the sign-in page, {remedy}"),
        ),
    }
}

fn published_keys(response: &ProbeResponse) -> &[Jwk] {
    match &response.keys {
        Some(keys) if response.status == 200 => &keys.keys,
        _ => &[],
    }
}
