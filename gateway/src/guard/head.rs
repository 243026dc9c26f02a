//! Heads: the one plain form of HTTP/1.1 (RFC 9112), and the length of what follows. Pure.

/// Why a head is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Not the plain form.
    Odd,
    /// Longer, or with more lines, than is taken.
    TooLarge,
}

/// What follows the head of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Follows {
    /// This many bytes of body.
    Length(u64),
    /// A body in chunks.
    Chunks,
    /// A tunnel's bytes, if the request is granted.
    Tunnel,
}

/// Longest head, in bytes, and the most lines in it.
pub(crate) const HEAD_BYTES: usize = 64 * 1024;
pub(crate) const HEAD_LINES: usize = 100;

/// The offset at which the head ends that starts at the beginning of `bytes`. `None` if it has not ended yet. `from` bytes were
/// searched before.
pub(super) fn end(bytes: &[u8], from: usize) -> Option<usize> {
    let from = from.saturating_sub(3);
    let rest = bytes.get(from..)?;
    memchr::memmem::find(rest, b"\r\n\r\n").map(|at| from + at + 4)
}

/// Whether there is a line feed without a carriage return before it, or a carriage return without a line feed after it: such a
/// head may never end in the plain form. `from` bytes were searched before.
pub(super) fn has_bare_line_end(bytes: &[u8], from: usize) -> bool {
    let from = from.saturating_sub(1);
    let rest = bytes.get(from..).unwrap_or_default();
    memchr::memchr2_iter(b'\r', b'\n', rest).any(|at| {
        let at = from + at;
        match bytes.get(at) {
            Some(b'\n') => at == 0 || bytes.get(at - 1) != Some(&b'\r'),
            _ => bytes.get(at + 1).is_some_and(|byte| *byte != b'\n'),
        }
    })
}

/// Judges the head of a request: everything up to and with the empty line.
pub(super) fn request(head: &[u8]) -> Result<Follows, Shape> {
    if head.len() > HEAD_BYTES {
        return Err(Shape::TooLarge);
    }
    let (first, fields) = lines(head).ok_or(Shape::Odd)?;
    let (method, version) = request_line(first).ok_or(Shape::Odd)?;
    let mut seen = Seen::default();
    let mut hosts = 0;
    for (count, line) in fields.enumerate() {
        if count == HEAD_LINES {
            return Err(Shape::TooLarge);
        }
        let (name, value) = field(line).ok_or(Shape::Odd)?;
        seen.field(name, value)?;
        if name.eq_ignore_ascii_case(b"host") {
            hosts += 1;
            if !is_host(value) {
                return Err(Shape::Odd);
            }
        } else if name.eq_ignore_ascii_case(b"http2-settings") {
            // `HTTP2-Settings` is the other half of `Upgrade: h2c`, which would smuggle a second protocol past every check.
            return Err(Shape::Odd);
        }
    }
    if hosts > 1 || (hosts == 0 && version == 1) || (seen.chunked && (version == 0 || seen.length.is_some()))
    {
        return Err(Shape::Odd);
    }
    let body = seen.chunked || seen.length.is_some_and(|length| length > 0);
    match method {
        // A body of such a request has no defined meaning, and servers differ on whether it is there (RFC 9110, 9.3.1).
        b"CONNECT" | b"GET" | b"HEAD" | b"TRACE" if body => Err(Shape::Odd),
        b"CONNECT" => Ok(Follows::Tunnel),
        _ if seen.chunked => Ok(Follows::Chunks),
        _ => Ok(Follows::Length(seen.length.unwrap_or(0))),
    }
}

/// Judges the head of an answer, and returns its status.
pub(super) fn answer(head: &[u8]) -> Result<u16, Shape> {
    let (first, fields) = lines(head).ok_or(Shape::Odd)?;
    let status = status_line(first).ok_or(Shape::Odd)?;
    let mut seen = Seen::default();
    for line in fields {
        let (name, value) = field(line).ok_or(Shape::Odd)?;
        seen.field(name, value)?;
    }
    if seen.chunked && seen.length.is_some() { Err(Shape::Odd) } else { Ok(status) }
}

#[derive(Default)]
struct Seen {
    length: Option<u64>,
    chunked: bool,
}

impl Seen {
    fn field(&mut self, name: &[u8], value: &[u8]) -> Result<(), Shape> {
        if name.eq_ignore_ascii_case(b"content-length") {
            let length = length(value).ok_or(Shape::Odd)?;
            if self.length.replace(length).is_some() {
                return Err(Shape::Odd);
            }
        } else if name.eq_ignore_ascii_case(b"transfer-encoding")
            && (std::mem::replace(&mut self.chunked, true) || !value.eq_ignore_ascii_case(b"chunked"))
        {
            return Err(Shape::Odd);
        }
        Ok(())
    }
}

/// The first line, and the other lines, without their ends. `None` if a line ends in anything but CR LF.
fn lines(head: &[u8]) -> Option<(&[u8], impl Iterator<Item = &[u8]>)> {
    // The last line end is included, so that a CR before it is found as a third one.
    if has_bare_line_end(head, 0) {
        return None;
    }
    let head = head.strip_suffix(b"\r\n\r\n")?;
    // Bare CR and LF were refused above, so each LF ends a line and has its CR before it.
    let mut lines = head.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    Some((lines.next()?, lines))
}

/// Reads `METHOD SP target SP HTTP/1.x`.
fn request_line(line: &[u8]) -> Option<(&[u8], u8)> {
    let mut words = line.split(|byte| *byte == b' ');
    let (method, target, version) = (words.next()?, words.next()?, words.next()?);
    let plain = !method.is_empty()
        && method.iter().all(|byte| is_token(*byte))
        && !target.is_empty()
        && target.iter().all(|byte| is_target(*byte))
        && words.next().is_none();
    let version = version.strip_prefix(b"HTTP/1.")?;
    match version {
        b"0" if plain => Some((method, 0)),
        b"1" if plain => Some((method, 1)),
        _ => None,
    }
}

/// Reads `HTTP/1.x SP 3DIGIT [SP reason]`.
fn status_line(line: &[u8]) -> Option<u16> {
    let rest = line.strip_prefix(b"HTTP/1.0 ").or_else(|| line.strip_prefix(b"HTTP/1.1 "))?;
    let (code, reason) = rest.split_at_checked(3)?;
    let reason_is_apart = reason.first().is_none_or(|byte| *byte == b' ');
    if !reason_is_apart || !code.iter().all(u8::is_ascii_digit) || !reason.iter().all(|byte| is_text(*byte)) {
        return None;
    }
    std::str::from_utf8(code).ok()?.parse().ok().filter(|code| (100..600).contains(code))
}

/// Reads `name: value`: a token, the colon right after it, and text without control characters. A folded line has no name.
fn field(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = memchr::memchr(b':', line)?;
    let (name, value) = (line.get(..colon)?, line.get(colon + 1..)?);
    let plain = !name.is_empty()
        && name.iter().all(|byte| is_token(*byte))
        && value.iter().all(|byte| is_text(*byte));
    plain.then(|| (name, trim(value)))
}

/// The value without blanks at both ends.
fn trim(value: &[u8]) -> &[u8] {
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let start = value.iter().position(|byte| !blank(byte)).unwrap_or(value.len());
    let end = value.iter().rposition(|byte| !blank(byte)).map_or(start, |at| at + 1);
    value.get(start..end).unwrap_or_default()
}

/// Reads a number: digits and nothing else, small enough for 64 bits.
pub(crate) fn length(value: &[u8]) -> Option<u64> {
    let plain = matches!(value.len(), 1..=18) && value.iter().all(u8::is_ascii_digit);
    plain.then(|| value.iter().fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0')))
}

/// Whether a value has only characters of a host with a port. Whether it is a valid host, and which, is judged later.
fn is_host(value: &[u8]) -> bool {
    let word =
        |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b':' | b'[' | b']');
    !value.is_empty() && value.iter().all(word)
}

pub(super) fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Whether a byte may stand in a target: printable ASCII, except what a parser of URIs refuses or takes for the target's end.
pub(crate) fn is_target(byte: u8) -> bool {
    byte.is_ascii_graphic()
        && !matches!(byte, b'#' | b'<' | b'>' | b'"' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}')
}

/// Whether a byte may stand in a header's value: anything but control characters. Bytes beyond ASCII are old practice, and are
/// read as one byte by everybody.
pub(super) fn is_text(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(head: &str) -> Result<Follows, Shape> {
        request(head.as_bytes())
    }

    #[test]
    fn plain_requests_are_taken() {
        for (head, follows) in [
            ("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n", Follows::Length(0)),
            (
                "GET /?a=b&c=%ff HTTP/1.1\r\nhost:a.test:443\r\nX: \tä \r\nContent-Length: 0\r\n\r\n",
                Follows::Length(0),
            ),
            ("GET http://a.test/x HTTP/1.1\r\nHost: a.test\r\n\r\n", Follows::Length(0)),
            ("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\n\r\n", Follows::Length(5)),
            ("POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: Chunked\r\n\r\n", Follows::Chunks),
            ("GET / HTTP/1.0\r\n\r\n", Follows::Length(0)),
            ("CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n", Follows::Tunnel),
            ("OPTIONS * HTTP/1.1\r\nHost: [::1]:1\r\n\r\n", Follows::Length(0)),
        ] {
            assert_eq!(judge(head), Ok(follows), "{head:?}");
        }
    }

    #[test]
    fn p6_two_lengths_of_any_kind_are_refused() {
        for fields in [
            "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
            "Transfer-Encoding: xchunked\r\n",
            "Transfer-Encoding: chunked, identity\r\n",
            "Transfer-Encoding: identity\r\n",
            "Transfer-Encoding: gzip, chunked\r\n",
            "Transfer-Encoding:\r\n",
            "Transfer-Encoding:\x0bchunked\r\n",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: chunked\r\nTransfer-encoding: x\r\n",
            " Transfer-Encoding: chunked\r\n",
            "X: y\r\n Transfer-Encoding: chunked\r\n",
            "Transfer-Encoding : chunked\r\n",
            "Transfer\u{e9}Encoding: chunked\r\n",
            "Transfer-Encoding\t: chunked\r\n",
            "Content-Length: 5\r\nContent-Length: 5\r\n",
            "Content-Length: 5\r\nContent-Length: 6\r\n",
            "Content-Length: +5\r\n",
            "Content-Length: 5,5\r\n",
            "Content-Length: 5 5\r\n",
            "Content-Length: -1\r\n",
            "Content-Length: 0x5\r\n",
            "Content-Length:\r\n",
            "Content-Length: 99999999999999999999\r\n",
        ] {
            let head = format!("POST / HTTP/1.1\r\nHost: a.test\r\n{fields}\r\n");
            assert_eq!(judge(&head), Err(Shape::Odd), "{fields:?}");
        }
        assert_eq!(judge("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), Err(Shape::Odd));
    }

    #[test]
    fn p7_p8_odd_lines_are_refused() {
        for head in [
            "GET / HTTP/1.1\nHost: a.test\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a.test\nX: y\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a.test\r\nX: a\rb\r\n\r\n",
            "GET / HTTP/1.1\rHost: a.test\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a.test\r\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a.test\r\nX: a\r\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a.test\r\nX: a\0b\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a.test\r\nX: a\x7fb\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a.test\r\nX: a\r\n b\r\n\r\n",
            "GET / HTTP/1.1\r\n X: a\r\nHost: a.test\r\n\r\n",
            "GET / HTTP/1.1\r\nHost : a.test\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a.test\r\n: x\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a.test\r\nX\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a.test\r\nX\u{e9}: y\r\n\r\n",
            "GET  / HTTP/1.1\r\nHost: a.test\r\n\r\n",
            "GET / HTTP/1.1 \r\nHost: a.test\r\n\r\n",
            "GET /a b HTTP/1.1\r\nHost: a.test\r\n\r\n",
            "GET\t/ HTTP/1.1\r\nHost: a.test\r\n\r\n",
            "GET / HTTP/1.2\r\nHost: a.test\r\n\r\n",
            "GET / HTTP/2.0\r\nHost: a.test\r\n\r\n",
            "GET / http/1.1\r\nHost: a.test\r\n\r\n",
            "GET /\r\nHost: a.test\r\n\r\n",
            "PRI * HTTP/2.0\r\n\r\n",
            "G\"T / HTTP/1.1\r\nHost: a.test\r\n\r\n",
            "GET /#x HTTP/1.1\r\nHost: a.test\r\n\r\n",
            "GET /a\\b HTTP/1.1\r\nHost: a.test\r\n\r\n",
            "GET /ä HTTP/1.1\r\nHost: a.test\r\n\r\n",
            "GET /{x} HTTP/1.1\r\nHost: a.test\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 1\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n",
            "CONNECT a.test:443 HTTP/1.1\r\nHost: a.test\r\nContent-Length: 1\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a.test\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n",
        ] {
            assert_eq!(judge(head), Err(Shape::Odd), "{head:?}");
        }
    }

    #[test]
    fn d5_host_is_there_once_and_could_be_a_host() {
        for hosts in [
            "",
            "Host:\r\n",
            "Host: a.test\r\nHost: a.test\r\n",
            "Host: a.test\r\nhost: x.test\r\n",
            "Host: a.test, x.test\r\n",
            "Host: a.test x.test\r\n",
            "Host: a.test\tx.test\r\n",
            "Host: a.test@x.test\r\n",
            "Host: a%2etest\r\n",
            "Host: a.test/x\r\n",
            "Host: http://a.test\r\n",
            "Host: а.test\r\n",
        ] {
            assert_eq!(judge(&format!("GET / HTTP/1.1\r\n{hosts}\r\n")), Err(Shape::Odd), "{hosts:?}");
        }
    }

    #[test]
    fn p16_a_head_has_an_end() {
        let many = "X: y\r\n".repeat(HEAD_LINES);
        assert_eq!(judge(&format!("GET / HTTP/1.1\r\nHost: a.test\r\n{many}\r\n")), Err(Shape::TooLarge));
        let long = "y".repeat(HEAD_BYTES);
        assert_eq!(
            judge(&format!("GET / HTTP/1.1\r\nHost: a.test\r\nX: {long}\r\n\r\n")),
            Err(Shape::TooLarge)
        );
    }

    #[test]
    fn p17_answers_that_can_be_read_in_two_ways_are_refused() {
        assert_eq!(answer(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"), Ok(200));
        assert_eq!(answer(b"HTTP/1.1 404\r\n\r\n"), Ok(404));
        assert_eq!(answer(b"HTTP/1.0 200 \r\nX:\r\n\r\n"), Ok(200));
        for head in [
            "<html>\r\n\r\n",
            "HTTP/1.1 200OK\r\n\r\n",
            "HTTP/1.1 20 OK\r\n\r\n",
            "HTTP/1.1 999 OK\r\n\r\n",
            "HTTP/2 200\r\n\r\n",
            "HTTP/1.1 200 OK\nX: y\r\n\r\n",
            "HTTP/1.1 200 OK\r\nX: y\r\r\n\r\n",
            "HTTP/1.1 200 OK\r\nX: y\r\n z\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
            "HTTP/1.1 200 OK\r\nX : y\r\n\r\n",
        ] {
            assert_eq!(answer(head.as_bytes()), Err(Shape::Odd), "{head:?}");
        }
    }

    #[test]
    fn the_end_is_found_wherever_the_bytes_were_split() {
        let head = b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\nrest";
        for searched in 0..head.len() - 4 {
            assert_eq!(end(head, searched.min(28)), Some(head.len() - 4), "{searched}");
        }
        assert_eq!(end(b"GET / HTTP/1.1\r\n\r", 0), None);
    }
}
