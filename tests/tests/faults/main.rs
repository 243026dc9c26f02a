//! What breaks in the world breaks nothing here: servers killed, disks full, databases gone, clients cut off, admins who all
//! write at once. Whatever was acknowledged stays, and nothing is half there.

#![expect(clippy::unwrap_used, reason = "a test's helpers: a failure is the test's failure")]

mod admin;
mod client;
mod crowd;
mod database;
mod disk;
mod killed;
mod memory;
mod several;

use keyward_crypto::random_bytes;

/// A random number between 0 and 1, for moments that nobody chose.
fn random_fraction() -> f64 {
    f64::from(u32::from_le_bytes(random_bytes())) / f64::from(u32::MAX)
}
