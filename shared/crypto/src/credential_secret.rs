//! The secret of a credential that nobody has to remember (CRYPTO.md §2.4, §2.8).

use zeroize::Zeroizing;

use crate::absent::assert_secret;
use crate::random::random_key;

/// The 256 random bits of a token. Both halves of the credential derive from them.
pub struct CredentialSecret(Zeroizing<[u8; 32]>);

assert_secret!(CredentialSecret);

impl CredentialSecret {
    /// A fresh random secret.
    pub fn generate() -> Self {
        Self(random_key())
    }

    /// The secret of these 32 bytes.
    pub fn from_bytes(bytes: Zeroizing<[u8; 32]>) -> Self {
        Self(bytes)
    }

    pub(crate) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}
