//! Parts that every section uses.

pub mod effort;
pub mod http;
pub mod lab;
mod machine;
pub mod process;
pub mod report;
pub mod rounds;
pub mod stats;
