//! What a person was about to do when they had to sign in first. Their browser keeps it, sealed,
//! for a quarter of an hour, and the page that they come back to takes it up.
//!
//! It is bound to the person, and it releases nothing: it opens a dialog or fills in a form, and
//! the person confirms anew. Whoever signs in instead finds out that it was dropped.

use axum::http::header::{COOKIE, HeaderMap, HeaderValue, SET_COOKIE};
use axum::http::request::Parts;
use leptos::prelude::use_context;
use leptos_axum::ResponseOptions;
use lethe::Lethe;
use serde::{Deserialize, Serialize};

use super::respond::Caller;

/// How long a person may take for signing in, in seconds.
const LIFETIME: i64 = 15 * 60;
/// Browsers keep four kilobytes a cookie, and nothing that belongs here comes near.
const MAX_BYTES: usize = 2048;

/// What a person was about to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PendingAction {
    /// They confirm who they are, to go on there.
    Confirm(ReturnTo),
    /// They sent preferences, with these purposes on, when their session was over.
    Preferences(Vec<String>),
    /// They typed this to confirm a deletion, when their session was over.
    Deletion(String),
    /// They came back from confirming who they are, and nothing confirmed it.
    Unconfirmed,
}

/// Where a person goes on after confirming who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReturnTo {
    /// The card with the download.
    Export,
    /// The dialog that asks before deleting.
    Dialog,
    /// The page that does the same without script.
    Page,
}

impl ReturnTo {
    /// Reads a form's word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Export, Self::Dialog, Self::Page].into_iter().find(|target| target.as_str() == word)
    }

    /// The word in a form.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Export => "export",
            Self::Dialog => "dialog",
            Self::Page => "page",
        }
    }

    /// The page's path, and the part of the page.
    #[must_use]
    pub const fn path_and_fragment(self) -> (&'static str, Option<&'static str>) {
        match self {
            Self::Export => ("/", Some("copy")),
            Self::Dialog => ("/", Some("deletion")),
            Self::Page => ("/delete", None),
        }
    }
}

/// What the page that a person comes back to makes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Resumed {
    /// The same person goes on.
    Continue(PendingAction),
    /// The same person came back to this place, and still nothing confirms who they are.
    StillUnverified(ReturnTo),
    /// Somebody else came; what was begun is dropped.
    OtherUser,
}

/// What is sealed.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct SealedPayload {
    /// The mark of whose action it is.
    #[serde(rename = "person")]
    user_handle: String,
    /// Until when it is good, in seconds since the epoch.
    until: i64,
    #[serde(rename = "errand")]
    action: PendingAction,
}

/// A `Set-Cookie` line that keeps the action of the person with this mark. `None` where it is too
/// large for a cookie: then it is lost, as it would have been without.
#[must_use]
pub fn to_cookie(lethe: &Lethe, user_handle: &str, action: PendingAction) -> Option<HeaderValue> {
    let until = lethe.clock.now().unix_timestamp() + LIFETIME;
    let plain = serde_json::to_vec(&SealedPayload { user_handle: user_handle.to_owned(), until, action }).ok()?;
    if plain.len() > MAX_BYTES {
        return None;
    }
    cookie(lethe, &lethe.keys.seal_for_browser(&plain, &lethe.random), LIFETIME)
}

/// Keeps an action with the answer that is being made.
pub(crate) fn store(lethe: &Lethe, user_handle: &str, action: PendingAction) {
    set_cookie(to_cookie(lethe, user_handle, action));
}

/// Takes up what the caller's browser keeps, where it belongs `here`.
pub(crate) fn take(caller: &Caller, here: impl Fn(&PendingAction) -> bool) -> Option<Resumed> {
    let payload = read(&caller.lethe)?;
    if payload.user_handle != caller.user_handle() {
        set_cookie(cookie(&caller.lethe, "", 0));
        return (payload.action != PendingAction::Unconfirmed).then_some(Resumed::OtherUser);
    }
    if !here(&payload.action) {
        return None;
    }
    match payload.action {
        // As long as this is remembered, nobody is sent round again.
        PendingAction::Confirm(return_to) if !caller.person.recently_verified => {
            store(&caller.lethe, &payload.user_handle, PendingAction::Unconfirmed);
            Some(Resumed::StillUnverified(return_to))
        }
        action => {
            set_cookie(cookie(&caller.lethe, "", 0));
            Some(Resumed::Continue(action))
        }
    }
}

/// Whether the caller has just tried to confirm who they are.
pub(crate) fn reverification_attempted(caller: &Caller) -> bool {
    let is_attempt = |action: &PendingAction| matches!(action, PendingAction::Confirm(_) | PendingAction::Unconfirmed);
    read(&caller.lethe)
        .is_some_and(|payload| payload.user_handle == caller.user_handle() && is_attempt(&payload.action))
}

fn read(lethe: &Lethe) -> Option<SealedPayload> {
    use_context::<Parts>().and_then(|request| from_headers(lethe, &request.headers))
}

fn from_headers(lethe: &Lethe, headers: &HeaderMap) -> Option<SealedPayload> {
    let pairs = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok()).flat_map(|line| line.split(';'));
    let sealed = pairs.filter_map(|pair| pair.trim().split_once('=')).find(|(name, _)| *name == self::name(lethe))?.1;
    let payload: SealedPayload = serde_json::from_slice(&lethe.keys.open_from_browser(sealed)?).ok()?;
    (lethe.clock.now().unix_timestamp() < payload.until).then_some(payload)
}

/// With encryption no other host of the domain can set it.
fn name(lethe: &Lethe) -> &'static str {
    if is_encrypted(lethe) { "__Host-lethe-errand" } else { "lethe-errand" }
}

/// `Lax`: the way back from signing in begins on another site.
fn cookie(lethe: &Lethe, value: &str, age: i64) -> Option<HeaderValue> {
    let secure = if is_encrypted(lethe) { "; Secure" } else { "" };
    let line = format!("{}={value}; Path=/; Max-Age={age}; HttpOnly; SameSite=Lax{secure}", name(lethe));
    HeaderValue::try_from(line).ok()
}

fn is_encrypted(lethe: &Lethe) -> bool {
    lethe.config.public_url.scheme() == "https"
}

fn set_cookie(line: Option<HeaderValue>) {
    if let (Some(response), Some(line)) = (use_context::<ResponseOptions>(), line) {
        response.append_header(SET_COOKIE, line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_from_their_words() {
        for return_to in [ReturnTo::Export, ReturnTo::Dialog, ReturnTo::Page] {
            assert_eq!(ReturnTo::parse(return_to.as_str()), Some(return_to));
        }
        assert_eq!(ReturnTo::parse("https://example.org"), None);
    }
}
