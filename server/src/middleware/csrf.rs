//! Whoever writes comes from a page of this installation, or from no browser at all.

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use tower_http::csrf::{ConfigError, CsrfLayer, ProtectionError};
use url::Url;

use crate::problem::Problem;

type Rejection = fn(ProtectionError) -> Response;

/// The layer. Browsers send `Sec-Fetch-Site` or `Origin` with everything that writes, forms without scripts included;
/// programs send neither, and have to bring a token of their own.
pub fn layer(public_url: &Url) -> Result<CsrfLayer<Rejection>, ConfigError> {
    let rejection: Rejection =
        |error| Problem::new(StatusCode::FORBIDDEN, "cross_origin").with_source(error).into_response();
    // Proxies may rewrite `Host`, so that only the configured origin can be compared.
    Ok(CsrfLayer::new()
        .add_trusted_origin(public_url.origin().ascii_serialization())?
        .with_rejection_response(rejection))
}
