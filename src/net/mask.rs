//! Masking (RFC 6455 section 5.3), which is the same in both directions.

/// A masking key.
pub(super) type Key = [u8; 4];

/// Masks or unmasks the next bytes of a payload, and rotates the key so that it fits the bytes after them.
#[inline]
pub(super) fn apply_mask(payload: &mut [u8], key: &mut Key) {
    let [a, b, c, d] = *key;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (words, rest) = payload.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(key.iter().cycle()) {
        *byte ^= key;
    }
    key.rotate_left(payload.len() % size_of::<Key>());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_in_pieces_is_masked_as_a_whole_one() {
        const KEY: Key = [0x37, 0xfa, 0x21, 0x3d];
        let plain: Vec<u8> = (0..40).collect();
        let masked: Vec<u8> = plain.iter().zip(KEY.iter().cycle()).map(|(byte, key)| byte ^ key).collect();
        for first in 0..=plain.len() {
            for second in first..=plain.len() {
                let (mut bytes, mut key) = (plain.clone(), KEY);
                apply_mask(&mut bytes[..first], &mut key);
                apply_mask(&mut bytes[first..second], &mut key);
                apply_mask(&mut bytes[second..], &mut key);
                assert_eq!(bytes, masked, "cut at {first} and {second}");
            }
        }
    }
}
