//! What a client needs before it can derive a password's key. An e-mail address that nobody has gets an answer too: of the same
//! shape, and always the same one (CRYPTO.md §2.12 S11).

use keyward_wire::api::auth::PreloginAnswer;
use keyward_wire::api::credentials::NewCredential;
use keyward_wire::name::Email;
use keyward_wire::{CredentialId, Salt, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::store::{StoreError, Tx};

/// The secret behind the answers for unknown addresses: 32 random bytes that never leave the server.
#[derive(Clone)]
pub(crate) struct PreloginSecret([u8; 32]);

impl PreloginSecret {
    /// The secret of these bytes.
    pub(crate) fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The setup code: the first 20 bytes of `SHA-256(secret ‖ "setup")`. No tag of an e-mail's answer begins like that.
    pub(crate) fn setup_code(&self) -> Zeroizing<[u8; 20]> {
        let hash = Sha256::of_parts(&[&self.0, b"setup"]);
        let (code, _) = hash.as_bytes().split_at(20);
        Zeroizing::new(code.try_into().expect("20 of 32 bytes"))
    }

    /// The first 16 bytes of `SHA-256(secret ‖ tag ‖ email)`.
    fn derive(&self, tag: &[u8], email: &Email) -> [u8; 16] {
        let hash = Sha256::of_parts(&[&self.0, tag, email.as_str().as_bytes()]);
        let (half, _) = hash.as_bytes().split_at(16);
        half.try_into().expect("16 of 32 bytes")
    }
}

impl PreloginSecret {
    /// The credential of an e-mail that nobody has. The last 6 bytes tell this server that it is one.
    fn invented(&self, email: &Email) -> CredentialId {
        let mut bytes = as_uuid_v4(self.derive(b"cred", email));
        let (start, end) = bytes.split_at_mut(10);
        end.copy_from_slice(&self.mark(start));
        CredentialId::from_bytes(bytes)
    }

    /// Refuses credentials with the id that an e-mail has that nobody has, as if somebody had: whoever tries which ids are taken
    /// is not told which e-mails there are. One random id in 2^48 is refused, too.
    pub(crate) fn check_free(&self, credentials: &[NewCredential]) -> Result<(), StoreError> {
        let taken = credentials.iter().any(|new| self.is_invented(new.id));
        if taken { Err(StoreError::Taken) } else { Ok(()) }
    }

    fn is_invented(&self, credential: CredentialId) -> bool {
        let (start, end) = credential.as_bytes().split_at(10);
        self.mark(start).ct_eq(end).into()
    }

    /// First 6 bytes of `SHA-256(secret ‖ "invented" ‖ start)`.
    fn mark(&self, start: &[u8]) -> [u8; 6] {
        let hash = Sha256::of_parts(&[&self.0, b"invented", start]);
        let (mark, _) = hash.as_bytes().split_at(6);
        mark.try_into().expect("6 of 32 bytes")
    }
}

/// Credential and salt of the e-mail's password, or made-up ones that look the same.
pub(crate) async fn prelogin(
    tx: &mut Tx,
    secret: &PreloginSecret,
    email: &Email,
) -> Result<PreloginAnswer, StoreError> {
    let invented = (secret.invented(email), Salt::from_bytes(secret.derive(b"salt", email)));
    let (cred, salt) = tx.password_of(email).await?.unwrap_or(invented);
    Ok(PreloginAnswer { cred, suite: keyward_wire::envelope::SUITE, salt })
}

/// Sets the bits of a version 4 UUID, as clients do for their ids: an id without them would give the answer away.
fn as_uuid_v4(mut bytes: [u8; 16]) -> [u8; 16] {
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invented_answer_is_stable_and_looks_like_a_real_one() {
        let (secret, email) = (PreloginSecret::new([7; 32]), "nobody@example.com".parse::<Email>().unwrap());
        let (cred, other) = (secret.invented(&email), PreloginSecret::new([8; 32]));
        assert_eq!(cred, secret.invented(&email));
        assert_ne!(*cred.as_bytes(), secret.derive(b"salt", &email));
        assert_ne!(cred, other.invented(&email));
        assert!(secret.is_invented(cred) && !other.is_invented(cred));
        assert!(!secret.is_invented(CredentialId::from_bytes(as_uuid_v4([9; 16]))));
        let text = cred.to_string();
        assert_eq!(text.as_bytes()[14], b'4');
        assert!(b"89ab".contains(&text.as_bytes()[19]), "{text}");
    }
}
