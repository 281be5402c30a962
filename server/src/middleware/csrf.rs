//! Protection against cross-site request forgery: writes must be same-origin or carry no browser headers.

use axum::response::{IntoResponse, Response};
use lethe_error_code::ErrorCode;
use tower_http::csrf::{ConfigError, CsrfLayer, ProtectionError};
use url::Url;

use crate::error::Problem;

type Rejection = fn(ProtectionError) -> Response;

/// Returns the layer. Browsers send `Sec-Fetch-Site` or `Origin` with every write, forms without scripts included;
/// programs send neither and must bring a token of their own.
pub fn layer(public_url: &Url) -> Result<CsrfLayer<Rejection>, ConfigError> {
    let rejection: Rejection = |error| Problem::new(ErrorCode::CrossOrigin).with_source(error).into_response();
    // Proxies may rewrite `Host`, so only the configured origin can be compared.
    Ok(CsrfLayer::new()
        .add_trusted_origin(public_url.origin().ascii_serialization())?
        .with_rejection_response(rejection))
}
