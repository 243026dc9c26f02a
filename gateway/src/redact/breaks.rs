//! Where in a text no form of a value can be incomplete, whatever the text says.

use super::forms::Pattern;

/// What no form of any value contains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Breaks {
    /// A line end: if every value is of one line.
    Line,
    /// A blank line: if some value has several lines. Server-sent events end in a blank line.
    Blank,
    /// Neither: a value contains a blank line itself, and everything waits for the body's end.
    None,
}

impl Breaks {
    /// The break for these patterns.
    pub(super) fn of(patterns: &[Pattern]) -> Self {
        let none_has = |breaks: Self| patterns.iter().all(|pattern| breaks.last(&pattern.core, 0).is_none());
        [Self::Line, Self::Blank].into_iter().find(|breaks| none_has(*breaks)).unwrap_or(Self::None)
    }

    /// The end of the last break in `text` that does not end before `from`.
    pub(super) fn last(self, text: &[u8], from: usize) -> Option<usize> {
        let came = text.get(from..)?;
        let mut ends = memchr::memrchr2_iter(b'\n', b'\r', came).map(|at| from + at);
        match self {
            Self::Line => ends.next().map(|at| at + 1),
            Self::Blank => ends.find(|at| is_blank(text.get(..=*at).unwrap_or_default())).map(|at| at + 1),
            Self::None => None,
        }
    }
}

/// Whether a text that ends in a line end has a blank line there.
fn is_blank(text: &[u8]) -> bool {
    matches!(text, [.., b'\n', b'\n'] | [.., b'\n', b'\r', b'\n'] | [.., b'\r', b'\r'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blank_line_is_one_in_any_line_ends_and_however_it_came() {
        for (text, end) in [
            ("data: 1\n\nda", Some(9)),
            ("data: 1\r\n\r\nda", Some(11)),
            ("data: 1\r\rda", Some(9)),
            ("a\n\nb\n\nc", Some(6)),
            ("a\nb\r\nc\n", None),
        ] {
            assert_eq!(Breaks::Blank.last(text.as_bytes(), 0), end, "{text:?}");
            for from in 0..end.unwrap_or(0) {
                assert_eq!(Breaks::Blank.last(text.as_bytes(), from), end, "{text:?} from {from}");
            }
            assert_eq!(Breaks::None.last(text.as_bytes(), 0), None);
        }
        assert_eq!(Breaks::Line.last(b"a\rb\nc", 0), Some(4));
        assert_eq!(Breaks::Line.last(b"a\rb\nc", 4), None);
    }
}
