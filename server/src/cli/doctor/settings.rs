//! Checks of the settings alone, without any connection.

use clerk_session::{InstanceKind, PublishableKey};
use lethe::clerk::webhook;
use lethe::keys::Keys;
use secrecy::ExposeSecret;
use url::Url;

use super::report::CheckResult;
use crate::config::Values;

/// Svix's signing secrets have at least this length.
const MIN_WEBHOOK_SECRET_BYTES: usize = 24;

pub(super) fn check_settings(values: &Values) -> Vec<CheckResult> {
    vec![
        check_publishable_key(values),
        check_secret_key(values),
        check_key_kinds(values),
        check_webhook_secret(values),
        explain_webhook_delivery(),
        check_authorized_parties(values),
        check_https(values),
        check_trusted_proxies(values),
        check_request_budget(values),
        check_secret(values),
    ]
}

pub(super) fn url_setting(values: &Values, name: &str) -> Option<Url> {
    values.text(name)?.parse().ok()
}

/// Returns the kind of instance that a key belongs to.
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
    const NAME: &str = "CLERK_PUBLISHABLE_KEY";
    let Some(text) = values.text(NAME) else { return CheckResult::not_set(CHECK, NAME) };
    match PublishableKey::parse(text) {
        Ok(key) => CheckResult::ok(CHECK, format!("{} instance at {}", kind_name(key.kind), key.frontend_api)),
        Err(error) => CheckResult::wrong(CHECK, error.to_string(), "copy it again from Clerk's dashboard, API keys"),
    }
}

fn check_secret_key(values: &Values) -> CheckResult {
    const CHECK: &str = "secret_key";
    const NAME: &str = "CLERK_SECRET_KEY";
    let Some(text) = values.text(NAME) else { return CheckResult::not_set(CHECK, NAME) };
    match instance_kind(text, "sk_") {
        Some(kind) => CheckResult::ok(CHECK, format!("of a {} instance", kind_name(kind))),
        None => CheckResult::wrong(
            CHECK,
            "the secret key must be sk_test_… or sk_live_…, followed by letters and digits",
            "copy it again from Clerk's dashboard, API keys",
        ),
    }
}

fn check_key_kinds(values: &Values) -> CheckResult {
    const CHECK: &str = "key_kinds";
    let secret = values.text("CLERK_SECRET_KEY").and_then(|key| instance_kind(key, "sk_"));
    let publishable = values.text("CLERK_PUBLISHABLE_KEY").and_then(|key| PublishableKey::parse(key).ok());
    let (Some(secret), Some(publishable)) = (secret, publishable) else {
        return CheckResult::skipped(CHECK, "requires both keys");
    };
    let (secret, publishable) = (kind_name(secret), kind_name(publishable.kind));
    if secret == publishable {
        return CheckResult::ok(CHECK, format!("both keys are of a {secret} instance"));
    }
    CheckResult::wrong(
        CHECK,
        format!("the secret key is of a {secret} instance, the publishable key of a {publishable} instance"),
        "copy both keys from the same instance in Clerk's dashboard",
    )
}

fn check_webhook_secret(values: &Values) -> CheckResult {
    const CHECK: &str = "webhook_secret";
    const NAME: &str = "CLERK_WEBHOOK_SIGNING_SECRET";
    let remedy = "copy the endpoint's signing secret again from Clerk's dashboard, Webhooks";
    let Some(text) = values.secret(NAME) else { return CheckResult::not_set(CHECK, NAME) };
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
        Some(bytes) if bytes < MIN_WEBHOOK_SECRET_BYTES => {
            let message = format!("it has {bytes} bytes; Clerk's secrets have at least {MIN_WEBHOOK_SECRET_BYTES}");
            CheckResult::warning(CHECK, message, remedy)
        }
        _ => CheckResult::ok(CHECK, "it has the form and the length of a signing secret"),
    }
}

/// Delivery can't be tried without a trace: the id of a signed event is recorded, and a forged one gets the same response as
/// an unreadable one.
fn explain_webhook_delivery() -> CheckResult {
    CheckResult::skipped("webhook_delivery", "not tested: an accepted delivery would be recorded").with_remedy(
        "send a test event from Clerk's dashboard (Webhooks, the endpoint, Testing) and check that it succeeds",
    )
}

fn check_authorized_parties(values: &Values) -> CheckResult {
    const CHECK: &str = "authorized_parties";
    let Some(own) = url_setting(values, "LETHE_URL").map(|url| url.origin().ascii_serialization()) else {
        return CheckResult::skipped(CHECK, "requires LETHE_URL");
    };
    let parties = values.list("CLERK_AUTHORIZED_PARTIES");
    if parties.is_empty() {
        return CheckResult::ok(CHECK, format!("tokens for {own} are accepted, the origin of LETHE_URL"));
    }
    let is_origin =
        |party: &&String| Url::parse(party).is_ok_and(|url| url.origin().ascii_serialization() == party.as_str());
    if let Some(invalid) = parties.iter().find(|party| !is_origin(party)) {
        return CheckResult::wrong(
            CHECK,
            format!("CLERK_AUTHORIZED_PARTIES contains `{invalid}`, which is not an origin"),
            "use scheme, host and port only, without a trailing slash, such as https://example.org",
        );
    }
    if !parties.contains(&own) {
        return CheckResult::wrong(
            CHECK,
            format!("CLERK_AUTHORIZED_PARTIES doesn't contain {own}: nobody could sign in here"),
            format!("add {own} to CLERK_AUTHORIZED_PARTIES, or remove the setting"),
        );
    }
    CheckResult::ok(CHECK, format!("tokens for {} are accepted", parties.join(", ")))
}

fn check_https(values: &Values) -> CheckResult {
    const CHECK: &str = "https";
    let Some(url) = url_setting(values, "LETHE_URL") else { return CheckResult::skipped(CHECK, "requires LETHE_URL") };
    let is_production = values.text("CLERK_PUBLISHABLE_KEY").is_some_and(|key| key.starts_with("pk_live_"));
    let remedy = "put a reverse proxy with TLS in front, and let LETHE_URL begin with https://";
    match (url.scheme(), is_production, url.host_str().is_some_and(lethe::is_loopback)) {
        ("https", ..) => CheckResult::ok(CHECK, "LETHE_URL is https"),
        (_, true, _) => {
            CheckResult::wrong(CHECK, "LETHE_URL isn't https, and the keys are of a production instance", remedy)
        }
        (_, false, true) => CheckResult::ok(CHECK, "LETHE_URL is this machine, with development keys"),
        (_, false, false) => CheckResult::warning(CHECK, "LETHE_URL isn't https", remedy),
    }
}

fn check_trusted_proxies(values: &Values) -> CheckResult {
    const CHECK: &str = "trusted_proxies";
    let proxies = values.list("LETHE_TRUSTED_PROXIES");
    if !proxies.is_empty() {
        return CheckResult::ok(CHECK, format!("clients' addresses are taken from {}", proxies.join(", ")));
    }
    let is_proxied = url_setting(values, "LETHE_URL").is_some_and(|url| url.scheme() == "https");
    if is_proxied {
        return CheckResult::warning(
            CHECK,
            "LETHE_TRUSTED_PROXIES isn't set, and LETHE_URL is https, which a reverse proxy speaks: rate limits count all its \
             clients as one address",
            "set LETHE_TRUSTED_PROXIES to the reverse proxy's address",
        );
    }
    CheckResult::ok(CHECK, "no forwarded address is trusted")
}

fn check_request_budget(values: &Values) -> CheckResult {
    const CHECK: &str = "rate";
    const NAME: &str = "CLERK_REQUESTS_PER_TEN_SECONDS";
    let Some(kind) = values.text("CLERK_SECRET_KEY").and_then(|key| instance_kind(key, "sk_")) else {
        return CheckResult::skipped(CHECK, "requires CLERK_SECRET_KEY");
    };
    let limit: u32 = if kind == InstanceKind::Production { 1_000 } else { 100 };
    let allowed = format!("Clerk allows a {} instance {limit} requests in ten seconds", kind_name(kind));
    match values.text(NAME).map(str::parse::<u32>) {
        None => CheckResult::ok(CHECK, format!("{allowed}; Lethe may use all of them, batches a part")),
        Some(Ok(budget)) if budget > limit => CheckResult::warning(
            CHECK,
            format!("{allowed}; {NAME} is {budget}"),
            format!("set {NAME} to the part of {limit} that your application leaves"),
        ),
        Some(Ok(budget)) => CheckResult::ok(CHECK, format!("{allowed}; Lethe uses at most {budget}")),
        Some(Err(_)) => CheckResult::skipped(CHECK, format!("{NAME} is not valid")),
    }
}

fn check_secret(values: &Values) -> CheckResult {
    const CHECK: &str = "secret";
    const NAME: &str = "LETHE_SECRET";
    match values.secret(NAME).map(|secret| Keys::derive(&secret)) {
        None => CheckResult::not_set(CHECK, NAME),
        Some(Ok(keys)) => {
            let ids: Vec<String> = keys.ids().map(|id| id.to_string()).collect();
            let message = format!(
                "LETHE_SECRET is long enough (id {}); keep a copy apart from database backups",
                ids.join(", then ")
            );
            CheckResult::ok(CHECK, message)
        }
        Some(Err(error)) => {
            CheckResult::wrong(CHECK, error.to_string(), "set LETHE_SECRET to the output of `openssl rand -base64 32`")
        }
    }
}
