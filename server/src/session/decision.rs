//! The decision: a pure function of request, settings, keys and time, in Clerk's order.
//!
//! Some decisions need something from outside: keys, a handshake's payload, a renewed token. They
//! say so, and the decision goes on with [`after_handshake`], [`after_refresh`] or [`by_cookies`].

use http::Method;

use super::cookies::{session_token, settable};
use super::handshake;
pub use super::handshake::Handshake;
use super::keys::{KeySource, NoKey};
use super::reason::{Reason, RefreshFailure, TokenError};
use super::request::View;
use super::rules::Rules;
use super::token::{CLOCK_SKEW, DEVELOPERS_CLOCK_SKEW, Session, Token};

/// What is to be done with a request.
#[derive(Clone, Debug, PartialEq)]
pub enum Decision {
    /// Somebody is signed in.
    SignedIn(Box<Session>),
    /// Nobody is.
    SignedOut(Reason),
    /// Send the browser to Clerk and back.
    Handshake(Box<Handshake>),
    /// Fetch what belongs to this nonce, then go on with [`after_handshake`].
    ResolveNonce(String),
    /// These `Set-Cookie` lines came with the request; go on with [`after_handshake`].
    Resolved(Vec<String>),
    /// Send the browser to the same address without the handshake's parameters.
    Clean(String),
    /// The handshake brought nothing of use; go on with [`by_cookies`].
    HandshakeFailed,
    /// Renew the session, then go on with [`after_refresh`].
    Refresh(Refresh),
    /// Fetch the keys and decide again.
    FetchKeys,
}

/// How a session is renewed.
#[derive(Clone, PartialEq, Eq)]
pub struct Refresh {
    /// Which session.
    pub session: String,
    /// The token that is over.
    pub expired_token: String,
    /// The refresh cookie.
    pub refresh_token: String,
}

impl std::fmt::Debug for Refresh {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Refresh(..)")
    }
}

/// Why a token isn't the way in.
enum Refusal {
    FetchKeys,
    Token(TokenError),
    Reason(Reason),
}

/// Decides. `now` is in milliseconds since the epoch.
#[must_use]
pub fn decide(view: &View<'_>, rules: &Rules, keys: KeySource<'_>, now: i64) -> Decision {
    if let Some(bearer) = view.bearer.as_deref() {
        return by_header(bearer, view, rules, keys, now);
    }
    if let Some(nonce) = view.nonce() {
        return Decision::ResolveNonce(nonce.to_owned());
    }
    if let Some(token) = view.handshake_token() {
        return by_handshake_token(token, rules, keys);
    }
    by_cookies(view, rules, keys, now)
}

fn by_header(text: &str, view: &View<'_>, rules: &Rules, keys: KeySource<'_>, now: i64) -> Decision {
    let Some(token) = Token::read(text) else { return Decision::SignedOut(Reason::Token(TokenError::Invalid)) };
    match verify(&token, rules, keys, now, CLOCK_SKEW) {
        Ok(session) => Decision::SignedIn(Box::new(session)),
        Err(refusal) => refuse(refusal, view, rules),
    }
}

/// In production the token comes as a cookie of the common domain and may be another application's:
/// then it is ignored. In development it comes in the URL, and a wrong one means changed keys.
fn by_handshake_token(text: &str, rules: &Rules, keys: KeySource<'_>) -> Decision {
    let error = match handshake_lines(text, rules, keys) {
        Ok(lines) => return Decision::Resolved(lines),
        Err(Refusal::FetchKeys) => return Decision::FetchKeys,
        Err(Refusal::Token(error)) => error,
        Err(Refusal::Reason(_)) => TokenError::Invalid,
    };
    if rules.is_development() {
        tracing::error!(error = error.as_str(), "the handshake token can't be used; were the Clerk keys changed?");
        Decision::SignedOut(Reason::Token(error))
    } else {
        tracing::warn!(error = error.as_str(), "a handshake token is ignored");
        Decision::HandshakeFailed
    }
}

fn handshake_lines(text: &str, rules: &Rules, keys: KeySource<'_>) -> Result<Vec<String>, Refusal> {
    let token = Token::read(text).ok_or(Refusal::Token(TokenError::Invalid))?;
    let key = key(&token, rules, keys)?;
    let algorithm = token.algorithm().map_err(Refusal::Token)?;
    // A template's token may hold a claim `handshake` that its author wrote.
    if token.is_of_another_category() {
        return Err(Refusal::Token(TokenError::Invalid));
    }
    key.verify(&token, algorithm).map_err(Refusal::Token)?;
    Ok(token.handshake())
}

/// Decides by the cookies alone.
#[must_use]
pub fn by_cookies(view: &View<'_>, rules: &Rules, keys: KeySource<'_>, now: i64) -> Decision {
    if let Some(decision) = between_domains(view, rules) {
        return decision;
    }
    if rules.is_development() {
        if view.dev_browser_in_url {
            return handshake_or(view, rules, Reason::DevBrowserSync);
        }
        if view.dev_browser().is_none() {
            return handshake_or(view, rules, Reason::DevBrowserMissing);
        }
    }
    let client_uat = view.client_uat();
    let text = match (client_uat, view.session_token()) {
        (0, None) => return Decision::SignedOut(Reason::SessionTokenAndUatMissing),
        (0, Some(_)) => return handshake_or(view, rules, Reason::SessionTokenWithoutClientUat),
        (_, None) => return handshake_or(view, rules, Reason::ClientUatWithoutSessionToken),
        (_, Some(text)) => text,
    };
    let Some(token) = Token::read(text) else { return Decision::SignedOut(Reason::Token(TokenError::Invalid)) };
    if token.is_of_another_type() {
        return Decision::SignedOut(Reason::TokenTypeMismatch);
    }
    #[expect(clippy::cast_precision_loss, reason = "seconds of our days are far below 2^53")]
    let changed_at = client_uat as f64;
    if token.issued_at().is_some_and(|issued_at| issued_at < changed_at) {
        return handshake_or(view, rules, Reason::SessionTokenIatBeforeClientUat);
    }
    match verify(&token, rules, keys, now, CLOCK_SKEW) {
        Ok(_) if comes_from_a_satellite(view, rules) => handshake_or(view, rules, Reason::PrimaryDomainCrossOriginSync),
        Ok(session) => Decision::SignedIn(Box::new(session)),
        Err(refusal) => refuse(refusal, view, rules),
    }
}

/// What satellites and their primary domain have to tell each other before cookies are looked at. In production the
/// Frontend API carries it; in development, where it has no cookie on their domains, they carry it themselves.
fn between_domains(view: &View<'_>, rules: &Rules) -> Option<Decision> {
    let settings = &rules.settings;
    if !settings.is_satellite {
        let answer = handshake::answer(view, rules).filter(|_| rules.is_development())?;
        return Some(redirect_or(Some(answer), view, rules, Reason::PrimaryRespondsToSyncing));
    }
    if !view.is_document() || view.synced.as_deref() == Some("true") {
        return None;
    }
    let is_known = view.session_token().is_some() || view.client_uat() != 0;
    let must_ask = view.synced.as_deref() == Some("false");
    match (is_known, must_ask) {
        (true, false) => None,
        (false, false) if !settings.satellite_auto_sync => Some(Decision::SignedOut(Reason::SessionTokenAndUatMissing)),
        _ => {
            let question = rules.is_development().then(|| handshake::question(view, rules)).flatten();
            Some(redirect_or(question, view, rules, Reason::SatelliteNeedsSyncing))
        }
    }
}

/// Whoever comes to the primary domain from a satellite may have signed in there, or as somebody else.
fn comes_from_a_satellite(view: &View<'_>, rules: &Rules) -> bool {
    !rules.settings.is_satellite
        && view.is_document()
        && view.cookies.redirect_count == 0
        && view.other_referrer().is_some_and(|referrer| rules.is_a_party(&referrer) && !rules.is_clerks(&referrer))
}

/// Goes on with the `Set-Cookie` lines that a handshake brought. They are to be set with
/// every answer but [`Decision::HandshakeFailed`].
#[must_use]
pub fn after_handshake(lines: &[String], view: &View<'_>, rules: &Rules, keys: KeySource<'_>, now: i64) -> Decision {
    let done = |decision| {
        if !rules.is_development() {
            return decision;
        }
        handshake::clean(view).map_or(Decision::SignedOut(Reason::Unexpected), Decision::Clean)
    };
    let Some(text) = session_token(lines) else {
        return done(Decision::SignedOut(Reason::SessionTokenMissing));
    };
    let Some(token) = Token::read(text) else { return Decision::HandshakeFailed };
    let mut verified = verify(&token, rules, keys, now, CLOCK_SKEW);
    if rules.is_development() && matches!(verified, Err(Refusal::Token(error)) if error.is_a_matter_of_time()) {
        tracing::error!("this machine's clock and Clerk's differ; sessions will be lost until it is set");
        verified = verify(&token, rules, keys, now, DEVELOPERS_CLOCK_SKEW);
    }
    match verified {
        Ok(session) => done(Decision::SignedIn(Box::new(session))),
        Err(Refusal::FetchKeys) => Decision::FetchKeys,
        Err(Refusal::Reason(Reason::TokenTypeMismatch)) => {
            tracing::warn!("a handshake brought a token that isn't one of a session");
            Decision::HandshakeFailed
        }
        Err(Refusal::Reason(reason)) => done(Decision::SignedOut(reason)),
        Err(Refusal::Token(error)) => {
            tracing::warn!(error = error.as_str(), "a handshake brought a token that isn't in order");
            Decision::HandshakeFailed
        }
    }
}

/// Goes on after the attempt to renew a session. The lines are to be set when somebody is signed in.
#[must_use]
pub fn after_refresh(
    renewed: Result<&[String], &RefreshFailure>,
    view: &View<'_>,
    rules: &Rules,
    keys: KeySource<'_>,
    now: i64,
) -> Decision {
    let failure = match renewed {
        Err(failure) => failure.clone(),
        Ok([]) => RefreshFailure::NoAnswer,
        Ok(lines) => match session_token(lines).and_then(Token::read) {
            None => RefreshFailure::InvalidToken,
            Some(token) => match verify(&token, rules, keys, now, CLOCK_SKEW) {
                Ok(session) => return Decision::SignedIn(Box::new(session)),
                Err(Refusal::FetchKeys) => return Decision::FetchKeys,
                Err(Refusal::Reason(reason)) => return Decision::SignedOut(reason),
                Err(Refusal::Token(_)) => RefreshFailure::InvalidToken,
            },
        },
    };
    handshake_or(view, rules, Reason::SessionTokenExpired(failure))
}

/// The `Set-Cookie` lines that are to be set, of those that Clerk gave.
#[must_use]
pub fn cookies_to_set(lines: &[String]) -> Vec<http::HeaderValue> {
    settable(lines)
}

/// Everything about a token, in Clerk's order: category, key, type, algorithm, signature, claims.
fn verify(token: &Token<'_>, rules: &Rules, keys: KeySource<'_>, now: i64, skew: i64) -> Result<Session, Refusal> {
    if token.is_of_another_type() {
        return Err(Refusal::Reason(Reason::TokenTypeMismatch));
    }
    let key = key(token, rules, keys)?;
    let algorithm = token.algorithm().map_err(Refusal::Token)?;
    key.verify(token, algorithm).map_err(Refusal::Token)?;
    token.check(rules, now, skew).map_err(Refusal::Token)?;
    token.session().map_err(Refusal::Reason)
}

fn key<'a>(token: &Token<'_>, rules: &'a Rules, keys: KeySource<'a>) -> Result<&'a super::keys::PublicKey, Refusal> {
    match &rules.jwt_key {
        Some(key) => Ok(key),
        None => keys.find(token.key_id()).map_err(|missing| match missing {
            NoKey::Fetch => Refusal::FetchKeys,
            NoKey::Refused(error) => Refusal::Token(error),
        }),
    }
}

fn refuse(refusal: Refusal, view: &View<'_>, rules: &Rules) -> Decision {
    match refusal {
        Refusal::FetchKeys => Decision::FetchKeys,
        Refusal::Reason(reason) => Decision::SignedOut(reason),
        Refusal::Token(TokenError::Expired) => match refresh(view) {
            Ok(refresh) => Decision::Refresh(refresh),
            Err(failure) => handshake_or(view, rules, Reason::SessionTokenExpired(failure)),
        },
        Refusal::Token(TokenError::NotActiveYet) => handshake_or(view, rules, Reason::SessionTokenNotBefore),
        Refusal::Token(TokenError::IssuedInTheFuture) => handshake_or(view, rules, Reason::SessionTokenIatInTheFuture),
        Refusal::Token(error) => Decision::SignedOut(Reason::Token(error)),
    }
}

/// Renewing is for reads and writes of pages. A write is renewed too: without a script there is
/// nobody else who could, and what the person typed would be lost.
fn refresh(view: &View<'_>) -> Result<Refresh, RefreshFailure> {
    let is_read = view.method == Method::GET;
    let is_write = [Method::POST, Method::PUT, Method::PATCH, Method::DELETE].contains(view.method);
    let refresh_token = match view.cookies.refresh.as_deref() {
        Some(token) if is_read || is_write => token,
        None if is_read => return Err(RefreshFailure::NoCookie),
        _ => return Err(RefreshFailure::Method),
    };
    let expired_token = view.session_token().or(view.bearer.as_deref()).unwrap_or_default();
    let token = Token::read(expired_token).ok_or(RefreshFailure::Unreadable)?;
    Ok(Refresh {
        session: token.session_id().ok_or(RefreshFailure::NoSessionId)?.to_owned(),
        expired_token: expired_token.to_owned(),
        refresh_token: refresh_token.to_owned(),
    })
}

/// A handshake where one is possible and not one too many, else signed out for the same reason.
fn handshake_or(view: &View<'_>, rules: &Rules, reason: Reason) -> Decision {
    redirect_or(None, view, rules, reason)
}

/// The same, where `location` says where to if it isn't Clerk.
fn redirect_or(location: Option<String>, view: &View<'_>, rules: &Rules, reason: Reason) -> Decision {
    if !view.may_handshake() {
        return Decision::SignedOut(reason);
    }
    let begun = match location {
        Some(location) => handshake::begin_at(location, view, reason.clone()),
        None => handshake::begin(view, rules, reason.clone()),
    };
    match begun {
        Some(handshake) => Decision::Handshake(Box::new(handshake)),
        None => Decision::SignedOut(reason),
    }
}
