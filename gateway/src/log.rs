//! The gateway's own record of every request: one line of JSON each, chained by hashes, written before the answer leaves.
//!
//! `h_n = SHA-256(h_(n-1) ‖ line_n without its hash)`, `h_0` = SHA-256("keyward gateway log v1"). A line that was changed,
//! removed or moved breaks the chain. Lines that were cut off at the end are missed only by somebody who knows a later hash,
//! which is why the last hash is printed when the gateway ends.
//!
//! A request that goes to an upstream has two lines: `send` before its first byte leaves, and the outcome, which names the number
//! of the `send` line in `of`. So the log has what an agent did even if the agent did not wait for the answer.
//!
//! The log has hosts and paths, which keyward's server must not know. It has no queries, headers or bodies: they may hold
//! secrets.

#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::MetadataExt as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// What happened to one request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Event<'a> {
    /// The agent's name. Empty if no agent is known.
    pub agent: &'a str,
    /// The request's method.
    pub method: &'a str,
    /// The host and port that the request was for.
    pub host: &'a str,
    /// The request's path as the agent sent it, without the query.
    pub path: &'a str,
    /// Name of the key whose rule was used.
    pub key: &'a str,
    /// Name of another key, whose placeholder stood in the place of the rule's key.
    pub placeholder_of: &'a str,
    /// `send`, `inject`, `pass`, `list`, `tunnel`, `refuse`, `cut` or `torn`; `cover`: the request's answer had a value in it;
    /// `skip`: a placeholder stood elsewhere than in its key's place, and went on as it was.
    pub decision: &'a str,
    /// The word of a refusal, or a remark.
    pub code: &'a str,
    /// Status of the answer; 0 if there was none.
    pub status: u16,
    /// Milliseconds from the request's head to the answer's.
    pub latency_ms: u64,
    /// Number of the `send` line of the request that this line is about; 0 if it is about none.
    pub of: u64,
    /// How many more refusals like this one were not written one by one.
    pub more: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<'a> {
    seq: u64,
    time_ms: u64,
    #[serde(borrow)]
    agent: std::borrow::Cow<'a, str>,
    #[serde(borrow)]
    method: std::borrow::Cow<'a, str>,
    #[serde(borrow)]
    host: std::borrow::Cow<'a, str>,
    #[serde(borrow)]
    path: std::borrow::Cow<'a, str>,
    #[serde(borrow)]
    key: std::borrow::Cow<'a, str>,
    #[serde(borrow, default, skip_serializing_if = "str::is_empty")]
    placeholder_of: std::borrow::Cow<'a, str>,
    #[serde(borrow)]
    decision: std::borrow::Cow<'a, str>,
    #[serde(borrow)]
    code: std::borrow::Cow<'a, str>,
    status: u16,
    latency_ms: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    of: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    more: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// Why a log is not believed, and from which line.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The file could not be read.
    #[error("the log cannot be read")]
    Read(#[from] io::Error),
    /// This line was not written after the one before it.
    #[error("line {0} does not follow from the one before it")]
    Broken(u64),
}

/// The open log. Cheap to clone.
#[derive(Clone)]
pub struct Log {
    inner: Arc<Mutex<Inner>>,
    clock: fn() -> SystemTime,
    fails: Arc<Fails>,
}

/// Failures of the last attempts.
#[derive(Default)]
struct Fails {
    write: AtomicBool,
    sync: AtomicBool,
    /// Whether the file has no name left: nobody could read what is written into it.
    removed: AtomicBool,
}

struct Inner {
    file: File,
    head: Head,
    line: Vec<u8>,
    /// The offset at which the last whole line ends.
    good: u64,
    /// Whether part of a line stands after that offset.
    torn: bool,
    unsynced: bool,
    /// Whether the file had a name when it was opened.
    named: bool,
}

/// How far a log goes: the number of its lines, and the hash of the last one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Number of lines.
    pub seq: u64,
    /// Hash of the last line.
    pub hash: [u8; 32],
}

impl Head {
    fn start() -> Self {
        Self { seq: 0, hash: Sha256::digest(b"keyward gateway log v1").into() }
    }

    /// The hash in hexadecimal digits.
    pub fn hex(&self) -> String {
        HEXLOWER.encode(&self.hash)
    }
}

impl Log {
    /// Opens the log in `file`, which is private, open for reading and appending, and written by nobody else.
    ///
    /// A last line without its end is what a power cut leaves. It is removed from the file, and stands in the next line as that
    /// line's `path`.
    ///
    /// # Errors
    /// [`LogError`] if the lines in the file do not verify. They are evidence; nothing is written after them.
    pub fn open(mut file: File, clock: fn() -> SystemTime) -> Result<Self, LogError> {
        let named = has_name(&file)?;
        let (good, part) = whole_lines(&mut file)?;
        file.seek(SeekFrom::Start(0))?;
        let head = verify(BufReader::new((&mut file).take(good)), |_| ())?;
        if !part.is_empty() {
            file.set_len(good)?;
        }
        file.seek(SeekFrom::Start(good))?;
        let inner = Inner { file, head, line: Vec::new(), good, torn: false, unsynced: false, named };
        let log = Self { inner: Arc::new(Mutex::new(inner)), clock, fails: Arc::default() };
        if !part.is_empty() {
            let path = String::from_utf8_lossy(&part);
            log.record(&Event { path: &path, decision: "torn", ..Event::default() })?;
        }
        Ok(log)
    }

    /// Writes one line, and returns its number. The line is in the operating system's hands when this returns, so it outlives the
    /// gateway; within a second it is on disk.
    ///
    /// # Errors
    /// The file's error: then nothing of the line is in the file, or nothing more is written until that is so.
    /// [`io::ErrorKind::NotFound`] if somebody removed the file. A request that cannot be recorded is not sent, and gets no
    /// answer but a refusal.
    pub fn record(&self, event: &Event<'_>) -> io::Result<u64> {
        if self.fails.removed.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let time = (self.clock)().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let mut inner = self.inner();
        let Inner { file, head, line, good, torn, unsynced, .. } = &mut *inner;
        let seq = head.seq + 1;
        let time_ms = u64::try_from(time.as_millis()).unwrap_or_default();
        let Event { agent, method, host, path, key, placeholder_of, decision, code, status, .. } = *event;
        let path = truncated(path);
        let row = Line {
            seq,
            time_ms,
            agent: agent.into(),
            method: truncated(method).into(),
            host: truncated(host).into(),
            path: path.into(),
            key: key.into(),
            placeholder_of: placeholder_of.into(),
            decision: decision.into(),
            code: code.into(),
            status,
            latency_ms: event.latency_ms,
            of: event.of,
            more: event.more,
        };
        line.clear();
        serde_json::to_writer(&mut *line, &row)?;
        let hash = link(&head.hash, line);
        line.truncate(line.len() - 1);
        line.extend_from_slice(b",\"hash\":\"");
        line.extend_from_slice(HEXLOWER.encode(&hash).as_bytes());
        line.extend_from_slice(b"\"}\n");
        let appended = append(file, *good, torn, line);
        self.fails.write.store(appended.is_err(), Ordering::Relaxed);
        appended?;
        *good += line.len() as u64;
        *unsynced = true;
        *head = Head { seq, hash };
        Ok(seq)
    }

    /// Syncs the lines since the last call to disk, and checks that the file is still there.
    ///
    /// # Errors
    /// The file's error.
    pub fn sync(&self) -> io::Result<()> {
        let synced = self.look_and_sync();
        self.fails.sync.store(synced.is_err(), Ordering::Relaxed);
        synced
    }

    fn look_and_sync(&self) -> io::Result<()> {
        let (file, named) = {
            let inner = self.inner();
            (inner.file.try_clone()?, inner.named)
        };
        if named && !has_name(&file)? {
            self.fails.removed.store(true, Ordering::Relaxed);
        }
        if !std::mem::take(&mut self.inner().unsynced) {
            return Ok(());
        }
        file.sync_data().inspect_err(|_| self.inner().unsynced = true)
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the last write and the last sync succeeded, and the file is still there.
    pub(crate) fn is_well(&self) -> bool {
        let Fails { write, sync, removed } = &*self.fails;
        ![write, sync, removed].into_iter().any(|fails| fails.load(Ordering::Relaxed))
    }

    /// How far the log goes.
    pub fn head(&self) -> Head {
        self.inner().head
    }

    /// How often [`Self::sync`] is called.
    pub const SYNC: Duration = Duration::from_secs(1);
}

fn has_name(file: &File) -> io::Result<bool> {
    Ok(file.metadata()?.nlink() > 0)
}

/// A file that only grows at its end.
trait Tail: io::Write {
    /// Cuts the file to this length.
    fn cut(&mut self, length: u64) -> io::Result<()>;
}

impl Tail for File {
    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.set_len(length)?;
        self.seek(SeekFrom::Start(length)).map(|_| ())
    }
}

/// Writes a whole line after the first `good` bytes, or leaves nothing of the line. `torn` says that leaving nothing did not
/// succeed the last time.
fn append(file: &mut impl Tail, good: u64, torn: &mut bool, line: &[u8]) -> io::Result<()> {
    if *torn {
        file.cut(good)?;
        *torn = false;
    }
    file.write_all(line).inspect_err(|_| *torn = file.cut(good).is_err())
}

/// The offset at which the last whole line ends, and the bytes after it.
fn whole_lines(file: &mut File) -> Result<(u64, Vec<u8>), LogError> {
    let length = file.seek(SeekFrom::End(0))?;
    let from = length.saturating_sub(MAX_LINE);
    file.seek(SeekFrom::Start(from))?;
    let mut end = Vec::new();
    file.take(length - from).read_to_end(&mut end)?;
    // Without a line end in so many bytes, this is no log of the gateway: the whole file is judged, and does not verify.
    let after = end.iter().rposition(|byte| *byte == b'\n').map(|at| at + 1);
    let after = after.or_else(|| (from == 0).then_some(0)).unwrap_or(end.len());
    let part = end.split_off(after);
    Ok((length - part.len() as u64, part))
}

/// Follows the chain from its start, and shows `line` every line that belongs to the chain.
///
/// # Errors
/// [`LogError::Broken`] names the first line that does not belong to it.
pub fn verify(log: impl BufRead, mut line: impl FnMut(&str)) -> Result<Head, LogError> {
    let mut head = Head::start();
    let mut log = log;
    let mut text = Vec::new();
    loop {
        text.clear();
        if (&mut log).take(MAX_LINE).read_until(b'\n', &mut text)? == 0 {
            return Ok(head);
        }
        let seq = head.seq + 1;
        head.hash = follow(&head.hash, seq, &text).ok_or(LogError::Broken(seq))?;
        head.seq = seq;
        line(std::str::from_utf8(&text).map_err(|_| LogError::Broken(seq))?.trim_end());
    }
}

/// The hash of a line, if the line states that hash itself.
fn follow(before: &[u8; 32], seq: u64, text: &[u8]) -> Option<[u8; 32]> {
    let text = text.strip_suffix(b"\"}\n")?;
    let (row, said) = text.split_at_checked(text.len().checked_sub(64)?)?;
    let row = row.strip_suffix(b",\"hash\":\"")?;
    let mut whole = row.to_vec();
    whole.push(b'}');
    let hash = link(before, &whole);
    let parsed: Line<'_> = serde_json::from_slice(&whole).ok()?;
    (parsed.seq == seq && HEXLOWER.encode(&hash).as_bytes() == said).then_some(hash)
}

fn link(before: &[u8; 32], line: &[u8]) -> [u8; 32] {
    Sha256::new().chain_update(before).chain_update(line).finalize().into()
}

/// The text, cut to 2 KiB: one request must not fill the log.
fn truncated(text: &str) -> &str {
    text.get(..text.floor_char_boundary(MAX_TEXT)).unwrap_or(text)
}

const MAX_TEXT: usize = 2048;
const MAX_LINE: u64 = 64 * 1024;
