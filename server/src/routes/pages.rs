//! Pages and server functions: hands Leptos what it needs and takes back what it made.

use app::server::context::{self, SignInUrl};
use app::server::current_user::Authentication;
use app::server_fns::REQUEST_DELETION_PATH;
use axum::extract::{Request, State};
use axum::response::{Html, IntoResponse, Response};
use http::request::Parts;
use http::{Method, StatusCode};
use leptos::nonce::Nonce;
use leptos::prelude::{provide_context, use_context};
use leptos_axum::{handle_server_fns_with_context, render_app_async_with_context};
use lethe_error_code::ErrorCode;

use crate::auth::gpc;
use crate::lifecycle::RequestContext;
use crate::problem::Problem;
use crate::state::AppState;

/// Renders the page of this path.
pub async fn page(State(server): State<AppState>, request: Request) -> Response {
    let options = server.site.options.clone();
    let render = render_app_async_with_context(leptos_context(&server), move || app::shell(options.clone()));
    render(request).await
}

/// Runs a server function.
pub async fn server_function(State(server): State<AppState>, request: Request) -> Response {
    if request.uri().path() == REQUEST_DELETION_PATH
        && let Some(Ok(person)) = request.extensions().get::<Authentication>()
        && let Err(problem) = server.limits.deletions.check(&person.clerk_user_id)
    {
        return problem.into_response();
    }
    handle_server_fns_with_context(leptos_context(&server), request).await.into_response()
}

/// What no route answers: a page for people, a document for programs.
pub async fn not_found(state: State<AppState>, request: Request) -> Response {
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    if !is_read || request.uri().path().starts_with("/api/") {
        return Problem::from_status(StatusCode::NOT_FOUND).into_response();
    }
    let mut response = page(state, request).await;
    if response.status() == StatusCode::OK {
        *response.status_mut() = StatusCode::NOT_FOUND;
    }
    response
}

/// The page for what went wrong outside of the pages themselves: in the guards, in the session, in a panic.
/// Plain text in the pages' frame: whatever is broken, this isn't rendered by it.
#[must_use]
pub fn error_page(server: &AppState, scope: &RequestContext, problem: &Problem) -> Response {
    let sentence = match problem.code() {
        "cross_origin" => "This was sent by another site, and therefore not done.",
        "too_large" => "That was too much at once.",
        "method_not_allowed" => ErrorCode::NotFound.message(),
        code => ErrorCode::parse(code).message(),
    };
    let html = format!(
        include_str!("failure.html"),
        brand = escape_html(&server.site.brand),
        style = escape_html(&server.site.style_path),
        sentence = escape_html(sentence),
        incident = scope.incident,
    );
    let mut response = (problem.status(), Html(html)).into_response();
    problem.set_headers(&mut response);
    response
}

fn escape_html(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// What every page and server function finds in its context.
fn leptos_context(server: &AppState) -> impl Fn() + Clone + Send + Sync + 'static {
    let server = server.clone();
    move || {
        provide_context(server.lethe.clone());
        provide_context(server.site.clone());
        let Some(parts) = use_context::<Parts>() else { return };
        if let Some(authentication) = parts.extensions.get::<Authentication>() {
            provide_context(authentication.clone());
        }
        provide_context(SignInUrl(server.authenticator.sign_in_url_for(&parts).into()));
        if let Some(RequestContext { incident, nonce }) = parts.extensions.get::<RequestContext>().cloned() {
            provide_context(Nonce::from_value(nonce.clone()));
            provide_context(context::RequestContext { incident, nonce, gpc: gpc(&parts) });
        }
    }
}
