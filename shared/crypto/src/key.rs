//! Keys: 32 bytes each, a type for each use, wiped when dropped (CRYPTO.md §2.4).
//!
//! No key can be printed, cloned, compared or serialised. What a key may seal follows from the functions that take its type; what
//! it did seal, from the [context](crate::Context).

use zeroize::Zeroizing;

use crate::absent::assert_secret;
use crate::random::random_key;

/// A key that can [`seal`](crate::seal) and [`open`](crate::open). Only the types of this module implement this.
pub trait Key: material::Material {}

pub(crate) mod material {
    use zeroize::Zeroizing;

    /// The bytes of a key, for this crate only.
    #[expect(unnameable_types, reason = "seals the trait Key")]
    pub trait Material {
        /// The key's 32 bytes.
        fn bytes(&self) -> &[u8; 32];

        /// The key of these 32 bytes.
        fn from_zeroizing(bytes: Zeroizing<[u8; 32]>) -> Self;
    }
}

macro_rules! keys {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        pub struct $name(Zeroizing<[u8; 32]>);

        impl $name {
            /// A fresh random key.
            pub fn generate() -> Self {
                Self(random_key())
            }

            /// The key of these 32 bytes.
            pub fn from_bytes(bytes: Zeroizing<[u8; 32]>) -> Self {
                Self(bytes)
            }

            /// A second copy of the key. Not `Clone`, so that each copy is visible in the code.
            #[must_use]
            pub fn duplicate(&self) -> Self {
                Self(Zeroizing::new(*self.0))
            }
        }

        impl material::Material for $name {
            fn bytes(&self) -> &[u8; 32] {
                &self.0
            }

            fn from_zeroizing(bytes: Zeroizing<[u8; 32]>) -> Self {
                Self(bytes)
            }
        }

        impl Key for $name {}

        assert_secret!($name);
    )*};
}

keys! {
    /// IK_x: an identity's own key. Random at each enrolment; known to the identity, to whoever enrolled it, and to owners.
    IdentityKey;
    /// RK: the organisation's root key, known to owners and in the recovery kit.
    RootKey;
    /// OK_e: the key that opens ORG in epoch e; known to owners and the admins of e.
    OrgKey;
    /// DK(x,e): the delivery key, under which admins of epoch e seal for one identity; derived from the identity's IK.
    DeliveryKey;
    /// VK: the key that opens one build of one view.
    ViewKey;
    /// DEK: the key that opens one version of one secret, between two reseals.
    DataKey;
    /// unlock_c: the key that opens CRED or RECOVERY of one credential; it never leaves the client.
    UnlockKey;
}

#[cfg(test)]
mod tests {
    use super::material::Material as _;
    use super::*;

    #[test]
    fn generated_keys_differ_and_a_duplicate_does_not() {
        let key = DataKey::generate();
        assert_eq!(key.bytes(), key.duplicate().bytes());
        assert_ne!(key.bytes(), DataKey::generate().bytes());
    }
}
