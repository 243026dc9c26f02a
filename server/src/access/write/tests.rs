//! Each test is a claim about [`check`]; attackers' cases first in each file.

mod agents;
mod delta;
mod enrol;
mod honest;
mod random;
mod recovery;
mod rights;
mod secrets;
mod views;
mod world;

use super::check;
