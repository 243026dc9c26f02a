//! Finds values in a text, whether they are behind escapes or not.

use std::cmp::Reverse;
use std::ops::Range;

use zeroize::Zeroizing;

use super::PIECE;
use super::escape::{Read, View, WIDEST, WITHIN};
use super::forms::{Cover, Pattern, STAR};
use super::index::Index;

/// A complete form of a value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Found {
    pub(super) start: u64,
    /// The end, reversed: of two forms that begin together, the longer one sorts first.
    end: Reverse<u64>,
    /// The value's index in the scrubber's list.
    pub(super) value: usize,
    /// What is written over the form: as many bytes as it has.
    pub(super) cover: Vec<u8>,
}

impl Found {
    pub(super) fn end(&self) -> u64 {
        self.end.0
    }
}

/// All patterns of a scrubber, ready for the search.
pub(super) struct Patterns {
    list: Vec<Pattern>,
    index: Index,
    /// Length in bytes of the longest pattern that may stand behind escapes, counted decoded.
    escapable: usize,
    /// Whether every byte of every such pattern satisfies [`is_plain`].
    plain: bool,
    /// For short escapable patterns: the offsets at which the first indexed piece stands. A match that begins inside an escape
    /// may end before a whole piece follows the escape, so these are looked up by themselves.
    firsts: Vec<usize>,
    /// The length of the longest form in bytes, and a margin: no form needs to be known further than this from its beginning to
    /// be told from something else.
    pub(super) reach: usize,
}

impl Patterns {
    pub(super) fn new(list: Vec<Pattern>, random: u64) -> Self {
        let longest =
            |patterns: &mut dyn Iterator<Item = &Pattern>| patterns.map(Pattern::len).max().unwrap_or(0);
        let all = longest(&mut list.iter());
        let escapable = longest(&mut list.iter().filter(|pattern| pattern.escapable));
        let reach = if list.is_empty() { 0 } else { all.max(escapable * WIDEST) + WIDEST };
        let mut behind = list.iter().filter(|pattern| pattern.escapable);
        let plain = behind.all(|pattern| pattern.core.iter().copied().all(is_plain));
        let index = Index::new(&list, random);
        let behind = list.iter().filter(|pattern| pattern.escapable);
        let firsts = behind.map(|pattern| pattern.edges().0 + index.first(pattern.core.len()));
        let mut firsts: Vec<usize> = firsts.filter(|first| *first < WITHIN).collect();
        firsts.sort_unstable();
        firsts.dedup();
        Self { list, index, escapable, plain, firsts, reach }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Adds to `found` every form in `text` that ends after `from + reach`, and some that end before. `text` begins at offset
    /// `base` of its stream, and covers either the stream's beginning or enough before `from`. More text follows unless this is
    /// the `last` piece.
    pub(super) fn find(&self, text: &[u8], base: u64, from: usize, last: bool, found: &mut Vec<Found>) {
        if self.list.is_empty() {
            return;
        }
        let part = text.get(from..).unwrap_or_default();
        self.index.candidates(part, |place, inside, pattern| {
            let Some(core) = place.checked_sub(inside) else { return };
            if let Some((value, range, cover)) = self.check(text, from + core, pattern) {
                found.push(at(base, value, range, cover));
            }
        });
        self.find_escaped(text, base, from, last, found);
    }

    /// Whether a text in lower case contains a value, compared without regard to case; also percent-encoded. Of all escapes, those
    /// alone can stand in a header's name.
    pub(super) fn in_name(&self, name: &[u8]) -> bool {
        if self.is_in(name) {
            return true;
        }
        let mut decoded = Zeroizing::new(Vec::with_capacity(name.len()));
        let mut at = 0;
        while let Some(byte) = name.get(at) {
            let (byte, width) = match *byte {
                b'%' => match View::Percent.read(name, at) {
                    Read::Escape { byte, width } => (byte, width),
                    Read::Itself | Read::Unknown => (b'%', 1),
                },
                byte => (byte, 1),
            };
            decoded.push(byte);
            at += width;
        }
        decoded.len() < name.len() && self.is_in(&decoded)
    }

    fn is_in(&self, text: &[u8]) -> bool {
        let values = self.list.iter().filter(|pattern| pattern.core.len() <= text.len());
        values.into_iter().any(|pattern| {
            text.windows(pattern.core.len()).any(|part| part.eq_ignore_ascii_case(&pattern.core))
        })
    }

    /// Checks whether this pattern's core is at offset `core`, with its edges. Returns the value, the range and what to write
    /// there.
    fn check(&self, text: &[u8], core: usize, pattern: usize) -> Option<(usize, Range<usize>, Vec<u8>)> {
        let pattern = self.list.get(pattern)?;
        let (before, after) = pattern.edges();
        let end = core + pattern.core.len();
        if text.get(core..end)? != pattern.core.as_slice() {
            return None;
        }
        let range = core.checked_sub(before)?..end + after;
        let cover = match &pattern.cover {
            Cover::Text(cover) => cover.clone(),
            Cover::Base64 { sextets, alphabet } => sextets.cover(text.get(range.clone())?, *alphabet)?,
        };
        Some((pattern.value, range, cover))
    }

    /// Decodes the text around its escapes, and searches the decoded text.
    fn find_escaped(&self, text: &[u8], base: u64, from: usize, last: bool, found: &mut Vec<Found>) {
        // An escape that began before `from` is over after so many bytes.
        let begin = from.saturating_sub(WIDEST);
        let accepted = if begin == 0 { 0 } else { from };
        let mut look = |group: &mut Group, end: usize| {
            let mut found = |value, range: Range<usize>, cover| {
                if range.start >= accepted {
                    found.push(at(base, value, range, cover));
                }
            };
            if let Some(decoded) = group.decoded(text, end) {
                self.look(group, text, &decoded, &mut found);
                group.escapes.clear();
            }
            group.within.clear();
        };
        let mut groups = View::ALL.map(|view| Group::new(view, begin, self.escapable));
        let [percent, backslash, entity] = View::ALL.map(View::sign);
        for place in memchr::memchr3_iter(percent, backslash, entity, text.get(begin..).unwrap_or_default()) {
            let place = begin + place;
            let sign = text.get(place).copied();
            let Some(group) = groups.iter_mut().find(|group| sign == Some(group.view.sign())) else {
                continue;
            };
            if place < group.next {
                continue;
            }
            match group.view.read(text, place) {
                Read::Escape { byte, width } if self.plain && !is_plain(byte) => {
                    look(group, place);
                    group.pass_over(text, place..place + width);
                }
                Read::Escape { byte, width } => {
                    let escape = Escape { at: place, end: place + width, byte };
                    if group.is_apart_from(&escape) {
                        look(group, text.len());
                    }
                    group.take(text, escape);
                }
                Read::Unknown if !last => {
                    look(group, place);
                    // This kind of escape is not read further until more text is there.
                    group.next = usize::MAX;
                }
                Read::Itself | Read::Unknown => {}
            }
        }
        for group in &mut groups {
            look(group, text.len());
        }
    }

    /// Searches a decoded stretch for forms.
    fn look(
        &self,
        group: &Group,
        text: &[u8],
        decoded: &Decoded,
        found: &mut impl FnMut(usize, Range<usize>, Vec<u8>),
    ) {
        let mut check = |decoded: &Decoded, core: usize, pattern: usize| {
            let Some((value, range, cover)) = self.check(&decoded.text, core, pattern) else { return };
            if let Some((range, cover)) = decoded.written(group.view, text, range, &cover) {
                found(value, range, cover);
            }
        };
        // No form reaches from an escape before the stretch into the stretch.
        let stale = group.within.partition_point(|within| within.end < decoded.start);
        let all_within = group.within.get(stale..).unwrap_or_default();
        let again = |within: &Range<usize>, edge: usize, pattern: usize| {
            // An answer may have any number of these places. So a quick comparison comes first, and only where it succeeds is the
            // text decoded as far as the form may go.
            let before = text.get(within.clone())?;
            let rest = decoded.text.get(decoded.place(within.end)..)?;
            self.list.get(pattern).filter(|pattern| is_at(before, rest, edge, &pattern.core))?;
            let end = decoded.end.min(within.end + self.escapable * WIDEST);
            let after = group.escapes.partition_point(|escape| escape.at < within.end);
            let done = group.escapes.partition_point(|escape| escape.end <= end);
            let escapes = group.escapes.get(after..done).unwrap_or_default();
            Some(Decoded::of(text, within.start..end, escapes))
        };
        self.index.candidates(&decoded.text, |place, inside, pattern| {
            let Some(edge) = self.escapable_edge(pattern) else { return };
            if let Some(core) = place.checked_sub(inside) {
                check(decoded, core, pattern);
            }
            // The form may begin inside an escape: then more of it stands before this place than was decoded.
            let before = edge + inside;
            let far = all_within.partition_point(|within| decoded.place(within.end) + before <= place);
            for within in all_within.iter().skip(far) {
                let length = (decoded.place(within.end) + before).saturating_sub(place);
                if length == within.len()
                    && let Some(again) = again(within, edge, pattern)
                {
                    check(&again, edge, pattern);
                }
                if length > WITHIN {
                    break;
                }
            }
        });
        if self.firsts.is_empty() {
            return;
        }
        // A short form that begins inside an escape may have fewer than eight bytes after the escape, so the index alone does not
        // find it.
        for within in all_within {
            let before = text.get(within.clone()).unwrap_or_default();
            let rest = decoded.text.get(decoded.place(within.end)..).unwrap_or_default();
            for first in &self.firsts {
                let Some(bytes) = eight(before, rest, *first) else { continue };
                self.index.having(bytes, |inside, pattern| {
                    if let Some(edge) = self.escapable_edge(pattern).filter(|edge| edge + inside == *first)
                        && let Some(again) = again(within, edge, pattern)
                    {
                        check(&again, edge, pattern);
                    }
                });
            }
        }
    }

    /// How many bytes of this pattern stand before its core. `None` if the pattern may not stand behind escapes.
    fn escapable_edge(&self, pattern: usize) -> Option<usize> {
        self.list.get(pattern).filter(|pattern| pattern.escapable).map(|pattern| pattern.edges().0)
    }
}

/// The eight bytes at offset `at` of the text `before ‖ rest`.
fn eight(before: &[u8], rest: &[u8], at: usize) -> Option<[u8; PIECE]> {
    let start = before.get(at..).unwrap_or_default();
    let mut bytes = [0; PIECE];
    let (first, second) = bytes.split_at_mut(start.len().min(PIECE));
    first.copy_from_slice(start.get(..first.len())?);
    let at = at.saturating_sub(before.len());
    second.copy_from_slice(rest.get(at..at + second.len())?);
    Some(bytes)
}

/// Whether `core` is at offset `at` of the text `before ‖ rest`.
fn is_at(before: &[u8], rest: &[u8], at: usize, core: &[u8]) -> bool {
    let start = before.get(at..).unwrap_or_default();
    let (first, second) = core.split_at(start.len().min(core.len()));
    let rest = rest.get(at.saturating_sub(before.len())..).unwrap_or_default();
    start.starts_with(first) && rest.starts_with(second)
}

/// Whether a byte is one of those that keys, and their base64, are usually made of. If every value has only such bytes, an escape
/// of any other byte is in no value, and is not decoded: most escapes in JSON are quotes and line ends.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~+/=:".contains(&byte)
}

fn at(base: u64, value: usize, range: Range<usize>, cover: Vec<u8>) -> Found {
    Found { start: base + range.start as u64, end: Reverse(base + range.end as u64), value, cover }
}

struct Escape {
    at: usize,
    end: usize,
    byte: u8,
}

/// Escapes of one kind that may belong to the same form, collected as they come.
struct Group {
    view: View,
    /// How many bytes before the first escape and after the last one may belong to the same form.
    margin: usize,
    escapes: Vec<Escape>,
    /// Ranges inside escapes, each from where other text may begin to the escape's end.
    within: Vec<Range<usize>>,
    /// The offset before which no form of this group begins.
    barrier: usize,
    /// The offset at which the next escape may begin.
    next: usize,
}

impl Group {
    fn new(view: View, begin: usize, margin: usize) -> Self {
        Self { view, margin, escapes: Vec::new(), within: Vec::new(), barrier: begin, next: begin }
    }

    /// Whether no form can contain both this escape and the last one.
    fn is_apart_from(&self, escape: &Escape) -> bool {
        self.escapes.last().is_some_and(|last| escape.at >= last.end + 2 * self.margin)
    }

    fn take(&mut self, text: &[u8], escape: Escape) {
        self.next = escape.end;
        self.look_into(text, escape.at..escape.end);
        self.escapes.push(escape);
    }

    /// Passes over an escape that can be in no form: no form of this group begins before its end.
    fn pass_over(&mut self, text: &[u8], escape: Range<usize>) {
        (self.barrier, self.next) = (escape.end, escape.end);
        self.look_into(text, escape);
    }

    fn look_into(&mut self, text: &[u8], escape: Range<usize>) {
        if escape.len() < self.view.least_within() {
            return;
        }
        let begins = self.view.begins_within(text.get(escape.clone()).unwrap_or_default());
        self.within.extend(begins.into_iter().flatten().map(|at| escape.start + at..escape.end));
    }

    /// The text around the escapes, decoded. `None` if there are no escapes. No form goes beyond `end`.
    fn decoded(&self, text: &[u8], end: usize) -> Option<Decoded> {
        let (first, last) = (self.escapes.first()?, self.escapes.last()?);
        let start = first.at.saturating_sub(self.margin).max(self.barrier);
        let stop = (last.end + self.margin).min(end);
        Some(Decoded::of(text, start..stop, &self.escapes))
    }
}

#[cfg(test)]
thread_local! {
    /// Bytes that were decoded around escapes: for tests of how much work an answer can cause.
    pub(super) static READ: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// A decoded stretch of the text.
struct Decoded {
    text: Zeroizing<Vec<u8>>,
    /// For each escape: the offset of its byte in `text`, and the escape's range in the source.
    cells: Vec<(usize, Range<usize>)>,
    /// The range of the source that was decoded: `start` to `end`.
    start: usize,
    end: usize,
}

impl Decoded {
    fn of(source: &[u8], range: Range<usize>, escapes: &[Escape]) -> Self {
        #[cfg(test)]
        READ.with(|read| read.set(read.get() + range.len()));
        let mut text = Zeroizing::new(Vec::with_capacity(range.len()));
        let mut cells = Vec::with_capacity(escapes.len());
        let mut done = range.start;
        for escape in escapes {
            text.extend_from_slice(source.get(done..escape.at).unwrap_or_default());
            cells.push((text.len(), escape.at..escape.end));
            text.push(escape.byte);
            done = escape.end;
        }
        text.extend_from_slice(source.get(done..range.end).unwrap_or_default());
        Self { text, cells, start: range.start, end: range.end }
    }

    /// The offset in `text` of the source's byte at `at`, which is in no escape.
    fn place(&self, at: usize) -> usize {
        let after = self.cells.partition_point(|(_, cell)| cell.end <= at);
        match after.checked_sub(1).and_then(|before| self.cells.get(before)) {
            Some((place, cell)) => place + 1 + (at - cell.end),
            None => at.saturating_sub(self.start),
        }
    }

    /// The range in the source of a decoded byte.
    fn cell(&self, at: usize) -> Range<usize> {
        let after = self.cells.partition_point(|(place, _)| *place <= at);
        let start = match after.checked_sub(1).and_then(|before| self.cells.get(before)) {
            Some((place, cell)) if *place == at => return cell.clone(),
            Some((place, cell)) => cell.end + (at - place - 1),
            None => self.start + at,
        };
        start..start + 1
    }

    /// `cover` for the decoded bytes of `range`, written as the source writes them, or stars where that does not fit. `None` if
    /// there is no escape in the range: then the plain search has found the form.
    fn written(
        &self,
        view: View,
        source: &[u8],
        range: Range<usize>,
        cover: &[u8],
    ) -> Option<(Range<usize>, Vec<u8>)> {
        let first = self.cells.partition_point(|(place, _)| *place < range.start);
        if self.cells.get(first).is_none_or(|(place, _)| *place >= range.end) {
            return None;
        }
        let place = self.cell(range.start).start..self.cell(range.end.checked_sub(1)?).end;
        let stars = || {
            let mut cover = vec![STAR; place.len()];
            let before = source.get(place.start.saturating_sub(1)..=place.start);
            if let (Some(b"\\\\"), Some(first)) = (before, cover.first_mut()) {
                // The form begins within a run of backslashes. A backslash that is left before this byte must escape something:
                // `\/` is well-formed, `\*` may not be.
                *first = b'/';
            }
            Some((place.clone(), cover))
        };
        if cover.iter().all(|byte| *byte == STAR) {
            return stars();
        }
        let mut written = Vec::with_capacity(place.len());
        for (at, byte) in range.zip(cover) {
            match view.write(*byte, source.get(self.cell(at))?) {
                Some(cell) => written.extend_from_slice(&cell),
                None => return stars(),
            }
        }
        Some((place, written))
    }
}
