//! What the server puts into Leptos' context for every page and every server function.
//!
//! The server provides three values besides `lethe::Lethe`: the [`Site`], the [`Visitor`] and, for
//! pages, the nonce of the content security policy (`leptos::nonce::Nonce`). While routes are
//! listed at start-up none of them exists, so pages ask with `use_context`.

use leptos::prelude::LeptosOptions;
use lethe::ClerkUserId;

/// Who asks, as far as the session says. Lives for one request.
#[derive(Clone)]
pub struct Visitor {
    /// The signed-in person; `None` when signed out, and for people who are being or were erased.
    pub person: Option<Person>,
    /// Whether the request carries `Sec-GPC: 1`.
    pub gpc: bool,
    /// The incident id of this request, as logged.
    pub incident: String,
    /// Where to sign in, including the way back to the page asked for.
    pub sign_in_url: String,
}

/// A signed-in person. Taken from the session's claims and a short-lived cache, never from a call.
#[derive(Clone)]
pub struct Person {
    /// The Clerk user id.
    pub clerk_user_id: ClerkUserId,
    /// The Clerk session id.
    pub session_id: String,
    /// The primary address, where known. Shown in the header, and told about a deletion.
    pub email: Option<String>,
    /// The name to show, where known.
    pub name: Option<String>,
    /// Whether somebody else acts for this person (`act` in the token). Such a session may look,
    /// and may not delete or download.
    pub impersonated: bool,
    /// Whether they proved who they are within the last minutes, as deleting and disclosing want it.
    pub recently_verified: bool,
}

/// What every page of this installation shares.
#[derive(Clone)]
pub struct Site {
    /// The name in the header and in titles, e.g. `Northwind Journal`.
    pub brand: String,
    /// Path of the style sheet, e.g. `/pkg/lethe-1f2e.css`.
    pub style_path: String,
    /// Path of the font, e.g. `/pkg/inter-9c3d.woff2`.
    pub font_path: String,
    /// Leptos' options: where the browser's part is.
    pub options: LeptosOptions,
}
