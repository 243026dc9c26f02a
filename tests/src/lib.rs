//! What the black-box tests share. The programs are the real ones, on real sockets; nothing here is a mock.
//!
//! | module | holds |
//! |---|---|
//! | [`authority`] | certificates for one test |
//! | [`server`] | `keyward-server` on a free port, on SQLite or a fresh PostgreSQL database |
//! | [`machine`] | a machine with nothing but `keyward` and an empty home |
//! | [`terminal`] | a terminal, and somebody at it |
//! | [`world`] | an organisation: an owner, two keys for an agent, and one it must never see |
//! | [`http`] | requests by hand |
//! | [`liar`] | a server's man in the middle |
//! | [`insider`] | what an owner can do by hand |
//! | [`leak`] | looking for secrets where they must not be |
//! | [`forge`] | bundles that are authentic but hostile |
//! | [`relay`] | a wire that can be cut, and a balancer |
//! | [`tools`] | programs of other people: Python and npm packages |

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test's tools: a failure is the test's failure, files and variables are its own"
)]

pub mod authority;
mod database;
pub mod forge;
pub mod http;
pub mod insider;
pub mod leak;
pub mod liar;
pub mod machine;
pub mod relay;
pub mod server;
pub mod terminal;
pub mod tools;
pub mod world;

/// Each function becomes two tests, one for each database engine: `sqlite::name` and `postgres::name`.
#[macro_export]
macro_rules! engines {
    ($($(#[$meta:meta])* fn $name:ident($engine:ident) $body:block)+) => {
        $($(#[$meta])* fn $name($engine: $crate::server::Engine) $body)+

        mod sqlite {
            $(#[test]
            fn $name() {
                super::$name($crate::server::Engine::Sqlite);
            })+
        }

        mod postgres {
            $(#[test]
            fn $name() {
                super::$name($crate::server::Engine::Postgres);
            })+
        }
    };
}
