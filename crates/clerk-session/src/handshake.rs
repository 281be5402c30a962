//! Redirects: the handshake with Clerk, the sync between a satellite and its primary domain, and the sign-in page.

use http::HeaderValue;
use url::Url;

use crate::backend::API_VERSION;
use crate::cookies::REDIRECT_COUNT;
use crate::handshake_state::{self, HANDSHAKE_STATE as STATE};
use crate::reason::Reason;
use crate::request::{
    AuthRequest, DEV_BROWSER, HANDSHAKE, HANDSHAKE_HELP, HANDSHAKE_NONCE, LEGACY_DEV_BROWSER, SATELLITE_URL, SYNCED,
};
use crate::validated_config::ValidatedConfig;

/// The path of Clerk's handshake endpoint, below the Frontend API.
pub(crate) const PATH: &str = "v1/client/handshake";
/// Its parameter that names where it redirects back to.
pub(crate) const REDIRECT_URL: &str = "redirect_url";

/// This many redirects within two seconds are a loop.
const MAX_REDIRECTS: u32 = 3;

/// A redirect that establishes the session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handshake {
    /// The URL to redirect to.
    pub location: String,
    /// The `Set-Cookie` line of the redirect counter, which ends loops.
    pub counter: HeaderValue,
    /// Why the handshake is needed.
    pub reason: Reason,
}

/// The redirect to `location`, or `None` if the browser has been redirected too often.
pub(crate) fn redirect_to(location: String, request: &AuthRequest<'_>, reason: Reason) -> Option<Handshake> {
    let count = request.cookies.redirect_count;
    if count >= MAX_REDIRECTS {
        return None;
    }
    let counter = format!("{REDIRECT_COUNT}={}; SameSite=Lax; HttpOnly; Max-Age=2", count + 1);
    Some(Handshake { location, counter: HeaderValue::try_from(counter).expect("digits and constants"), reason })
}

/// Clerk's handshake endpoint. `None` if the request's URL cannot be represented.
pub(crate) fn clerk_url(request: &AuthRequest<'_>, config: &ValidatedConfig, reason: &Reason) -> Option<String> {
    let back = without_params(request.url()?, &[DEV_BROWSER, LEGACY_DEV_BROWSER, STATE]);
    let mut url = config.frontend_url.join(PATH).ok()?;
    {
        let mut query = url.query_pairs_mut();
        query
            .append_pair(REDIRECT_URL, back.as_str())
            .append_pair("__clerk_api_version", API_VERSION)
            .append_pair("suffixed_cookies", if request.uses_suffixed_cookies { "true" } else { "false" })
            .append_pair("__clerk_hs_reason", &reason.as_str())
            .append_pair("format", "nonce");
        if let Some(token) = request.session_token().or(request.bearer.as_deref()) {
            query.append_pair("__session", token);
        }
        if let Some(browser) = request.dev_browser().filter(|_| config.is_development()) {
            query.append_pair(DEV_BROWSER, browser);
        }
    }
    Some(url.into())
}

/// Where a satellite of a development instance asks for the session: the primary domain's sign-in page.
pub(crate) fn sync_url(request: &AuthRequest<'_>, config: &ValidatedConfig) -> Option<String> {
    let mut satellite = request.url()?;
    if request.handshake.is_some() || request.handshake_nonce.is_some() {
        // A result that isn't used here is of no use afterwards.
        satellite = without_params(satellite, &[HANDSHAKE, HANDSHAKE_NONCE]);
    }
    let url = with_params(config.sign_in_url.clone(), |pairs| pairs.push((SATELLITE_URL.to_owned(), satellite.into())));
    Some(url.into())
}

/// Where the primary domain of a development instance redirects back to: the satellite, with the browser's token. Only
/// origins that are authorized parties get it.
pub(crate) fn sync_response_url(request: &AuthRequest<'_>, config: &ValidatedConfig) -> Option<String> {
    let url = Url::parse(request.satellite_url.as_deref()?).ok()?;
    if !matches!(url.scheme(), "http" | "https") || !config.is_authorized_party(&url) {
        return None;
    }
    let url = with_params(url, |pairs| {
        if let Some(browser) = request.dev_browser() {
            pairs.push((DEV_BROWSER.to_owned(), browser.to_owned()));
        }
        set_param(pairs, SYNCED, "true");
    });
    Some(url.into())
}

/// The request's URL without the parameters of a handshake.
pub(crate) fn without_handshake_params(request: &AuthRequest<'_>) -> Option<String> {
    let url = without_params(request.url()?, &[HANDSHAKE, HANDSHAKE_HELP, DEV_BROWSER, HANDSHAKE_NONCE, STATE]);
    Some(url.into())
}

/// Adds a [state](handshake_state) to the URL that a handshake leads back to. Returns the location and the `Set-Cookie` line.
/// A browser that opens several pages at once has one state for all of them.
///
/// `None` if `location` isn't Clerk's handshake endpoint or there is no random number; then the browser comes back without a
/// state, and its handshake doesn't count.
pub(crate) fn bind(
    location: &str,
    request: &AuthRequest<'_>,
    config: &ValidatedConfig,
) -> Option<(String, HeaderValue)> {
    let mut url = Url::parse(location).ok()?;
    if url.path() != config.frontend_url.join(PATH).ok()?.path() {
        return None;
    }
    let state = match request.cookies.state.as_deref().filter(|state| handshake_state::is_state(state)) {
        Some(state) => state.to_owned(),
        None => handshake_state::random()?,
    };
    let with_state = |back: Url| {
        // The result of another handshake would come before that of this one.
        let mut back = without_params(back, &[HANDSHAKE, HANDSHAKE_NONCE]);
        back.query_pairs_mut().append_pair(STATE, &state);
        back
    };
    let pairs: Vec<(String, String)> = url
        .query_pairs()
        .map(|(name, value)| match Url::parse(&value) {
            Ok(back) if name == REDIRECT_URL => (name.into_owned(), with_state(back).into()),
            _ => (name.into_owned(), value.into_owned()),
        })
        .collect();
    url.query_pairs_mut().clear().extend_pairs(pairs);
    Some((url.into(), handshake_state::cookie(&state, &config.config.public_url)?))
}

/// The sign-in page, which leads back to the request's URL.
pub(crate) fn sign_in_url(request: &AuthRequest<'_>, config: &ValidatedConfig) -> Url {
    let mut url = config.sign_in_url.clone();
    if let Some(back) = request.url() {
        let left_out = [HANDSHAKE, HANDSHAKE_HELP, DEV_BROWSER, LEGACY_DEV_BROWSER, HANDSHAKE_NONCE, STATE];
        let mut back = without_params(back, &left_out);
        if config.config.is_satellite {
            back = with_params(back, |pairs| set_param(pairs, SYNCED, "false"));
        }
        url.query_pairs_mut().append_pair(REDIRECT_URL, back.as_str());
    }
    if let Some(browser) = request.dev_browser().filter(|_| config.is_development()) {
        url.query_pairs_mut().append_pair(DEV_BROWSER, browser);
    }
    url
}

fn without_params(url: Url, names: &[&str]) -> Url {
    with_params(url, |pairs| pairs.retain(|(name, _)| !names.contains(&&**name)))
}

/// Changes the query and serializes it as JavaScript's `URLSearchParams` does.
fn with_params(mut url: Url, change: impl FnOnce(&mut Vec<(String, String)>)) -> Url {
    let mut pairs: Vec<(String, String)> = url.query_pairs().map(|(name, value)| (name.into(), value.into())).collect();
    change(&mut pairs);
    if pairs.is_empty() {
        url.set_query(None);
    } else {
        url.query_pairs_mut().clear().extend_pairs(pairs);
    }
    url
}

/// Replaces the first parameter with this name and removes the others; appends it if there is none.
fn set_param(pairs: &mut Vec<(String, String)>, name: &str, value: &str) {
    let position = pairs.iter().position(|(known, _)| known == name).unwrap_or(pairs.len());
    pairs.retain(|(known, _)| known != name);
    pairs.insert(position.min(pairs.len()), (name.to_owned(), value.to_owned()));
}
