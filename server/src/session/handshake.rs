//! Handshakes: to Clerk and back, to learn what the cookies here don't tell.

use http::HeaderValue;
use url::Url;

use super::cookies::REDIRECT_COUNT;
use super::reason::Reason;
use super::request::{
    DEV_BROWSER, HANDSHAKE, HANDSHAKE_HELP, HANDSHAKE_NONCE, LEGACY_DEV_BROWSER, SATELLITE_URL, SYNCED, View,
};
use super::rules::Rules;

/// Redirects within two seconds after which it is a loop.
const MOST_REDIRECTS: u32 = 3;

/// A redirect to Clerk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handshake {
    /// Where to.
    pub location: String,
    /// Counts the redirects.
    pub counter: HeaderValue,
    /// Why.
    pub reason: Reason,
}

/// The redirect to Clerk, or `None` where it would be one too many.
pub(super) fn begin(view: &View<'_>, rules: &Rules, reason: Reason) -> Option<Handshake> {
    let location = location(view, rules, &reason)?;
    begin_at(location, view, reason)
}

/// The same to any address.
pub(super) fn begin_at(location: String, view: &View<'_>, reason: Reason) -> Option<Handshake> {
    let count = view.cookies.redirect_count;
    if count >= MOST_REDIRECTS {
        tracing::warn!(
            reason = %reason.as_str(),
            "the session can't be established: Clerk sends the browser back and forth; do the publishable and the secret key belong together?",
        );
        return None;
    }
    let counter = format!("{REDIRECT_COUNT}={}; SameSite=Lax; HttpOnly; Max-Age=2", count + 1);
    Some(Handshake { location, counter: HeaderValue::try_from(counter).expect("digits and constants"), reason })
}

fn location(view: &View<'_>, rules: &Rules, reason: &Reason) -> Option<String> {
    let back = without(view.url()?, &[DEV_BROWSER, LEGACY_DEV_BROWSER]);
    let mut url = rules.frontend_url.join("v1/client/handshake").ok()?;
    {
        let mut query = url.query_pairs_mut();
        query
            .append_pair("redirect_url", back.as_str())
            .append_pair("__clerk_api_version", lethe::clerk::API_VERSION)
            .append_pair("suffixed_cookies", if view.suffixed { "true" } else { "false" })
            .append_pair("__clerk_hs_reason", &reason.as_str())
            .append_pair("format", "nonce");
        if let Some(token) = view.session_token().or(view.bearer.as_deref()) {
            query.append_pair("__session", token);
        }
        if let Some(browser) = view.dev_browser().filter(|_| rules.is_development()) {
            query.append_pair(DEV_BROWSER, browser);
        }
    }
    Some(url.into())
}

/// Where a satellite of a development instance asks who is signed in: the primary domain's sign-in page.
pub(super) fn question(view: &View<'_>, rules: &Rules) -> Option<String> {
    let here = view.url()?;
    let url = rewritten(rules.sign_in_url.clone(), |pairs| pairs.push((SATELLITE_URL.to_owned(), here.into())));
    Some(url.into())
}

/// Where the primary domain of a development instance sends the answer: back, with the browser's identity, which
/// is given to nobody but satellites that are known by their origins.
pub(super) fn answer(view: &View<'_>, rules: &Rules) -> Option<String> {
    let url = Url::parse(view.satellite_url.as_deref()?).ok()?;
    if !matches!(url.scheme(), "http" | "https") || !rules.is_a_party(&url) {
        return None;
    }
    let url = rewritten(url, |pairs| {
        if let Some(browser) = view.dev_browser() {
            pairs.push((DEV_BROWSER.to_owned(), browser.to_owned()));
        }
        set(pairs, SYNCED, "true");
    });
    Some(url.into())
}

/// The address without what a handshake left in it.
pub(super) fn clean(view: &View<'_>) -> Option<String> {
    let url = without(view.url()?, &[HANDSHAKE, HANDSHAKE_HELP, DEV_BROWSER, HANDSHAKE_NONCE]);
    Some(url.into())
}

/// Where the person signs in, with the way back to where they are.
pub(super) fn sign_in(view: &View<'_>, rules: &Rules) -> Url {
    let mut url = rules.sign_in_url.clone();
    if let Some(back) = view.url() {
        let mut back = without(back, &[HANDSHAKE, HANDSHAKE_HELP, DEV_BROWSER, LEGACY_DEV_BROWSER, HANDSHAKE_NONCE]);
        if rules.settings.is_satellite {
            back = rewritten(back, |pairs| set(pairs, SYNCED, "false"));
        }
        url.query_pairs_mut().append_pair("redirect_url", back.as_str());
    }
    if let Some(browser) = view.dev_browser().filter(|_| rules.is_development()) {
        url.query_pairs_mut().append_pair(DEV_BROWSER, browser);
    }
    url
}

fn without(url: Url, names: &[&str]) -> Url {
    rewritten(url, |pairs| pairs.retain(|(name, _)| !names.contains(&&**name)))
}

/// Writes the query anew, as browsers do when one changes anything in it.
fn rewritten(mut url: Url, change: impl FnOnce(&mut Vec<(String, String)>)) -> Url {
    let mut pairs: Vec<(String, String)> = url.query_pairs().map(|(name, value)| (name.into(), value.into())).collect();
    change(&mut pairs);
    if pairs.is_empty() {
        url.set_query(None);
    } else {
        url.query_pairs_mut().clear().extend_pairs(pairs);
    }
    url
}

/// Gives the first pair of that name the value and takes the others away.
fn set(pairs: &mut Vec<(String, String)>, name: &str, value: &str) {
    let place = pairs.iter().position(|(known, _)| known == name).unwrap_or(pairs.len());
    pairs.retain(|(known, _)| known != name);
    pairs.insert(place.min(pairs.len()), (name.to_owned(), value.to_owned()));
}
