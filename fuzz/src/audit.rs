//! The audit chain: only one that is whole, in order and ends where it was seen to end is believed.

use keyward_cli::vault::audit::{Anchor, Chain};
use keyward_wire::api::audit::{AuditAnswer, AuditEntry, genesis, link};
use keyward_wire::api::org::AuditHead;
use keyward_wire::json::from_slice;
use keyward_wire::{OrgId, Sha256};

/// The bytes as a page of the server, and as changes of an honest chain of four.
pub fn holds(bytes: &[u8]) {
    if let Ok(page) = from_slice::<AuditAnswer>(bytes) {
        let believed = follow(&page.entries, page.head);
        assert_eq!(believed, recomputed(&page.entries, page.head));
    }
    let honest = chain(&["a", "b", "c", "d"]);
    let head = AuditHead { seq: 4, hash: honest[3].hash };
    let mut changed = honest.clone();
    for step in bytes.chunks_exact(2).take(8) {
        change(&mut changed, step[0], step[1]);
    }
    assert_eq!(follow(&changed, head), same(&changed, &honest));
}

/// One of the things that a server can do to what it stores.
fn change(entries: &mut Vec<AuditEntry>, what: u8, place: u8) {
    if entries.is_empty() {
        return;
    }
    let at = usize::from(place) % entries.len();
    match what % 5 {
        0 => drop(entries.remove(at)),
        1 => entries.insert(at, entries[at].clone()),
        2 => entries.rotate_left(at),
        3 => entries[at].seq = entries[at].seq.wrapping_add(u64::from(place)),
        _ => entries[at].hash = Sha256::of(&[place]),
    }
}

fn follow(entries: &[AuditEntry], head: AuditHead) -> bool {
    let mut chain = Chain::new(ORG, 0, [Anchor { head, seen_by: "this test" }]);
    chain.extend(entries).is_ok() && chain.finish().is_ok_and(|end| end.seq >= head.seq)
}

/// The check, recomputed naively.
fn recomputed(entries: &[AuditEntry], head: AuditHead) -> bool {
    let mut hash = genesis(ORG);
    let mut seen = head.seq == 0 && head.hash == hash;
    for (seq, entry) in (1..).zip(entries) {
        hash = link(hash, &entry.entry);
        let says = from_slice::<keyward_wire::api::audit::AuditRecord>(entry.entry.as_bytes());
        if entry.seq != seq || entry.hash != hash || !says.is_ok_and(|record| record.seq == seq) {
            return false;
        }
        if seq == head.seq {
            if hash != head.hash {
                return false;
            }
            seen = true;
        }
    }
    seen
}

fn chain(actions: &[&str]) -> Vec<AuditEntry> {
    let mut hash = genesis(ORG);
    let entry = |(seq, action): (u64, &&str)| {
        let entry = format!(r#"{{"seq":{seq},"time":0,"action":"{action}","objects":[]}}"#);
        hash = link(hash, &entry);
        AuditEntry { seq, entry, hash }
    };
    (1..).zip(actions).map(entry).collect()
}

fn same(a: &[AuditEntry], b: &[AuditEntry]) -> bool {
    let parts = |entry: &AuditEntry| (entry.seq, entry.entry.clone(), entry.hash);
    a.iter().map(parts).eq(b.iter().map(parts))
}

const ORG: OrgId = OrgId::from_bytes([1; 16]);
