//! The IP address of a client. Forwarding headers count only when a trusted proxy sent them.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Once;

use axum::extract::ConnectInfo;
use http::request::Parts;
use http::{Extensions, HeaderMap};

use crate::config::TrustedProxies;

/// Returns the client's address, as far as it can be trusted.
#[must_use]
pub fn client_ip(proxies: &TrustedProxies, parts: &Parts) -> Option<IpAddr> {
    let peer = peer_ip(&parts.extensions)?;
    if !proxies.contains(peer) && parts.headers.contains_key("x-forwarded-for") {
        warn_of_untrusted_proxy();
    }
    Some(resolve_client_ip(proxies, &parts.headers, peer))
}

/// Once for each process: anybody can send the header.
fn warn_of_untrusted_proxy() {
    static WARNED: Once = Once::new();
    WARNED.call_once(|| {
        tracing::warn!(
            "a request came with X-Forwarded-For from a peer that LETHE_TRUSTED_PROXIES doesn't name; if it is a proxy, rate \
             limits count all its clients as one address"
        );
    });
}

/// Returns the address of the other end of the connection.
#[must_use]
pub fn peer_ip(extensions: &Extensions) -> Option<IpAddr> {
    let ConnectInfo(address) = extensions.get::<ConnectInfo<SocketAddr>>()?;
    Some(address.ip().to_canonical())
}

/// Returns the address that rate limits count by. An IPv6 customer has at least a /64, which counts as one address.
#[must_use]
pub fn rate_limit_key(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

/// Walks `X-Forwarded-For` from the right, the end that trusted proxies wrote, to the first address that is no proxy.
fn resolve_client_ip(proxies: &TrustedProxies, headers: &HeaderMap, peer: IpAddr) -> IpAddr {
    let mut client = peer;
    let hops = headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok());
    let hops: Vec<&str> = hops.flat_map(|value| value.split(',')).map(str::trim).collect();
    for hop in hops.into_iter().rev() {
        if !proxies.contains(client) {
            break;
        }
        match parse_hop(hop) {
            Some(address) => client = address.to_canonical(),
            None => break,
        }
    }
    client
}

/// Some proxies add the port, and brackets around an IPv6 address.
fn parse_hop(hop: &str) -> Option<IpAddr> {
    let bracketed = hop.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let address = bracketed.unwrap_or(hop).parse().ok();
    address.or_else(|| hop.parse().ok().map(|address: SocketAddr| address.ip()))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::config::Value;

    #[rstest]
    #[case::header_of_an_unknown_peer_is_ignored("10.0.0.0/8", "203.0.113.5", &["198.51.100.1"], "203.0.113.5")]
    #[case::header_is_ignored_without_proxies("", "127.0.0.1", &["198.51.100.1"], "127.0.0.1")]
    #[case::proxy_names_the_client("10.0.0.0/8", "10.0.0.1", &["198.51.100.1"], "198.51.100.1")]
    #[case::rightmost_address_that_is_no_proxy_counts(
        "10.0.0.0/8", "10.0.0.1", &["6.6.6.6, 198.51.100.1, 10.0.0.2"], "198.51.100.1"
    )]
    #[case::several_headers_are_one_list("10.0.0.0/8", "10.0.0.1", &["6.6.6.6", "198.51.100.1"], "198.51.100.1")]
    #[case::port_is_left_out("10.0.0.0/8", "10.0.0.1", &["198.51.100.1:4711, 10.0.0.2:80"], "198.51.100.1")]
    #[case::brackets_are_left_out("10.0.0.0/8", "10.0.0.1", &["[2001:db8::1]:4711"], "2001:db8::1")]
    #[case::brackets_need_no_port("10.0.0.0/8", "10.0.0.1", &["[2001:db8::1]"], "2001:db8::1")]
    #[case::invalid_address_ends_the_walk("10.0.0.0/8", "10.0.0.1", &["nonsense"], "10.0.0.1")]
    fn client_ip_is_resolved(
        #[case] proxies: &str,
        #[case] peer: IpAddr,
        #[case] forwarded: &[&str],
        #[case] expected: IpAddr,
    ) {
        let proxies = TrustedProxies::from_text(proxies).expect("valid");
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append("x-forwarded-for", value.parse().expect("a header"));
        }
        assert_eq!(resolve_client_ip(&proxies, &headers, peer), expected);
    }

    #[test]
    fn ipv6_addresses_of_one_network_count_as_one() {
        let one = rate_limit_key("2001:db8:1:2:aaaa::1".parse().expect("parses"));
        let other = rate_limit_key("2001:db8:1:2:bbbb::9".parse().expect("parses"));
        assert_eq!(one, other);
    }
}
