//! The gateway on real sockets: an agent in front of it, upstreams that do what they like behind it, and a source of secrets in
//! memory. What a test is called is what it claims; the letter and number are the row of the list of attacks.

#![expect(
    clippy::disallowed_methods,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "a test: the clock is the clock, and what fails is the test"
)]

mod agent;
mod answers;
mod destination;
mod limits;
mod live;
mod protocols;
mod shapes;
mod source;
mod upstream;
mod ways;
mod websocket;
mod world;
