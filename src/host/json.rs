//! Values from Asterisk's JSON (asterisk/json.h).

use std::ffi::CStr;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};

use super::sys;

/// The members of a JSON object whose values are strings. Takes the object's reference over; NULL gives none.
pub(crate) fn string_pairs(object: *mut sys::ast_json) -> Vec<(String, String)> {
    if object.is_null() {
        return Vec::new();
    }
    let format = sys::ast_json_encoding_format::AST_JSON_COMPACT;
    // SAFETY: a live object; the text is ours to free with ast_json_free, and only read before that.
    let text = unsafe {
        let raw = sys::ast_json_dump_string_format(object, format);
        sys::ast_json_unref(object);
        if raw.is_null() {
            return Vec::new();
        }
        let text = CStr::from_ptr(raw).to_string_lossy().into_owned();
        sys::ast_json_free(raw.cast());
        text
    };
    serde_json::from_str(&text).map_or_else(|_| Vec::new(), |Pairs(pairs)| pairs)
}

/// The string members of an object in their order, which a map would lose.
struct Pairs(Vec<(String, String)>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(PairsVisitor)
    }
}

struct PairsVisitor;

impl<'de> Visitor<'de> for PairsVisitor {
    type Value = Pairs;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
        #[derive(serde::Deserialize)]
        #[serde(untagged)]
        enum Member {
            Text(String),
            Other(IgnoredAny),
        }
        let mut pairs = Vec::new();
        while let Some((name, member)) = map.next_entry::<String, Member>()? {
            if let Member::Text(value) = member {
                pairs.push((name, value));
            }
        }
        Ok(Pairs(pairs))
    }
}
