//! Pages and server functions: gives Leptos its context and returns what it renders.

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{Method, StatusCode, header};
use leptos::nonce::Nonce;
use leptos::prelude::{provide_context, use_context};
use leptos_axum::{handle_server_fns_with_context, render_app_async_with_context};
use lethe::deletion::ReceiptCode;
use lethe_app::server::context::{DepartingUser, RequestContext, SignInUrl};
use lethe_app::server::current_user::Authentication;
use lethe_app::server_fns::{
    CONFIRM_CHANGED_PLAN_PATH, GIVE_UP_DELETION_PATH, PREVIEW_PATHS, REQUEST_DELETION_PATH, SAVE_PREFERENCES_PATH,
};
use lethe_error_code::ErrorCode;

use crate::cookie_check;
use crate::error::Problem;
use crate::state::AppState;

/// Renders the page of the request's path.
pub async fn page(State(state): State<AppState>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    if let Err(problem) = check_limits(&state, &parts).await {
        return problem.into_response();
    }
    let request = Request::from_parts(parts, body);
    let options = state.site.options.clone();
    let render = render_app_async_with_context(leptos_context(&state), move || lethe_app::shell(options.clone()));
    render(request).await
}

/// Runs a server function.
pub async fn server_function(State(state): State<AppState>, request: Request) -> Response {
    let (mut parts, body) = request.into_parts();
    if let Err(problem) = check_limits(&state, &parts).await {
        return problem.into_response();
    }
    // Leptos redirects a browser without script back to where it came from, which may be another site. Lethe's own forms
    // are sent elsewhere by name.
    parts.headers.remove(header::REFERER);
    let request = Request::from_parts(parts, body);
    handle_server_fns_with_context(leptos_context(&state), request).await.into_response()
}

/// Counts what is expensive, per user.
async fn check_limits(state: &AppState, request: &Parts) -> Result<(), Problem> {
    let extensions = &request.extensions;
    let departing = || extensions.get::<DepartingUser>().map(|DepartingUser(user)| user);
    let user = extensions.get::<Authentication>().and_then(|user| user.as_ref().ok()).or_else(departing);
    let Some(user) = user else { return Ok(()) };
    let limits = &state.rate_limits;
    let limit = match request.uri.path() {
        // Whoever has to sign in again first, and may then delete the account, uses up nothing.
        REQUEST_DELETION_PATH if user.require_fresh_sign_in().is_err() => return Ok(()),
        REQUEST_DELETION_PATH | CONFIRM_CHANGED_PLAN_PATH => &limits.deletions,
        SAVE_PREFERENCES_PATH => &limits.consent_changes,
        GIVE_UP_DELETION_PATH => &limits.previews,
        path if PREVIEW_PATHS.contains(&path) || matches!(path, "/data" | "/delete") => &limits.previews,
        _ => return Ok(()),
    };
    Ok(limit.check(&state.lethe, &user.clerk_user_id).await?)
}

/// The fallback: a page for people, a document for programs.
pub async fn not_found(state: State<AppState>, request: Request) -> Response {
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    if !is_read || request.uri().path().starts_with("/api/") {
        return Problem::new(ErrorCode::NotFound).into_response();
    }
    let mut response = page(state, request).await;
    if response.status() == StatusCode::OK {
        *response.status_mut() = StatusCode::NOT_FOUND;
    }
    response
}

/// Returns the function that fills the context of each page and server function.
fn leptos_context(state: &AppState) -> impl Fn() + Clone + Send + Sync + 'static {
    let state = state.clone();
    move || {
        provide_context(state.site.clone());
        let Some(parts) = use_context::<Parts>() else { return };
        let Some(context) = parts.extensions.get::<RequestContext>() else { return };
        provide_context(state.lethe.with_incident(&context.incident));
        provide_context(Nonce::from_value(context.nonce.clone()));
        if let Some(authentication) = parts.extensions.get::<Authentication>() {
            provide_context(authentication.clone());
        }
        if let Some(receipt) = parts.extensions.get::<ReceiptCode>() {
            provide_context(receipt.clone());
        }
        if let Some(departing) = parts.extensions.get::<DepartingUser>() {
            provide_context(departing.clone());
        }
        let mut sign_in_url = state.authenticator.sign_in_url_for(&parts);
        if !cookie_check::has_cookies(&parts) {
            cookie_check::add_to(&mut sign_in_url);
        }
        provide_context(SignInUrl(sign_in_url.into()));
        provide_context(context.clone());
    }
}
