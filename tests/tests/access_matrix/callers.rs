//! The callers.

use keyward_wire::api::credentials::CredentialKind;

/// A column of the matrix.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Who {
    /// Head of the column.
    pub(crate) short: &'static str,
    /// The description of the caller.
    pub(crate) long: &'static str,
    /// The person whose credential the caller uses.
    pub(crate) person: Person,
    /// How the caller uses the credential.
    pub(crate) proof: Proof,
}

/// Somebody of the land.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Person {
    Nobody,
    /// An API user that was removed while it was signed in.
    Gone,
    /// The owner of another organisation on the same server.
    Foreigner,
    /// An API user with role viewer.
    Viewer,
    /// An API user with role user.
    User,
    /// A gateway in the group.
    Gateway,
    /// A human viewer.
    Human,
    Admin,
    Owner,
}

/// The proof that a request carries.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Proof {
    None,
    /// The credential itself.
    InRequest(CredentialKind),
    /// A session that was made with it just now.
    Session(CredentialKind),
    /// A session that was made with it more than ten minutes ago.
    OldSession(CredentialKind),
}

impl Proof {
    /// The kind of the caller's credential.
    pub(crate) fn kind(self) -> Option<CredentialKind> {
        match self {
            Self::None => None,
            Self::InRequest(kind) | Self::Session(kind) | Self::OldSession(kind) => Some(kind),
        }
    }
}

/// Every column.
pub(crate) const WHO: [Who; 16] = {
    use CredentialKind::{Device, Password, Recovery, Token};
    use Person::{Admin, Foreigner, Gateway, Gone, Human, Nobody, Owner, User, Viewer};
    use Proof::{InRequest, OldSession, Session};
    [
        who("none", "nobody: no Authorization", Nobody, Proof::None),
        who("gone", "an API user that was removed while it was signed in", Gone, Session(Token)),
        who("other", "the owner of another organisation, by password", Foreigner, Session(Password)),
        who("proof", "an API user, viewer, by its token in the request", Viewer, InRequest(Token)),
        who("view", "the same in a session", Viewer, Session(Token)),
        who("user", "an API user, user, in a session", User, Session(Token)),
        who("gate", "a gateway, in a session", Gateway, Session(Token)),
        who("hdev", "a human viewer, by device", Human, Session(Device)),
        who("hpw", "the same by password", Human, Session(Password)),
        who("kit", "the owner by recovery kit", Owner, Session(Recovery)),
        who("kold", "the same, more than 10 minutes ago", Owner, OldSession(Recovery)),
        who("adev", "an admin by device", Admin, Session(Device)),
        who("apw", "the same by password", Admin, Session(Password)),
        who("odev", "the owner by device", Owner, Session(Device)),
        who("oold", "the same by password, more than 10 minutes ago", Owner, OldSession(Password)),
        who("opw", "the same by password, just now", Owner, Session(Password)),
    ]
};

const fn who(short: &'static str, long: &'static str, person: Person, proof: Proof) -> Who {
    Who { short, long, person, proof }
}
