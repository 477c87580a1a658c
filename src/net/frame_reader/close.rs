//! The payload of a close frame (RFC 6455 sections 5.5.1 and 7.4).

use super::Fault;

/// Checks the payload.
///
/// # Errors
/// Half a code, a code that must not be sent, or a reason that is not UTF-8.
pub(super) fn check(payload: &[u8]) -> Result<(), Fault> {
    let Some((code, reason)) = payload.split_first_chunk() else {
        return if payload.is_empty() { Ok(()) } else { Err(Fault::HalfCloseCode) };
    };
    if std::str::from_utf8(reason).is_err() {
        return Err(Fault::ReasonNotUtf8);
    }
    let code = u16::from_be_bytes(*code);
    if is_sendable(code) { Ok(()) } else { Err(Fault::CloseCode(code)) }
}

/// Whether a close frame may carry this code: those of RFC 6455 section 7.4 that may be sent, those that IANA has
/// registered since, and those of libraries and applications.
fn is_sendable(close_code: u16) -> bool {
    matches!(close_code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_that_may_be_sent() {
        let sendable: Vec<u16> = (0..=u16::MAX).filter(|code| is_sendable(*code)).collect();
        assert_eq!(sendable.len(), 4 + 8 + 2000);
        for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535] {
            assert!(!is_sendable(code), "{code}");
        }
    }
}
