//! Content codings: an answer has to be decoded to be scrubbed, so it goes on to the agent without a coding.

mod decode;
#[cfg(test)]
mod tests;

pub use decode::Decoder;

/// The coding of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// No coding.
    Identity,
    /// gzip (RFC 1952), any number of members.
    Gzip,
    /// zlib (RFC 1950), or bare deflate (RFC 1951), which some send under the same name.
    Deflate,
    /// Brotli (RFC 7932).
    Brotli,
    /// Zstandard (RFC 8878), with a window of at most 8 MiB (RFC 9659).
    Zstd,
}

/// Why an answer cannot be decoded, and so cannot be scrubbed. It is refused with `scrub_unreadable` or, if its head was sent
/// already, broken off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// The answer has an unknown coding, or more than one.
    #[error("the answer is coded in a way that cannot be read")]
    Coding,
    /// The body is not coded as the head says, is damaged, or goes on after its end.
    #[error("the answer is not coded as it says")]
    Damaged,
    /// The body breaks off.
    #[error("the answer is cut off")]
    Cut,
    /// The body grows beyond all measure when it is decoded.
    #[error("the answer is a decompression bomb")]
    Bomb,
}

impl Coding {
    /// The coding of an answer with these `Content-Encoding` headers.
    ///
    /// # Errors
    ///
    /// [`Unreadable::Coding`] if that is no coding that can be decoded.
    pub fn of<'a>(headers: impl IntoIterator<Item = &'a [u8]>) -> Result<Self, Unreadable> {
        let mut coding = Self::Identity;
        for name in headers.into_iter().flat_map(items) {
            let next = match name.to_ascii_lowercase().as_slice() {
                b"" | b"identity" => continue,
                b"gzip" | b"x-gzip" => Self::Gzip,
                b"deflate" => Self::Deflate,
                b"br" => Self::Brotli,
                b"zstd" => Self::Zstd,
                _ => return Err(Unreadable::Coding),
            };
            if coding != Self::Identity {
                return Err(Unreadable::Coding);
            }
            coding = next;
        }
        Ok(coding)
    }
}

/// The `Accept-Encoding` to send on: of the codings that the agent takes, those that can be decoded as they come, in little
/// memory. Brotli and Zstandard are left out: their decoders keep megabytes for each answer, and that of Zstandard gives nothing
/// before a window is full, so an event would be late.
pub fn accepted<'a>(headers: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut accepted: Vec<String> = Vec::new();
    for item in headers.into_iter().flat_map(items) {
        let mut parts = item.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
        let name = parts.next().unwrap_or_default().to_ascii_lowercase();
        let refused = parts.any(|part| {
            let weight = part.strip_prefix(b"q=").or(part.strip_prefix(b"Q="));
            weight.is_some_and(|weight| weight.iter().all(|byte| matches!(byte, b'0' | b'.')))
        });
        let known = ["gzip", "deflate"].iter().find(|known| known.as_bytes() == name.as_slice());
        if let Some(known) = known.filter(|known| !refused && !accepted.iter().any(|one| one == *known)) {
            accepted.push((*known).to_owned());
        }
    }
    if accepted.is_empty() { "identity".to_owned() } else { accepted.join(", ") }
}

fn items(header: &[u8]) -> impl Iterator<Item = &[u8]> {
    header.split(|byte| *byte == b',').map(<[u8]>::trim_ascii)
}
