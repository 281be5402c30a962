//! The HTTP server.

use std::net::SocketAddr;
use std::path::PathBuf;

use secrecy::SecretString;

use super::proxies::TrustedProxies;
use super::section::section;
use super::setting::Setting;

section! {
    "HTTP server"
    /// How the HTTP server is reached, and what it serves.
    pub struct HttpConfig {
        /// IP address and port to listen on.
        listen: SocketAddr = Setting::new("LETHE_LISTEN").default("127.0.0.1:3000");
        /// Folder with the files for the browser, as `cargo xtask build --release` writes them.
        site: PathBuf = Setting::new("LETHE_SITE").default("target/site");
        /// Addresses and networks of reverse proxies. Only their `X-Forwarded-…` headers are trusted.
        trusted_proxies: TrustedProxies = Setting::new("LETHE_TRUSTED_PROXIES").unset("none").example("10.0.0.0/8, ::1");
        /// Bearer token that `/metrics` requires.
        metrics_token: Option<SecretString> = Setting::new("LETHE_METRICS_TOKEN")
            .secret()
            .unset("this machine only, without a token");
    }
}
