//! The HTTP server.

use std::net::SocketAddr;
use std::num::NonZeroU32;
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
        /// Maximum number of connections. Further ones wait until one is closed. One IP address has at most a quarter of
        /// them, unless it is this machine's or a reverse proxy's.
        connections: NonZeroU32 = Setting::new("LETHE_CONNECTIONS").default("1024");
        /// After how many seconds an idle connection is closed, and one that hasn't sent a whole header. Must be longer than
        /// a reverse proxy's idle time for connections to Lethe.
        idle_seconds: NonZeroU32 = Setting::new("LETHE_IDLE_SECONDS").default("75");
        /// After how many seconds a connection is closed whose client takes nothing of a response.
        write_seconds: NonZeroU32 = Setting::new("LETHE_WRITE_SECONDS").default("60");
        /// Bearer token that `/metrics` requires.
        metrics_token: Option<SecretString> = Setting::new("LETHE_METRICS_TOKEN")
            .secret()
            .unset("`/metrics` is 404");
        /// Bearer token for `GET /api/operator/deletions`, which lists deletions for dashboards.
        operator_token: Option<SecretString> = Setting::new("LETHE_OPERATOR_TOKEN")
            .secret()
            .unset("the list isn't served");
    }
}
