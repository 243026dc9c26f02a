//! The session: who the user is, and what this client keeps for that user.

pub mod config;
pub mod credential;
pub mod files;
pub mod home;
pub mod pending;
