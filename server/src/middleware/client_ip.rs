//! Where a request comes from. Forwarding headers count only when a trusted proxy sent them.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use axum::extract::ConnectInfo;
use http::request::Parts;
use http::{Extensions, HeaderMap};

use crate::config::TrustedProxies;

/// The address of the one who asks, as far as it can be believed.
#[must_use]
pub fn client_ip(proxies: &TrustedProxies, parts: &Parts) -> Option<IpAddr> {
    Some(resolve_client_ip(proxies, &parts.headers, peer_ip(&parts.extensions)?))
}

/// The address of the other end of the connection.
#[must_use]
pub fn peer_ip(extensions: &Extensions) -> Option<IpAddr> {
    let ConnectInfo(address) = extensions.get::<ConnectInfo<SocketAddr>>()?;
    Some(address.ip().to_canonical())
}

/// Whether the connection comes from this very machine and no proxy stands between.
#[must_use]
pub fn is_direct_loopback(parts: &Parts) -> bool {
    let forwarded = ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via"];
    peer_ip(&parts.extensions).is_some_and(|peer| peer.is_loopback())
        && !forwarded.iter().any(|name| parts.headers.contains_key(*name))
}

/// What limits are counted by: an IPv6 customer has at least a /64, so that counts as one address.
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

/// Walks `X-Forwarded-For` from the right, the side that trusted proxies wrote, to the first stranger.
fn resolve_client_ip(proxies: &TrustedProxies, headers: &HeaderMap, peer: IpAddr) -> IpAddr {
    let mut client = peer;
    let hops = headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok());
    let hops: Vec<&str> = hops.flat_map(|value| value.split(',')).map(str::trim).collect();
    for hop in hops.into_iter().rev() {
        if !proxies.trusts(client) {
            break;
        }
        match hop.parse::<IpAddr>() {
            Ok(address) => client = address.to_canonical(),
            Err(_) => break,
        }
    }
    client
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Values;

    fn proxies(list: &str) -> TrustedProxies {
        let mut values = Values::from_sources(None, [("LETHE_TRUSTED_PROXIES", list.to_owned())]).expect("reads");
        TrustedProxies::read(&mut values).expect("parses")
    }

    fn client_ip_for(list: &str, peer: &str, forwarded: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append("x-forwarded-for", value.parse().expect("a header"));
        }
        let peer = peer.parse().expect("an address");
        resolve_client_ip(&proxies(list), &headers, peer).to_string()
    }

    #[test]
    fn a_stranger_cant_speak_for_others() {
        assert_eq!(client_ip_for("10.0.0.0/8", "203.0.113.5", &["198.51.100.1"]), "203.0.113.5");
        assert_eq!(client_ip_for("", "127.0.0.1", &["198.51.100.1"]), "127.0.0.1");
    }

    #[test]
    fn a_trusted_proxy_speaks_for_the_last_stranger() {
        assert_eq!(client_ip_for("10.0.0.0/8", "10.0.0.1", &["198.51.100.1"]), "198.51.100.1");
        assert_eq!(client_ip_for("10.0.0.0/8", "10.0.0.1", &["6.6.6.6, 198.51.100.1, 10.0.0.2"]), "198.51.100.1");
        assert_eq!(client_ip_for("10.0.0.0/8", "10.0.0.1", &["6.6.6.6", "198.51.100.1"]), "198.51.100.1");
        assert_eq!(client_ip_for("10.0.0.0/8", "10.0.0.1", &["nonsense"]), "10.0.0.1");
    }

    #[test]
    fn one_customer_of_the_new_protocol_is_one_address() {
        let one = rate_limit_key("2001:db8:1:2:aaaa::1".parse().expect("parses"));
        let other = rate_limit_key("2001:db8:1:2:bbbb::9".parse().expect("parses"));
        assert_eq!(one, other);
    }
}
