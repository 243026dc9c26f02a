//! What a word on the command line means in a verified ORG: the exact name, else the id.

use std::collections::BTreeSet;
use std::str::FromStr;

use keyward_crypto::state::org::{Agent, Deployment, Group, Identity, KeyEntry, Org};
use keyward_wire::KeyId;
use keyward_wire::api::IdentityKind;
use keyward_wire::name::{Email, Name};

use crate::fault::{Code, Fault, typed};
use crate::text::list;
use crate::vault::mapping_file;

/// The key of this name or id.
///
/// # Errors
/// [`Code::NotFound`](crate::fault::Code::NotFound), with the nearest name.
pub(crate) fn key<'a>(org: &'a Org, text: &str) -> anyhow::Result<&'a KeyEntry> {
    find("key", text, &org.keys, |key| (&key.name, key.id))
}

/// The group of this name or id.
///
/// # Errors
/// [`Code::NotFound`](crate::fault::Code::NotFound), with the nearest name.
pub(crate) fn group<'a>(org: &'a Org, text: &str) -> anyhow::Result<&'a Group> {
    find("group", text, &org.groups, |group| (&group.name, group.id))
}

/// The deployment of this name in `.keyward-deployment`, or of this name or id.
///
/// # Errors
/// [`Code::NotFound`](crate::fault::Code::NotFound), with the nearest name; or if that file cannot be understood, or says that the
/// exact name of a deployment means another one.
pub(crate) fn deployment<'a>(org: &'a Org, text: &str) -> anyhow::Result<&'a Deployment> {
    let mapped = mapping_file::find(text)?;
    let named =
        text.parse::<Name>().ok().and_then(|name| org.deployments.iter().find(|one| one.name == name));
    if let (Some(mapped), Some(named)) = (mapped, named)
        && mapped != named.id
    {
        // A file may come with whatever was cloned: what is changed must not be another one than the word says.
        let shown = typed(text, 100);
        let what = format!(
            "{shown} is a deployment, and .keyward-deployment says that another one is called so here"
        );
        return Err(Fault::new(Code::Policy, what).next("name the one that is meant by its id").into());
    }
    let wanted = mapped.map(|id| id.to_string());
    let wanted = wanted.as_deref().unwrap_or(text);
    find("deployment", wanted, &org.deployments, |deployment| (&deployment.name, deployment.id))
}

/// The identity of this name, e-mail address or id.
///
/// # Errors
/// [`Code::NotFound`](crate::fault::Code::NotFound), with the nearest name.
pub(crate) fn identity<'a>(org: &'a Org, text: &str) -> anyhow::Result<&'a Identity> {
    let named = |name: Name| org.identities.iter().find(|identity| identity.name == name);
    let addressed = |email: Email| {
        org.identities.iter().find(|identity| identity.email.as_ref().is_some_and(|own| *own == email))
    };
    let by_name = text.parse().ok().and_then(named);
    match by_name.or_else(|| text.parse().ok().and_then(addressed)) {
        Some(identity) => Ok(identity),
        None => find("identity", text, &org.identities, |identity| (&identity.name, identity.id)),
    }
}

/// The API user or gateway of this name or id.
///
/// # Errors
/// [`Code::NotFound`](crate::fault::Code::NotFound), with the nearest name.
pub(crate) fn api_user<'a>(org: &'a Org, text: &str) -> anyhow::Result<&'a Identity> {
    let users = org.identities.iter().filter(|identity| identity.kind != IdentityKind::Human);
    find("API user", text, users, |identity| (&identity.name, identity.id))
}

/// The gateway of this name or id; without one, the only gateway there is.
///
/// # Errors
/// [`Code::NotFound`](crate::fault::Code::NotFound), with the nearest name; a usage fault if there are several to choose from.
pub(crate) fn gateway_or_only<'a>(org: &'a Org, text: Option<&str>) -> anyhow::Result<&'a Identity> {
    let gateways = || org.identities.iter().filter(|identity| identity.kind == IdentityKind::Gateway);
    match (text, gateways().next(), gateways().nth(1)) {
        (_, None, _) => Err(Fault::new(Code::NotFound, "there is no gateway yet")
            .next("make one: keyward api-user create NAME --gateway --group GROUP")
            .into()),
        (Some(text), ..) => find("gateway", text, gateways(), |gateway| (&gateway.name, gateway.id)),
        (None, Some(only), None) => Ok(only),
        (None, Some(_), Some(_)) => {
            let names: Vec<&Name> = gateways().map(|gateway| &gateway.name).collect();
            let next = format!("name the one that serves it: --gateway ({})", list(&names));
            Err(Fault::usage("there are several gateways").next(next).into())
        }
    }
}

/// The agent of this name or id.
///
/// # Errors
/// [`Code::NotFound`](crate::fault::Code::NotFound), with the nearest name.
pub(crate) fn agent<'a>(org: &'a Org, text: &str) -> anyhow::Result<&'a Agent> {
    find("agent", text, &org.agents, |agent| (&agent.name, agent.id))
}

/// A member of a group.
pub(crate) enum Member<'a> {
    /// A person, API user or gateway.
    Identity(&'a Identity),
    /// A client of a gateway.
    Agent(&'a Agent),
}

/// The identity or agent of this name, e-mail address or id.
///
/// # Errors
/// [`Code::NotFound`](crate::fault::Code::NotFound), with the nearest name; a usage fault if it is the name of both.
pub(crate) fn member<'a>(org: &'a Org, text: &str) -> anyhow::Result<Member<'a>> {
    match (identity(org, text), agent(org, text)) {
        (Ok(identity), Ok(agent)) => {
            let what = format!("both an identity and an agent are named {}", agent.name);
            let next = format!("say which by its id: {} or {}", identity.id, agent.id);
            Err(Fault::usage(what).next(next).into())
        }
        (Ok(identity), Err(_)) => Ok(Member::Identity(identity)),
        (Err(_), Ok(agent)) => Ok(Member::Agent(agent)),
        (Err(_), Err(_)) => {
            let agents = org.agents.iter().map(|agent| agent.name.as_str());
            let names = org.identities.iter().map(|identity| identity.name.as_str()).chain(agents);
            Err(Fault::unknown("identity or agent", text, names).into())
        }
    }
}

/// The keys of these names or ids.
///
/// # Errors
/// [`Code::NotFound`](crate::fault::Code::NotFound), with the nearest name.
pub(crate) fn keys(org: &Org, texts: &[String]) -> anyhow::Result<BTreeSet<KeyId>> {
    texts.iter().map(|text| Ok(key(org, text)?.id)).collect()
}

/// The keys of these names or ids, out of `among`; `kind` says what those are, as `key of production`.
///
/// # Errors
/// [`Code::NotFound`](crate::fault::Code::NotFound), with the nearest name.
pub(crate) fn keys_among(
    org: &Org,
    kind: &str,
    texts: &[String],
    among: &BTreeSet<KeyId>,
) -> anyhow::Result<BTreeSet<KeyId>> {
    let candidates = || org.keys.iter().filter(|key| among.contains(&key.id));
    let one = |text: &String| find(kind, text, candidates(), |key| (&key.name, key.id)).map(|key| key.id);
    texts.iter().map(one).collect()
}

/// What `resolve` finds by this name or id; or the id itself, of something that may be gone by now.
///
/// # Errors
/// That of `resolve`, if the text is no id.
pub(crate) fn maybe_gone<I: FromStr>(
    text: Option<&str>,
    resolve: impl Fn(&str) -> anyhow::Result<I>,
) -> anyhow::Result<Option<I>> {
    text.map(|text| resolve(text).or_else(|unknown| text.parse().map_err(|_| unknown))).transpose()
}

fn find<'a, T: 'a, I: FromStr + PartialEq>(
    kind: &str,
    text: &str,
    all: impl IntoIterator<Item = &'a T, IntoIter: Clone>,
    facts: impl Fn(&'a T) -> (&'a Name, I),
) -> anyhow::Result<&'a T> {
    let all = all.into_iter();
    let named = |name: Name| all.clone().find(|one| *facts(one).0 == name);
    let numbered = |id: I| all.clone().find(|one| facts(one).1 == id);
    let found = text.parse().ok().and_then(named).or_else(|| text.parse().ok().and_then(numbered));
    found.ok_or_else(|| Fault::unknown(kind, text, all.clone().map(|one| facts(one).0.as_str())).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::code_of;

    fn groups() -> Vec<Group> {
        let group = |byte: u8, name: &str| Group {
            id: keyward_wire::id::Id::from_bytes([byte; 16]),
            name: name.parse().unwrap(),
        };
        vec![group(1, "developers"), group(2, "operators"), group(3, "é")]
    }

    fn at(text: &str) -> anyhow::Result<usize> {
        let groups = groups();
        let found = find("group", text, &groups, |group| (&group.name, group.id))?;
        Ok(groups.iter().position(|group| group == found).unwrap())
    }

    #[test]
    fn an_id_is_no_name_and_a_name_is_compared_in_its_normal_form() {
        assert_eq!(at("developers").unwrap(), 0);
        assert_eq!(at("01010101-0101-0101-0101-010101010101").unwrap(), 0);
        assert_eq!(at("02020202-0202-0202-0202-020202020202").unwrap(), 1);
        assert_eq!(at("e\u{301}").unwrap(), 2);
    }

    #[test]
    fn what_is_not_there_is_named_with_what_is_near() {
        let error = at("develpers").unwrap_err();
        assert_eq!(code_of(&error), Code::NotFound);
        assert!(error.to_string().contains("did you mean developers?"), "{error}");
        assert_eq!(code_of(&at("").unwrap_err()), Code::NotFound);
        assert_eq!(code_of(&at("Developers").unwrap_err()), Code::NotFound);
    }

    #[test]
    fn what_is_gone_can_be_asked_for_by_its_id() {
        let gone = "482bd7d9-38e0-4568-99be-6ae3a44d48a2";
        let unknown = |_: &str| Err(Fault::usage("unknown").into());
        let by_id = maybe_gone::<KeyId>(Some(gone), unknown).unwrap();
        assert_eq!(by_id.unwrap().to_string(), gone);
        assert!(maybe_gone::<KeyId>(Some("STRIPE"), unknown).is_err());
        assert_eq!(maybe_gone::<KeyId>(None, unknown).unwrap(), None);
    }
}
