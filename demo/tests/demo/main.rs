//! The demonstration's parts as their users see them: over HTTP, SMTP and SQL.

#![expect(clippy::unwrap_used, reason = "a test that can't go on says where")]

mod inbox;
mod process;
mod sample;

/// An HTTP client without TLS.
fn client() -> reqwest::Client {
    // Fails if another test was first, which serves as well.
    drop(rustls::crypto::ring::default_provider().install_default());
    reqwest::Client::new()
}
