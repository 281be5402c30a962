//! Which peers' forwarding headers are trusted. Knows addresses and networks, not headers.

use std::net::IpAddr;

use ipnet::IpNet;

use super::setting::{Syntax, Value};
use super::types::elements;

/// Addresses and networks of reverse proxies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    /// Returns whether this peer's forwarding headers are trusted.
    #[must_use]
    pub fn contains(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        self.0.iter().any(|network| network.contains(&peer))
    }
}

impl Value for TrustedProxies {
    const ACCEPTED: &'static str = "a list of addresses and networks, such as 10.0.0.0/8, ::1";
    const SYNTAX: Syntax = Syntax::List;
    const IS_OPTIONAL: bool = true;

    fn from_text(text: &str) -> Result<Self, String> {
        // A bare address is the network of that one host.
        let network = |element: &str| element.parse().or_else(|_| element.parse::<IpAddr>().map(IpNet::from));
        let networks = elements(text)
            .map(|element| network(element).map_err(|_| format!("`{element}` is neither an address nor a network")));
        networks.collect::<Result<_, _>>().map(Self)
    }

    fn missing() -> Option<Self> {
        Some(Self::default())
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("10.255.0.1", true)]
    #[case("::ffff:10.1.2.3", true)]
    #[case("192.168.1.7", true)]
    #[case("fd12::9", true)]
    #[case("::1", true)]
    #[case("11.0.0.1", false)]
    #[case("192.168.1.8", false)]
    #[case("::2", false)]
    fn network_contains_its_addresses_alone(#[case] peer: IpAddr, #[case] trusted: bool) {
        let proxies = TrustedProxies::from_text("10.0.0.0/8, 192.168.1.7,fd00::/8, ::1").expect("valid");
        assert_eq!(proxies.contains(peer), trusted);
    }

    #[test]
    fn network_of_zero_bits_contains_every_address_of_its_family() {
        let proxies = TrustedProxies::from_text("0.0.0.0/0").expect("valid");
        assert!(proxies.contains(IpAddr::from([203, 0, 113, 9])));
        assert!(!proxies.contains("2001:db8::1".parse().expect("an address")));
    }

    #[rstest]
    #[case("10.0.0.0/33")]
    #[case("::/129")]
    #[case("example.org")]
    #[case("10.0.0.0/x")]
    #[case("10.0.0.1, 10.0.0.0/99")]
    fn invalid_network_is_rejected(#[case] text: &str) {
        assert!(TrustedProxies::from_text(text).is_err());
    }
}
