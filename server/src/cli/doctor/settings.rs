//! What can be told from the settings alone.

use clerk_session::{InstanceKind, PublishableKey};
use lethe::clerk::webhook;
use lethe::keys::Keys;
use secrecy::ExposeSecret;
use url::{Host, Url};

use super::report::CheckResult;
use crate::config::Values;

/// Svix makes its secrets of so many bytes at least.
const WEBHOOK_SECRET_BYTES: usize = 24;

pub(super) fn check_settings(values: &Values) -> Vec<CheckResult> {
    vec![
        check_publishable_key(values),
        check_secret_key(values),
        check_key_kinds(values),
        check_webhook_secret(values),
        explain_webhook_delivery(),
        check_authorized_parties(values),
        check_https(values),
        check_request_budget(values),
        check_secret(values),
    ]
}

pub(super) fn not_set(check: &'static str, name: &str) -> CheckResult {
    CheckResult::skipped(check, format!("{name} isn't set"))
}

pub(super) fn url_setting(values: &Values, name: &str) -> Option<Url> {
    values.text(name)?.parse().ok()
}

/// The kind of a key, by its beginning.
fn instance_kind(key: &str, prefix: &str) -> Option<InstanceKind> {
    let rest = key.strip_prefix(prefix)?;
    let (kind, rest) = match (rest.strip_prefix("test_"), rest.strip_prefix("live_")) {
        (Some(rest), _) => (InstanceKind::Development, rest),
        (_, Some(rest)) => (InstanceKind::Production, rest),
        _ => return None,
    };
    (!rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_alphanumeric())).then_some(kind)
}

const fn kind_name(kind: InstanceKind) -> &'static str {
    match kind {
        InstanceKind::Development => "development",
        InstanceKind::Production => "production",
    }
}

fn check_publishable_key(values: &Values) -> CheckResult {
    const CHECK: &str = "publishable_key";
    let Some(text) = values.text("CLERK_PUBLISHABLE_KEY") else { return not_set(CHECK, "CLERK_PUBLISHABLE_KEY") };
    match PublishableKey::parse(text) {
        Ok(key) => CheckResult::ok(CHECK, format!("a {} instance at {}", kind_name(key.kind), key.frontend_api)),
        Err(error) => CheckResult::wrong(CHECK, error.to_string(), "copy it again from Clerk's dashboard, API keys"),
    }
}

fn check_secret_key(values: &Values) -> CheckResult {
    const CHECK: &str = "secret_key";
    let Some(text) = values.text("CLERK_SECRET_KEY") else { return not_set(CHECK, "CLERK_SECRET_KEY") };
    match instance_kind(text, "sk_") {
        Some(kind) => CheckResult::ok(CHECK, format!("of a {} instance", kind_name(kind))),
        None => CheckResult::wrong(
            CHECK,
            "the secret key must be sk_test_… or sk_live_… with letters and digits after it",
            "copy it again from Clerk's dashboard, API keys",
        ),
    }
}

fn check_key_kinds(values: &Values) -> CheckResult {
    const CHECK: &str = "key_kinds";
    let secret = values.text("CLERK_SECRET_KEY").and_then(|key| instance_kind(key, "sk_"));
    let publishable = values.text("CLERK_PUBLISHABLE_KEY").and_then(|key| PublishableKey::parse(key).ok());
    let (Some(secret), Some(publishable)) = (secret, publishable) else {
        return CheckResult::skipped(CHECK, "needs both keys");
    };
    if secret == publishable.kind {
        return CheckResult::ok(CHECK, format!("both are of a {} instance", kind_name(secret)));
    }
    let message = format!(
        "the secret key is of a {} instance, the publishable key of a {} one",
        kind_name(secret),
        kind_name(publishable.kind)
    );
    CheckResult::wrong(CHECK, message, "take both keys from the same instance in Clerk's dashboard")
}

fn check_webhook_secret(values: &Values) -> CheckResult {
    const CHECK: &str = "webhook_secret";
    let remedy = "copy the signing secret of the endpoint again from Clerk's dashboard, Webhooks";
    let Some(text) = values.secret("CLERK_WEBHOOK_SIGNING_SECRET") else {
        return not_set(CHECK, "CLERK_WEBHOOK_SIGNING_SECRET");
    };
    if let Err(error) = webhook::Secret::parse(&text) {
        return CheckResult::wrong(CHECK, error.to_string(), remedy);
    }
    let shortest = text
        .expose_secret()
        .split([',', ' '])
        .filter_map(|part| data_encoding::BASE64.decode(part.trim().strip_prefix("whsec_")?.as_bytes()).ok())
        .map(|bytes| bytes.len())
        .min();
    match shortest {
        Some(bytes) if bytes < WEBHOOK_SECRET_BYTES => {
            let message = format!("it has {bytes} bytes; Clerk's have {WEBHOOK_SECRET_BYTES} at least");
            CheckResult::warning(CHECK, message, remedy)
        }
        _ => CheckResult::ok(CHECK, "it has the form and the length of a signing secret"),
    }
}

/// A signed event is written to the audit log, whatever it tells, and a forged one is refused with the same answer as
/// one that can't be read: nothing could be sent that tells something and leaves no trace.
fn explain_webhook_delivery() -> CheckResult {
    CheckResult::skipped(
        "webhook_delivery",
        "not tried: an event that is accepted would stand in the audit log for ever",
    )
    .with_remedy("send a test event from Clerk's dashboard (Webhooks, the endpoint, Testing) and see that it succeeds")
}

fn check_authorized_parties(values: &Values) -> CheckResult {
    const CHECK: &str = "authorized_parties";
    let Some(own) = url_setting(values, "LETHE_URL").map(|url| url.origin().ascii_serialization()) else {
        return CheckResult::skipped(CHECK, "needs LETHE_URL");
    };
    let parties = values.list("CLERK_AUTHORIZED_PARTIES");
    if parties.is_empty() {
        return CheckResult::ok(CHECK, format!("tokens made for {own} are accepted, which is LETHE_URL's origin"));
    }
    let is_origin =
        |party: &&String| Url::parse(party).is_ok_and(|url| url.origin().ascii_serialization() == party.as_str());
    if let Some(wrong) = parties.iter().find(|party| !is_origin(party)) {
        return CheckResult::wrong(
            CHECK,
            format!("CLERK_AUTHORIZED_PARTIES holds `{wrong}`, which is no origin"),
            "write scheme, host and port alone, without a slash at the end, such as https://example.org",
        );
    }
    if !parties.contains(&own) {
        return CheckResult::wrong(
            CHECK,
            format!("CLERK_AUTHORIZED_PARTIES doesn't hold {own}: nobody could sign in here"),
            format!("add {own} to CLERK_AUTHORIZED_PARTIES, or leave the setting out"),
        );
    }
    CheckResult::ok(CHECK, format!("tokens made for {} are accepted", parties.join(", ")))
}

fn check_https(values: &Values) -> CheckResult {
    const CHECK: &str = "https";
    let Some(url) = url_setting(values, "LETHE_URL") else { return CheckResult::skipped(CHECK, "needs LETHE_URL") };
    let is_production = values.text("CLERK_PUBLISHABLE_KEY").is_some_and(|key| key.starts_with("pk_live_"));
    let is_here = match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    let remedy = "put a reverse proxy with TLS in front, and make LETHE_URL begin with https://";
    match (url.scheme(), is_production, is_here) {
        ("https", ..) => CheckResult::ok(CHECK, "LETHE_URL is https"),
        (_, true, _) => {
            CheckResult::wrong(CHECK, "LETHE_URL isn't https, and the keys are a production instance's", remedy)
        }
        (_, false, true) => CheckResult::ok(CHECK, "LETHE_URL is this machine, with development keys"),
        (_, false, false) => CheckResult::warning(CHECK, "LETHE_URL isn't https", remedy),
    }
}

fn check_request_budget(values: &Values) -> CheckResult {
    const CHECK: &str = "rate";
    let Some(kind) = values.text("CLERK_SECRET_KEY").and_then(|key| instance_kind(key, "sk_")) else {
        return CheckResult::skipped(CHECK, "needs CLERK_SECRET_KEY");
    };
    let limit: u32 = if kind == InstanceKind::Production { 1_000 } else { 100 };
    let all = format!("Clerk allows a {} instance {limit} requests in ten seconds", kind_name(kind));
    match values.text("CLERK_REQUESTS_PER_TEN_SECONDS").map(str::parse::<u32>) {
        None => CheckResult::ok(CHECK, format!("{all}; Lethe may use all of them, bulk work a part")),
        Some(Ok(budget)) if budget > limit => CheckResult::warning(
            CHECK,
            format!("{all}; CLERK_REQUESTS_PER_TEN_SECONDS is {budget}"),
            format!("set CLERK_REQUESTS_PER_TEN_SECONDS to the part of {limit} that your application leaves"),
        ),
        Some(Ok(budget)) => CheckResult::ok(CHECK, format!("{all}; Lethe uses {budget} at most")),
        Some(Err(_)) => CheckResult::skipped(CHECK, "CLERK_REQUESTS_PER_TEN_SECONDS can't be read"),
    }
}

fn check_secret(values: &Values) -> CheckResult {
    const CHECK: &str = "secret";
    match values.secret("LETHE_SECRET").map(|secret| Keys::derive(&secret)) {
        None => not_set(CHECK, "LETHE_SECRET"),
        Some(Ok(_)) => {
            CheckResult::ok(CHECK, "LETHE_SECRET is long enough; keep a copy apart from the database's backups")
        }
        Some(Err(error)) => {
            CheckResult::wrong(CHECK, error.to_string(), "set LETHE_SECRET to what `openssl rand -base64 32` prints")
        }
    }
}
