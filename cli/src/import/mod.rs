//! Files of other tools in, named values out. Pure: bytes in, values out.

pub mod aws;
pub mod dotenv;
