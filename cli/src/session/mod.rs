//! Who the user is, and what this client keeps about it.

pub mod config;
pub mod credential;
pub mod files;
pub mod home;
pub mod prompt;
