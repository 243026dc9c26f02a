//! What a client needs before it can derive a password's key. An e-mail address that nobody has gets an answer too: of the same
//! shape, and always the same one (CRYPTO.md §2.12 S11).

use keyward_wire::api::auth::PreloginAnswer;
use keyward_wire::name::Email;
use keyward_wire::{CredentialId, Salt, Sha256};
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

/// Credential and salt of the e-mail's password, or made-up ones that look the same.
pub(crate) async fn prelogin(
    tx: &mut Tx,
    secret: &PreloginSecret,
    email: &Email,
) -> Result<PreloginAnswer, StoreError> {
    let invented = (
        CredentialId::from_bytes(as_uuid_v4(secret.derive(b"cred", email))),
        Salt::from_bytes(secret.derive(b"salt", email)),
    );
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
        let cred = as_uuid_v4(secret.derive(b"cred", &email));
        assert_eq!(cred, as_uuid_v4(secret.derive(b"cred", &email)));
        assert_ne!(cred, secret.derive(b"salt", &email));
        assert_ne!(cred, as_uuid_v4(PreloginSecret::new([8; 32]).derive(b"cred", &email)));
        let text = CredentialId::from_bytes(cred).to_string();
        assert_eq!(text.as_bytes()[14], b'4');
        assert!(b"89ab".contains(&text.as_bytes()[19]), "{text}");
    }
}
