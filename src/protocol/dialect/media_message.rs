//! Code shared by dialects with media in JSON: it reads the fields of an object and media in base64, and copies nothing
//! else.

use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

/// Padding is optional, and bits after the last byte are ignored, as in the decoders of servers.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// The values of these fields of a JSON object, as they are written. If a name is repeated, the last one counts.
/// `None`: the text is not a JSON object. Nothing is allocated.
pub(super) fn fields<'a, const N: usize>(
    text: &'a str,
    names: [&'static str; N],
) -> Option<[Option<&'a RawValue>; N]> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let fields = MessageFields(&names).deserialize(&mut deserializer).ok()?;
    deserializer.end().ok()?;
    Some(fields)
}

/// The value as a string; `None` if it is not one. Copied only if it has escapes.
pub(super) fn string(value: &RawValue) -> Option<Cow<'_, str>> {
    #[derive(Deserialize)]
    struct BorrowedText<'a>(#[serde(borrow)] Cow<'a, str>);

    let BorrowedText(text) = serde_json::from_str(value.get()).ok()?;
    Some(text)
}

/// The media in a base64 text; `None` if it is not base64. One allocation of exactly its size.
pub(super) fn decoded(text: &str) -> Option<Bytes> {
    let digits = text.trim_end_matches('=').len();
    let mut media = vec![0; digits / 4 * 3 + (digits % 4 * 3) / 4].into_boxed_slice();
    let len = BASE64.decode_slice(text, &mut media).ok()?;
    (len == media.len()).then(|| Bytes::from(media))
}

struct MessageFields<'n, const N: usize>(&'n [&'static str; N]);

impl<'de, const N: usize> DeserializeSeed<'de> for MessageFields<'_, N> {
    type Value = [Option<&'de RawValue>; N];

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, const N: usize> Visitor<'de> for MessageFields<'_, N> {
    type Value = [Option<&'de RawValue>; N];

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fields = [None; N];
        while let Some(place) = map.next_key_seed(Place(self.0))? {
            match place.and_then(|place| fields.get_mut(place)) {
                Some(field) => *field = Some(map.next_value()?),
                None => _ = map.next_value::<IgnoredAny>()?,
            }
        }
        Ok(fields)
    }
}

/// Finds which of the names a key is.
struct Place<'n>(&'n [&'static str]);

impl<'de> DeserializeSeed<'de> for Place<'_> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Place<'_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        Ok(self.0.iter().position(|name| *name == key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::engine::general_purpose::{STANDARD as PADDED, STANDARD_NO_PAD as UNPADDED};

    #[test]
    fn fields_are_found_wherever_they_stand() {
        let text = r#" {"x":[1,{"b":2}],"\u0062":"two","a":{"y":null},"a":"one"} "#;
        let [a, b, c] = fields(text, ["a", "b", "c"]).unwrap();
        assert_eq!(a.map(RawValue::get), Some("\"one\""));
        assert_eq!(b.and_then(string).as_deref(), Some("two"));
        assert_eq!(c.map(RawValue::get), None);
        for text in ["", "[]", "1", "\"{}\"", "{", "{\"a\":}", "{} x", "{\"a\":01}", "nul"] {
            assert!(fields(text, ["a"]).is_none(), "{text}");
        }
        assert!(fields("{}", ["a"]).is_some());
    }

    #[test]
    fn a_string_is_copied_only_where_it_has_escapes() {
        let value = |text: &'static str| serde_json::from_str::<&RawValue>(text).unwrap();
        assert!(matches!(string(value(r#""abc/""#)), Some(Cow::Borrowed("abc/"))));
        assert_eq!(string(value(r#""a\/b""#)).as_deref(), Some("a/b"));
        for text in ["null", "1", "[]", "{}", "true"] {
            assert_eq!(string(value(text)), None, "{text}");
        }
    }

    #[test]
    fn media_is_decoded_with_padding_and_without() {
        for len in 0..700 {
            let media: Vec<u8> = (0..len).map(|n| (n * 7 % 256) as u8).collect();
            for text in [PADDED.encode(&media), UNPADDED.encode(&media)] {
                assert_eq!(decoded(&text).as_deref(), Some(&media[..]), "{text}");
            }
        }
        assert_eq!(decoded("//").as_deref(), Some(&[0xff][..]), "bits behind the last byte");
        for text in ["A", "AA=A", "A===", "AAAA====", "AA AA", "A-_A", "AAA\n", "é", "=", "AAAAA"] {
            assert_eq!(decoded(text), None, "{text}");
        }
    }
}
