//! Clerk's OpenAPI descriptions, reduced to the operations of the stand-in (`openapi/`): what a request may contain and
//! what a response must contain. Must not know state or handlers.

mod descriptions;
mod requests;
mod responses;

use axum::{
    extract::MatchedPath,
    http::{Extensions, Method},
};

pub(crate) use requests::{check_body, check_form, check_query};
pub(crate) use responses::{Conformance, FaultInjected, check_response};

/// The name of a request's operation in the descriptions: method and route.
pub(crate) fn operation_of(method: &Method, extensions: &Extensions) -> String {
    let route = extensions.get::<MatchedPath>().map_or("", MatchedPath::as_str);
    format!("{method} {route}")
}
