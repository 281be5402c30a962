//! The error that pages and server functions report: a closed code and the id of the incident in the server's log.

use leptos::server_fn::codec::JsonEncoding;
use leptos::server_fn::error::{FromServerFnError, ServerFnErrorErr};
use lethe_error_code::ErrorCode;
use serde::{Deserialize, Serialize};

/// A failed request, as the browser receives it. A problem document has the same two fields, so the browser also
/// understands what the server's middleware responds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicError {
    /// What happened.
    pub code: ErrorCode,
    /// The id under which the server logged it. Empty if the request never reached the server.
    #[serde(default)]
    pub incident: String,
}

impl FromServerFnError for PublicError {
    type Encoder = JsonEncoding;

    fn from_server_fn_error(error: ServerFnErrorErr) -> Self {
        let code = match error {
            ServerFnErrorErr::Request(_) => ErrorCode::Unreachable,
            ServerFnErrorErr::Args(_) | ServerFnErrorErr::MissingArg(_) => ErrorCode::InvalidInput,
            _ => ErrorCode::Internal,
        };
        // The server function itself never ran, so nothing else sets the status.
        #[cfg(feature = "ssr")]
        if !crate::response::is_plain_form() {
            crate::response::set_status(code.status());
        }
        Self { code, incident: String::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problem_document_is_a_public_error() {
        let problem = r#"{"type":"about:blank","title":"Too many requests","status":429,"code":"too_many_requests","incident":"a1"}"#;
        let error: PublicError = serde_json::from_str(problem).unwrap();
        assert_eq!(error, PublicError { code: ErrorCode::TooManyRequests, incident: "a1".to_owned() });
    }

    #[test]
    fn unknown_code_is_an_internal_error() {
        let error: PublicError = serde_json::from_str(r#"{"code":"unheard_of"}"#).unwrap();
        assert_eq!(error, PublicError { code: ErrorCode::Internal, incident: String::new() });
    }
}
