//! The setting `allow`: what may be reached although its address is not an ordinary one.

use std::fmt;
use std::net::IpAddr;

use reqwest::Url;
use thiserror::Error;

use super::address::{self, Class};

/// What may be reached although it is private.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Allow {
    networks: Vec<Network>,
    names: Vec<String>,
}

/// Addresses that begin with the same bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Network {
    address: IpAddr,
    bits: u32,
}

/// An address that no request may go to.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(super) struct Refused {
    address: IpAddr,
    class: Class,
    /// What was looked up, when it was a name.
    name: Option<String>,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            address,
            class,
            name,
        } = self;
        write!(f, "the address {address}")?;
        if let Some(name) = name {
            write!(f, " of {name:?}")?;
        }
        let bits = if address.is_ipv4() { 32 } else { 128 };
        write!(
            f,
            " is refused: it is {}; if it is meant, add \"{address}/{bits}\" to the setting `allow` of the kind",
            class.words()
        )
    }
}

impl Allow {
    /// Reads the entries of the setting.
    ///
    /// # Errors
    /// The first entry that is none, with what is wrong.
    pub(super) fn new(entries: &[String]) -> Result<Self, String> {
        let mut allow = Self::default();
        for entry in entries {
            let entry = entry.trim();
            if let Some((address, bits)) = entry.split_once('/') {
                allow.networks.push(Network::new(entry, address, bits)?);
            } else if let Ok(address) = entry.trim_matches(['[', ']']).parse::<IpAddr>() {
                let bits = width(address);
                allow.networks.push(Network { address, bits });
            } else {
                allow.names.push(name(entry)?);
            }
        }
        Ok(allow)
    }

    /// Whether a request may go to `address`. `name` is what was looked up, when it was a name.
    ///
    /// # Errors
    /// Why not.
    pub(super) fn check(&self, name: Option<&str>, address: IpAddr) -> Result<(), Refused> {
        let Some(class) = Class::of(address) else {
            return Ok(());
        };
        let by_network = |address: IpAddr| self.networks.iter().any(|n| n.contains(address));
        let by_what_it_carries = match address {
            IpAddr::V6(v6) => address::embedded(v6)
                .into_iter()
                .flatten()
                .filter(|v4| Class::of((*v4).into()).is_some())
                .map(|v4| by_network(v4.into()))
                .reduce(|all, one| all && one)
                .unwrap_or(false),
            IpAddr::V4(_) => false,
        };
        let by_name = || {
            let name = name.map(plain);
            class.is_of_a_server() && name.is_some_and(|name| self.names.contains(&name))
        };
        if by_network(address) || by_what_it_carries || by_name() {
            return Ok(());
        }
        Err(Refused {
            address,
            class,
            name: name.map(ToOwned::to_owned),
        })
    }
}

/// A name as it is compared.
fn plain(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}

const fn width(address: IpAddr) -> u32 {
    if address.is_ipv4() { 32 } else { 128 }
}

impl Network {
    fn new(entry: &str, address: &str, bits: &str) -> Result<Self, String> {
        let parsed = address.parse::<IpAddr>().ok().zip(bits.parse::<u32>().ok());
        let Some((address, bits)) = parsed.filter(|(address, bits)| *bits <= width(*address))
        else {
            return Err(format!(
                "{entry:?} is not a network; write for example \"10.1.0.0/16\", \"127.0.0.1/32\" or \"fd00::/8\""
            ));
        };
        let network = Self { address, bits };
        let first = network.first();
        if first != address {
            return Err(format!(
                "{entry:?} is not a network, because bits behind the first {bits} are set; write \"{first}/{bits}\" for the whole network"
            ));
        }
        Ok(network)
    }

    fn first(self) -> IpAddr {
        match self.address {
            IpAddr::V4(v4) => {
                let mask = u32::MAX.checked_shl(32 - self.bits).unwrap_or(0);
                IpAddr::V4((u32::from(v4) & mask).into())
            }
            IpAddr::V6(v6) => {
                let mask = u128::MAX.checked_shl(128 - self.bits).unwrap_or(0);
                IpAddr::V6((u128::from(v6) & mask).into())
            }
        }
    }

    fn contains(self, address: IpAddr) -> bool {
        let same_family = address.is_ipv4() == self.address.is_ipv4();
        same_family && Self { address, ..self }.first() == self.address
    }
}

/// An entry that is the name of a host.
fn name(entry: &str) -> Result<String, String> {
    let refused = || {
        format!(
            "{entry:?} is neither an address, nor a network such as \"10.1.0.0/16\", nor the name of a host"
        )
    };
    let plain_host = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_');
    if entry.is_empty() || !entry.chars().all(plain_host) {
        return Err(refused());
    }
    let url = Url::parse(&format!("http://{entry}/")).map_err(|_| refused())?;
    // Also numbers such as 2130706433, which are addresses in disguise.
    match url.domain() {
        Some(name) => Ok(plain(name)),
        None => Err(refused()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allow(entries: &[&str]) -> Allow {
        let entries: Vec<_> = entries.iter().map(ToString::to_string).collect();
        Allow::new(&entries).unwrap()
    }

    fn passes(allow: &Allow, name: Option<&str>, address: &str) -> bool {
        allow.check(name, address.parse().unwrap()).is_ok()
    }

    #[test]
    fn nothing_but_ordinary_addresses_passes_by_default() {
        let none = allow(&[]);
        assert!(passes(&none, None, "8.8.8.8"));
        assert!(!passes(&none, Some("x.example"), "10.0.0.1"));
    }

    #[test]
    fn networks_pass_what_is_in_them() {
        let some = allow(&["10.1.0.0/16", "127.0.0.1", "fd00:1::/32", "[::1]"]);
        for address in [
            "10.1.0.0",
            "10.1.255.255",
            "127.0.0.1",
            "fd00:1:2::3",
            "::1",
            "::ffff:10.1.2.3",
            "64:ff9b::a01:203",
        ] {
            assert!(passes(&some, None, address), "{address}");
        }
        for address in [
            "10.2.0.0",
            "127.0.0.2",
            "fd00:2::1",
            "::ffff:10.2.0.0",
            "2001:0:a01:203:0:0:80ff:fffd",
        ] {
            assert!(!passes(&some, None, address), "{address}");
        }
        assert!(passes(&allow(&["0.0.0.0/0"]), None, "169.254.169.254"));
        assert!(passes(&allow(&["::/0"]), None, "fe80::1"));
        assert!(!passes(&allow(&["::/0"]), None, "127.0.0.1"));
    }

    #[test]
    fn names_pass_servers_and_never_the_metadata_of_a_cloud() {
        let some = allow(&["Intern.Example."]);
        assert!(passes(&some, Some("intern.example"), "10.0.0.1"));
        assert!(passes(&some, Some("intern.example."), "127.0.0.1"));
        for (name, address) in [
            (Some("other.example"), "10.0.0.1"),
            (None, "10.0.0.1"),
            (Some("intern.example"), "169.254.169.254"),
            (Some("intern.example"), "224.0.0.1"),
        ] {
            assert!(!passes(&some, name, address), "{name:?} {address}");
        }
    }

    #[test]
    fn what_is_no_entry_is_refused() {
        for entry in [
            "",
            "10.0.0.0/33",
            "10.0.0.1/8",
            "::/129",
            "a/8",
            "10.0.0.0/",
            "/8",
            "2130706433",
            "127.1",
            "a b",
            "u@h",
            "h:80",
            "http://h",
            "*.example",
        ] {
            let error = Allow::new(&[entry.to_owned()]).unwrap_err();
            assert!(error.contains(&format!("{entry:?}")), "{error}");
        }
    }

    #[test]
    fn a_refusal_says_what_to_do() {
        let error = allow(&[])
            .check(Some("a.example"), [10, 0, 0, 5].into())
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "the address 10.0.0.5 of \"a.example\" is refused: it is a private address; if it is meant, add \"10.0.0.5/32\" to the \
             setting `allow` of the kind"
        );
    }
}
