//! Ids in the form of the carriers, and the parameters of a call that its application gets.

use serde_json::{Map, Value};
use sha1::{Digest as _, Sha1};

/// An id of two letters for its kind and 32 hexadecimal digits.
pub(super) fn sid(kind: &str, id: &[u8]) -> String {
    kind.to_owned() + &hex(id)
}

/// `id` in hexadecimal digits.
pub(super) fn hex(id: &[u8]) -> String {
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The random UUID (version 4) that 16 random bytes make.
pub(super) fn uuid(random: &[u8]) -> String {
    let mut bytes = random.to_vec();
    if let [_, _, _, _, _, _, version, _, variant, ..] = &mut *bytes {
        *version = *version & 0x0f | 0x40;
        *variant = *variant & 0x3f | 0x80;
    }
    let digits = hex(&bytes);
    let mut parts = Vec::new();
    let mut rest = digits.as_str();
    for len in [8, 4, 4, 4] {
        let (part, others) = rest.split_at_checked(len).unwrap_or((rest, ""));
        parts.push(part);
        rest = others;
    }
    parts.push(rest);
    parts.join("-")
}

/// The account of an Asterisk without a configured one: the same for all of its calls.
pub(super) fn account_of(system_name: &str) -> [u8; 20] {
    Sha1::digest(format!("chan_websocket account of {system_name}")).into()
}

/// The parameters of a call: the channel's variables, those of `v()`, and the channel's id. A later one replaces an
/// earlier one of the same name.
pub(super) fn custom_parameters(
    variables: &str,
    own: &[(String, String)],
    channel_id: &str,
) -> Map<String, Value> {
    let mut parameters: Map<String, Value> = serde_json::from_str(variables).unwrap_or_default();
    let own = own.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    for (name, value) in own.chain([("channel_id", channel_id)]) {
        parameters.insert(name.to_owned(), Value::from(value));
    }
    parameters
}

/// The values of these names in `v()`, `""` for those that are missing; and the other parameters.
pub(super) fn named<const N: usize>(
    parameters: &[(String, String)],
    names: [&str; N],
) -> ([String; N], Vec<(String, String)>) {
    let value = |wanted: &str| parameters.iter().rev().find(|(name, _)| name == wanted);
    let values = names.map(|name| value(name).map(|(_, value)| value.clone()).unwrap_or_default());
    let others = parameters.iter().filter(|(name, _)| !names.contains(&name.as_str())).cloned();
    (values, others.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids() {
        let random: Vec<u8> = (0..16).collect();
        assert_eq!(sid("MZ", &random), "MZ000102030405060708090a0b0c0d0e0f");
        assert_eq!(uuid(&random), "00010203-0405-4607-8809-0a0b0c0d0e0f");
        assert_eq!(uuid(&[0xff; 16]), "ffffffff-ffff-4fff-bfff-ffffffffffff");
        assert_ne!(account_of("pbx1"), account_of("pbx2"));
        assert_eq!(account_of("pbx1"), account_of("pbx1"));
    }

    #[test]
    fn parameters_by_their_names() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let all = [pair("to", "1"), pair("x", "y"), pair("to", "2")];
        let ([from, to], others) = named(&all, ["from", "to"]);
        assert_eq!((from.as_str(), to.as_str()), ("", "2"));
        assert_eq!(others, [pair("x", "y")]);
    }
}
