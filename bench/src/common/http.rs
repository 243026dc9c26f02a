//! Enough of HTTP/1.1 to load a server with.

use anyhow::{Context as _, Result, bail};
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// Reads one answer, its body too, and says its status. The answer says how long it is.
///
/// # Errors
/// If it breaks off, or is none.
pub async fn answer(stream: &mut (impl AsyncRead + Unpin), buffer: &mut Vec<u8>) -> Result<u16> {
    buffer.clear();
    let (mut whole, mut status) = (None, 0);
    while whole.is_none_or(|whole| buffer.len() < whole) {
        if stream.read_buf(buffer).await? == 0 {
            bail!("the server closed the connection");
        }
        if whole.is_none()
            && let Some(end) = head_end(buffer)
        {
            let head = Head::parse(&buffer[..end])?;
            status = head.status;
            whole = Some(end + head.length.unwrap_or(0));
        }
    }
    Ok(status)
}

/// The parts of an answer's head that a load must know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The answer's status.
    pub status: u16,
    /// The answer's `Content-Length`.
    pub length: Option<usize>,
}

impl Head {
    /// Reads a head from the bytes before [`head_end`].
    ///
    /// # Errors
    /// If the bytes are not a head.
    pub fn parse(head: &[u8]) -> Result<Self> {
        let head = String::from_utf8_lossy(head).to_ascii_lowercase();
        let status = head.split(' ').nth(1).unwrap_or_default().parse().context("no status")?;
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        Ok(Self { status, length: length.map(|length| length.trim().parse()).transpose()? })
    }
}

/// The offset at which the body begins.
pub fn head_end(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_answer_is_read_to_its_end_and_no_further() {
        let mut bytes: &[u8] = b"HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\nabc";
        let mut buffer = Vec::new();
        assert_eq!(answer(&mut bytes, &mut buffer).await.unwrap(), 304);
        assert!(buffer.ends_with(b"\r\n\r\nabc"));
        let mut cut: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nab";
        assert!(answer(&mut cut, &mut buffer).await.is_err());
    }
}
