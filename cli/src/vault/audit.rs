//! Checks whether the audit log that the server shows is the one seen before with entries added (CRYPTO.md §2.11). Pure.
//!
//! The server is asked for entries after a trusted head, and every later head that anybody has trusted must lie on the chain: the
//! one that this client verified last, the one that the writer of ORG saw, and those that the server itself stated.

use keyward_wire::OrgId;
use keyward_wire::api::audit::{AuditEntry, AuditRecord, genesis, link};
use keyward_wire::api::org::AuditHead;

/// A head that must lie on the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Anchor {
    /// The head: its seq and hash.
    pub head: AuditHead,
    /// The party that saw the head.
    pub seen_by: &'static str,
}

/// The log was changed. `seq` is the first entry that cannot be the original one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the audit log was changed: entry {seq} {what}")]
pub struct Changed {
    /// Seq of the first bad entry.
    pub seq: u64,
    /// What is wrong with the entry.
    pub what: String,
}

/// A chain, verified entry by entry.
#[derive(Debug, Clone)]
pub struct Chain {
    /// Seq and hash of the last entry. The hash is `None` before the first entry, unless that is the log's first.
    last: (u64, Option<keyward_wire::Sha256>),
    /// The anchors, sorted by seq.
    anchors: Vec<Anchor>,
    verified: u64,
}

impl Chain {
    /// Begins at `start`, which is trusted; 0 is the log's beginning.
    ///
    /// The entry of `start` itself is checked too, against the hash that its predecessor is said to have.
    pub fn new(org: OrgId, start: u64, anchors: impl IntoIterator<Item = Anchor>) -> Self {
        let after = start.saturating_sub(2);
        let previous = (after == 0).then(|| genesis(org));
        let mut chain = Self { last: (after, previous), anchors: Vec::new(), verified: 0 };
        anchors.into_iter().for_each(|anchor| chain.expect(anchor));
        chain
    }

    /// The seq after which the server is to be asked for entries.
    pub fn after(&self) -> u64 {
        self.last.0
    }

    /// How many entries were verified.
    pub fn verified(&self) -> u64 {
        self.verified
    }

    /// Notes that the server states where its log ends: the log must reach that head from now on.
    ///
    /// # Errors
    /// [`Changed`] if the head is behind one that the server, or anybody, stated before.
    pub fn stated(&mut self, head: AuditHead) -> Result<(), Changed> {
        let known = self.anchors.last().map_or(0, |anchor| anchor.head.seq).max(self.last.0);
        if head.seq < known {
            let what =
                format!("is gone: the server says that its log ends before it, which went up to {known}");
            return Err(Changed { seq: head.seq + 1, what });
        }
        self.expect(Anchor { head, seen_by: "the server, a moment ago," });
        Ok(())
    }

    /// Adds a page of entries, oldest first.
    ///
    /// # Errors
    /// [`Changed`] if an entry does not continue the chain, or contradicts an anchor.
    pub fn extend(&mut self, entries: &[AuditEntry]) -> Result<(), Changed> {
        self.check_anchors()?;
        for entry in entries {
            self.push(entry)?;
        }
        Ok(())
    }

    /// Notes that the end was reached: every anchor must have been passed.
    ///
    /// # Errors
    /// [`Changed`] if one was not.
    pub fn finish(self) -> Result<AuditHead, Changed> {
        self.check_anchors()?;
        let (seq, hash) = self.last;
        if let Some(anchor) = self.anchors.iter().find(|anchor| anchor.head.seq > seq) {
            let what = format!("is gone, and {} saw the log up to entry {}", anchor.seen_by, anchor.head.seq);
            return Err(Changed { seq: seq + 1, what });
        }
        let hash = hash.ok_or_else(|| Changed { seq: seq + 1, what: "is gone".to_owned() })?;
        Ok(AuditHead { seq, hash })
    }

    fn expect(&mut self, anchor: Anchor) {
        self.anchors.push(anchor);
        self.anchors.sort_by_key(|anchor| anchor.head.seq);
    }

    fn push(&mut self, entry: &AuditEntry) -> Result<(), Changed> {
        let (seq, previous) = (self.last.0 + 1, self.last.1);
        let changed = |what: &str| Err(Changed { seq, what: what.to_owned() });
        if entry.seq != seq {
            return changed(&format!("is not there; {} stands in its place", entry.seq));
        }
        let record: Result<AuditRecord, _> = keyward_wire::json::from_slice(entry.entry.as_bytes());
        if !record.is_ok_and(|record| record.seq == seq) {
            return changed("does not say that it is this entry");
        }
        if previous.is_some_and(|previous| link(previous, &entry.entry) != entry.hash) {
            return changed("does not follow from the one before it");
        }
        self.last = (seq, Some(entry.hash));
        self.verified += u64::from(previous.is_some());
        self.check_anchors()
    }

    /// Checks that anchors at the present seq have its hash.
    fn check_anchors(&self) -> Result<(), Changed> {
        let (seq, Some(hash)) = self.last else { return Ok(()) };
        let here = |anchor: &&Anchor| anchor.head.seq == seq && anchor.head.hash != hash;
        match self.anchors.iter().find(here) {
            Some(anchor) => {
                let what =
                    format!("is not the one that {} saw: it or one before it was changed", anchor.seen_by);
                Err(Changed { seq, what })
            }
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
