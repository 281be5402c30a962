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

use super::answer::Caller;

/// How long a person may take for signing in, in seconds.
const LIFETIME: i64 = 15 * 60;
/// Browsers keep four kilobytes a cookie, and nothing that belongs here comes near.
const MOST_BYTES: usize = 2048;

/// What a person was about to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Errand {
    /// They confirm who they are, to go on there.
    Confirm(Place),
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
pub enum Place {
    /// The card with the download.
    Export,
    /// The dialog that asks before deleting.
    Dialog,
    /// The page that does the same without script.
    Page,
}

impl Place {
    /// Reads a form's word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Export, Self::Dialog, Self::Page].into_iter().find(|place| place.word() == word)
    }

    /// The word in a form.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Export => "export",
            Self::Dialog => "dialog",
            Self::Page => "page",
        }
    }

    /// The page's path, and the part of the page.
    #[must_use]
    pub const fn address(self) -> (&'static str, Option<&'static str>) {
        match self {
            Self::Export => ("/", Some("copy")),
            Self::Dialog => ("/", Some("deletion")),
            Self::Page => ("/delete", None),
        }
    }
}

/// What the page that a person comes back to makes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Returned {
    /// The same person goes on.
    GoesOn(Errand),
    /// The same person came back to this place, and still nothing confirms who they are.
    Unconfirmed(Place),
    /// Somebody else came; what was begun is dropped.
    SomebodyElse,
}

/// What is sealed.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Kept {
    /// The mark of whose errand it is.
    person: String,
    /// Until when it is good, in seconds since the epoch.
    until: i64,
    errand: Errand,
}

/// A `Set-Cookie` line that keeps the errand of the person with this mark. `None` where it is too
/// large for a cookie: then it is lost, as it would have been without.
#[must_use]
pub fn keep(lethe: &Lethe, person: &str, errand: Errand) -> Option<HeaderValue> {
    let until = lethe.clock.now().unix_timestamp() + LIFETIME;
    let plain = serde_json::to_vec(&Kept { person: person.to_owned(), until, errand }).ok()?;
    if plain.len() > MOST_BYTES {
        return None;
    }
    cookie(lethe, &lethe.keys.seal_for_browser(&plain, &lethe.random), LIFETIME)
}

/// Keeps an errand with the answer that is being made.
pub(crate) fn keep_here(lethe: &Lethe, person: &str, errand: Errand) {
    set_cookie(keep(lethe, person, errand));
}

/// Takes up what the caller's browser keeps, where it belongs `here`.
pub(crate) fn take(caller: &Caller, here: impl Fn(&Errand) -> bool) -> Option<Returned> {
    let kept = read(&caller.lethe)?;
    if kept.person != caller.mark() {
        set_cookie(cookie(&caller.lethe, "", 0));
        return (kept.errand != Errand::Unconfirmed).then_some(Returned::SomebodyElse);
    }
    if !here(&kept.errand) {
        return None;
    }
    match kept.errand {
        // As long as this is remembered, nobody is sent round again.
        Errand::Confirm(place) if !caller.person.recently_verified => {
            keep_here(&caller.lethe, &kept.person, Errand::Unconfirmed);
            Some(Returned::Unconfirmed(place))
        }
        errand => {
            set_cookie(cookie(&caller.lethe, "", 0));
            Some(Returned::GoesOn(errand))
        }
    }
}

/// Whether the caller has just tried to confirm who they are.
pub(crate) fn has_tried(caller: &Caller) -> bool {
    let is_try = |errand: &Errand| matches!(errand, Errand::Confirm(_) | Errand::Unconfirmed);
    read(&caller.lethe).is_some_and(|kept| kept.person == caller.mark() && is_try(&kept.errand))
}

fn read(lethe: &Lethe) -> Option<Kept> {
    use_context::<Parts>().and_then(|request| find(lethe, &request.headers))
}

fn find(lethe: &Lethe, headers: &HeaderMap) -> Option<Kept> {
    let pairs = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok()).flat_map(|line| line.split(';'));
    let sealed = pairs.filter_map(|pair| pair.trim().split_once('=')).find(|(name, _)| *name == self::name(lethe))?.1;
    let kept: Kept = serde_json::from_slice(&lethe.keys.open_from_browser(sealed)?).ok()?;
    (lethe.clock.now().unix_timestamp() < kept.until).then_some(kept)
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
    lethe.settings.public_url.scheme() == "https"
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
        for place in [Place::Export, Place::Dialog, Place::Page] {
            assert_eq!(Place::parse(place.word()), Some(place));
        }
        assert_eq!(Place::parse("https://example.org"), None);
    }
}
