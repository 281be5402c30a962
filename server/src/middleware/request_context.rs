//! Gives every request its context: the ids that belong to it, and its browser's opt-out signal.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use data_encoding::BASE64URL_NOPAD;
use http::HeaderMap;
use lethe::{Random, crockford};
use lethe_app::server::context::RequestContext;

/// The layer.
pub(super) async fn request_context(State(random): State<Random>, mut request: Request, next: Next) -> Response {
    let context = context(&random, request.headers());
    request.extensions_mut().insert(context);
    next.run(request).await
}

fn context(random: &Random, headers: &HeaderMap) -> RequestContext {
    RequestContext {
        incident: crockford::encode(&random.bytes::<8>()),
        nonce: BASE64URL_NOPAD.encode(&random.bytes::<16>()),
        gpc: headers.get("sec-gpc").is_some_and(|value| value.as_bytes() == b"1"),
    }
}
