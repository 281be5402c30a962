//! What a user was about to do when they had to sign in first. Their browser stores it in a sealed cookie for a
//! quarter of an hour, and the page to which they return resumes it.
//!
//! The cookie is bound to the user and grants nothing: the page opens a dialog or fills in a form, and the user
//! confirms again. If another user signs in instead, the page says that the action was dropped.

use axum::http::header::{COOKIE, HeaderMap, HeaderValue, SET_COOKIE};
use axum::http::request::Parts;
use cookie::{Cookie, SameSite};
use leptos::prelude::use_context;
use lethe::Lethe;
use lethe_error_code::ErrorCode;
use serde::{Deserialize, Serialize};
use time::Duration;

use super::current_user::CurrentUser;
use crate::dto::UserHandle;
use crate::response;

/// How long a user may take to sign in.
const LIFETIME: Duration = Duration::minutes(15);
/// Browsers limit a cookie to 4096 bytes. Sealing and encoding add about a third.
const MAX_BYTES: usize = 2048;

/// What a user was about to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PendingAction {
    /// Verify who they are, then continue there.
    Confirm(ReturnTo),
    /// Save preferences with these purposes granted. The session had ended.
    Preferences(Vec<String>),
    /// Delete the account; this is what they had typed. The session had ended.
    Deletion(String),
    /// They returned from signing in again, and the new session has no recent verification either.
    Unconfirmed,
}

/// Where a user continues after verifying who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReturnTo {
    /// The card with the download.
    Export,
    /// The deletion dialog.
    Dialog,
    /// The deletion page, which needs no script.
    Page,
}

impl ReturnTo {
    /// Parses the value of a form's field.
    #[must_use]
    pub fn parse(value: &str) -> Option<Self> {
        [Self::Export, Self::Dialog, Self::Page].into_iter().find(|target| target.as_str() == value)
    }

    /// Returns the value for a form's field.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Export => "export",
            Self::Dialog => "dialog",
            Self::Page => "page",
        }
    }

    /// Returns the page's path and the fragment within it.
    #[must_use]
    pub const fn path_and_fragment(self) -> (&'static str, Option<&'static str>) {
        match self {
            Self::Export => ("/", Some("copy")),
            Self::Dialog => ("/", Some("deletion")),
            Self::Page => ("/delete", None),
        }
    }
}

/// What a page does with a stored action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Resumed {
    /// The user continues.
    Continue(PendingAction),
    /// The user returned there, still without a recent verification.
    StillUnverified(ReturnTo),
    /// Another user has signed in, and the action was dropped.
    OtherUser,
}

/// The sealed content of the cookie.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct SealedPayload {
    #[serde(rename = "person")]
    user_handle: UserHandle,
    /// Expiry, in seconds since the Unix epoch.
    until: i64,
    #[serde(rename = "errand")]
    action: PendingAction,
}

/// Returns the `Set-Cookie` value that stores the user's action, or `None` if it is too large for a cookie. Then the
/// action is lost, as it would be without this module.
#[must_use]
pub fn to_cookie(lethe: &Lethe, user_handle: &UserHandle, action: PendingAction) -> Option<HeaderValue> {
    let until = (lethe.clock.now() + LIFETIME).unix_timestamp();
    let payload = serde_json::to_vec(&SealedPayload { user_handle: user_handle.clone(), until, action }).ok()?;
    if payload.len() > MAX_BYTES {
        return None;
    }
    set_cookie_header(lethe, lethe.keys.seal_for_browser(&payload, &lethe.random), LIFETIME)
}

/// Stores an action with the response.
pub(crate) fn store(lethe: &Lethe, user_handle: &UserHandle, action: PendingAction) {
    append_cookie(to_cookie(lethe, user_handle, action));
}

/// Returns the stored action, if it belongs to the page that asks: `belongs_here` decides. Removes it from the browser.
pub(crate) fn take(
    lethe: &Lethe,
    user: &CurrentUser,
    belongs_here: impl Fn(&PendingAction) -> bool,
) -> Option<Resumed> {
    let payload = read(lethe)?;
    if payload.user_handle != user.user_handle {
        remove(lethe);
        return (payload.action != PendingAction::Unconfirmed).then_some(Resumed::OtherUser);
    }
    if !belongs_here(&payload.action) {
        return None;
    }
    match payload.action {
        // As long as the browser stores this, the user isn't asked to sign in yet again.
        PendingAction::Confirm(return_to) if !user.recently_verified => {
            store(lethe, &payload.user_handle, PendingAction::Unconfirmed);
            Some(Resumed::StillUnverified(return_to))
        }
        action => {
            remove(lethe);
            Some(Resumed::Continue(action))
        }
    }
}

/// Like [`CurrentUser::require_fresh_sign_in`], but doesn't ask users to sign in again who have just done so in vain.
pub(crate) fn require_fresh_sign_in(lethe: &Lethe, user: &CurrentUser) -> Result<(), ErrorCode> {
    user.require_fresh_sign_in().map_err(|code| match code {
        ErrorCode::ReverificationNeeded if reverification_attempted(lethe, user) => ErrorCode::StillUnverified,
        code => code,
    })
}

fn reverification_attempted(lethe: &Lethe, user: &CurrentUser) -> bool {
    let is_attempt = |action: &PendingAction| matches!(action, PendingAction::Confirm(_) | PendingAction::Unconfirmed);
    read(lethe).is_some_and(|payload| payload.user_handle == user.user_handle && is_attempt(&payload.action))
}

fn read(lethe: &Lethe) -> Option<SealedPayload> {
    let request = use_context::<Parts>()?;
    let sealed = cookie_value(&request.headers, cookie_name(lethe))?;
    let payload: SealedPayload = serde_json::from_slice(&lethe.keys.open_from_browser(&sealed)?).ok()?;
    (lethe.clock.now().unix_timestamp() < payload.until).then_some(payload)
}

fn cookie_value(headers: &HeaderMap, name: &str) -> Option<String> {
    let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut cookies = lines.flat_map(Cookie::split_parse).filter_map(Result::ok);
    cookies.find(|cookie| cookie.name() == name).map(|cookie| cookie.value().to_owned())
}

/// The prefix `__Host-` keeps other hosts of the domain from setting the cookie. Browsers accept it with HTTPS alone.
fn cookie_name(lethe: &Lethe) -> &'static str {
    if uses_https(lethe) { "__Host-lethe-errand" } else { "lethe-errand" }
}

fn set_cookie_header(lethe: &Lethe, value: String, max_age: Duration) -> Option<HeaderValue> {
    let cookie = Cookie::build((cookie_name(lethe), value))
        .path("/")
        .max_age(max_age)
        .http_only(true)
        // The redirect from the sign-in page comes from another site.
        .same_site(SameSite::Lax)
        .secure(uses_https(lethe));
    HeaderValue::try_from(cookie.to_string()).ok()
}

fn remove(lethe: &Lethe) {
    append_cookie(set_cookie_header(lethe, String::new(), Duration::ZERO));
}

fn append_cookie(value: Option<HeaderValue>) {
    if let Some(value) = value {
        response::append_header(SET_COOKIE, value);
    }
}

fn uses_https(lethe: &Lethe) -> bool {
    lethe.config.public_url.scheme() == "https"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn return_target_is_parsed_from_its_value() {
        for target in [ReturnTo::Export, ReturnTo::Dialog, ReturnTo::Page] {
            assert_eq!(ReturnTo::parse(target.as_str()), Some(target));
        }
        assert_eq!(ReturnTo::parse("https://example.org"), None);
    }

    #[test]
    fn cookie_is_found_among_others() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, HeaderValue::from_static("a=1; broken; lethe-errand-2=x"));
        headers.append(COOKIE, HeaderValue::from_static("b=2;lethe-errand=sealed"));
        assert_eq!(cookie_value(&headers, "lethe-errand").as_deref(), Some("sealed"));
        assert_eq!(cookie_value(&headers, "lethe-errands"), None);
    }
}
