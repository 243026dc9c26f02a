//! Sizes that both ends hold each other to (CRYPTO.md §2.3).

/// Largest secret value, in bytes.
pub const VALUE_BYTES: usize = 63 * 1024;

/// Shortest value that a gateway sends, in bytes. A shorter one could not be kept out of answers: unrelated text would be damaged.
pub const SENT_VALUE_MIN_BYTES: usize = 8;

/// Longest value that a gateway sends, in bytes. Of a longer one too much of each answer would have to be held back.
pub const SENT_VALUE_MAX_BYTES: usize = 16 * 1024;

/// Longest value, in bytes, that a gateway keeps out of the answers of agents that may not use it.
pub const OTHERS_VALUE_MAX_BYTES: usize = 1024;

/// Largest plaintext of ORG or VIEW, in bytes: with its 4-byte length it fills an 8 MiB bucket.
pub const STATE_BYTES: usize = 8 * 1024 * 1024 - 4;

/// Largest answer of the server, in bytes. A client stops reading here.
pub const ANSWER_BYTES: usize = 16 * 1024 * 1024;

/// Largest body of `POST /v1/org/write`, in bytes.
pub const WRITE_BYTES: usize = 48 * 1024 * 1024;

/// Largest body of `POST /v1/secrets/get`, in bytes.
pub const SECRETS_BYTES: usize = 1024 * 1024;

/// Largest body of `POST /v1/signup`, in bytes.
pub const SIGNUP_BYTES: usize = 64 * 1024;

/// Largest body of `POST /v1/recovery`, in bytes: the largest ORG, and what one owner needs.
pub const RECOVERY_BYTES: usize = 12 * 1024 * 1024;

/// Largest body of every other `POST`, in bytes. `GET` and `DELETE` have none.
pub const REQUEST_BYTES: usize = 8 * 1024;

/// Largest number of views in an organisation.
pub const VIEWS: usize = 64;

/// Old versions of a key that are kept for owners and admins.
pub const OLD_VERSIONS: usize = 5;

/// Deepest nesting of JSON from a peer.
pub const JSON_DEPTH: usize = 32;

/// Secrets that one `POST /v1/secrets/get` may ask for.
pub const SECRETS_PER_REQUEST: usize = 10_000;

/// Counts that one `POST /v1/me/agents/requests` may have.
pub const COUNTS_PER_REQUEST: usize = 200;

/// Largest body of `POST /v1/me/agents/requests`, in bytes: one count takes some 150.
pub const COUNTS_BYTES: usize = 64 * 1024;

/// Longest time that `GET /v1/me/agents` waits for a change, in seconds.
pub const WAIT_SECS: u64 = 15;

/// Audit entries in one answer.
pub const AUDIT_PAGE: u32 = 1_000;
