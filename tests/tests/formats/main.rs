//! What `env-file --format` writes, read by those who read it: real programs where they can be installed, else the reading
//! rules of the program, written down again here from its documentation and source.
//!
//! | format | read here by |
//! |---|---|
//! | dotenv | python-dotenv, dotenv for Node, our own importer; compose's rules |
//! | json, yaml | Python, Node; PyYAML, yaml and js-yaml |
//! | docker | the docker command line, with a socket in the place of its daemon |
//! | systemd | systemd, as the first process of a namespace |
//! | fish | fish |
//! | github-actions | the runner's rules |
//! | powershell | PowerShell's rules |

#![expect(
    clippy::unwrap_used,
    clippy::string_slice,
    reason = "a test's helpers: a failure is the test's failure"
)]

mod batch;
mod command;
mod compose;
mod docker;
mod dotenv;
mod fish;
mod github;
mod powershell;
mod structured;
mod systemd;
mod values;
