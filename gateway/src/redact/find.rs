//! Where in a text values are, behind escapes or not.

use std::cmp::Reverse;
use std::ops::Range;

use zeroize::Zeroizing;

use super::escape::{Read, View, WIDEST, WITHIN};
use super::forms::{Cover, Pattern, STAR};
use super::index::{Index, PIECE};

/// A complete form of a value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Found {
    pub(super) start: u64,
    /// Longer ones first, of those that begin together.
    end: Reverse<u64>,
    /// Which value.
    pub(super) value: usize,
    /// As many bytes as it has.
    pub(super) cover: Vec<u8>,
}

impl Found {
    pub(super) fn end(&self) -> u64 {
        self.end.0
    }
}

/// What is looked for.
pub(super) struct Patterns {
    list: Vec<Pattern>,
    index: Index,
    /// Bytes of the longest one that may stand behind escapes, without them.
    escapable: usize,
    /// None of those has a byte that [`is_plain`] says no to.
    plain: bool,
    /// Where in short ones of those the first pieces of the index are.
    firsts: Vec<usize>,
    /// No form is longer, and none needs to be known further than this from its beginning to be told from something else.
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

    /// Adds to `found` every form in `text` that ends after `from + reach`, and some that end before. `text` begins at
    /// `base` of its stream, with its beginning or well before `from`; it goes on, unless this is `last`.
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

    /// Whether a text in lower case has a value in it, in letters of either case.
    pub(super) fn in_name(&self, name: &[u8]) -> bool {
        let values = self.list.iter().filter(|pattern| pattern.core.len() <= name.len());
        values.into_iter().any(|pattern| {
            name.windows(pattern.core.len()).any(|part| part.eq_ignore_ascii_case(&pattern.core))
        })
    }

    /// Whether this pattern's core is at `core`, with its ends.
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

    /// Reads the text around its escapes as what they stand for, and looks there again.
    fn find_escaped(&self, text: &[u8], base: u64, from: usize, last: bool, found: &mut Vec<Found>) {
        // An escape that began before is over after so many bytes.
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
                    // Of this kind there is no more for now.
                    group.next = usize::MAX;
                }
                Read::Itself | Read::Unknown => {}
            }
        }
        for group in &mut groups {
            look(group, text.len());
        }
    }

    /// Looks for forms in a stretch that was read.
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
        // Of those before the stretch, no form reaches into it.
        let stale = group.within.partition_point(|within| within.end < decoded.start);
        let all_within = group.within.get(stale..).unwrap_or_default();
        let again = |within: &Range<usize>, edge: usize, pattern: usize| {
            // An answer may have any number of these: what is not there is told by a look, and what is, is read as far as it may go.
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
            // It may begin within an escape: then more stands before it than was read.
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
        // Of short ones, all eight bytes need not stand after it.
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

    /// Of a pattern that may stand behind escapes: how much of it is before its core.
    fn escapable_edge(&self, pattern: usize) -> Option<usize> {
        self.list.get(pattern).filter(|pattern| pattern.escapable).map(|pattern| pattern.edges().0)
    }
}

/// The eight bytes from `at` of two texts after each other.
fn eight(before: &[u8], rest: &[u8], at: usize) -> Option<[u8; PIECE]> {
    let start = before.get(at..).unwrap_or_default();
    let mut bytes = [0; PIECE];
    let (first, second) = bytes.split_at_mut(start.len().min(PIECE));
    first.copy_from_slice(start.get(..first.len())?);
    let at = at.saturating_sub(before.len());
    second.copy_from_slice(rest.get(at..at + second.len())?);
    Some(bytes)
}

/// Whether `core` is at `at` of two texts after each other.
fn is_at(before: &[u8], rest: &[u8], at: usize, core: &[u8]) -> bool {
    let start = before.get(at..).unwrap_or_default();
    let (first, second) = core.split_at(start.len().min(core.len()));
    let rest = rest.get(at.saturating_sub(before.len())..).unwrap_or_default();
    start.starts_with(first) && rest.starts_with(second)
}

/// The letters that keys are usually made of, in base64 as well. Where no value has another one, an escape of another is in none,
/// whatever the text says: most of those in JSON are quotes and line ends.
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

/// Escapes that one form may have in it, as they come.
struct Group {
    view: View,
    /// So much before the first and after the last may belong to the same form.
    margin: usize,
    escapes: Vec<Escape>,
    /// From where within an escape to its end another text may go.
    within: Vec<Range<usize>>,
    /// Nothing that begins before this does.
    barrier: usize,
    /// Where the next escape may begin.
    next: usize,
}

impl Group {
    fn new(view: View, begin: usize, margin: usize) -> Self {
        Self { view, margin, escapes: Vec::new(), within: Vec::new(), barrier: begin, next: begin }
    }

    /// Whether no form has this one and the last one in it.
    fn is_apart_from(&self, escape: &Escape) -> bool {
        self.escapes.last().is_some_and(|last| escape.at >= last.end + 2 * self.margin)
    }

    fn take(&mut self, text: &[u8], escape: Escape) {
        self.next = escape.end;
        self.look_into(text, escape.at..escape.end);
        self.escapes.push(escape);
    }

    /// An escape that is in no form ends here.
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

    /// The text around them, read, if there are any. No form goes beyond `end`.
    fn decoded(&self, text: &[u8], end: usize) -> Option<Decoded> {
        let (first, last) = (self.escapes.first()?, self.escapes.last()?);
        let start = first.at.saturating_sub(self.margin).max(self.barrier);
        let stop = (last.end + self.margin).min(end);
        Some(Decoded::of(text, start..stop, &self.escapes))
    }
}

#[cfg(test)]
thread_local! {
    /// Bytes that were read around escapes, in tests of how much work an answer can make.
    pub(super) static READ: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// A stretch of the text, read.
struct Decoded {
    text: Zeroizing<Vec<u8>>,
    /// Where each escape's byte is in `text`, and where the escape begins and ends in the source.
    cells: Vec<(usize, Range<usize>)>,
    /// Which stretch of the source it is.
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

    /// Where what stands in the source at `at`, in no escape, is in `text`.
    fn place(&self, at: usize) -> usize {
        let after = self.cells.partition_point(|(_, cell)| cell.end <= at);
        match after.checked_sub(1).and_then(|before| self.cells.get(before)) {
            Some((place, cell)) => place + 1 + (at - cell.end),
            None => at.saturating_sub(self.start),
        }
    }

    /// The cell of a decoded byte, in the source.
    fn cell(&self, at: usize) -> Range<usize> {
        let after = self.cells.partition_point(|(place, _)| *place <= at);
        let start = match after.checked_sub(1).and_then(|before| self.cells.get(before)) {
            Some((place, cell)) if *place == at => return cell.clone(),
            Some((place, cell)) => cell.end + (at - place - 1),
            None => self.start + at,
        };
        start..start + 1
    }

    /// `cover` for the decoded bytes of `range`, as the source writes it: where it has no place, stars. None if there is no
    /// escape among them: then it was found without.
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
                // It begins within a run of backslashes. After however many are left, this is well-formed; a star may not be.
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
