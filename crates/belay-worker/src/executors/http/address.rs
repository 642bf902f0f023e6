//! Which addresses are not for everybody: what lies behind them is trusted because it cannot be reached from outside.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Why an address is refused unless the operator allows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    Unspecified,
    Loopback,
    Private,
    SharedByCarrier,
    LinkLocal,
    UniqueLocal,
    Platform,
    Multicast,
    Broadcast,
    Documentation,
    Benchmark,
    Reserved,
}

impl Class {
    /// What an address is; `None` when it is an ordinary one. An IPv6 address that carries an IPv4 address is also what that
    /// one is.
    pub(super) fn of(address: IpAddr) -> Option<Self> {
        match address {
            IpAddr::V4(v4) => of_v4(v4),
            IpAddr::V6(v6) => {
                let [first, second] = embedded(v6);
                first
                    .and_then(of_v4)
                    .or_else(|| second.and_then(of_v4))
                    .or_else(|| of_v6(v6))
            }
        }
    }

    /// Completes the sentence "it is ..".
    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::Unspecified => "the address of \"this host\"",
            Self::Loopback => "a loopback address",
            Self::Private => "a private address",
            Self::SharedByCarrier => "a carrier's shared address (100.64.0.0/10)",
            Self::LinkLocal => "a link-local address, where clouds keep their metadata",
            Self::UniqueLocal => "a unique local address",
            Self::Platform => "an address of a cloud's own platform",
            Self::Multicast => "a multicast address",
            Self::Broadcast => "the broadcast address",
            Self::Documentation => "an address for documentation",
            Self::Benchmark => "an address for benchmarks",
            Self::Reserved => "a reserved address",
        }
    }

    /// Whether somebody's ordinary server can have it, so that allowing a server by its name allows this.
    pub(super) const fn is_of_a_server(self) -> bool {
        matches!(
            self,
            Self::Loopback | Self::Private | Self::SharedByCarrier | Self::UniqueLocal
        )
    }
}

fn of_v4(address: Ipv4Addr) -> Option<Class> {
    Some(match address.octets() {
        [0, ..] => Class::Unspecified,
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => Class::Private,
        [100, 64..=127, ..] => Class::SharedByCarrier,
        [127, ..] => Class::Loopback,
        [169, 254, ..] => Class::LinkLocal,
        // The agent of Azure's virtual machines.
        [168, 63, 129, 16] => Class::Platform,
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => Class::Documentation,
        // Protocol assignments, and relays of 6to4 that are given up.
        [192, 0, 0, _] | [192, 88, 99, _] => Class::Reserved,
        [198, 18..=19, ..] => Class::Benchmark,
        [224..=239, ..] => Class::Multicast,
        [255, 255, 255, 255] => Class::Broadcast,
        [240..=255, ..] => Class::Reserved,
        _ => return None,
    })
}

fn of_v6(address: Ipv6Addr) -> Option<Class> {
    Some(match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0] => Class::Unspecified,
        [0, 0, 0, 0, 0, 0, 0, 1] => Class::Loopback,
        // What it carries was looked at: mapped, and translated by NAT64.
        [0, 0, 0, 0, 0, 0xffff, _, _] | [0x64, 0xff9b, 0, 0, 0, 0, _, _] => return None,
        [0xfc00..=0xfdff, ..] => Class::UniqueLocal,
        [0xfe80..=0xfebf, ..] => Class::LinkLocal,
        // Site-local, which unique local addresses replaced.
        [0xfec0..=0xfeff, ..] => Class::Private,
        [0xff00..=0xffff, ..] => Class::Multicast,
        [0x2001, 0xdb8, ..] | [0x3fff, 0..=0x0fff, ..] => Class::Documentation,
        [0x2001, 2, 0, ..] => Class::Benchmark,
        // Teredo; what it carries was looked at.
        [0x2001, 0, ..] => return None,
        [0x2001, 0..=0x01ff, ..] => Class::Reserved,
        [0x2000..=0x3fff, ..] => return None,
        // Nothing else is given out to anybody.
        _ => Class::Reserved,
    })
}

/// The IPv4 addresses that an IPv6 address leads to.
pub(super) fn embedded(address: Ipv6Addr) -> [Option<Ipv4Addr>; 2] {
    let v4 = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        Some(Ipv4Addr::new(a, b, c, d))
    };
    match address.segments() {
        // The plain loopback and unspecified addresses have the form of compatible ones.
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => [None, None],
        // Compatible, mapped, translated (SIIT), NAT64.
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low]
        | [0, 0, 0, 0, 0xffff, 0, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => [v4(high, low), None],
        // 6to4.
        [0x2002, high, low, ..] => [v4(high, low), None],
        // Teredo: the server, and the client with its bits inverted.
        [0x2001, 0, high, low, _, _, client_high, client_low] => {
            [v4(high, low), v4(!client_high, !client_low)]
        }
        // ISATAP, behind any prefix.
        [.., 0 | 0x200, 0x5efe, high, low] => [v4(high, low), None],
        _ => [None, None],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(text: &str) -> Option<Class> {
        Class::of(text.parse().unwrap())
    }

    #[test]
    fn every_class_is_known_at_both_ends() {
        for (class_of, addresses) in [
            (
                Class::Unspecified,
                "0.0.0.0 0.255.255.255 :: ::ffff:0.0.0.0",
            ),
            (
                Class::Loopback,
                "127.0.0.1 127.255.255.255 ::1 ::ffff:127.0.0.1 ::127.0.0.1",
            ),
            (
                Class::Private,
                "10.0.0.0 10.255.255.255 172.16.0.0 172.31.255.255 192.168.0.0 192.168.255.255 fec0::1 ::ffff:10.1.2.3",
            ),
            (
                Class::SharedByCarrier,
                "100.64.0.0 100.127.255.255 100.100.100.200",
            ),
            (
                Class::LinkLocal,
                "169.254.0.0 169.254.169.254 169.254.255.255 fe80::1 febf::1 ::ffff:169.254.169.254",
            ),
            (Class::UniqueLocal, "fc00::1 fd00:ec2::254 fdff:ffff::1"),
            (Class::Platform, "168.63.129.16"),
            (Class::Multicast, "224.0.0.1 239.255.255.255 ff02::1"),
            (Class::Broadcast, "255.255.255.255"),
            (
                Class::Documentation,
                "192.0.2.1 198.51.100.1 203.0.113.1 2001:db8::1 3fff::1",
            ),
            (Class::Benchmark, "198.18.0.0 198.19.255.255 2001:2::1"),
            (
                Class::Reserved,
                "192.0.0.8 192.88.99.1 240.0.0.1 100::1 2001:10::1 2001:20::1 64:ff9b:1::1 5f00::1 4000::1 1::1",
            ),
        ] {
            for address in addresses.split(' ') {
                assert_eq!(class(address), Some(class_of), "{address}");
            }
        }
    }

    #[test]
    fn an_address_is_also_what_it_carries() {
        for (address, expected) in [
            ("64:ff9b::7f00:1", Some(Class::Loopback)),
            ("64:ff9b::a9fe:a9fe", Some(Class::LinkLocal)),
            ("64:ff9b::808:808", None),
            ("2002:a00:1::1", Some(Class::Private)),
            ("2002:808:808::1", None),
            // Teredo: 10.0.0.1 as the server, 127.0.0.1 as the client.
            ("2001:0:a00:1::", Some(Class::Private)),
            ("2001:0:808:808:0:0:80ff:fffe", Some(Class::Loopback)),
            ("2001:0:808:808:0:0:f7f7:f7f7", None),
            ("::ffff:0:127.0.0.1", Some(Class::Loopback)),
            ("2a00::5efe:c0a8:1", Some(Class::Private)),
            ("2a00::200:5efe:c0a8:1", Some(Class::Private)),
            ("::ffff:8.8.8.8", None),
        ] {
            assert_eq!(class(address), expected, "{address}");
        }
    }

    #[test]
    fn ordinary_addresses_are_ordinary() {
        for address in [
            "1.1.1.1",
            "8.8.8.8",
            "11.0.0.1",
            "9.255.255.255",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.1",
            "172.15.255.255",
            "172.32.0.0",
            "192.167.0.1",
            "192.169.0.1",
            "198.17.0.1",
            "198.20.0.1",
            "223.255.255.255",
            "2606:4700::1111",
            "2a00:1450::1",
            "2001:4860:4860::8888",
            "2000::1",
        ] {
            assert_eq!(class(address), None, "{address}");
        }
    }
}
