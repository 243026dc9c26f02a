//! Guards in front of the HTTP/1.1 parsers on both sides: bytes that can be read in two ways do not reach the parsers.
//!
//! hyper refuses much by itself and quietly repairs the rest, as it should for a server of its own: of `Content-Length` beside
//! `Transfer-Encoding` it drops one, a bare line feed ends a line, a fragment is cut from a target. But a gateway sits between
//! two parsers, and the other one may read differently what hyper repairs. So the bytes of every head and of every chunk's frame
//! are checked first, and only the one plain form goes on.

pub(crate) mod answer;
mod chunk;
pub(crate) mod gate;
pub(crate) mod head;
pub(crate) mod request;
