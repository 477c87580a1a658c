//! The hosts that a URI with a `${…}` in its host may lead to.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net};

/// The allowed values of `uri_hosts`, for messages about an invalid one.
pub(crate) const HOSTS: &str =
    "names, *.names, addresses and prefixes such as 10.0.0.0/8, separated by commas, without ports";

/// The hosts that `uri_hosts` permits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hosts(Vec<Rule>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Rule {
    /// This name; in lower case.
    Name(String),
    /// One or more labels before this name; in lower case, with its leading dot.
    Below(String),
    /// Literal addresses. An IPv4-mapped IPv6 prefix is stored as an IPv4 prefix.
    Net(IpNet),
}

/// A host, in the form in which the resolver sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Host {
    /// In lower case, without a dot at the end.
    Name(String),
    /// An IPv4 address is stored as such, even if it was written as one number or as an IPv6 address.
    Address(IpAddr),
}

impl fmt::Display for Host {
    /// In the form of a URI.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Address(IpAddr::V4(address)) => address.fmt(f),
            Self::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
        }
    }
}

impl Host {
    /// Parses `text`, which has no port, as a resolver does: a name, or an address in any spelling. `None`: neither.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if let Some(address) = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
            return Some(Self::Address(address.parse::<Ipv6Addr>().ok()?.to_canonical()));
        }
        let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        // getaddrinfo(3) treats every name whose last label is a number as an address, and so do other resolvers.
        let last = name.rsplit('.').next().unwrap_or_default();
        if number(last).is_some() || last.bytes().all(|byte| byte.is_ascii_digit()) {
            return ipv4(&name).map(|address| Self::Address(address.into()));
        }
        is_name(&name).then_some(Self::Name(name))
    }
}

/// Labels of letters, digits, `-` and `_` (which containers' names have), at most 253 bytes.
fn is_name(name: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    name.len() <= 253 && name.split('.').all(is_label)
}

/// An address as inet_aton(3) takes it: one to four numbers, the last of which fills the rest.
fn ipv4(text: &str) -> Option<Ipv4Addr> {
    let numbers = text.split('.').map(number).collect::<Option<Vec<u32>>>()?;
    let (last, first) = numbers.split_last().filter(|(_, first)| first.len() < 4)?;
    let mut address = 0_u32;
    for number in first {
        address = address << 8 | u32::from(u8::try_from(*number).ok()?);
    }
    let bits = 32 - 8 * u32::try_from(first.len()).ok()?;
    if bits < 32 && *last >> bits != 0 {
        return None;
    }
    let address = address.checked_shl(bits).unwrap_or(0) | last;
    Some(Ipv4Addr::from(address))
}

/// Decimal, octal with a leading 0, or hexadecimal with a leading 0x.
fn number(text: &str) -> Option<u32> {
    let (digits, radix) = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some("") => return Some(0),
        Some(digits) => (digits, 16),
        None if text.len() > 1 && text.starts_with('0') => (text, 8),
        None => (text, 10),
    };
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_alphanumeric());
    is_number.then(|| u32::from_str_radix(digits, radix).ok()).flatten()
}

impl Hosts {
    /// Names, `*.name`, addresses and prefixes, separated by commas; `None` if one is none of them, or there is none.
    pub fn parse(text: &str) -> Option<Self> {
        let rules = text.split(',').map(|rule| Rule::parse(rule.trim())).collect::<Option<Vec<_>>>()?;
        Some(Self(rules))
    }

    pub(super) fn permits(&self, host: &Host) -> bool {
        self.0.iter().any(|rule| match (rule, host) {
            (Rule::Name(name), Host::Name(host)) => name == host,
            (Rule::Below(parent), Host::Name(host)) => {
                host.strip_suffix(parent.as_str()).is_some_and(|labels| !labels.is_empty())
            }
            (Rule::Net(net), Host::Address(address)) => net.contains(address),
            _ => false,
        })
    }
}

impl fmt::Display for Hosts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rules: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&rules.join(", "))
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Below(parent) => write!(f, "*{parent}"),
            Self::Net(net) => net.fmt(f),
        }
    }
}

impl Rule {
    fn parse(text: &str) -> Option<Self> {
        if let Some(parent) = text.strip_prefix("*.") {
            return match Host::parse(parent)? {
                Host::Name(name) => Some(Self::Below(format!(".{name}"))),
                Host::Address(_) => None,
            };
        }
        if let Ok(net) = text.parse::<IpNet>() {
            return Some(Self::Net(canonical(net)));
        }
        let bracketed = text.parse::<Ipv6Addr>().map(|address| format!("[{address}]"));
        Some(match Host::parse(bracketed.as_deref().unwrap_or(text))? {
            Host::Name(name) => Self::Name(name),
            Host::Address(address) => Self::Net(address.into()),
        })
    }
}

/// Turns a prefix of IPv4-mapped addresses into a prefix of IPv4 addresses.
fn canonical(net: IpNet) -> IpNet {
    let mapped = match net {
        IpNet::V6(v6) => v6.addr().to_ipv4_mapped().zip(v6.prefix_len().checked_sub(96)),
        IpNet::V4(_) => None,
    };
    mapped.and_then(|(address, len)| Ipv4Net::new(address, len).ok()).map_or(net, IpNet::V4)
}
