//! The demonstration's parts as their users see them: over HTTP, SMTP and SQL.

#![expect(clippy::unwrap_used, reason = "a panic fails the test")]

mod inbox;
mod process;
mod sample;

/// An HTTP client without TLS.
fn client() -> reqwest::Client {
    // Fails if another test has installed it already, which is fine.
    drop(rustls::crypto::ring::default_provider().install_default());
    reqwest::Client::new()
}
