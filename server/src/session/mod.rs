//! Who asks? Sessions of Clerk, decided on the server as the official JavaScript SDK decides them
//! (`@clerk/backend` 3.25).
//!
//! Knows requests, cookies, tokens and keys. Knows nothing of pages, Postgres or what a person may
//! do. [`decision`] is a pure function of request, settings, keys and time; [`Authenticator`] does
//! the input and output around it: it fetches keys, resolves handshakes and renews sessions. A
//! request with a session that is in order costs one RSA verification and no call.
//!
//! `end2end/tests/session.spec.ts` holds it against the SDK with thousands of requests. Where the two
//! may differ stands here and nowhere else; the test fails when an entry is missing or no longer true.
//!
//! # Deliberate differences to the SDK
//! * A write with an expired token and a refresh cookie is renewed on the server. The SDK does so
//!   for `GET` alone, since its pages bring a script that renews tokens; ours work without one.
//! * The redirect counter ends a loop at three *or more*; the SDK compares with three exactly.
//! * Tokens are read strictly: base64url without padding, valid UTF-8, no claim twice, 16 KiB at
//!   most. The SDK tolerates padding and broken UTF-8.
//! * The category of a token is checked wherever a session token is accepted, also within a
//!   handshake and after a renewal; so is the presence of a session id.
//! * A pending session (`sts`) is signed out here; in the SDK the caller sees to it.
//! * A nonce that can't be looked up because Clerk is down, or because too many come at once, falls
//!   back to the cookies that are there instead of signing the person out.
//! * Of a handshake's cookies only those of Clerk's are set (their names begin with `__`).
//! * A handshake token with a bad signature on a development instance is logged and signed out; the
//!   SDK throws.
//! * Keys are fetched again in the background after five minutes, and the old ones hold for an hour
//!   while Clerk can't be reached; the SDK signs everybody out.
//! * The public address is a setting. `Host` isn't believed at all, `X-Forwarded-*` is from
//!   trusted proxies alone; the SDK believes both.
//! * A primary domain deals with satellites that it knows: those whose origins are authorized
//!   parties. The SDK hands a development browser's identity to any address that is asked for, throws
//!   at what is no address, and sends everybody who follows a link from another site to Clerk first, so
//!   that no link works while Clerk is down.
//! * No organization is activated by URL: Lethe has no setting for it.
//! * A handshake's answer carries no `Access-Control-Allow-Origin: null`.
//! * Renewing sends the browser's headers without `Cookie` and `Authorization`.

mod authenticator;
mod cookies;
pub mod decision;
mod handshake;
mod key_cache;
mod keys;
mod reason;
mod request;
mod rules;
mod settings;
mod token;

#[cfg(test)]
mod tests;

pub use authenticator::{Authenticated, Authenticator, Outcome};
pub use keys::{Absent, KeyRing, KeySource, PublicKey};
pub use reason::{Reason, RefreshFailure, TokenError};
pub use request::View;
pub use rules::Rules;
pub use settings::{InstanceKind, PublishableKey, Settings, SettingsError};
pub use token::{FactorAges, Session};
