//! Paths: which a rule lets a value go to, compared byte for byte with what is sent.

use std::fmt;
use std::str::FromStr;

/// The path of a request, up to `?`, that every server reads in the same way.
///
/// Nothing is decoded, joined or otherwise normalised: the bytes that are judged are the bytes that are sent. What one
/// program would read as another path than the next does is refused instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestPath<'a>(&'a [u8]);

/// Why a path cannot be judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// The path does not start with `/`.
    #[error("a path starts with /")]
    NotAbsolute,
    /// A control character, blank, `?`, `#`, or a byte that is not ASCII.
    #[error("the path has a character that must be percent-encoded")]
    Character,
    /// A `%` without two hexadecimal digits after it.
    #[error("the path has a % that encodes nothing")]
    Percent,
    /// `.` or `..`, also encoded, or with parameters: `..;x`.
    #[error("the path has a . or .. segment")]
    Dots,
    /// `//`: an empty segment.
    #[error("the path has an empty segment")]
    Empty,
    /// A backslash, or an encoded `/` or `\`.
    #[error("the path has a \\, or an encoded / or \\")]
    Separator,
    /// An encoded control character, or an encoded byte that is in no UTF-8.
    #[error("the path has an encoded control character, or a byte that is in no UTF-8")]
    Control,
    /// A letter, digit, `-`, `.` or `_` that is encoded: decoded or not, it is the same path to one and another to the next.
    #[error("the path has an encoded letter, digit, - . or _")]
    NeedlesslyEncoded,
}

impl PathError {
    /// What the user can do about the error.
    pub fn advice(self) -> &'static str {
        match self {
            Self::NotAbsolute => "write it from the root, as in /v1/models",
            Self::Character => "write it as it stands in a URL, without query",
            Self::Percent => "write %25 for a percent sign",
            Self::Dots | Self::Empty | Self::Separator | Self::Control => {
                "write it in the one way that every server reads alike"
            }
            Self::NeedlesslyEncoded => "write these as they are",
        }
    }
}

impl<'a> RequestPath<'a> {
    /// Takes the path of a request target, without its query.
    ///
    /// # Errors
    /// [`PathError`] if it can be read in more than one way.
    pub fn new(path: &'a [u8]) -> Result<Self, PathError> {
        let Some((b'/', rest)) = path.split_first() else { return Err(PathError::NotAbsolute) };
        if path.iter().any(|byte| !byte.is_ascii_graphic() || matches!(byte, b'?' | b'#')) {
            return Err(PathError::Character);
        }
        if path.contains(&b'\\') {
            return Err(PathError::Separator);
        }
        check_encoded(path)?;
        let mut segments = rest.split(|byte| *byte == b'/').peekable();
        while let Some(segment) = segments.next() {
            // A `/` at the end leaves an empty last segment, and is all right.
            if segment.is_empty() && segments.peek().is_some() {
                return Err(PathError::Empty);
            }
            if is_dots(segment) {
                return Err(PathError::Dots);
            }
        }
        Ok(Self(path))
    }

    /// The bytes of the path, as they are sent.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.0
    }

    /// The path as a server sees it that decodes before it looks for the query: all up to an encoded `?` or `#`. `None` if that
    /// is the whole path.
    pub fn cut(&self) -> Option<Self> {
        let end = decoded(self.0).find(|(_, byte)| matches!(byte, b'?' | b'#'))?.0;
        self.0.get(..end).map(Self)
    }
}

/// Each place where a `%` begins what becomes one byte when it is decoded, once or more often; and that byte.
fn decoded(path: &[u8]) -> impl Iterator<Item = (usize, u8)> {
    memchr::memchr_iter(b'%', path).filter_map(|at| {
        let mut byte = b'%';
        let mut digits = path.get(at + 1..)?;
        while byte == b'%' {
            byte = hex_pair(digits)?;
            digits = digits.get(2..)?;
        }
        Some((at, byte))
    })
}

/// `.` or `..`, or what becomes that where parameters (`..;x`), or blanks at the end (`..%20`), are cut off.
fn is_dots(segment: &[u8]) -> bool {
    let after = segment.strip_prefix(b"..").or_else(|| segment.strip_prefix(b"."));
    matches!(after, Some([] | [b';' | b'%', ..]))
}

/// Looks at every `%XX`, and at what an encoded `%` would become with what follows it: some programs decode twice.
fn check_encoded(path: &[u8]) -> Result<(), PathError> {
    let mut rest = path;
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        if *byte != b'%' {
            continue;
        }
        let decoded = hex_pair(after).ok_or(PathError::Percent)?;
        if decoded.is_ascii_alphanumeric() || matches!(decoded, b'-' | b'_') {
            return Err(PathError::NeedlesslyEncoded);
        }
        // `%2541` is a percent sign and `41`, and may stay: only separators and dots lead elsewhere.
        let (mut decoded, mut digits) = (Some(decoded), after);
        while decoded == Some(b'%') {
            digits = digits.get(2..).unwrap_or_default();
            decoded = hex_pair(digits);
        }
        match decoded {
            Some(b'/' | b'\\') => return Err(PathError::Separator),
            // NUL and its kind end a path or a line; 0xc0 and 0xc1 begin overlong UTF-8, as which `.` and `/` are smuggled.
            Some(0..=0x1f | 0x7f | 0xc0 | 0xc1) => return Err(PathError::Control),
            Some(b'.') => return Err(PathError::Dots),
            _ => {}
        }
    }
    Ok(())
}

pub(super) fn hex_pair(digits: &[u8]) -> Option<u8> {
    let value = |digit: &u8| char::from(*digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    match digits {
        [high, low, ..] => Some(value(high)? * 16 + value(low)?),
        _ => None,
    }
}

/// `/v1/models`, `/v1/*`, `/*/*/git-upload-pack`: one path, or those that differ from it where a `*` stands.
///
/// A `*` is any bytes within one segment; `/*` at the end is that path itself and everything below it. Case counts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PathPattern(String);

impl PathPattern {
    /// Whether a request to this path may get the value.
    pub fn matches(&self, path: RequestPath<'_>) -> bool {
        let (pattern, tree) = match self.0.strip_suffix("/*") {
            Some(root) => (root, true),
            None => (self.0.as_str(), false),
        };
        let mut segments = path.0.split(|byte| *byte == b'/');
        let fits = pattern
            .as_bytes()
            .split(|byte| *byte == b'/')
            .all(|wanted| segments.next().is_some_and(|segment| segment_matches(wanted, segment)));
        fits && (tree || segments.next().is_none())
    }

    /// Whether its author wrote an encoded `?` or `#`.
    pub(super) fn has_cut(&self) -> bool {
        RequestPath(self.0.as_bytes()).cut().is_some()
    }

    /// The pattern.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether `wanted`, in which `*` is any bytes, is all of `segment`. Each literal part is taken where it first fits, so the
/// time is at most their lengths multiplied, whatever they are.
pub(super) fn segment_matches(wanted: &[u8], segment: &[u8]) -> bool {
    let mut parts = wanted.split(|byte| *byte == b'*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = segment.strip_prefix(first) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        let Some(at) = find(rest, part) else { return false };
        rest = rest.get(at + part.len()..).unwrap_or_default();
    }
    rest.ends_with(last)
}

fn find(within: &[u8], part: &[u8]) -> Option<usize> {
    memchr::memmem::find(within, part)
}

impl FromStr for PathPattern {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        RequestPath::new(text.as_bytes())?;
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn matches(pattern: &str, path: &str) -> bool {
        pattern.parse::<PathPattern>().unwrap().matches(RequestPath::new(path.as_bytes()).unwrap())
    }

    #[test]
    fn what_two_servers_would_read_differently_is_no_path() {
        use PathError::{
            Character, Control, Dots, Empty, NeedlesslyEncoded, NotAbsolute, Percent, Separator,
        };
        for (path, why) in [
            ("", NotAbsolute),
            ("v1", NotAbsolute),
            ("*", NotAbsolute),
            ("https://x.test/", NotAbsolute),
            ("/v1/../admin", Dots),
            ("/v1/..", Dots),
            ("/./admin", Dots),
            ("/v1/%2e%2e/admin", Dots),
            ("/v1/%2E%2E%2Fadmin", Dots),
            ("/v1/.%2e/admin", Dots),
            ("/v1/..%2fadmin", Separator),
            ("/v1/%252e%252e/admin", Dots),
            ("/v1/%25252e/admin", Dots),
            ("/v1/%252fadmin", Separator),
            ("/v1/..;/admin", Dots),
            ("/v1/.;x/admin", Dots),
            ("/v1/..%3b/admin", Dots),
            ("/v1/..%20/admin", Dots),
            ("/v1/..\\admin", Separator),
            ("/v1/%5cadmin", Separator),
            ("/v1/%5Cadmin", Separator),
            ("//admin", Empty),
            ("/v1//admin", Empty),
            ("/v1//", Empty),
            ("//", Empty),
            ("/%61dmin", NeedlesslyEncoded),
            ("/admin%5fkeys", NeedlesslyEncoded),
            ("/v1/%2d", NeedlesslyEncoded),
            ("/admin%00", Control),
            ("/admin%0d%0ax", Control),
            ("/admin%7f", Control),
            ("/admin%250a", Control),
            ("/v1/%c0%ae%c0%ae/admin", Control),
            ("/v1/x%C0%AFadmin", Control),
            ("/admin%2500", Control),
            ("/v1/%", Percent),
            ("/v1/%2", Percent),
            ("/v1/%zz", Percent),
            ("/v1/%+1", Percent),
            ("/v1/a b", Character),
            ("/v1/a\tb", Character),
            ("/v1/a\u{7f}", Character),
            ("/v1/é", Character),
            ("/v1?a=1", Character),
            ("/v1#a", Character),
            ("/v1\r\nHost: x.test", Character),
            ("/v1\0", Character),
        ] {
            assert_eq!(RequestPath::new(path.as_bytes()), Err(why), "{path:?}");
        }
        assert_eq!(RequestPath::new(b"/v1/\xff"), Err(Character));
    }

    #[test]
    fn what_has_one_reading_passes_byte_for_byte() {
        for path in [
            "/",
            "/v1/",
            "/a/...",
            "/a/..b",
            "/a/.well-known",
            "/compare/a...b",
            "/a;x=1/b",
            "/admin%20",
            "/%ff",
            "/caf%C3%A9",
            "/100%25",
            "/100%2541",
            "/a%7Eb~c",
            "/{a}|^b",
            "/ADMIN",
            "/x@y:z+!$&'()*,=",
        ] {
            assert_eq!(RequestPath::new(path.as_bytes()).unwrap().as_bytes(), path.as_bytes());
        }
    }

    #[test]
    fn what_a_server_sees_that_decodes_before_it_splits_is_known() {
        let cut = |path: &str| {
            let cut = RequestPath::new(path.as_bytes()).unwrap().cut();
            cut.map(|cut| std::str::from_utf8(cut.as_bytes()).unwrap().to_owned())
        };
        assert_eq!(cut("/v1/items/5%3F/read").as_deref(), Some("/v1/items/5"));
        assert_eq!(cut("/labels/c%23").as_deref(), Some("/labels/c"));
        assert_eq!(cut("/a%20b/%253f/%23").as_deref(), Some("/a%20b/"));
        for whole in ["/", "/v1/a%20b", "/100%25", "/100%2541", "/100%253"] {
            assert_eq!(cut(whole), None, "{whole}");
        }
    }

    #[test]
    fn a_final_star_is_the_tree_and_another_one_stays_in_its_segment() {
        for (pattern, path, fits) in [
            ("/v1/*", "/v1/models", true),
            ("/v1/*", "/v1/models/a", true),
            ("/v1/*", "/v1", true),
            ("/v1/*", "/v1/", true),
            ("/v1/*", "/v1beta", false),
            ("/v1/*", "/V1/models", false),
            ("/v1/*", "/x/v1/models", false),
            ("/v1*", "/v1beta", true),
            ("/v1*", "/v1", true),
            ("/v1*", "/v1beta/x", false),
            ("/v1/x", "/v1/x", true),
            ("/v1/x", "/v1/x/", false),
            ("/v1/x", "/v1/xy", false),
            ("/v1/x", "/v1", false),
            ("/*", "/", true),
            ("/*", "/any/thing", true),
            ("/*/*/git-upload-pack", "/owner/repo.git/git-upload-pack", true),
            ("/*/*/git-upload-pack", "/owner/git-upload-pack", false),
            ("/*/*/git-upload-pack", "/a/b/c/git-upload-pack", false),
            ("/*/*.git/info/*", "/owner/repo.git/info/lfs/objects", true),
            ("/*/*.git/info/*", "/owner/repo/info/lfs", false),
            ("/a*b*c", "/abc", true),
            ("/a*b*c", "/aXbYc", true),
            ("/a*b*c", "/aXc", false),
            ("/a*b*b", "/ab", false),
            ("/v1/admin%20", "/v1/admin%20", true),
            ("/v1/admin%20", "/v1/admin", false),
            ("/v1/%ff", "/v1/%FF", false),
        ] {
            assert_eq!(matches(pattern, path), fits, "{pattern} {path}");
        }
    }

    #[test]
    fn a_pattern_that_no_path_could_match_is_refused() {
        for pattern in ["v1/*", "*", "", "/v1/../*", "/v1//x", "/v1/%2e/x", "/a?b=*", "/é"] {
            assert!(pattern.parse::<PathPattern>().is_err(), "{pattern}");
        }
    }

    /// A slow and plain matcher, as the oracle.
    fn naive(wanted: &[u8], segment: &[u8]) -> bool {
        match wanted.split_first() {
            None => segment.is_empty(),
            Some((b'*', rest)) => (0..=segment.len()).any(|at| naive(rest, &segment[at..])),
            Some((byte, rest)) => segment.first() == Some(byte) && naive(rest, &segment[1..]),
        }
    }

    proptest! {
        #[test]
        fn a_star_matches_as_the_plainest_reading_says(wanted in "[ab*]{0,8}", segment in "[ab]{0,10}") {
            let (wanted, segment) = (wanted.as_bytes(), segment.as_bytes());
            prop_assert_eq!(segment_matches(wanted, segment), naive(wanted, segment));
        }

        /// Whatever a program decodes once or twice and resolves: it stays where it was judged to be.
        #[test]
        fn no_decoding_leads_out_of_what_was_judged(path in "/v1/([a.%25efEF/;\\\\]|%2e|%2f|%25|%3b){0,10}") {
            if let Ok(judged) = RequestPath::new(path.as_bytes()) {
                let mut bytes = judged.as_bytes().to_vec();
                for _ in 0..4 {
                    let text = String::from_utf8_lossy(&bytes).into_owned();
                    let bad = text.split(['/', '\\']).any(|segment| {
                        matches!(segment.split(';').next(), Some("." | ".."))
                    });
                    prop_assert!(!bad, "{text}");
                    bytes = decode(&bytes);
                }
            }
        }
    }

    fn decode(bytes: &[u8]) -> Vec<u8> {
        let mut decoded = Vec::new();
        let mut rest = bytes;
        while let Some((byte, after)) = rest.split_first() {
            if let (b'%', Some(pair)) = (byte, hex_pair(after)) {
                decoded.push(pair);
                rest = &after[2..];
            } else {
                decoded.push(*byte);
                rest = after;
            }
        }
        decoded
    }
}
