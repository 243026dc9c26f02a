//! Which argument takes the name of which kind of thing.

use std::ffi::OsStr;

use clap::{Arg, Command};
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate};
use keyward_wire::provider;

use super::live::{Kind, Live};

/// The command line with live names behind its arguments. An argument's id says what it takes, so that a new command's
/// need no entry anywhere.
pub(super) fn attach(command: Command, live: &Live) -> Command {
    let name = command.get_name().to_owned();
    walk(command, &name, live)
}

fn walk(command: Command, path: &str, live: &Live) -> Command {
    let command = command.mut_args(|arg| match kind(path, &arg) {
        Some(kind) => {
            let live = live.clone();
            arg.add(ArgValueCompleter::new(move |typed: &OsStr| matching(&live, kind, typed)))
        }
        None if takes_provider(path, &arg) => arg.add(ArgValueCompleter::new(providers)),
        None => arg,
    });
    command.mut_subcommands(|inner| {
        let path = format!("{path} {}", inner.get_name());
        walk(inner, &path, live)
    })
}

fn kind(path: &str, arg: &Arg) -> Option<Kind> {
    match (path, arg.get_id().as_str()) {
        (_, "deployment" | "map") => Some(Kind::Deployment),
        ("keyward deployment unmap", "keys") => Some(Kind::Mapped),
        (_, "tags") | ("keyward key tag", "add" | "remove") => Some(Kind::Tag),
        (_, "set") => Some(Kind::Set),
        (_, "key" | "keys" | "exclude") => Some(Kind::Key),
        (_, "group") => Some(Kind::Group),
        ("keyward access" | "keyward group add" | "keyward group remove", "identity") => Some(Kind::Member),
        (_, "identity") => Some(Kind::Identity),
        (_, "agent") => Some(Kind::Agent),
        ("keyward agent create" | "keyward agent list", "gateway") => Some(Kind::Gateway),
        ("keyward api-user rotate" | "keyward api-user revoke", "name") => Some(Kind::ApiUser),
        _ => None,
    }
}

/// Providers are known without asking a server.
fn takes_provider(path: &str, arg: &Arg) -> bool {
    matches!((path, arg.get_id().as_str()), (_, "into") | ("keyward provider show", "provider"))
}

fn providers(typed: &OsStr) -> Vec<CompletionCandidate> {
    let Some(typed) = typed.to_str() else { return Vec::new() };
    provider::all()
        .map(|provider| provider.name)
        .filter(|name| name.starts_with(typed))
        .map(CompletionCandidate::new)
        .collect()
}

fn matching(live: &Live, kind: Kind, typed: &OsStr) -> Vec<CompletionCandidate> {
    let Some(typed) = typed.to_str() else { return Vec::new() };
    live.names(kind).iter().filter(|name| name.starts_with(typed)).map(CompletionCandidate::new).collect()
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::cmd::Cli;

    /// Every argument that takes names, as a list to read.
    #[test]
    fn every_argument_that_names_something_is_known() {
        fn gather(command: &Command, path: &str, into: &mut Vec<String>) {
            for arg in command.get_arguments() {
                if let Some(kind) = kind(path, arg) {
                    into.push(format!("{path} {}: {kind:?}", arg.get_id()));
                }
            }
            for inner in command.get_subcommands() {
                gather(inner, &format!("{path} {}", inner.get_name()), into);
            }
        }
        let mut known = Vec::new();
        gather(&Cli::command(), "keyward", &mut known);
        for wanted in [
            "keyward run deployment: Deployment",
            "keyward deployment env-file deployment: Deployment",
            "keyward deployment map keys: Key",
            "keyward deployment unmap keys: Mapped",
            "keyward key list tags: Tag",
            "keyward key list set: Set",
            "keyward key create tags: Tag",
            "keyward key set set: Set",
            "keyward key tag add: Tag",
            "keyward key tag remove: Tag",
            "keyward key get key: Key",
            "keyward key import map: Deployment",
            "keyward group assign exclude: Key",
            "keyward group add identity: Member",
            "keyward api-user create group: Group",
            "keyward api-user revoke name: ApiUser",
            "keyward access identity: Member",
            "keyward agent create gateway: Gateway",
            "keyward agent create group: Group",
            "keyward agent grant agent: Agent",
            "keyward agent grant keys: Key",
            "keyward audit list key: Key",
            "keyward pin identity: Identity",
        ] {
            assert!(known.iter().any(|known| known == wanted), "{wanted} is missing of {known:#?}");
        }
        let free = |name: &str| known.iter().any(|known| known.starts_with(name));
        assert!(
            !free("keyward key create name")
                && !free("keyward deployment create")
                && !free("keyward group create")
                && !known.iter().any(|known| known.starts_with("keyward api-user create gateway"))
        );
    }
}
