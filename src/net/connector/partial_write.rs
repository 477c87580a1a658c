//! A request on its way out of a non-blocking socket.

use std::io;

use zeroize::Zeroizing;

/// Bytes to send, and how many of them are sent. Their memory is overwritten afterwards: they may hold credentials.
pub(super) struct PartialWrite {
    bytes: Zeroizing<Vec<u8>>,
    sent: usize,
}

impl std::fmt::Debug for PartialWrite {
    /// Without the bytes: they may hold credentials.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PartialWrite({} of {} bytes sent)", self.sent, self.bytes.len())
    }
}

impl PartialWrite {
    pub(super) fn new(bytes: Vec<u8>) -> Self {
        Self { bytes: Zeroizing::new(bytes), sent: 0 }
    }

    /// Sends what the socket takes. `true`: everything is sent; `false`: the socket would block.
    pub(super) fn flush(&mut self, mut send: impl FnMut(&[u8]) -> io::Result<usize>) -> io::Result<bool> {
        while let Some(rest) = self.bytes.get(self.sent..).filter(|rest| !rest.is_empty()) {
            match send(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(len) => self.sent = self.sent.saturating_add(len),
                Err(err) if err.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(err) if err.kind() == io::ErrorKind::Interrupted => {}
                Err(err) => return Err(err),
            }
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goes_on_where_it_stopped() {
        let mut request = PartialWrite::new(b"secret".to_vec());
        let mut got: Vec<u8> = Vec::new();
        let mut calls = 0;
        let mut send = |bytes: &[u8]| {
            calls += 1;
            match calls % 3 {
                0 => Err(io::ErrorKind::WouldBlock.into()),
                1 => Err(io::ErrorKind::Interrupted.into()),
                _ => {
                    got.extend(&bytes[..bytes.len().min(2)]);
                    Ok(bytes.len().min(2))
                }
            }
        };
        assert!(!request.flush(&mut send).unwrap());
        assert_eq!(format!("{request:?}"), "PartialWrite(2 of 6 bytes sent)");
        assert!(!request.flush(&mut send).unwrap());
        assert!(request.flush(&mut send).unwrap());
        assert_eq!(got, b"secret");
        assert!(
            matches!(PartialWrite::new(vec![1]).flush(|_| Ok(0)), Err(e) if e.kind() == io::ErrorKind::WriteZero)
        );
        assert!(PartialWrite::new(vec![1]).flush(|_| Err(io::ErrorKind::BrokenPipe.into())).is_err());
    }
}
