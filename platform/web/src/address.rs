use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::request::Parts;
use ipnet::IpNet;

use crate::ConfigError;
use crate::middleware::Call;

/// Where a call came from: the peer, or whom a trusted proxy names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientAddress(pub IpAddr);

impl ClientAddress {
    /// Stands for a peer that is not known, as in a test without a socket.
    pub(crate) const UNKNOWN: Self = Self(IpAddr::V4(Ipv4Addr::UNSPECIFIED));

    /// What is counted as one client: an IPv4 address, or an IPv6 network of 64 bits, which one customer gets whole.
    pub(crate) fn bucket(self) -> IpAddr {
        match self.0 {
            IpAddr::V4(_) => self.0,
            IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for ClientAddress {
    type Rejection = Infallible;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let call = parts.extensions.get::<Call>();
        Ok(call.map_or(Self::UNKNOWN, |call| call.client))
    }
}

/// Whose `X-Forwarded-For` is believed.
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    /// Reads address ranges.
    pub fn parse(ranges: &[String]) -> Result<Self, ConfigError> {
        let parse = |range: &String| {
            range
                .parse()
                .map_err(|_| ConfigError::Proxy { range: range.clone() })
        };
        ranges.iter().map(parse).collect::<Result<_, _>>().map(Self)
    }

    /// Whether this address is one of the proxies.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|range| range.contains(&address))
    }

    /// The client behind `peer`: from the right, the first address in the header that is no proxy of ours. What stands
    /// to its left was written by the client and means nothing.
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> ClientAddress {
        let mut client = peer.to_canonical();
        let values: Vec<&str> = headers
            .get_all("x-forwarded-for")
            .iter()
            .filter_map(|value| value.to_str().ok())
            .collect();
        for hop in values.iter().rev().flat_map(|value| value.rsplit(',')) {
            if !self.contains(client) {
                break;
            }
            let Ok(address) = hop.trim().parse::<IpAddr>() else {
                break;
            };
            client = address.to_canonical();
        }
        ClientAddress(client)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(proxies: &[&str], peer: &str, forwarded: &[&str]) -> String {
        let proxies =
            TrustedProxies::parse(&proxies.iter().map(|&p| p.to_owned()).collect::<Vec<_>>()).unwrap();
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append("x-forwarded-for", value.parse().unwrap());
        }
        proxies.client(peer.parse().unwrap(), &headers).0.to_string()
    }

    #[test]
    fn a087_only_a_trusted_proxy_is_believed() {
        assert_eq!(client(&[], "203.0.113.1", &["1.2.3.4"]), "203.0.113.1");
        assert_eq!(
            client(&["10.0.0.0/8"], "203.0.113.1", &["1.2.3.4"]),
            "203.0.113.1"
        );
        assert_eq!(client(&["10.0.0.0/8"], "10.0.0.1", &["1.2.3.4"]), "1.2.3.4");
        assert_eq!(
            client(&["10.0.0.0/8"], "::ffff:10.0.0.1", &["1.2.3.4"]),
            "1.2.3.4"
        );
    }

    #[test]
    fn what_the_client_wrote_itself_is_ignored() {
        assert_eq!(
            client(&["10.0.0.0/8"], "10.0.0.1", &["6.6.6.6, 1.2.3.4, 10.0.0.2"]),
            "1.2.3.4"
        );
        assert_eq!(
            client(&["10.0.0.0/8"], "10.0.0.1", &["6.6.6.6", "1.2.3.4"]),
            "1.2.3.4"
        );
        assert_eq!(
            client(&["10.0.0.0/8"], "10.0.0.1", &["6.6.6.6, nonsense"]),
            "10.0.0.1"
        );
    }

    #[test]
    fn an_ipv6_network_is_one_client() {
        let bucket = |text: &str| ClientAddress(text.parse().unwrap()).bucket();
        assert_eq!(bucket("2001:db8:1:2::1"), bucket("2001:db8:1:2:ffff::"));
        assert_ne!(bucket("2001:db8:1:2::1"), bucket("2001:db8:1:3::1"));
        assert_ne!(bucket("1.2.3.4"), bucket("1.2.3.5"));
    }

    #[test]
    fn an_odd_range_is_refused() {
        assert!(TrustedProxies::parse(&["10.0.0.0/33".to_owned()]).is_err());
    }
}
