//! Finds where a pattern may be, at the speed of memory.
//!
//! Every pattern is longer than the distance between two places of a grid plus eight bytes, so wherever it begins, eight of its
//! bytes stand on the grid. Only the places of the grid are looked at, all eight bytes at once: their hash is looked up in a
//! small table, which nearly always says no. For each pattern the table holds just the eight-byte pieces of one stretch, one for
//! each way the grid can lie.
//!
//! Why not an automaton: it follows a text for as long as the text agrees with a pattern, so the work would show how much of a
//! guess was right, and thousands of guesses fit in one answer; with fifty values its tables would be megabytes. Here nothing
//! happens before eight bytes in a row are right. The stretch lies far from both ends of a value, which people know (`sk-ant-…`)
//! or are told (“…key ending in 4f2a”), and the hash has a secret of its own.

use zeroize::Zeroizing;

use super::PIECE;
use super::forms::Pattern;

/// The indexed pieces of all patterns.
pub(super) struct Index {
    /// The pieces, sorted.
    pieces: Zeroizing<Vec<Piece>>,
    filter: Box<[u64; WORDS]>,
    multiplier: u64,
    grid: usize,
}

/// Eight bytes of a pattern.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Piece {
    bytes: u64,
    pattern: u32,
    /// The piece's offset in the pattern's core.
    at: u32,
}

impl zeroize::DefaultIsZeroes for Piece {}

impl Index {
    /// Indexes patterns that have [`PIECE`] bytes or more. `random` makes the hash one that nobody can foresee.
    pub(super) fn new(patterns: &[Pattern], random: u64) -> Self {
        debug_assert!(patterns.iter().all(|pattern| pattern.core.len() >= PIECE));
        let shortest = patterns.iter().map(|pattern| pattern.core.len()).min().unwrap_or(2 * PIECE);
        let grid = (shortest + 1).saturating_sub(PIECE).clamp(1, PIECE);
        let mut index = Self {
            pieces: Zeroizing::new(Vec::with_capacity(patterns.len() * grid)),
            filter: Box::new([0; WORDS]),
            multiplier: random | 1,
            grid,
        };
        for (number, pattern) in (0..).zip(patterns) {
            let first = index.first(pattern.core.len());
            for at in first..first + grid {
                let Some(bytes) = pattern.core.get(at..).and_then(piece) else { continue };
                let (word, bit) = index.place(bytes);
                if let Some(word) = index.filter.get_mut(word) {
                    *word |= bit;
                }
                let at = u32::try_from(at).unwrap_or(u32::MAX);
                index.pieces.push(Piece { bytes, pattern: number, at });
            }
        }
        index.pieces.sort_unstable();
        index
    }

    /// The offset, in a core of this length, of the first of its pieces.
    pub(super) fn first(&self, core: usize) -> usize {
        // Two thirds of the way: past any prefix, before the last characters.
        (core + 1).saturating_sub(self.grid + PIECE) * 2 / 3
    }

    /// Calls `found(at, pattern)` for each pattern that has these eight bytes in its core, at offset `at`.
    pub(super) fn having(&self, bytes: [u8; PIECE], mut found: impl FnMut(usize, usize)) {
        let bytes = u64::from_le_bytes(bytes);
        if self.bit(bytes) != 0 {
            self.equal(bytes).for_each(|piece| found(piece.at as usize, piece.pattern as usize));
        }
    }

    /// Calls `found(place, inside, pattern)` where eight bytes of a pattern's core are in `text` at offset `place`: they stand at
    /// offset `inside` of the core. The rest of the core may lie outside the text, or may not be there at all.
    pub(super) fn candidates(&self, text: &[u8], mut found: impl FnMut(usize, usize, usize)) {
        if self.grid == PIECE {
            let mut groups = text.chunks_exact(GROUP);
            let mut at = 0;
            for group in &mut groups {
                if self.any(group) {
                    self.look(group, at, &mut found);
                }
                at += GROUP;
            }
            self.look(groups.remainder(), at, &mut found);
        } else {
            self.look(text, 0, &mut found);
        }
    }

    /// Whether one of the eight pieces of a group may belong to a pattern.
    fn any(&self, group: &[u8]) -> bool {
        let (pieces, _) = group.as_chunks::<PIECE>();
        pieces.iter().fold(0, |any, bytes| any | self.bit(u64::from_le_bytes(*bytes))) != 0
    }

    fn look(&self, text: &[u8], offset: usize, found: &mut impl FnMut(usize, usize, usize)) {
        for at in (0..text.len().saturating_sub(PIECE - 1)).step_by(self.grid) {
            let Some(bytes) = text.get(at..).and_then(piece) else { return };
            if self.bit(bytes) == 0 {
                continue;
            }
            for piece in self.equal(bytes) {
                found(offset + at, piece.at as usize, piece.pattern as usize);
            }
        }
    }

    fn equal(&self, bytes: u64) -> impl Iterator<Item = &Piece> {
        let from = self.pieces.partition_point(|piece| piece.bytes < bytes);
        self.pieces.iter().skip(from).take_while(move |piece| piece.bytes == bytes)
    }

    /// Not 0 if a pattern may have these eight bytes.
    fn bit(&self, bytes: u64) -> u64 {
        let (word, bit) = self.place(bytes);
        self.filter.get(word).map_or(0, |word| word & bit)
    }

    fn place(&self, bytes: u64) -> (usize, u64) {
        let hash = bytes.wrapping_mul(self.multiplier) >> (64 - WORDS.ilog2() - 6);
        // At most 17 bits.
        ((hash >> 6) as usize, 1 << (hash & 63))
    }
}

fn piece(text: &[u8]) -> Option<u64> {
    text.first_chunk().map(|bytes| u64::from_le_bytes(*bytes))
}

/// Bytes between two branches.
const GROUP: usize = 64;
/// 16 KiB: fifty values set one bit in thirty.
const WORDS: usize = 2048;
