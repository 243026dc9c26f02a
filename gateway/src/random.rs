//! The operating system's randomness.

use rand::TryRng as _;
use rand::rngs::SysRng;
use zeroize::Zeroizing;

/// `N` random bytes. Without randomness nothing here is safe, so its failure ends the program.
pub(crate) fn bytes<const N: usize>() -> Zeroizing<[u8; N]> {
    let mut bytes = Zeroizing::new([0; N]);
    SysRng.try_fill_bytes(&mut *bytes).expect("the operating system gives random bytes");
    bytes
}
