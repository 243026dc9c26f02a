//! Content codings: an answer has to be read to be scrubbed, so it goes on to the agent without one.

mod decode;
#[cfg(test)]
mod tests;

pub use decode::Decoder;

/// How a body is coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// Not at all.
    Identity,
    /// RFC 1952, any number of members.
    Gzip,
    /// RFC 1950; RFC 1951 alone, which some send under the same name.
    Deflate,
    /// RFC 7932
    Brotli,
    /// RFC 8878, a window of at most 8 MiB (RFC 9659).
    Zstd,
}

/// An answer that cannot be read, and so cannot be scrubbed: refuse it with `scrub_unreadable`, or if its head is gone
/// already, break it off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// An unknown coding, or more than one.
    #[error("the answer is coded in a way that cannot be read")]
    Coding,
    /// It is not coded as it says, it is damaged, or something follows its end.
    #[error("the answer is not coded as it says")]
    Damaged,
    /// It ends before its end.
    #[error("the answer is cut off")]
    Cut,
    /// It grows beyond all measure when it is read.
    #[error("the answer is a decompression bomb")]
    Bomb,
}

impl Coding {
    /// Of an answer with these `Content-Encoding` headers.
    ///
    /// # Errors
    ///
    /// [`Unreadable::Coding`].
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

/// The `Accept-Encoding` to send on: of what the agent takes, the codings that can be read as they come. zstd is not among
/// them: its reader gives nothing before a window is full, so an event would wait.
pub fn accepted<'a>(headers: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut accepted: Vec<String> = Vec::new();
    for item in headers.into_iter().flat_map(items) {
        let mut parts = item.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
        let name = parts.next().unwrap_or_default().to_ascii_lowercase();
        let refused = parts.any(|part| {
            let weight = part.strip_prefix(b"q=").or(part.strip_prefix(b"Q="));
            weight.is_some_and(|weight| weight.iter().all(|byte| matches!(byte, b'0' | b'.')))
        });
        let known = ["gzip", "deflate", "br"].iter().find(|known| known.as_bytes() == name.as_slice());
        if let Some(known) = known.filter(|known| !refused && !accepted.iter().any(|one| one == *known)) {
            accepted.push((*known).to_owned());
        }
    }
    if accepted.is_empty() { "identity".to_owned() } else { accepted.join(", ") }
}

fn items(header: &[u8]) -> impl Iterator<Item = &[u8]> {
    header.split(|byte| *byte == b',').map(<[u8]>::trim_ascii)
}
