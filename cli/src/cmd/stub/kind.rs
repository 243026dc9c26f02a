//! The programs, and the files of each.

use clap::ValueEnum;
use keyward_wire::rule::Authority;

use super::file::File;
use super::{aws, claude_code, codex, docker, github_cli, google, netrc, npmrc};

/// A program that keeps its credential in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Kind {
    /// Gmail's MCP server (@gongrzhe/server-gmail-autoauth-mcp)
    Gmail,
    /// Google Calendar's MCP server (@cocal/google-calendar-mcp)
    GoogleCalendar,
    /// gh
    GithubCli,
    /// OpenAI's Codex, with an API key
    Codex,
    /// Claude Code, with a subscription's token
    ClaudeCode,
    /// curl, git and others that read ~/.netrc
    Netrc,
    /// npm
    Npmrc,
    /// Docker's command line, and others that read its file
    Docker,
    /// AWS' command line and libraries
    Aws,
}

impl Kind {
    /// The files of the kind. `hosts` is empty unless the kind [names hosts](Self::names_hosts).
    pub(super) fn files(self, hosts: &[Authority]) -> Vec<File> {
        match self {
            Self::Gmail => google::gmail(),
            Self::GoogleCalendar => google::calendar(),
            Self::GithubCli => github_cli::files(),
            Self::Codex => codex::files(),
            Self::ClaudeCode => claude_code::files(),
            Self::Netrc => netrc::files(hosts),
            Self::Npmrc => npmrc::files(hosts),
            Self::Docker => docker::files(hosts),
            Self::Aws => aws::files(),
        }
    }

    /// Whether its file has a credential for each host.
    pub(super) fn names_hosts(self) -> bool {
        matches!(self, Self::Netrc | Self::Npmrc | Self::Docker)
    }

    /// What else the program needs. `usual`: no hosts were named.
    pub(super) fn advice(self, usual: bool) -> Option<&'static str> {
        match self {
            Self::Docker if usual => Some(docker::ADVICE),
            Self::GoogleCalendar => Some(google::CALENDAR_ADVICE),
            Self::Aws => Some(aws::ADVICE),
            _ => None,
        }
    }
}
