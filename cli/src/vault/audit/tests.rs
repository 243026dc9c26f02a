use keyward_wire::Sha256;

use super::*;

const ORG: OrgId = OrgId::from_bytes([1; 16]);

fn text(seq: u64, action: &str) -> String {
    format!(r#"{{"seq":{seq},"time":{},"action":"{action}","objects":[]}}"#, 1000 * seq)
}

/// Links these texts from `previous` on, as a server does; also as one does that covers its tracks.
fn linked(mut previous: Sha256, texts: &[(u64, String)]) -> Vec<AuditEntry> {
    let mut entries = Vec::new();
    for (seq, entry) in texts {
        previous = link(previous, entry);
        entries.push(AuditEntry { seq: *seq, entry: entry.clone(), hash: previous });
    }
    entries
}

/// Ten entries.
fn honest() -> Vec<AuditEntry> {
    let texts: Vec<_> = (1..=10).map(|seq| (seq, text(seq, "bundle.read"))).collect();
    linked(genesis(ORG), &texts)
}

fn head(entries: &[AuditEntry], seq: u64) -> AuditHead {
    match seq {
        0 => AuditHead { seq: 0, hash: genesis(ORG) },
        _ => AuditHead { seq, hash: entries[usize::try_from(seq).unwrap() - 1].hash },
    }
}

/// What a client that knows the head at `pin` finds out about a server that shows `shown`, reading from `start` on.
fn verify_from(start: u64, pin: u64, shown: &[AuditEntry]) -> Result<AuditHead, u64> {
    let anchor = Anchor { head: head(&honest(), pin), seen_by: "this client" };
    let mut chain = Chain::new(ORG, start, [anchor]);
    let page: Vec<_> = shown.iter().filter(|entry| entry.seq > chain.after()).cloned().collect();
    let outcome = page.chunks(3).try_for_each(|page| chain.extend(page));
    outcome.and_then(|()| chain.finish()).map_err(|changed| changed.seq)
}

fn verify(pin: u64, shown: &[AuditEntry]) -> Result<AuditHead, u64> {
    verify_from(pin, pin, shown)
}

#[test]
fn a_log_that_only_grew_is_accepted_from_wherever_it_was_known() {
    for pin in 0..=10 {
        assert_eq!(verify(pin, &honest()), Ok(head(&honest(), 10)), "pin {pin}");
    }
    assert_eq!(verify(0, &[]), Ok(head(&honest(), 0)), "a log without entries is one");
}

#[test]
fn each_lie_is_named_by_the_first_entry_that_cannot_be_what_it_was() {
    /// What the server shows instead of the honest ten entries.
    type Lie = fn(Vec<AuditEntry>) -> Vec<AuditEntry>;
    let edited: Lie = |mut log| {
        log[6].entry = text(7, "nothing.happened");
        log
    };
    let edited_and_relinked: Lie = |log| {
        let texts: Vec<_> = (7..=10).map(|seq| (seq, text(seq, "nothing.happened"))).collect();
        let mut shown = log[..6].to_vec();
        shown.extend(linked(log[5].hash, &texts));
        shown
    };
    let deleted: Lie = |mut log| {
        log.remove(6);
        log
    };
    let deleted_and_renumbered: Lie = |log| {
        let texts: Vec<_> = (7..=9).map(|seq| (seq, text(seq + 1, "bundle.read"))).collect();
        let mut shown = log[..6].to_vec();
        shown.extend(linked(log[5].hash, &texts));
        shown
    };
    let inserted: Lie = |mut log| {
        let extra = linked(log[5].hash, &[(7, text(7, "login.succeeded"))]);
        log.splice(6..6, extra);
        log
    };
    let swapped: Lie = |mut log| {
        log.swap(6, 7);
        log
    };
    let swapped_texts: Lie = |mut log| {
        let (seventh, eighth) = (log[6].entry.clone(), log[7].entry.clone());
        (log[6].entry, log[7].entry) = (eighth, seventh);
        log
    };
    let shortened: Lie = |log| log[..6].to_vec();
    let other_hash: Lie = |mut log| {
        log[6].hash = Sha256::of(b"lie");
        log
    };
    let not_json: Lie = |mut log| {
        let texts = [(7, "[]".to_owned())];
        log.splice(6.., linked(log[5].hash, &texts));
        log
    };
    for (name, lie, without_memory) in [
        ("edited", edited, Err(7)),
        ("edited and relinked", edited_and_relinked, Ok(10)),
        ("deleted", deleted, Err(7)),
        ("deleted and renumbered", deleted_and_renumbered, Err(7)),
        ("inserted", inserted, Err(8)),
        ("swapped", swapped, Err(7)),
        ("swapped texts", swapped_texts, Err(7)),
        ("shortened", shortened, Ok(6)),
        ("another hash", other_hash, Err(7)),
        ("not a record", not_json, Err(7)),
    ] {
        let seq = |result: Result<AuditHead, u64>| result.map(|head| head.seq);
        assert_eq!(seq(verify(0, &lie(honest()))), without_memory, "{name}, without a memory");
        assert_eq!(seq(verify(7, &lie(honest()))), Err(7), "{name}, at what is remembered");
        let after = seq(verify(4, &lie(honest())));
        assert_eq!(after, without_memory, "{name}, after what is remembered");
        let before = seq(verify_from(0, 9, &lie(honest())));
        let expected = match name {
            "edited and relinked" => Err(9),
            "shortened" => Err(7),
            _ => without_memory,
        };
        assert_eq!(before, expected, "{name}, before what is remembered, looking from the beginning");
    }
}

#[test]
fn a_past_that_was_rewritten_to_fit_shows_at_the_memory() {
    let texts: Vec<_> = (3..=10).map(|seq| (seq, text(seq, "nothing.happened"))).collect();
    let mut log = honest()[..2].to_vec();
    log.extend(linked(log[1].hash, &texts));
    for pin in 3..=10 {
        assert_eq!(verify(pin, &log), Err(pin));
    }
}

#[test]
fn a_fresh_start_is_no_continuation() {
    let fresh = linked(genesis(ORG), &[(1, text(1, "org.created"))]);
    assert_eq!(verify(1, &fresh), Err(1), "the pinned entry is another one");
    assert_eq!(verify(8, &fresh), Err(7), "nothing there");
    let other = OrgId::from_bytes([2; 16]);
    let texts: Vec<_> = (1..=10).map(|seq| (seq, text(seq, "bundle.read"))).collect();
    assert_eq!(verify(0, &linked(genesis(other), &texts)), Err(1), "another organisation's log");
}

#[test]
fn heads_that_others_saw_must_lie_on_the_chain() {
    let log = honest();
    let check = |others: AuditHead| {
        let mut chain = Chain::new(ORG, 0, [Anchor { head: others, seen_by: "the writer of ORG" }]);
        chain.extend(&log)?;
        chain.finish()
    };
    assert!(check(head(&log, 5)).is_ok() && check(head(&log, 0)).is_ok());
    let forged = |seq| AuditHead { seq, hash: Sha256::of(b"another log") };
    assert_eq!(check(forged(5)).unwrap_err().seq, 5);
    assert_eq!(check(forged(0)).unwrap_err().seq, 0);
    let beyond = check(forged(12)).unwrap_err();
    assert_eq!(beyond.seq, 11);
    assert!(beyond.to_string().contains("the writer of ORG saw the log up to entry 12"), "{beyond}");
}

#[test]
fn what_the_server_states_binds_it() {
    let log = honest();
    let chain = || {
        let mut chain = Chain::new(ORG, 0, []);
        chain.extend(&log).unwrap();
        chain
    };
    let mut behind = chain();
    assert_eq!(behind.stated(head(&log, 6)).unwrap_err().seq, 7);
    let mut forged = chain();
    forged.stated(AuditHead { seq: 10, hash: Sha256::of(b"lie") }).unwrap();
    assert_eq!(forged.finish().unwrap_err().seq, 10);
    let mut ahead = chain();
    ahead.stated(AuditHead { seq: 12, hash: Sha256::of(b"held back") }).unwrap();
    assert_eq!(ahead.finish().unwrap_err().seq, 11);
    let mut honest = chain();
    honest.stated(head(&log, 10)).unwrap();
    assert_eq!(honest.finish().unwrap(), head(&log, 10));
}
