use std::fmt::Write as _;

use keyward_wire::api::IdentityKind;

use super::*;
use crate::access::{FRESH_MS, Session};

const NOW: i64 = 1_800_000_000_000;
const OWN: CredentialId = CredentialId::from_bytes([7; 16]);
const OTHER: CredentialId = CredentialId::from_bytes([8; 16]);

fn actor(role: Role, credential_kind: CredentialKind, signed_in_at: Option<i64>) -> Actor {
    Actor {
        org: OrgId::from_bytes([1; 16]),
        identity: IdentityId::from_bytes([2; 16]),
        kind: IdentityKind::Human,
        role,
        credential: OWN,
        credential_kind,
        session: signed_in_at.map(|signed_in_at| Session { signed_in_at }),
    }
}

#[test]
fn the_role_table_is_this_one() {
    use CredentialKind::{Device, Link, Password, Recovery, Token};
    let actions = [
        ("ReadMe", Action::ReadMe),
        ("EndOwnSession", Action::EndOwnSession),
        ("ReadOwnBundle", Action::ReadOwnBundle),
        ("ReadOwnAgents", Action::ReadOwnAgents),
        ("ListOwnCredentials", Action::ListOwnCredentials),
        ("AddOwn password", Action::AddOwnCredential(Password)),
        ("AddOwn device", Action::AddOwnCredential(Device)),
        ("AddOwn recovery", Action::AddOwnCredential(Recovery)),
        ("AddOwn token", Action::AddOwnCredential(Token)),
        ("AddOwn link", Action::AddOwnCredential(Link)),
        ("DropOwn other", Action::DropOwnCredential(OTHER, Device)),
        ("DropOwn password", Action::DropOwnCredential(OTHER, Password)),
        ("DropOwn recovery", Action::DropOwnCredential(OTHER, Recovery)),
        ("ReadOrg", Action::ReadOrg),
        ("WriteOrg", Action::WriteOrg),
        ("ReadSecrets", Action::ReadSecrets),
        ("ReadEscrow", Action::ReadEscrow),
        ("ReadIdentities", Action::ReadIdentities),
        ("ReadAudit", Action::ReadAudit),
        ("ReadRecovery", Action::ReadRecovery),
        ("Recover", Action::Recover),
    ];
    let (fresh, stale) = (Some(NOW - FRESH_MS), Some(NOW - FRESH_MS - 1));
    let sessions = [
        (Password, fresh),
        (Password, stale),
        (Device, fresh),
        (Token, fresh),
        (Link, fresh),
        (Recovery, fresh),
        (Recovery, stale),
        (Token, None),
        (Device, None),
        (Password, None),
    ];
    let mut table = HEAD.to_owned();
    let said = |role, action: &dyn Fn(CredentialKind) -> Action| {
        let words = sessions.map(|(kind, signed_in_at)| {
            match permit(&actor(role, kind, signed_in_at), action(kind), NOW) {
                Ok(_) => "yes ",
                Err(Refusal::PasswordNeeded) => "pw  ",
                Err(_) => "-   ",
            }
        });
        words.concat().trim_end().to_owned()
    };
    for role in [Role::Owner, Role::Admin, Role::User, Role::Viewer] {
        for (name, action) in actions {
            writeln!(table, "{:7}{name:19}{}", role.as_str(), said(role, &|_| action)).unwrap();
        }
        let this = said(role, &|kind| Action::DropOwnCredential(OWN, kind));
        writeln!(table, "{:7}{:19}{this}", role.as_str(), "DropOwn this").unwrap();
    }
    assert!(table == include_str!("table.txt"), "the table has become\n{table}");
}

/// A column for each session, as its credential; the last three are one-request forms.
const HEAD: &str = "\
# yes, pw = Refusal::PasswordNeeded, - = Refusal::Forbidden
# password 10 min old, older; device; token; link; recovery 10 min old, older; in one request: token, device, password
";

/// The table is of people and API users; gateways differ from these in one line.
#[test]
fn only_a_gateway_reads_its_agents_and_only_in_a_session_that_works() {
    use CredentialKind::{Device, Link, Recovery, Token};
    let gateway = |kind, at| Actor { kind: IdentityKind::Gateway, ..actor(Role::Viewer, kind, at) };
    for (actor, allowed) in [
        (gateway(Token, Some(NOW)), true),
        (gateway(Device, Some(NOW)), true),
        (gateway(Token, None), false),
        (gateway(Link, Some(NOW)), false),
        (gateway(Recovery, Some(NOW)), false),
        (Actor { kind: IdentityKind::Api, ..gateway(Token, Some(NOW)) }, false),
        (actor(Role::Owner, CredentialKind::Password, Some(NOW)), false),
    ] {
        assert_eq!(permit(&actor, Action::ReadOwnAgents, NOW).is_ok(), allowed, "{actor:?}");
    }
}

#[test]
fn a_permit_says_whose_it_is_and_for_what() {
    let permit =
        permit(&actor(Role::Owner, CredentialKind::Device, Some(NOW)), Action::ReadOrg, NOW).unwrap();
    assert_eq!(permit.org(), OrgId::from_bytes([1; 16]));
    assert_eq!(permit.identity(), IdentityId::from_bytes([2; 16]));
    assert_eq!(permit.action(), Action::ReadOrg);
}
