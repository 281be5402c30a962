//! What a user was about to do when they had to sign in first. Their browser stores it in a sealed cookie for a
//! quarter of an hour, and the page to which they return resumes it.
//!
//! The cookie is bound to the user and grants nothing: the page opens a dialog or fills in a form, and the user
//! confirms again. If another user signs in instead, the page says that the action was dropped.

use axum::http::header::HeaderValue;
use lethe::Lethe;
use lethe_error_code::ErrorCode;
use serde::{Deserialize, Serialize};
use time::Duration;

use super::current_user::CurrentUser;
use super::sealed_cookie::SealedCookie;
use crate::dto::UserHandle;

const COOKIE: SealedCookie = SealedCookie {
    host_name: "__Host-lethe-errand",
    plain_name: "lethe-errand",
    // How long a user may take to sign in.
    lifetime: Duration::minutes(15),
};

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
    /// Another user has signed in, and this action was dropped.
    OtherUser(PendingAction),
}

/// The sealed content of the cookie.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct SealedPayload {
    #[serde(rename = "person")]
    user_handle: UserHandle,
    #[serde(rename = "errand")]
    action: PendingAction,
}

/// Returns the `Set-Cookie` value that stores the user's action, or `None` if it is too large for a cookie. Then the
/// action is lost, as it would be without this module.
#[must_use]
pub fn to_cookie(lethe: &Lethe, user_handle: &UserHandle, action: PendingAction) -> Option<HeaderValue> {
    COOKIE.header(lethe, SealedPayload { user_handle: user_handle.clone(), action })
}

/// Stores an action with the response.
pub(crate) fn store(lethe: &Lethe, user_handle: &UserHandle, action: PendingAction) {
    COOKIE.store(lethe, SealedPayload { user_handle: user_handle.clone(), action });
}

/// Returns the stored action, if it belongs to the page that asks: `belongs_here` decides. Removes it from the browser.
pub(crate) fn take(
    lethe: &Lethe,
    user: &CurrentUser,
    belongs_here: impl Fn(&PendingAction) -> bool,
) -> Option<Resumed> {
    let payload = COOKIE.read::<SealedPayload>(lethe)?;
    if !user.has_handle(&payload.user_handle) {
        COOKIE.remove(lethe);
        return (payload.action != PendingAction::Unconfirmed).then_some(Resumed::OtherUser(payload.action));
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
            COOKIE.remove(lethe);
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
    COOKIE
        .read::<SealedPayload>(lethe)
        .is_some_and(|payload| user.has_handle(&payload.user_handle) && is_attempt(&payload.action))
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
}
