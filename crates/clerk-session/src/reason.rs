//! Why a request is not signed in, by the names of Clerk's SDK.

use std::borrow::Cow;

/// What is wrong with a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenError {
    /// `exp` has passed.
    Expired,
    /// It is not a JWT, or `typ` is not `JWT`.
    Invalid,
    /// `alg` is not RS256, RS384 or RS512.
    InvalidAlgorithm,
    /// `azp` is not one of [`Config::authorized_parties`](crate::Config::authorized_parties), or missing.
    InvalidAuthorizedParties,
    /// `iss` is not one of [`Config::issuers`](crate::Config::issuers).
    InvalidIssuer,
    /// The signature does not match.
    InvalidSignature,
    /// `nbf` is in the future.
    NotActiveYet,
    /// `iat` is in the future.
    IssuedInTheFuture,
    /// A claim is missing or has the wrong type, the audience is not accepted, or the key is not meant for `alg`.
    VerificationFailed,
    /// The instance has no key with the id `kid`.
    UnknownKey,
    /// The instance's keys could not be fetched.
    KeysUnavailable,
}

/// Why an expired session was not refreshed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RefreshFailure {
    /// The request has no refresh cookie.
    NoCookie,
    /// Sessions are not refreshed for requests with this method.
    Method,
    /// The expired token is not a JWT.
    Unreadable,
    /// The expired token has no usable `sid`.
    NoSessionId,
    /// There was no response from Clerk.
    Unreachable,
    /// Clerk refused with this error code.
    Refused(String),
    /// Clerk refused without an error code.
    RefusedWithoutCode,
    /// Clerk's response holds no cookies.
    NoCookiesReturned,
    /// The new token is not valid either.
    InvalidToken,
}

/// Why a request is not signed in, or why a handshake is needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// `__client_uat` says that the browser is signed in, but there is no session token.
    ClientUatWithoutSessionToken,
    /// A development instance needs the browser's token (`__clerk_db_jwt`).
    DevBrowserMissing,
    /// The URL holds the browser's token of a development instance, which must become a cookie.
    DevBrowserSync,
    /// The browser comes from a satellite domain, where the session may have changed.
    PrimaryDomainCrossOriginSync,
    /// The primary domain sends a satellite the browser's token.
    PrimaryRespondsToSyncing,
    /// A satellite domain asks the primary domain for the session.
    SatelliteNeedsSyncing,
    /// There is neither a session token nor a `__client_uat`.
    SessionTokenAndUatMissing,
    /// A handshake brought no session token.
    SessionTokenMissing,
    /// The session token has expired and was not refreshed.
    SessionTokenExpired(RefreshFailure),
    /// The session token is older than the last sign-in or sign-out (`__client_uat`).
    SessionTokenIatBeforeClientUat,
    /// The session token is not valid yet (`nbf`).
    SessionTokenNotBefore,
    /// The session token was issued in the future (`iat`).
    SessionTokenIatInTheFuture,
    /// There is a session token, but `__client_uat` is missing or says that the browser is signed out.
    SessionTokenWithoutClientUat,
    /// The token is not a session token, but for example a template's or a machine's.
    TokenTypeMismatch,
    /// The session is pending (`sts`): the user has a task left to do at Clerk.
    SessionPending,
    /// The token is not valid.
    Token(TokenError),
    /// The request's URL cannot be represented.
    Unexpected,
}

impl TokenError {
    /// The SDK's name for it, such as `token-expired`.
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

    /// Whether the cause may be a wrong clock.
    pub(crate) const fn is_clock_error(self) -> bool {
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
            Self::NoCookiesReturned => "unexpected-sdk-error",
            Self::InvalidToken => "invalid-session-token",
        }
    }
}

impl Reason {
    /// The SDK's name for it, as sent in `x-clerk-auth-reason`. [`Reason::SessionPending`] is this crate's own.
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
