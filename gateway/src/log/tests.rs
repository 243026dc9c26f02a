use std::io::Write as _;

use super::*;

fn event(path: &str) -> Event<'_> {
    Event { agent: "ci", method: "GET", host: "a.test:443", path, decision: "pass", ..Event::default() }
}

fn written(paths: &[&str]) -> Vec<u8> {
    let mut file = tempfile::tempfile().unwrap();
    let log = Log::open(file.try_clone().unwrap(), || SystemTime::UNIX_EPOCH).unwrap();
    for path in paths {
        log.record(&event(path)).unwrap();
    }
    log.sync().unwrap();
    let mut text = Vec::new();
    file.seek(SeekFrom::Start(0)).unwrap();
    file.read_to_end(&mut text).unwrap();
    text
}

#[test]
fn a_log_goes_on_where_it_ended() {
    let file = tempfile::tempfile().unwrap();
    let first = Log::open(file.try_clone().unwrap(), || SystemTime::UNIX_EPOCH).unwrap();
    first.record(&event("/1")).unwrap();
    let second = Log::open(file.try_clone().unwrap(), || SystemTime::UNIX_EPOCH).unwrap();
    assert_eq!(second.head(), first.head());
    second.record(&event("/2")).unwrap();
    assert_eq!(second.head().seq, 2);
    let third = Log::open(file, || SystemTime::UNIX_EPOCH).unwrap();
    assert_eq!(third.head(), second.head());
}

#[test]
fn l9_a_line_that_was_changed_removed_moved_or_cut_breaks_the_chain() {
    let text = written(&["/1", "/2", "/3"]);
    let lines: Vec<&[u8]> = text.split_inclusive(|byte| *byte == b'\n').collect();
    let broken = |lines: &[&[u8]]| match verify(lines.concat().as_slice(), |_| ()) {
        Err(LogError::Broken(at)) => at,
        other => panic!("{other:?}"),
    };
    let changed = String::from_utf8(lines[1].to_vec()).unwrap().replace("/2", "/x");
    assert_eq!(broken(&[lines[0], changed.as_bytes(), lines[2]]), 2);
    assert_eq!(broken(&[lines[0], lines[2]]), 2);
    assert_eq!(broken(&[lines[1], lines[2]]), 1);
    assert_eq!(broken(&[lines[0], lines[2], lines[1]]), 2);
    assert_eq!(broken(&[lines[0], lines[0]]), 2);
    assert_eq!(broken(&[lines[0], &lines[1][..lines[1].len() - 1]]), 2);
    let mut seen = Vec::new();
    let head = verify(text.as_slice(), |line| seen.push(line.to_owned())).unwrap();
    assert_eq!((head.seq, seen.len()), (3, 3));
}

/// A disk with room for so many bytes.
struct Small {
    bytes: Vec<u8>,
    room: usize,
    cuts: bool,
}

impl io::Write for Small {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let now = bytes.len().min(self.room - self.bytes.len());
        self.bytes.extend_from_slice(&bytes[..now]);
        if now == 0 { Err(io::ErrorKind::StorageFull.into()) } else { Ok(now) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Tail for Small {
    fn cut(&mut self, length: u64) -> io::Result<()> {
        if !self.cuts {
            return Err(io::ErrorKind::Other.into());
        }
        self.bytes.truncate(usize::try_from(length).unwrap());
        Ok(())
    }
}

#[test]
fn l9_of_a_line_that_does_not_fit_on_the_disk_nothing_stays() {
    let mut torn = false;
    let mut disk = Small { bytes: b"one\n".to_vec(), room: 6, cuts: true };
    assert!(append(&mut disk, 4, &mut torn, b"two\n").is_err());
    assert_eq!((disk.bytes.as_slice(), torn), (b"one\n".as_slice(), false));
    disk.cuts = false;
    assert!(append(&mut disk, 4, &mut torn, b"two\n").is_err());
    disk.room = 100;
    assert!(append(&mut disk, 4, &mut torn, b"two\n").is_err(), "not after half a line");
    disk.cuts = true;
    append(&mut disk, 4, &mut torn, b"two\n").unwrap();
    assert_eq!(disk.bytes, b"one\ntwo\n");
}

#[test]
fn l9_a_line_that_a_power_cut_tore_is_kept_as_text_and_the_chain_goes_on() {
    let text = written(&["/1", "/2", "/3"]);
    let start = text.iter().rposition(|byte| *byte == b'{').unwrap();
    for end in [start + 1, start + 40, text.len() - 1] {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&text[..end]).unwrap();
        let log = Log::open(file.try_clone().unwrap(), || SystemTime::UNIX_EPOCH).unwrap();
        assert_eq!(log.head().seq, 3);
        log.record(&event("/4")).unwrap();
        let mut lines: Vec<serde_json::Value> = Vec::new();
        file.seek(SeekFrom::Start(0)).unwrap();
        verify(BufReader::new(&mut file), |line| lines.push(serde_json::from_str(line).unwrap())).unwrap();
        assert_eq!(lines.len(), 4);
        assert_eq!((&lines[2]["decision"], &lines[3]["path"]), (&"torn".into(), &"/4".into()));
        assert_eq!(lines[2]["path"].as_str().unwrap().as_bytes(), &text[start..end]);
    }
}

#[test]
fn l9_what_nobody_could_read_is_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let (path, other) = (folder.path().join("log"), folder.path().join("log.1"));
    let file = File::options().read(true).append(true).create(true).open(&path).unwrap();
    let log = Log::open(file, || SystemTime::UNIX_EPOCH).unwrap();
    log.record(&event("/1")).unwrap();
    std::fs::rename(&path, &other).unwrap();
    log.sync().unwrap();
    log.record(&event("/2")).unwrap();
    std::fs::remove_file(&other).unwrap();
    log.sync().unwrap();
    assert_eq!(log.record(&event("/3")).unwrap_err().kind(), io::ErrorKind::NotFound);
    assert!(!log.is_well() && log.head().seq == 2);
}

#[test]
fn nothing_is_written_after_a_broken_line() {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(b"{}\n").unwrap();
    assert!(matches!(Log::open(file, || SystemTime::UNIX_EPOCH), Err(LogError::Broken(1))));
}

#[test]
fn what_an_agent_wrote_stays_within_one_line_of_bounded_length() {
    let long = format!("/\n\u{1b}[2J\"{}", "ä".repeat(5000));
    let text = written(&[&long]);
    assert_eq!(text.split_inclusive(|byte| *byte == b'\n').count(), 1);
    assert!(text.len() < 4096 && !text.contains(&0x1b));
    verify(text.as_slice(), |_| ()).unwrap();
}
