//! The guard before the parser of requests: one plain form goes on, of which there is one reading.

use httparse::{Request, Status};
use keyward_gateway::fuzz::requests;

/// All that an agent sends over one connection.
pub fn holds(bytes: &[u8]) {
    let whole = requests(bytes, usize::MAX);
    for size in [1, 7] {
        let parts = requests(bytes, size);
        assert_eq!(parts.refused, whole.refused, "it depends on how the bytes arrive");
        // What came before an odd frame in the midst of a body is gone already, if it came before.
        let same = parts.bytes == whole.bytes || (whole.refused && parts.bytes.starts_with(&whole.bytes));
        assert!(same, "it depends on how the bytes arrive");
    }
    let (mut handed, mut sent) = (whole.bytes.as_slice(), bytes);
    while !handed.is_empty() {
        let length = one(handed);
        // One empty line between requests is passed over.
        if !sent.starts_with(&handed[..length]) {
            sent = sent.strip_prefix(b"\r\n").expect("nothing else is left out");
        }
        assert!(sent.starts_with(&handed[..length]), "something was changed on the way");
        (handed, sent) = (&handed[length..], &sent[length..]);
    }
}

/// How long the first request is, by an everyday parser and the plain rules for bodies.
fn one(bytes: &[u8]) -> usize {
    let mut fields = [httparse::EMPTY_HEADER; 128];
    let mut request = Request::new(&mut fields);
    let Ok(Status::Complete(head)) = request.parse(bytes) else { panic!("what goes on is no request") };
    let all = |name: &str| {
        let named = request.headers.iter().filter(|field| field.name.eq_ignore_ascii_case(name));
        named.map(|field| field.value).collect::<Vec<_>>()
    };
    let (lengths, codings) = (all("content-length"), all("transfer-encoding"));
    assert!(all("host").len() <= 1 && lengths.len() + codings.len() <= 1, "it can be read in two ways");
    assert!(all("http2-settings").is_empty());
    assert!(!request.path.expect("it was read").contains(['#', '\\', ' ']));
    let rest = &bytes[head..];
    let body = match (lengths.as_slice(), codings.as_slice()) {
        ([length], _) => {
            assert!(length.iter().all(u8::is_ascii_digit));
            std::str::from_utf8(length).expect("digits").parse().expect("a number that fits")
        }
        ([], [coding]) => {
            assert!(coding.eq_ignore_ascii_case(b"chunked"));
            chunks(rest)
        }
        _ => 0,
    };
    if matches!(request.method, Some("GET" | "HEAD" | "CONNECT" | "TRACE")) {
        assert_eq!(body, 0, "a body that not every server expects");
    }
    assert!(request.method != Some("CONNECT") || rest.is_empty(), "what follows waits for the answer");
    head + body.min(rest.len())
}

/// How long a chunked body is, or as much as there is of it.
fn chunks(bytes: &[u8]) -> usize {
    let mut at = 0;
    let line = |at: &mut usize| {
        let rest = &bytes[*at..];
        let end = rest.windows(2).position(|end| end == b"\r\n")?;
        *at += end + 2;
        assert!(!rest[..end].contains(&b'\n') && !rest[..end].contains(&b'\r'));
        Some(&rest[..end])
    };
    loop {
        let Some(size) = line(&mut at) else { return bytes.len() };
        let digits = size.split(|byte| *byte == b';').next().unwrap_or_default();
        assert!(digits.iter().all(u8::is_ascii_hexdigit));
        let size = std::str::from_utf8(digits).expect("digits");
        let size = usize::from_str_radix(size, 16).expect("a number that fits");
        if size == 0 {
            break;
        }
        at += size;
        match bytes.get(at..at + 2) {
            Some(end) => assert_eq!(end, b"\r\n"),
            None => return bytes.len(),
        }
        at += 2;
    }
    loop {
        match line(&mut at) {
            None => return bytes.len(),
            Some([]) => return at,
            Some(trailer) => assert!(trailer.contains(&b':')),
        }
    }
}
