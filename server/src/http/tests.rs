//! The server as a client sees it, on SQLite, without a socket. Both engines and real sockets: the `tests` package.

mod again;
mod agents;
mod data;
mod leaks;
mod limits;
mod recovery;
mod routes;
mod signing_in;
mod timing;
mod wiping;
mod world;
