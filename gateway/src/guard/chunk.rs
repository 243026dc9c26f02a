//! Checks the frames of a chunked request body, byte by byte: only the plain form passes. Pure.

use super::head::{is_text, is_token};

/// Follows the frames of one body.
#[derive(Debug, Default)]
pub(super) struct Chunks {
    at: At,
    /// Bytes of the present chunk that are still to come.
    left: u64,
    /// Bytes of the present line so far.
    line: usize,
    /// Bytes of all lines since the last chunk's data.
    trailers: usize,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum At {
    #[default]
    Size,
    Extension,
    SizeEnd,
    Data,
    DataEnd,
    DataLf,
    TrailerStart,
    TrailerName,
    TrailerValue,
    TrailerLf,
    LastLf,
    Done,
}

/// What is to be done with the bytes that were looked at.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The first so many bytes belong to the body's frames and are of the plain form. The body goes on.
    More(usize),
    /// The first so many bytes end the body. The bytes after them are another request.
    End(usize),
    /// Not the plain form.
    Odd,
}

impl Chunks {
    /// Looks at the bytes that came next.
    pub(super) fn step(&mut self, bytes: &[u8]) -> Step {
        let mut taken = 0;
        while let Some(byte) = bytes.get(taken) {
            if self.at == At::Data {
                let here = bytes.len() - taken;
                let now = usize::try_from(self.left).unwrap_or(here).min(here);
                taken += now;
                self.left -= now as u64;
                if self.left == 0 {
                    self.at = At::DataEnd;
                }
                continue;
            }
            match self.next(*byte) {
                None => return Step::Odd,
                Some(at) => self.at = at,
            }
            taken += 1;
            if self.at == At::Done {
                return Step::End(taken);
            }
        }
        Step::More(taken)
    }

    fn next(&mut self, byte: u8) -> Option<At> {
        self.line += 1;
        match (self.at, byte) {
            (At::Size, _) if byte.is_ascii_hexdigit() && self.line <= MOST_DIGITS => {
                let digit = char::from(byte).to_digit(16).map_or(0, u64::from);
                self.left = self.left * 16 + digit;
                Some(At::Size)
            }
            (At::Size, b';') if self.line > 1 => Some(At::Extension),
            (At::Size, b'\r') if self.line > 1 => Some(At::SizeEnd),
            (At::Extension, b'\r') => Some(At::SizeEnd),
            (At::Extension, _) if is_text(byte) && self.line <= MOST_LINE => Some(At::Extension),
            (At::SizeEnd, b'\n') => {
                self.line = 0;
                Some(if self.left == 0 { At::TrailerStart } else { At::Data })
            }
            (At::DataEnd, b'\r') => Some(At::DataLf),
            (At::DataLf, b'\n') => {
                self.line = 0;
                Some(At::Size)
            }
            (At::TrailerStart, b'\r') => Some(At::LastLf),
            (At::TrailerStart | At::TrailerName, _) if is_token(byte) => self.trailer(At::TrailerName),
            (At::TrailerName, b':') => self.trailer(At::TrailerValue),
            (At::TrailerValue, b'\r') => Some(At::TrailerLf),
            (At::TrailerValue, _) if is_text(byte) => self.trailer(At::TrailerValue),
            (At::TrailerLf, b'\n') => Some(At::TrailerStart),
            (At::LastLf, b'\n') => Some(At::Done),
            _ => None,
        }
    }

    fn trailer(&mut self, at: At) -> Option<At> {
        self.trailers += 1;
        (self.trailers <= MOST_TRAILERS).then_some(at)
    }
}

/// The most digits of a chunk's length: longer than any body, and still without overflow.
const MOST_DIGITS: usize = 15;
const MOST_LINE: usize = 256;
const MOST_TRAILERS: usize = 8 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(bytes: &[u8]) -> Step {
        Chunks::default().step(bytes)
    }

    #[test]
    fn plain_bodies_end_where_they_end() {
        for body in
            ["0\r\n\r\n", "5\r\nhello\r\n0\r\n\r\n", "a;x=\"y\"\r\n0123456789\r\n00\r\nX-T: y\r\nZ:\r\n\r\n"]
        {
            let bytes = format!("{body}GET /");
            assert_eq!(whole(bytes.as_bytes()), Step::End(body.len()), "{body:?}");
            for cut in 0..body.len() {
                let (first, second) = bytes.as_bytes().split_at(cut);
                let mut chunks = Chunks::default();
                assert_eq!(chunks.step(first), Step::More(cut), "{body:?} at {cut}");
                assert_eq!(chunks.step(second), Step::End(body.len() - cut), "{body:?} at {cut}");
            }
        }
    }

    #[test]
    fn p7_frames_that_can_be_read_in_two_ways_are_refused() {
        for body in [
            "\r\n",
            ";x\r\n",
            "5\nhello",
            "5\r\nhello\n",
            "5\r\nhelloX\r\n",
            "5\r\nhello\r\r\n",
            "5;x\ny\r\nhello",
            "5;x\0y\r\n",
            "5 \r\nhello",
            " 5\r\nhello",
            "+5\r\nhello",
            "0x5\r\nhello",
            "-1\r\n",
            "fffffffffffffffff\r\n",
            "0000000000000000\r\n",
            "5\r\nhello\r\n0\r\n\n",
            "0\r\nX\r\n\r\n",
            "0\r\n X: y\r\n\r\n",
            "0\r\nX : y\r\n\r\n",
            "0\r\nX: y\n\r\n",
            "0\r\nX: y\0\r\n",
        ] {
            assert_eq!(whole(body.as_bytes()), Step::Odd, "{body:?}");
        }
        assert_eq!(whole(format!("1;{}\r\n", "x".repeat(300)).as_bytes()), Step::Odd);
        assert_eq!(whole(format!("0\r\nX: {}\r\n\r\n", "y".repeat(9000)).as_bytes()), Step::Odd);
    }
}
