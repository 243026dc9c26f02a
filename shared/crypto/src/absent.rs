//! Proof at compile time that a type lacks a trait.

/// Fails to compile if the type has one of the traits: a key that can be printed, copied or serialised by accident is a
/// leak waiting for its caller.
macro_rules! assert_absent {
    ($type:ty: $($name:path),+) => {$(
        // If the type has the trait, both impls below apply and the path is ambiguous.
        const _: fn() = || {
            trait Ambiguous<A> {
                fn item() {}
            }
            impl<T: ?Sized> Ambiguous<()> for T {}
            struct HasTheTrait;
            impl<T: ?Sized + $name> Ambiguous<HasTheTrait> for T {}
            let _ = <$type as Ambiguous<_>>::item;
        };
    )+};
}

/// [`assert_absent`] for all traits that a secret must not have.
macro_rules! assert_secret {
    ($($type:ty),+ $(,)?) => {$(
        $crate::absent::assert_absent!(
            $type: std::fmt::Debug, std::fmt::Display, serde::Serialize, Clone, PartialEq, AsRef<[u8]>
        );
    )+};
}

pub(crate) use {assert_absent, assert_secret};
