//! A path as the most lenient server would read it: for what must not be reached by another spelling.
//!
//! What a rule allows is compared byte for byte ([`PathPattern::matches`]), so another spelling is simply not allowed. Where
//! something is forbidden, another spelling would be the way around.

use std::borrow::Cow;

use super::path::{hex_pair, segment_matches};
use super::{PathPattern, RequestPath};

/// A path without what lenient servers pass over: encodings, however often they were applied, case, parameters (`keys;x`),
/// what follows an encoded `?`, `#` or blank, blanks before a name, empty segments, dots at a segment's end, and the ending
/// that asks for a form (`.json`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LenientPath(Vec<u8>);

impl RequestPath<'_> {
    /// The path as the most lenient server would read it.
    pub fn lenient(&self) -> LenientPath {
        read(self.as_bytes())
    }
}

impl PathPattern {
    /// The pattern as the most lenient server would read it, up to a final `/*`.
    pub fn lenient(&self) -> LenientPath {
        read(self.as_str().strip_suffix("/*").unwrap_or(self.as_str()).as_bytes())
    }
}

impl LenientPath {
    /// Whether `path` is this one, or stands below it. A `*` in this one is any text within one segment.
    pub fn covers(&self, path: &Self) -> bool {
        let mut segments = path.segments();
        self.segments().all(|wanted| segments.next().is_some_and(|segment| names(wanted, segment)))
    }

    /// Whether some path stands below both, or is one of them. A `*` in either is any text.
    pub fn meets(&self, other: &Self) -> bool {
        let meet =
            |(one, other): (&[u8], &[u8])| one == other || one.contains(&b'*') || other.contains(&b'*');
        self.segments().zip(other.segments()).all(meet)
    }

    fn segments(&self) -> impl Iterator<Item = &[u8]> {
        self.0.split(|byte| *byte == b'/').filter(|segment| !segment.is_empty())
    }
}

/// Whether a segment is the wanted one: some frameworks take any ending for the form of an answer. A wanted one with a dot
/// in it is a name with a dot.
fn names(wanted: &[u8], segment: &[u8]) -> bool {
    let name = segment.split(|byte| *byte == b'.').next().unwrap_or_default();
    segment_matches(wanted, segment) || (!wanted.contains(&b'.') && segment_matches(wanted, name))
}

fn read(path: &[u8]) -> LenientPath {
    let mut read = Vec::with_capacity(path.len());
    for segment in path.split(|byte| *byte == b'/').map(decoded) {
        let name = up_to_its_end(&segment);
        if !read.is_empty() && !name.is_empty() {
            read.push(b'/');
        }
        read.extend(name.iter().map(u8::to_ascii_lowercase));
    }
    LenientPath(read)
}

/// The segment with every `%XX` decoded, also those that decoding makes.
fn decoded(segment: &[u8]) -> Cow<'_, [u8]> {
    if !segment.contains(&b'%') {
        return Cow::Borrowed(segment);
    }
    let mut decoded = Vec::with_capacity(segment.len());
    for byte in segment {
        decoded.push(*byte);
        while let Some((before, [b'%', digits @ ..])) = decoded.split_last_chunk::<3>()
            && let Some(byte) = hex_pair(digits)
        {
            decoded.truncate(before.len());
            decoded.push(byte);
        }
    }
    Cow::Owned(decoded)
}

/// The part of a decoded segment that names something.
fn up_to_its_end(segment: &[u8]) -> &[u8] {
    let segment = segment.trim_ascii_start();
    let end =
        segment.iter().position(|byte| matches!(byte, b';' | b'?' | b'#' | b' ')).unwrap_or(segment.len());
    let name = without_dots(segment.get(..end).unwrap_or_default());
    match name.iter().rposition(|byte| *byte == b'.') {
        Some(dot) if is_form(name.get(dot + 1..).unwrap_or_default()) => {
            without_dots(name.get(..dot).unwrap_or_default())
        }
        _ => name,
    }
}

fn without_dots(name: &[u8]) -> &[u8] {
    let end = name.iter().rposition(|byte| *byte != b'.').map_or(0, |last| last + 1);
    name.get(..end).unwrap_or_default()
}

/// Endings by which frameworks are told the form of an answer.
fn is_form(ending: &[u8]) -> bool {
    [&b"json"[..], b"xml", b"txt", b"html"].iter().any(|form| ending.eq_ignore_ascii_case(form))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covers(pattern: &str, path: &str) -> bool {
        let pattern = pattern.parse::<PathPattern>().unwrap().lenient();
        pattern.covers(&RequestPath::new(path.as_bytes()).unwrap().lenient())
    }

    #[test]
    fn no_other_spelling_leads_around_what_is_forbidden() {
        for path in [
            "/user/keys",
            "/user/keys/",
            "/user/keys/1",
            "/USER/Keys",
            "/user/keys;x",
            "/user;x=1/keys;y/2",
            "/user/;x/keys",
            "/user/keys%3bx",
            "/user/keys%253Bx",
            "/user/keys%3Fx",
            "/user/keys%23",
            "/user/keys%2523",
            "/user/keys%20",
            "/user/keys%2520",
            "/user/%20keys",
            "/user/%256beys",
            "/user/%25256Beys",
            "/u%2573er/keys",
            "/user/keys.",
            "/user/keys..",
            "/user/keys.json",
            "/user/keys.XML",
            "/user/keys.json;x",
            "/user/keys.json.json",
            "/user/keys.pub",
        ] {
            for pattern in ["/user/keys/*", "/user/keys", "/User/keys.json", "/*/keys"] {
                assert!(covers(pattern, path), "{pattern} {path}");
            }
        }
        for path in ["/", "/user", "/user/keys2", "/user/key", "/users/keys", "/x/user/keys", "/user/x.keys"]
        {
            assert!(!covers("/user/keys/*", path), "{path}");
        }
        assert!(covers("/api/admin.tokens", "/api/admin.tokens.json"));
        assert!(
            !covers("/api/admin.tokens", "/api/admin.users") && !covers("/api/admin.tokens", "/api/admin")
        );
    }

    #[test]
    fn a_star_stays_in_its_segment_and_what_is_below_is_covered() {
        assert!(covers("/repos/*/*/keys/*", "/repos/o/r/keys/1"));
        assert!(!covers("/repos/*/*/keys/*", "/repos/o/keys/1"));
        assert!(covers("/v1/realtime/*secrets", "/v1/realtime/client_secrets/x"));
        assert!(covers("/*", "/any/thing"));
    }

    #[test]
    fn patterns_meet_if_some_path_is_of_both() {
        let meet = |one: &str, other: &str| {
            let read = |text: &str| text.parse::<PathPattern>().unwrap().lenient();
            let meet = read(one).meets(&read(other));
            assert_eq!(meet, read(other).meets(&read(one)), "{one} {other}");
            meet
        };
        assert!(
            meet("/user/keys/*", "/user/*")
                && meet("/user/keys/*", "/user/keys/7")
                && meet("/user/keys", "/*")
        );
        assert!(meet("/repos/*/*/keys/*", "/repos/acme/*") && meet("/User/keys", "/user/keys"));
        assert!(!meet("/user/keys/*", "/users/*") && !meet("/repos/*/*/keys/*", "/repos/acme/site/issues/*"));
    }
}
