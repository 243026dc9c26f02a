//! Names for the ids that the audit log speaks of: the server knows none.

use std::collections::BTreeMap;

use keyward_crypto::state::org::Org;
use keyward_wire::IdentityId;

use crate::fault::printable;

/// Most objects of an entry that a table shows.
const SHOWN: usize = 5;

/// Most characters that are shown of what stands beside an id.
const PART: usize = 50;

/// Names of things by their ids, from ORG.
pub(super) struct Names(BTreeMap<String, String>);

impl Names {
    /// The names of everything in ORG.
    pub(super) fn of(org: &Org) -> Self {
        let mut names = BTreeMap::new();
        let mut add = |id: String, name: String| names.insert(id, name);
        org.identities
            .iter()
            .for_each(|identity| drop(add(identity.id.to_string(), identity.name.to_string())));
        org.groups.iter().for_each(|group| drop(add(group.id.to_string(), group.name.to_string())));
        org.keys.iter().for_each(|key| drop(add(key.id.to_string(), key.name.to_string())));
        for deployment in &org.deployments {
            add(deployment.id.to_string(), deployment.name.to_string());
            for mapping in &deployment.mappings {
                add(mapping.id.to_string(), mapping.env.to_string());
            }
        }
        org.agents.iter().for_each(|agent| drop(add(agent.id.to_string(), agent.name.to_string())));
        for view in &org.views {
            if let Some(gateway) = view.gateway.and_then(|gateway| org.identity(gateway)) {
                add(view.id.to_string(), format!("of {}", gateway.name));
                continue;
            }
            let groups = view.groups.iter().filter_map(|group| org.group(*group));
            let groups: Vec<_> = groups.map(|group| group.name.as_str()).collect();
            add(
                view.id.to_string(),
                if groups.is_empty() { "(no group)".to_owned() } else { groups.join("+") },
            );
        }
        Self(names)
    }

    /// Somebody's name.
    pub(super) fn identity(&self, id: IdentityId) -> Option<&str> {
        self.0.get(&id.to_string()).map(String::as_str)
    }

    /// Name of an object such as `key:<id>` or `view:<id>@<seq>`.
    pub(super) fn object(&self, object: &str) -> Option<&str> {
        self.0.get(parts(object)?.1).map(String::as_str)
    }

    /// Objects with names for ids, where there are names; not more than a table has room for.
    pub(super) fn objects(&self, objects: &[String]) -> String {
        let mut shown: Vec<String> = objects.iter().take(SHOWN).map(|object| self.named(object)).collect();
        if let Some(more) = objects.len().checked_sub(SHOWN).filter(|more| *more > 0) {
            shown.push(format!("and {more} more"));
        }
        shown.join(", ")
    }

    fn named(&self, object: &str) -> String {
        match (parts(object), self.object(object)) {
            (Some((kind, _, rest)), Some(name)) => {
                format!("{} {name}{}", printable(kind, PART), printable(rest, PART))
            }
            _ => printable(object, 100),
        }
    }
}

/// `kind:id@rest` in its parts; the last with its `@`, or empty.
fn parts(object: &str) -> Option<(&str, &str, &str)> {
    let (kind, rest) = object.split_once(':')?;
    let end = rest.find('@').unwrap_or(rest.len());
    let (id, rest) = rest.split_at(end);
    Some((kind, id, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::SampleOrg;

    #[test]
    fn ids_have_the_names_that_the_organisation_gives_them() {
        let sample = SampleOrg::new();
        let names = Names::of(&sample.org());
        let objects =
            [format!("key:{}@3", sample.alpha), format!("deployment:{}", sample.backup), "org@7".to_owned()];
        assert_eq!(names.objects(&objects), "key ALPHA@3, deployment backup, org@7");
        assert_eq!(names.identity(sample.agent), Some("agent"));
        assert_eq!(names.object("org@7"), None);
    }

    #[test]
    fn what_stands_beside_a_known_id_is_the_servers_text_and_shown_inert() {
        let sample = SampleOrg::new();
        let names = Names::of(&sample.org());
        let object = format!("\u{1b}[2Jkey:{}@3\r\u{202e}\n", sample.alpha);
        assert_eq!(names.objects(&[object]), "\u{fffd}[2Jkey ALPHA@3\u{fffd}\u{fffd}\u{fffd}");
        let long = format!("{}:{}@{}", "k".repeat(60), sample.alpha, "9".repeat(60));
        assert_eq!(names.objects(&[long]), format!("{}… ALPHA@{}…", "k".repeat(50), "9".repeat(49)));
    }

    #[test]
    fn what_has_no_name_is_shown_inert_and_what_is_too_much_is_counted() {
        let names = Names::of(&SampleOrg::new().org());
        assert_eq!(names.objects(&["route:GET \u{1b}[31m".to_owned()]), "route:GET \u{fffd}[31m");
        let many: Vec<String> = (0..8).map(|n| format!("n:{n}")).collect();
        assert_eq!(names.objects(&many), "n:0, n:1, n:2, n:3, n:4, and 3 more");
        assert_eq!(names.objects(&many[..5]), "n:0, n:1, n:2, n:3, n:4");
    }
}
