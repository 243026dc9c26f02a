//! In front of the HTTP/1.1 parsers on both sides: what could be read in two ways does not reach them.
//!
//! hyper refuses much by itself and quietly mends the rest, as it should for a server of its own: of `Content-Length` beside
//! `Transfer-Encoding` it drops one, a bare line feed ends a line, a fragment is cut from a target. A gateway sits between two
//! parsers, and what one mends the other may read differently. So the bytes of every head and of every chunk's frame are looked
//! at first, and only the one plain form goes on.

pub(crate) mod answer;
mod chunk;
pub(crate) mod gate;
pub(crate) mod head;
pub(crate) mod request;
