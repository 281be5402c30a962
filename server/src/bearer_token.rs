//! Bearer tokens of programs: of monitoring and dashboards, not of users.

use http::{HeaderMap, header};
use ring::digest::{SHA256, digest};
use secrecy::{ExposeSecret, SecretString};

/// Whether a request with these headers has the token.
pub(crate) fn is_sent(expected: &SecretString, headers: &HeaderMap) -> bool {
    let token = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "));
    // Digests are compared, so that the time taken says nothing about the token.
    token.is_some_and(|token| {
        digest(&SHA256, token.as_bytes()).as_ref() == digest(&SHA256, expected.expose_secret().as_bytes()).as_ref()
    })
}
