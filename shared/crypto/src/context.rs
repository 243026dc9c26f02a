//! The 72-byte context: what a key is used for, bound into every derivation and envelope (CRYPTO.md §2.3).

use keyward_wire::envelope::SUITE;
use keyward_wire::{OrgId, Purpose};

/// Length of an encoded context, in bytes.
pub const CONTEXT_BYTES: usize = 72;

/// `"KWC1" ‖ purpose u8 ‖ suite u8 ‖ 00 00 ‖ org[16] ‖ A[16] ‖ B[16] ‖ n1 u64 ‖ n2 u64`, big-endian, unused = zero.
///
/// A reader builds the context from what it asked for, never from what it received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Context {
    purpose: u8,
    org: [u8; 16],
    a: [u8; 16],
    b: [u8; 16],
    n1: u64,
    n2: u64,
}

impl Context {
    /// The context of an envelope, with all its fields zero. CRYPTO.md §2.5 says which fields each purpose sets.
    pub fn new(purpose: Purpose) -> Self {
        Self::derivation(purpose.code())
    }

    /// The context of a key derivation (CRYPTO.md §2.4). Its code is no envelope purpose.
    pub(crate) fn derivation(code: u8) -> Self {
        Self { purpose: code, org: [0; 16], a: [0; 16], b: [0; 16], n1: 0, n2: 0 }
    }

    /// Sets the organisation.
    #[must_use]
    pub fn org(self, org: OrgId) -> Self {
        Self { org: *org.as_bytes(), ..self }
    }

    /// Sets field A.
    #[must_use]
    pub fn a(self, id: &[u8; 16]) -> Self {
        Self { a: *id, ..self }
    }

    /// Sets field B.
    #[must_use]
    pub fn b(self, id: &[u8; 16]) -> Self {
        Self { b: *id, ..self }
    }

    /// Sets the first number.
    #[must_use]
    pub fn n1(self, n1: u64) -> Self {
        Self { n1, ..self }
    }

    /// Sets the second number.
    #[must_use]
    pub fn n2(self, n2: u64) -> Self {
        Self { n2, ..self }
    }

    /// The context's 72 bytes: info of HKDF, and additional data of AES-GCM.
    pub fn encode(&self) -> [u8; CONTEXT_BYTES] {
        let mut bytes = [0; CONTEXT_BYTES];
        bytes[..4].copy_from_slice(b"KWC1");
        bytes[4] = self.purpose;
        bytes[5] = SUITE;
        bytes[8..24].copy_from_slice(&self.org);
        bytes[24..40].copy_from_slice(&self.a);
        bytes[40..56].copy_from_slice(&self.b);
        bytes[56..64].copy_from_slice(&self.n1.to_be_bytes());
        bytes[64..].copy_from_slice(&self.n2.to_be_bytes());
        bytes
    }

    /// The first eight bytes of every envelope of this context.
    pub(crate) fn header(&self) -> [u8; 8] {
        [b'K', b'W', b'E', b'1', self.purpose, SUITE, 0, 0]
    }
}
