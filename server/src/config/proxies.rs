//! Which peers may speak for others. Knows addresses and prefixes, not headers.

use std::net::IpAddr;

use super::Values;

/// Addresses and prefixes of reverse proxies whose forwarding headers are believed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<Prefix>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Prefix {
    address: IpAddr,
    bits: u8,
}

impl TrustedProxies {
    /// Reads `LETHE_TRUSTED_PROXIES`.
    pub fn read(values: &mut Values) -> Option<Self> {
        let mut prefixes = Vec::new();
        let mut wrong = Vec::new();
        for part in values.list("LETHE_TRUSTED_PROXIES") {
            match Prefix::parse(&part) {
                Some(prefix) => prefixes.push(prefix),
                None => wrong.push(part),
            }
        }
        if wrong.is_empty() {
            return Some(Self(prefixes));
        }
        let problem = format!(
            "holds `{}`; it must be a list of addresses and prefixes, such as 10.0.0.0/8, ::1",
            wrong.join("`, `")
        );
        values.problem("LETHE_TRUSTED_PROXIES", &problem);
        None
    }

    /// Whether this peer's forwarding headers are believed.
    #[must_use]
    pub fn trusts(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        self.0.iter().any(|prefix| prefix.contains(peer))
    }
}

impl Prefix {
    fn parse(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.trim().parse().ok()?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            Some(bits) => bits.trim().parse().ok().filter(|bits| *bits <= most)?,
            None => most,
        };
        Some(Self { address, bits })
    }

    fn contains(self, peer: IpAddr) -> bool {
        match (self.address, peer) {
            (IpAddr::V4(own), IpAddr::V4(peer)) => {
                let shift = 32 - u32::from(self.bits);
                u32::from(own).checked_shr(shift) == u32::from(peer).checked_shr(shift)
            }
            (IpAddr::V6(own), IpAddr::V6(peer)) => {
                let shift = 128 - u32::from(self.bits);
                u128::from(own).checked_shr(shift) == u128::from(peer).checked_shr(shift)
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trusted(list: &[&str]) -> TrustedProxies {
        TrustedProxies(list.iter().map(|text| Prefix::parse(text).expect("parses")).collect())
    }

    fn trusts(proxies: &TrustedProxies, peer: &str) -> bool {
        proxies.trusts(peer.parse().expect("parses"))
    }

    #[test]
    fn prefixes_hold_what_is_inside_and_nothing_else() {
        let proxies = trusted(&["10.0.0.0/8", "192.168.1.7", "fd00::/8", "::1"]);
        assert!(trusts(&proxies, "10.255.0.1"));
        assert!(trusts(&proxies, "::ffff:10.1.2.3"));
        assert!(trusts(&proxies, "192.168.1.7"));
        assert!(trusts(&proxies, "fd12::9"));
        assert!(trusts(&proxies, "::1"));
        assert!(!trusts(&proxies, "11.0.0.1"));
        assert!(!trusts(&proxies, "192.168.1.8"));
        assert!(!trusts(&proxies, "::2"));
    }

    #[test]
    fn a_prefix_of_zero_bits_holds_every_address_of_its_kind() {
        let proxies = trusted(&["0.0.0.0/0"]);
        assert!(trusts(&proxies, "203.0.113.9"));
        assert!(!trusts(&proxies, "2001:db8::1"));
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", "10.0.0.0/33", "::/129", "example.org", "10.0.0.0/x"] {
            assert_eq!(Prefix::parse(text), None, "{text}");
        }
    }
}
