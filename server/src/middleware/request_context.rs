//! Gives every request its context.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use lethe::Random;

use crate::request_context::RequestContext;

/// The layer.
pub(super) async fn request_context(State(random): State<Random>, mut request: Request, next: Next) -> Response {
    let context = RequestContext::new(&random, request.headers());
    request.extensions_mut().insert(context);
    next.run(request).await
}
