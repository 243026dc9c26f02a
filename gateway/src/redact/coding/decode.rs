//! Decodes a coded body as it comes, a bounded piece at a time.

use std::io::Read as _;

use brotli_decompressor::{BrotliDecompressStream, BrotliResult, BrotliState, StandardAlloc};
use flate2::write::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use ruzstd::decoding::FrameDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};

use super::{Coding, Unreadable};

/// Decodes one body.
pub struct Decoder {
    kind: Kind,
    taken: u64,
    given: u64,
}

enum Kind {
    Identity,
    Gzip(Box<MultiGzDecoder<Vec<u8>>>),
    /// zlib or bare deflate, before the first byte, which tells the two apart.
    Deflate,
    Zlib(Box<ZlibDecoder<Vec<u8>>>),
    Raw(Box<DeflateDecoder<Vec<u8>>>),
    Brotli(Box<Brotli>),
    Zstd(Box<Zstd>),
    /// A decoder that failed is not called again.
    Failed,
}

impl Decoder {
    /// A decoder for a body of this coding.
    pub fn new(coding: Coding) -> Self {
        let kind = match coding {
            Coding::Identity => Kind::Identity,
            Coding::Gzip => Kind::Gzip(Box::new(MultiGzDecoder::new(Vec::new()))),
            Coding::Deflate => Kind::Deflate,
            Coding::Brotli => Kind::Brotli(Box::new(Brotli::new())),
            Coding::Zstd => Kind::Zstd(Box::new(Zstd::new())),
        };
        Self { kind, taken: 0, given: 0 }
    }

    /// Whether the decoder keeps megabytes of what it gave, as the body asks: up to 16 MiB for brotli, 8 for Zstandard.
    pub fn has_a_window(&self) -> bool {
        matches!(self.kind, Kind::Brotli(_) | Kind::Zstd(_))
    }

    /// Takes some of `input`, from its front, and gives the decoded bytes: about `PIECE` at most. To be called until nothing is
    /// left of `input` and nothing is given.
    ///
    /// # Errors
    ///
    /// [`Unreadable`]. After that, nothing more can be decoded.
    pub fn read(&mut self, input: &mut &[u8]) -> Result<Vec<u8>, Unreadable> {
        let before = input.len();
        let result = self.kind.read(input);
        self.taken += (before - input.len()) as u64;
        self.checked(result)
    }

    /// Notes that the body is over, and gives the decoded bytes that are left.
    ///
    /// # Errors
    ///
    /// [`Unreadable::Cut`] if the coding's end is missing, or as [`read`](Self::read).
    pub fn finish(&mut self) -> Result<Vec<u8>, Unreadable> {
        // An empty body is valid in every coding.
        if self.taken == 0 && !matches!(self.kind, Kind::Failed) {
            return Ok(Vec::new());
        }
        let result = self.kind.finish();
        self.checked(result)
    }

    fn checked(&mut self, result: Result<Vec<u8>, Unreadable>) -> Result<Vec<u8>, Unreadable> {
        let result = result.and_then(|given| {
            self.given += given.len() as u64;
            let allowed = self.taken.saturating_mul(GROWTH).saturating_add(SMALL);
            if self.given > allowed { Err(Unreadable::Bomb) } else { Ok(given) }
        });
        if result.is_err() {
            self.kind = Kind::Failed;
        }
        result
    }
}

impl Kind {
    fn read(&mut self, input: &mut &[u8]) -> Result<Vec<u8>, Unreadable> {
        match self {
            Self::Identity => Ok(std::mem::take(input).to_vec()),
            Self::Gzip(reader) => {
                inflate(input, reader.as_mut(), |reader| reader.get_ref().len())?;
                Ok(std::mem::take(reader.get_mut()))
            }
            Self::Deflate => {
                let Some(first) = input.first() else { return Ok(Vec::new()) };
                // A zlib header has 8 in these bits. Bare deflate would begin with a stored block, one of whose bits must be 0.
                *self = if first & 15 == 8 {
                    Self::Zlib(Box::new(ZlibDecoder::new(Vec::new())))
                } else {
                    Self::Raw(Box::new(DeflateDecoder::new(Vec::new())))
                };
                self.read(input)
            }
            Self::Zlib(reader) => {
                inflate(input, reader.as_mut(), |reader| reader.get_ref().len())?;
                Ok(std::mem::take(reader.get_mut()))
            }
            Self::Raw(reader) => {
                inflate(input, reader.as_mut(), |reader| reader.get_ref().len())?;
                Ok(std::mem::take(reader.get_mut()))
            }
            Self::Brotli(reader) => reader.read(input),
            Self::Zstd(reader) => {
                reader.waiting.extend_from_slice(std::mem::take(input));
                reader.read(false)
            }
            Self::Failed => Err(Unreadable::Damaged),
        }
    }

    fn finish(&mut self) -> Result<Vec<u8>, Unreadable> {
        let cut = |_| Unreadable::Cut;
        match self {
            Self::Identity | Self::Deflate => Ok(Vec::new()),
            Self::Gzip(reader) => {
                reader.try_finish().map_err(cut)?;
                Ok(std::mem::take(reader.get_mut()))
            }
            Self::Zlib(reader) => {
                reader.try_finish().map_err(cut)?;
                Ok(std::mem::take(reader.get_mut()))
            }
            Self::Raw(reader) => {
                reader.try_finish().map_err(cut)?;
                Ok(std::mem::take(reader.get_mut()))
            }
            Self::Brotli(reader) if reader.done => Ok(Vec::new()),
            Self::Brotli(_) => Err(Unreadable::Cut),
            Self::Zstd(reader) => reader.read(true),
            Self::Failed => Err(Unreadable::Damaged),
        }
    }
}

/// Writes `input` to the decoder, or as much of it as makes about [`PIECE`] bytes.
fn inflate<W: std::io::Write>(
    input: &mut &[u8],
    reader: &mut W,
    given: fn(&W) -> usize,
) -> Result<(), Unreadable> {
    while !input.is_empty() && given(reader) < PIECE {
        let piece = input.get(..STEP.min(input.len())).unwrap_or_default();
        let written = reader.write(piece).map_err(|_| Unreadable::Damaged)?;
        if written == 0 {
            // The coding's end came before this input.
            return Err(Unreadable::Damaged);
        }
        *input = input.get(written..).unwrap_or_default();
    }
    reader.flush().map_err(|_| Unreadable::Damaged)
}

struct Brotli {
    state: BrotliState<StandardAlloc, StandardAlloc, StandardAlloc>,
    done: bool,
}

impl Brotli {
    fn new() -> Self {
        let alloc = StandardAlloc::default;
        // Strict: no window larger than the RFC's 16 MiB.
        Self { state: BrotliState::new_strict(alloc(), alloc(), alloc()), done: false }
    }

    fn read(&mut self, input: &mut &[u8]) -> Result<Vec<u8>, Unreadable> {
        if self.done {
            return if input.is_empty() { Ok(Vec::new()) } else { Err(Unreadable::Damaged) };
        }
        let mut out = vec![0; PIECE];
        let (mut available, mut taken) = (input.len(), 0);
        let (mut room, mut given, mut total) = (out.len(), 0, 0);
        let result = BrotliDecompressStream(
            &mut available,
            &mut taken,
            input,
            &mut room,
            &mut given,
            &mut out,
            &mut total,
            &mut self.state,
        );
        *input = input.get(taken..).unwrap_or_default();
        out.truncate(given);
        match result {
            BrotliResult::ResultSuccess => self.done = true,
            BrotliResult::NeedsMoreInput | BrotliResult::NeedsMoreOutput => {}
            BrotliResult::ResultFailure => return Err(Unreadable::Damaged),
        }
        Ok(out)
    }
}

struct Zstd {
    frames: FrameDecoder,
    /// Bytes that are not decoded yet: less than a block, or a header.
    waiting: Vec<u8>,
    /// Bytes of a skippable frame that are still to come.
    skip: usize,
    /// `None` if no frame has begun; else whether the frame has a checksum at its end.
    frame: Option<bool>,
}

impl Zstd {
    fn new() -> Self {
        let mut frames = FrameDecoder::new();
        frames.set_max_window_size(WINDOW);
        Self { frames, waiting: Vec::new(), skip: 0, frame: None }
    }

    fn read(&mut self, last: bool) -> Result<Vec<u8>, Unreadable> {
        let mut out = Vec::new();
        while out.len() < PIECE {
            let skipped = self.skip.min(self.waiting.len());
            self.waiting.drain(..skipped);
            self.skip -= skipped;
            let Some(checksum) = self.frame else {
                if self.skip > 0 || self.waiting.is_empty() || (!last && self.waiting.len() < HEADER) {
                    break;
                }
                self.begin()?;
                continue;
            };
            // One block at a time, or a few bytes would fill the memory.
            let block = if self.frames.is_finished() { None } else { self.block(checksum) };
            let source = self.waiting.get(..block.unwrap_or(0)).unwrap_or_default();
            let mut piece = vec![0; PIECE];
            let given = if block.is_some() {
                self.frames.decode_from_to(source, &mut piece).map_err(|_| Unreadable::Damaged)?.1
            } else {
                self.frames.read(&mut piece).map_err(|_| Unreadable::Damaged)?
            };
            self.waiting.drain(..block.unwrap_or(0));
            out.extend_from_slice(piece.get(..given).unwrap_or_default());
            if self.frames.is_finished() && self.frames.can_collect() == 0 {
                let sum = self.frames.get_checksum_from_data();
                if sum.is_some() && sum != self.frames.get_calculated_checksum() {
                    return Err(Unreadable::Damaged);
                }
                self.frame = None;
            } else if block.is_none() && given == 0 {
                break;
            }
        }
        if last && out.is_empty() && (self.frame.is_some() || self.skip > 0) {
            return Err(Unreadable::Cut);
        }
        Ok(out)
    }

    /// The length in bytes of the next block, with the checksum after the last one. `None` if not all of it is there (RFC 8878,
    /// 3.1.1.2).
    fn block(&self, checksum: bool) -> Option<usize> {
        let [first, second, third, ..] = *self.waiting.as_slice() else { return None };
        let header = usize::from(first) | usize::from(second) << 8 | usize::from(third) << 16;
        let repeats_one_byte = header >> 1 & 3 == 1;
        let content = if repeats_one_byte { 1 } else { header >> 3 };
        let sum = if header & 1 == 1 && checksum { 4 } else { 0 };
        let whole = 3 + content + sum;
        (whole <= self.waiting.len()).then_some(whole)
    }

    fn begin(&mut self) -> Result<(), Unreadable> {
        let mut source = self.waiting.as_slice();
        match self.frames.reset(&mut source) {
            Ok(()) => {
                // The descriptor is the byte after the magic number's four.
                self.frame = Some(self.waiting.get(4).is_some_and(|descriptor| descriptor & 4 != 0));
                let taken = self.waiting.len() - source.len();
                self.waiting.drain(..taken);
                Ok(())
            }
            Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                length, ..
            })) => {
                self.skip = usize::try_from(length).unwrap_or(usize::MAX).saturating_add(8);
                Ok(())
            }
            Err(_) => Err(Unreadable::Damaged),
        }
    }
}

/// How many decoded bytes are given at a time, and so how many lie in memory.
pub(super) const PIECE: usize = 64 * 1024;
/// How many bytes of deflate are decoded at once: each makes 1032 at most.
const STEP: usize = 64;
/// By what factor a body may grow: deflate cannot reach half as much.
const GROWTH: u64 = 2048;
/// The decoded size that a body may always have, whatever its factor.
pub(super) const SMALL: u64 = 64 * 1024 * 1024;
/// The largest window of Zstandard, in bytes (RFC 9659).
const WINDOW: u64 = 8 * 1024 * 1024;
/// Length in bytes of the longest frame header.
const HEADER: usize = 18;
