//! What counts as this machine: connections to it need neither encryption nor a proxy.

use std::net::IpAddr;

/// Whether `host`, a name or an address as in a URL, is the loopback interface (RFC 6761, section 6.3, for the names).
///
/// ```
/// use lethe::is_loopback;
///
/// assert!(["localhost", "clerk.localhost", "127.0.0.1", "[::1]", "::1"].into_iter().all(is_loopback));
/// assert!(!["", "10.0.0.5", "localhost.example.org", "notlocalhost"].into_iter().any(is_loopback));
/// ```
#[must_use]
pub fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || host.ends_with(".localhost") || address.is_ok_and(|address| address.is_loopback())
}
