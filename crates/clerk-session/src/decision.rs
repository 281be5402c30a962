//! The decision: a pure function of request, configuration, keys and time, in the order of Clerk's SDK.
//!
//! Some decisions need I/O: keys, a handshake's payload, a refreshed session. They say so, and the caller continues
//! with [`after_handshake`], [`after_refresh`] or [`decide_by_cookies`]. [`Authenticator`](crate::Authenticator) is
//! such a caller. All times are in milliseconds since the Unix epoch.

use crate::cookies;
use crate::handshake;
pub use crate::handshake::Handshake;
use crate::keys::KeySource;
use crate::reason::{Reason, RefreshFailure, TokenError};
pub use crate::refresh::Refresh;
use crate::request::AuthRequest;
use crate::session::Session;
use crate::token::{CLOCK_SKEW, DEVELOPMENT_CLOCK_SKEW, Token};
use crate::validated_config::ValidatedConfig;
use crate::verification::{VerifyError, verify, verify_handshake};

/// What to do with a request.
#[derive(Clone, Debug, PartialEq)]
pub enum Decision {
    /// The request is signed in.
    SignedIn(Box<Session>),
    /// The request is signed out.
    SignedOut(Reason),
    /// Signed out, since the browser was redirected too often for this reason. Probably the publishable key and the
    /// secret key belong to different instances.
    RedirectLoop(Reason),
    /// Redirect to Clerk, which redirects back.
    Handshake(Box<Handshake>),
    /// Fetch the `Set-Cookie` lines that belong to this nonce, then continue with [`after_handshake`].
    ResolveNonce(String),
    /// The request holds these `Set-Cookie` lines of a handshake: continue with [`after_handshake`].
    Resolved(Vec<String>),
    /// Redirect to this URL, which is the request's without the handshake's parameters.
    RemoveHandshakeParams(String),
    /// The handshake brought no usable session: continue with [`decide_by_cookies`].
    HandshakeFailed(Reason),
    /// Signed out, since a development instance's handshake token is not valid: probably the instance's keys changed.
    HandshakeRejected(TokenError),
    /// The session of a development instance's handshake is not valid at this machine's time: continue with
    /// [`after_handshake_with_clock_skew`].
    ClockSkew(TokenError),
    /// Refresh the session, then continue with [`after_refresh`].
    Refresh(Refresh),
    /// Fetch the keys and decide again.
    FetchKeys,
}

/// Makes the decision.
#[must_use]
pub fn decide(request: &AuthRequest<'_>, config: &ValidatedConfig, keys: KeySource<'_>, now: i64) -> Decision {
    if let Some(bearer) = request.bearer.as_deref() {
        return decide_by_bearer(bearer, request, config, keys, now);
    }
    if let Some(nonce) = request.nonce() {
        return Decision::ResolveNonce(nonce.to_owned());
    }
    if let Some(token) = request.handshake_token() {
        return decide_by_handshake_token(token, config, keys);
    }
    decide_by_cookies(request, config, keys, now)
}

fn decide_by_bearer(
    text: &str,
    request: &AuthRequest<'_>,
    config: &ValidatedConfig,
    keys: KeySource<'_>,
    now: i64,
) -> Decision {
    let Some(token) = Token::parse(text) else { return Decision::SignedOut(Reason::Token(TokenError::Invalid)) };
    match verify(&token, config, keys, now, CLOCK_SKEW) {
        Ok(session) => Decision::SignedIn(Box::new(session)),
        Err(error) => decide_by_error(error, request, config),
    }
}

/// In production the token is a cookie of the domain and may belong to another application, so an invalid one is
/// ignored. In development it is in the URL, so an invalid one means that keys have changed.
fn decide_by_handshake_token(text: &str, config: &ValidatedConfig, keys: KeySource<'_>) -> Decision {
    let error = match verify_handshake(text, config, keys) {
        Ok(lines) => return Decision::Resolved(lines),
        Err(VerifyError::FetchKeys) => return Decision::FetchKeys,
        Err(VerifyError::Token(error)) => error,
        Err(VerifyError::Reason(_)) => TokenError::Invalid,
    };
    if config.is_development() {
        Decision::HandshakeRejected(error)
    } else {
        Decision::HandshakeFailed(Reason::Token(error))
    }
}

/// Decides about a request with a handshake that its browser wasn't sent on by this application: by the cookies alone.
/// Where these don't sign it in, the browser is sent on a handshake of its own, since Clerk may have brought it back by
/// itself.
#[must_use]
pub fn decide_without_handshake(
    request: &AuthRequest<'_>,
    config: &ValidatedConfig,
    keys: KeySource<'_>,
    now: i64,
) -> Decision {
    match decide_by_cookies(request, config, keys, now) {
        Decision::SignedOut(reason) => handshake_or_sign_out(request, config, reason),
        decision => decision,
    }
}

/// Decides by the cookies alone: without the header, and without a handshake.
#[must_use]
pub fn decide_by_cookies(
    request: &AuthRequest<'_>,
    config: &ValidatedConfig,
    keys: KeySource<'_>,
    now: i64,
) -> Decision {
    if let Some(decision) = sync_domains(request, config) {
        return decision;
    }
    if config.is_development() {
        if request.dev_browser_in_url {
            return handshake_or_sign_out(request, config, Reason::DevBrowserSync);
        }
        if request.dev_browser().is_none() {
            return handshake_or_sign_out(request, config, Reason::DevBrowserMissing);
        }
    }
    let client_uat = request.client_uat();
    let text = match (client_uat, request.session_token()) {
        (0, None) => return Decision::SignedOut(Reason::SessionTokenAndUatMissing),
        (0, Some(_)) => return handshake_or_sign_out(request, config, Reason::SessionTokenWithoutClientUat),
        (_, None) => return handshake_or_sign_out(request, config, Reason::ClientUatWithoutSessionToken),
        (_, Some(text)) => text,
    };
    let Some(token) = Token::parse(text) else { return Decision::SignedOut(Reason::Token(TokenError::Invalid)) };
    if token.has_other_type() {
        return Decision::SignedOut(Reason::TokenTypeMismatch);
    }
    #[expect(clippy::cast_precision_loss, reason = "current times in seconds are far below 2^53")]
    let client_uat = client_uat as f64;
    if token.issued_at().is_some_and(|issued_at| issued_at < client_uat) {
        return handshake_or_sign_out(request, config, Reason::SessionTokenIatBeforeClientUat);
    }
    match verify(&token, config, keys, now, CLOCK_SKEW) {
        Ok(_) if comes_from_satellite(request, config) => {
            handshake_or_sign_out(request, config, Reason::PrimaryDomainCrossOriginSync)
        }
        Ok(session) => Decision::SignedIn(Box::new(session)),
        Err(error) => decide_by_error(error, request, config),
    }
}

/// The sync between a satellite and its primary domain, which precedes the cookies. In production the Frontend API
/// mediates it. In development, where the Frontend API has no cookies on their domains, they redirect to each other.
fn sync_domains(request: &AuthRequest<'_>, config: &ValidatedConfig) -> Option<Decision> {
    if !config.config.is_satellite {
        let response = handshake::sync_response_url(request, config).filter(|_| config.is_development())?;
        return Some(redirect_or_sign_out(Some(response), request, config, Reason::PrimaryRespondsToSyncing));
    }
    if !request.is_document() || request.synced.as_deref() == Some("true") {
        return None;
    }
    let has_cookies = request.session_token().is_some() || request.client_uat() != 0;
    let must_sync = request.synced.as_deref() == Some("false");
    match (has_cookies, must_sync) {
        (true, false) => None,
        (false, false) if !config.config.satellite_auto_sync => {
            Some(Decision::SignedOut(Reason::SessionTokenAndUatMissing))
        }
        _ => {
            let sync_url = config.is_development().then(|| handshake::sync_url(request, config)).flatten();
            Some(redirect_or_sign_out(sync_url, request, config, Reason::SatelliteNeedsSyncing))
        }
    }
}

/// Whether the browser comes to the primary domain from a satellite, where the user may have signed in or out.
fn comes_from_satellite(request: &AuthRequest<'_>, config: &ValidatedConfig) -> bool {
    let is_satellite = |url: &_| config.is_authorized_party(url) && !config.is_clerk_origin(url);
    !config.config.is_satellite
        && request.is_document()
        && request.cookies.redirect_count == 0
        && request.cross_origin_referrer().is_some_and(|referrer| is_satellite(&referrer))
}

/// Continues with the `Set-Cookie` lines of a handshake. Set [`cookies_to_set`] with every outcome but
/// [`Decision::HandshakeFailed`].
#[must_use]
pub fn after_handshake(
    lines: &[String],
    request: &AuthRequest<'_>,
    config: &ValidatedConfig,
    keys: KeySource<'_>,
    now: i64,
) -> Decision {
    match decide_by_handshake(lines, request, config, keys, now, CLOCK_SKEW) {
        Decision::HandshakeFailed(Reason::Token(error)) if config.is_development() && error.is_clock_error() => {
            Decision::ClockSkew(error)
        }
        decision => decision,
    }
}

/// Like [`after_handshake`], but with a day's tolerance, for [`Decision::ClockSkew`].
#[must_use]
pub fn after_handshake_with_clock_skew(
    lines: &[String],
    request: &AuthRequest<'_>,
    config: &ValidatedConfig,
    keys: KeySource<'_>,
    now: i64,
) -> Decision {
    decide_by_handshake(lines, request, config, keys, now, DEVELOPMENT_CLOCK_SKEW)
}

fn decide_by_handshake(
    lines: &[String],
    request: &AuthRequest<'_>,
    config: &ValidatedConfig,
    keys: KeySource<'_>,
    now: i64,
    skew: i64,
) -> Decision {
    // A development instance's handshake leaves parameters in the URL.
    let finish = |decision| {
        if !config.is_development() {
            return decision;
        }
        handshake::without_handshake_params(request)
            .map_or(Decision::SignedOut(Reason::Unexpected), Decision::RemoveHandshakeParams)
    };
    let Some(text) = cookies::session_token(lines) else {
        return finish(Decision::SignedOut(Reason::SessionTokenMissing));
    };
    let Some(token) = Token::parse(text) else {
        return Decision::HandshakeFailed(Reason::Token(TokenError::Invalid));
    };
    match verify(&token, config, keys, now, skew) {
        Ok(session) => finish(Decision::SignedIn(Box::new(session))),
        Err(VerifyError::FetchKeys) => Decision::FetchKeys,
        Err(VerifyError::Reason(Reason::TokenTypeMismatch)) => Decision::HandshakeFailed(Reason::TokenTypeMismatch),
        Err(VerifyError::Reason(reason)) => finish(Decision::SignedOut(reason)),
        Err(VerifyError::Token(error)) => Decision::HandshakeFailed(Reason::Token(error)),
    }
}

/// Continues after the attempt to refresh a session. Set [`cookies_to_set`] when the decision is
/// [`Decision::SignedIn`].
#[must_use]
pub fn after_refresh(
    refreshed: Result<&[String], &RefreshFailure>,
    request: &AuthRequest<'_>,
    config: &ValidatedConfig,
    keys: KeySource<'_>,
    now: i64,
) -> Decision {
    let failure = match refreshed {
        Err(failure) => failure.clone(),
        Ok([]) => RefreshFailure::NoCookiesReturned,
        Ok(lines) => match cookies::session_token(lines).and_then(Token::parse) {
            None => RefreshFailure::InvalidToken,
            Some(token) => match verify(&token, config, keys, now, CLOCK_SKEW) {
                Ok(session) => return Decision::SignedIn(Box::new(session)),
                Err(VerifyError::FetchKeys) => return Decision::FetchKeys,
                Err(VerifyError::Reason(reason)) => return Decision::SignedOut(reason),
                Err(VerifyError::Token(_)) => RefreshFailure::InvalidToken,
            },
        },
    };
    handshake_or_sign_out(request, config, Reason::SessionTokenExpired(failure))
}

/// The `Set-Cookie` lines from Clerk that a response may set: only cookies whose names begin with `__`.
#[must_use]
pub fn cookies_to_set(lines: &[String]) -> Vec<http::HeaderValue> {
    cookies::clerk_cookies(lines)
}

fn decide_by_error(error: VerifyError, request: &AuthRequest<'_>, config: &ValidatedConfig) -> Decision {
    let reason = match error {
        VerifyError::FetchKeys => return Decision::FetchKeys,
        VerifyError::Reason(reason) => return Decision::SignedOut(reason),
        VerifyError::Token(TokenError::Expired) => match Refresh::of(request) {
            Ok(refresh) => return Decision::Refresh(refresh),
            Err(failure) => Reason::SessionTokenExpired(failure),
        },
        VerifyError::Token(TokenError::NotActiveYet) => Reason::SessionTokenNotBefore,
        VerifyError::Token(TokenError::IssuedInTheFuture) => Reason::SessionTokenIatInTheFuture,
        VerifyError::Token(error) => return Decision::SignedOut(Reason::Token(error)),
    };
    handshake_or_sign_out(request, config, reason)
}

/// The handshake with Clerk, or signed out for the same reason if the browser would not follow it.
fn handshake_or_sign_out(request: &AuthRequest<'_>, config: &ValidatedConfig, reason: Reason) -> Decision {
    redirect_or_sign_out(None, request, config, reason)
}

/// Like [`handshake_or_sign_out`], but redirects to `location` if there is one.
fn redirect_or_sign_out(
    location: Option<String>,
    request: &AuthRequest<'_>,
    config: &ValidatedConfig,
    reason: Reason,
) -> Decision {
    if !request.is_eligible_for_handshake() {
        return Decision::SignedOut(reason);
    }
    let Some(location) = location.or_else(|| handshake::clerk_url(request, config, &reason)) else {
        return Decision::SignedOut(reason);
    };
    match handshake::redirect_to(location, request, reason.clone()) {
        Some(handshake) => Decision::Handshake(Box::new(handshake)),
        None => Decision::RedirectLoop(reason),
    }
}
