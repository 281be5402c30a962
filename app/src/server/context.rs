//! What the server provides in Leptos' context for each page and each server function.
//!
//! These are `lethe::Lethe`, [`Site`], [`RequestContext`], [`Authentication`], [`SignInUrl`], for users whose deletion is under
//! way [`DepartingUser`] and their `ReceiptCode`, and, for pages, the nonce of the content security policy (`leptos::nonce::Nonce`). None of them exists while the routes are listed at startup,
//! so pages read them with `use_context`.

use leptos::prelude::{LeptosOptions, use_context};
use lethe::Lethe;
use lethe_error_code::ErrorCode;

use super::current_user::{Authentication, CurrentUser};
use crate::dto::UserHandle;

/// What every page of this installation shares.
#[derive(Clone)]
pub struct Site {
    /// The name in the header and in titles, e.g. `Northwind Journal`.
    pub brand: String,
    /// Path of the style sheet, e.g. `/pkg/lethe-1f2e.css`.
    pub style_path: String,
    /// Path of the font, e.g. `/pkg/inter-9c3d.woff2`.
    pub font_path: String,
    /// Where people can write to: `https://…` or `mailto:…`.
    pub contact_url: Option<String>,
    /// The operator's privacy notice.
    pub privacy_notice_url: Option<String>,
    /// The application's own pages.
    pub application_url: Option<String>,
    /// The language of the operator's texts, as in HTML's `lang`; `None` where it is that of the pages.
    pub content_language: Option<String>,
    /// Leptos' options, among them the paths of the browser's bundle.
    pub options: LeptosOptions,
}

/// What belongs to one request.
#[derive(Clone, Debug)]
pub struct RequestContext {
    /// Identifies the request in the log, in the response's headers and on error pages.
    pub incident: String,
    /// The nonce of the response's content security policy.
    pub nonce: String,
    /// Whether the request carries `Sec-GPC: 1` (Global Privacy Control).
    pub gpc: bool,
}

/// A signed-in user whose deletion is under way. They can look at it, and confirm what has changed.
#[derive(Clone, Debug)]
pub struct DepartingUser(pub CurrentUser);

/// Where to sign in. The URL leads back to the requested page.
#[derive(Clone, Debug)]
pub struct SignInUrl(pub String);

/// Returns the handle to every operation.
pub(crate) fn lethe() -> Result<Lethe, ErrorCode> {
    use_context::<Lethe>().ok_or(ErrorCode::Internal)
}

/// Returns the signed-in user, or why there is none.
pub(crate) fn current_user() -> Authentication {
    use_context::<Authentication>().unwrap_or(Err(ErrorCode::Internal))
}

/// Returns the signed-in user whose deletion is under way, or why there is none.
pub(crate) fn departing_user() -> Authentication {
    let departing = use_context::<DepartingUser>().map(|DepartingUser(user)| user);
    departing.ok_or_else(|| current_user().err().unwrap_or(ErrorCode::NotFound))
}

/// Returns the signed-in user, if the form or page was rendered for them.
pub(crate) fn form_owner(rendered_for: &UserHandle) -> Authentication {
    let user = current_user()?;
    if user.has_handle(rendered_for) { Ok(user) } else { Err(ErrorCode::OtherUser) }
}

/// Whether the browser sends an opt-out signal.
pub(crate) fn gpc() -> bool {
    use_context::<RequestContext>().is_some_and(|request| request.gpc)
}

/// Returns the language of the operator's texts, where it isn't that of the pages.
pub(crate) fn content_language() -> Option<String> {
    use_context::<Site>().and_then(|site| site.content_language)
}

/// Returns the request's incident id.
pub(crate) fn incident() -> String {
    use_context::<RequestContext>().map(|request| request.incident).unwrap_or_default()
}
