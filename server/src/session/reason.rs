//! Why somebody isn't signed in, in Clerk's words.

use std::borrow::Cow;

/// What is wrong with a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenError {
    /// It is over.
    Expired,
    /// It can't be read, or is of another type.
    Invalid,
    /// It is signed in a way that isn't accepted.
    InvalidAlgorithm,
    /// It was made for another origin, or doesn't say for which.
    InvalidAuthorizedParties,
    /// Somebody else issued it.
    InvalidIssuer,
    /// The signature doesn't fit.
    InvalidSignature,
    /// It isn't valid yet.
    NotActiveYet,
    /// It was issued in the future.
    IssuedInTheFuture,
    /// A claim is missing or of another type, or the key can't be used for it.
    VerificationFailed,
    /// No key has the id that it names.
    UnknownKey,
    /// The keys couldn't be fetched.
    KeysUnavailable,
}

/// Why a session wasn't renewed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RefreshFailure {
    /// There is no refresh cookie.
    NoCookie,
    /// The method isn't one for which sessions are renewed.
    Method,
    /// The expired token can't be read.
    Unreadable,
    /// The expired token doesn't say which session it belongs to.
    NoSessionId,
    /// Clerk couldn't be reached.
    Unreachable,
    /// Clerk refused, with this code.
    Refused(String),
    /// Clerk refused, without a code.
    RefusedWithoutCode,
    /// Clerk answered without cookies.
    NoAnswer,
    /// The new token isn't in order either.
    InvalidToken,
}

/// Why somebody isn't signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Somebody is signed in at Clerk, but there is no token here.
    ClientUatWithoutSessionToken,
    /// A development instance doesn't know this browser.
    DevBrowserMissing,
    /// A development instance handed over the browser's identity in the URL.
    DevBrowserSync,
    /// A primary domain signs somebody in who came from a satellite.
    PrimaryDomainCrossOriginSync,
    /// A primary domain answers a satellite's question who is signed in.
    PrimaryRespondsToSyncing,
    /// A satellite asks its primary domain who is signed in.
    SatelliteNeedsSyncing,
    /// Nobody is signed in.
    SessionTokenAndUatMissing,
    /// A handshake brought no session.
    SessionTokenMissing,
    /// The token is over and wasn't renewed.
    SessionTokenExpired(RefreshFailure),
    /// The token is older than the last change at Clerk.
    SessionTokenIatBeforeClientUat,
    /// The token isn't valid yet.
    SessionTokenNotBefore,
    /// The token was issued in the future.
    SessionTokenIatInTheFuture,
    /// There is a token, but nobody is signed in at Clerk.
    SessionTokenWithoutClientUat,
    /// It is a token, but not one of a session.
    TokenTypeMismatch,
    /// The person has something left to do at Clerk before the session counts.
    SessionPending,
    /// The token isn't in order.
    Token(TokenError),
    /// Anything else.
    Unexpected,
}

impl TokenError {
    /// Clerk's word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Expired => "token-expired",
            Self::Invalid => "token-invalid",
            Self::InvalidAlgorithm => "token-invalid-algorithm",
            Self::InvalidAuthorizedParties => "token-invalid-authorized-parties",
            Self::InvalidIssuer => "token-invalid-issuer",
            Self::InvalidSignature => "token-invalid-signature",
            Self::NotActiveYet => "token-not-active-yet",
            Self::IssuedInTheFuture => "token-iat-in-the-future",
            Self::VerificationFailed => "token-verification-failed",
            Self::UnknownKey => "jwk-kid-mismatch",
            Self::KeysUnavailable => "jwk-remote-failed-to-load",
        }
    }

    /// Whether a handshake may bring a token that is in order.
    pub(super) const fn is_a_matter_of_time(self) -> bool {
        matches!(self, Self::Expired | Self::NotActiveYet | Self::IssuedInTheFuture)
    }
}

impl RefreshFailure {
    fn as_str(&self) -> &str {
        match self {
            Self::NoCookie => "non-eligible-no-refresh-cookie",
            Self::Method => "non-eligible-non-get",
            Self::Unreadable => "expired-session-token-decode-failed",
            Self::NoSessionId => "expired-session-token-missing-sid-claim",
            Self::Unreachable => "fetch-error",
            Self::Refused(code) => code,
            Self::RefusedWithoutCode => "unexpected-bapi-error",
            Self::NoAnswer => "unexpected-sdk-error",
            Self::InvalidToken => "invalid-session-token",
        }
    }
}

impl Reason {
    /// Clerk's word, as in `x-clerk-auth-reason`.
    #[must_use]
    pub fn as_str(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::ClientUatWithoutSessionToken => "client-uat-but-no-session-token",
            Self::DevBrowserMissing => "dev-browser-missing",
            Self::DevBrowserSync => "dev-browser-sync",
            Self::PrimaryDomainCrossOriginSync => "primary-domain-cross-origin-sync",
            Self::PrimaryRespondsToSyncing => "primary-responds-to-syncing",
            Self::SatelliteNeedsSyncing => "satellite-needs-syncing",
            Self::SessionTokenAndUatMissing => "session-token-and-uat-missing",
            Self::SessionTokenMissing => "session-token-missing",
            Self::SessionTokenExpired(failure) => {
                return Cow::Owned(format!("session-token-expired-refresh-{}", failure.as_str()));
            }
            Self::SessionTokenIatBeforeClientUat => "session-token-iat-before-client-uat",
            Self::SessionTokenNotBefore => "session-token-nbf",
            Self::SessionTokenIatInTheFuture => "session-token-iat-in-the-future",
            Self::SessionTokenWithoutClientUat => "session-token-but-no-client-uat",
            Self::TokenTypeMismatch => "token-type-mismatch",
            Self::SessionPending => "session-token-pending",
            Self::Token(error) => error.as_str(),
            Self::Unexpected => "unexpected-error",
        })
    }
}
