//! Signals: those that ask keyward to end, those that it was started with as ignored, and that of the limit on the size of files.

pub mod file_limit;
pub mod ignored;
pub mod stop;
