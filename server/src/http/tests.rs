//! The server as a client sees it, on SQLite, without a socket. Both engines and real sockets: the `tests` package.

mod routes;
mod signing_in;
