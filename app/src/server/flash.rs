//! A message that is shown once: what became of a form, or of a download, after the redirect that follows it.
//!
//! It travels in a sealed cookie and not in the address, so that no link can make a page claim something.

use axum::http::header::HeaderValue;
use lethe::Lethe;
use lethe_error_code::ErrorCode;
use serde::{Deserialize, Serialize};
use time::Duration;

use super::current_user::CurrentUser;
use super::sealed_cookie::SealedCookie;
use crate::dto::UserHandle;

const COOKIE: SealedCookie = SealedCookie {
    host_name: "__Host-lethe-flash",
    plain_name: "lethe-flash",
    // A redirect takes a moment, a sign-in in between longer.
    lifetime: Duration::minutes(5),
};

/// Bytes of what was typed that a cookie holds.
const MAX_TYPED: usize = 200;

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Flash {
    /// The preferences were saved.
    Saved,
    /// The preferences were not saved.
    NotSaved(ErrorCode),
    /// The download was refused; with the id of the incident.
    ExportRefused(ErrorCode, String),
    /// The deletion was refused.
    DeletionRefused(ErrorCode),
    /// The deletion was refused because this was typed instead of the phrase.
    ConfirmationMistyped(String),
    /// The user signed out.
    SignedOut,
}

#[derive(Serialize, Deserialize)]
struct Payload {
    /// The user whom it concerns. Empty if nobody was signed in.
    user_handle: UserHandle,
    flash: Flash,
}

/// Returns the `Set-Cookie` value for the next page.
#[must_use]
pub fn to_cookie(lethe: &Lethe, user_handle: &UserHandle, flash: Flash) -> Option<HeaderValue> {
    COOKIE.header(lethe, Payload { user_handle: user_handle.clone(), flash })
}

/// Stores the message with the response, for the next page.
pub(super) fn store(lethe: &Lethe, user_handle: &UserHandle, flash: Flash) {
    COOKIE.store(lethe, Payload { user_handle: user_handle.clone(), flash });
}

/// Returns the message for this user, or for whoever was signed in where nobody is now, and removes it. A message for
/// another user is removed only.
pub(crate) fn take(lethe: &Lethe, user: Option<&CurrentUser>) -> Option<Flash> {
    let Payload { user_handle: concerned, flash } = COOKIE.read(lethe)?;
    COOKIE.remove(lethe);
    let concerns_user = user.is_none_or(|user| user.has_handle(&concerned) || concerned == UserHandle::default());
    concerns_user.then_some(flash)
}

/// Returns why the user's deletion was refused, and what they had typed if that was the reason.
pub(crate) fn take_refused_deletion(lethe: &Lethe, user: &CurrentUser) -> (Option<ErrorCode>, Option<String>) {
    match take(lethe, Some(user)) {
        Some(Flash::DeletionRefused(code)) => (Some(code), None),
        Some(Flash::ConfirmationMistyped(typed)) => (Some(ErrorCode::ConfirmationMissing), Some(typed)),
        _ => (None, None),
    }
}

/// The message about a refused deletion. A cookie holds what was typed if it is short.
pub(crate) fn refused_deletion(code: ErrorCode, typed: String) -> Flash {
    match code {
        ErrorCode::ConfirmationMissing if typed.len() <= MAX_TYPED => Flash::ConfirmationMistyped(typed),
        code => Flash::DeletionRefused(code),
    }
}
