//! Which requests' expired sessions can be refreshed, and with what.

use http::Method;

use crate::reason::RefreshFailure;
use crate::request::AuthRequest;
use crate::token::Token;

/// Longer session ids are not put into the path of a call.
const MAX_SESSION_ID_BYTES: usize = 80;

/// What a session is refreshed with.
#[derive(Clone, PartialEq, Eq)]
pub struct Refresh {
    /// The session's id: ASCII letters, digits and underscores only.
    pub session_id: String,
    /// The expired session token.
    pub expired_token: String,
    /// The value of the refresh cookie.
    pub refresh_token: String,
}

impl std::fmt::Debug for Refresh {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Refresh").finish_non_exhaustive()
    }
}

impl Refresh {
    /// Writes are refreshed too: a page without a script cannot refresh the session itself, and what the user typed
    /// would be lost.
    pub(crate) fn of(request: &AuthRequest<'_>) -> Result<Self, RefreshFailure> {
        let is_read = request.method == Method::GET;
        let is_write = [Method::POST, Method::PUT, Method::PATCH, Method::DELETE].contains(request.method);
        let refresh_token = match request.cookies.refresh.as_deref() {
            Some(token) if is_read || is_write => token,
            None if is_read => return Err(RefreshFailure::NoCookie),
            _ => return Err(RefreshFailure::Method),
        };
        let expired_token = request.session_token().or(request.bearer.as_deref()).unwrap_or_default();
        let token = Token::parse(expired_token).ok_or(RefreshFailure::Unreadable)?;
        let session_id = token.session_id().filter(|id| is_path_segment(id)).ok_or(RefreshFailure::NoSessionId)?;
        Ok(Self {
            session_id: session_id.to_owned(),
            expired_token: expired_token.to_owned(),
            refresh_token: refresh_token.to_owned(),
        })
    }
}

/// The id comes from outside and must not lead to another path.
fn is_path_segment(id: &str) -> bool {
    id.len() <= MAX_SESSION_ID_BYTES && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
