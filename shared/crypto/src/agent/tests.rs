use keyward_wire::Sha256;

use super::*;
use crate::Token;
use crate::change::Draft;
use crate::fixture::{Sample, enrol_gateway, name};
use crate::state::cred::Cred;
use crate::state::view::ViewAgent;
use crate::verify::{Floors, verify_bundle};

/// A [`Sample`] with a gateway in both groups, and an agent `bot` of it in `web`, granted everything.
struct World {
    sample: Sample,
    gateway: Cred,
    bot: AgentId,
    credential: ProxyCredential,
}

impl World {
    fn new() -> Self {
        let mut sample = Sample::new();
        let rk = sample.organisation.root_key();
        let (web, ops) = (sample.web, sample.ops);
        let granted = [sample.alpha, sample.beta, sample.secret].into();
        let (token, (bot, credential)) = sample.organisation.write(|draft| {
            let token = enrol_gateway(draft, &rk, "edge", Some(ops));
            let gateway = draft.org.identities.last().unwrap().id;
            draft.org.add_member(web, gateway).unwrap();
            let new = NewAgent { name: name("bot"), gateway, groups: [web].into(), granted, not_after: None };
            (token, draft.org.add_agent(new).unwrap())
        });
        let gateway = sample.organisation.sign_in(&token);
        Self { sample, gateway, bot, credential }
    }

    fn write(&mut self, change: impl FnOnce(&mut Draft)) {
        self.sample.organisation.write(change);
    }

    /// The agents that the gateway's verified view lists.
    fn listed(&self) -> Vec<ViewAgent> {
        let organisation = &self.sample.organisation;
        let bundle = organisation.server.bundle(self.gateway.id);
        verify_bundle(&self.gateway, &bundle, &Floors::default(), organisation.now).unwrap().view.agents
    }

    /// Names of the keys that may be used for `bot`.
    fn usable(&self) -> Vec<String> {
        let org = self.sample.organisation.org();
        let listed = self.listed();
        let keys = listed.iter().find(|agent| agent.id == self.bot).into_iter().flat_map(|agent| &agent.keys);
        let mut names: Vec<_> = keys.map(|key| org.key(key.key).unwrap().name.to_string()).collect();
        names.sort();
        names
    }
}

#[test]
fn a_credential_has_the_form_of_a_token_and_is_none() {
    let credential = ProxyCredential::generate(AgentId::from_bytes([7; 16]));
    let text = credential.encode();
    let parts: Vec<usize> = text.split('_').map(str::len).collect();
    assert_eq!(parts, [4, 26, 52, 6]);
    assert!(text.starts_with("kwp1_a4dqobyha4dqobyha4dqobyha4_"), "{}", text.chars().count());
    assert_eq!(credential.sha256(), Sha256::of(text.as_bytes()));
    let error = Token::parse(&text).err().unwrap();
    assert!(error.to_string().starts_with("not a token"), "{error}");
    assert_ne!(credential.sha256(), ProxyCredential::generate(AgentId::from_bytes([7; 16])).sha256());
}

#[test]
fn an_agent_is_known_by_its_credential_to_the_letter() {
    let world = World::new();
    let (agents, text) = (world.listed(), world.credential.encode());
    assert_eq!(shown_by(&text, &agents).map(|agent| agent.id), Some(world.bot));
    let other = ProxyCredential::generate(world.bot).encode();
    let upper = text.to_ascii_uppercase();
    let hash = agents[0].secret_sha256.to_string();
    for none in ["", "kwp1_", text.trim_start_matches('k'), &format!("{} ", *text), &other, &upper, &hash] {
        assert!(shown_by(none, &agents).is_none());
    }
    assert!(shown_by(&text, &[]).is_none());
}

#[test]
fn an_agent_uses_what_it_was_granted_and_both_it_and_its_gateway_may_read() {
    let mut world = World::new();
    let (web, ops, production, bot) =
        (world.sample.web, world.sample.ops, world.sample.production, world.bot);
    let [alpha, beta, secret] = [world.sample.alpha, world.sample.beta, world.sample.secret];
    let gateway = world.gateway.id;
    // `secret` is excluded for web, and the exclusion wins for the gateway, which is in both groups, too.
    assert_eq!(world.usable(), ["alpha", "beta"]);
    world.write(|draft| draft.org.exclude(web, production, &[alpha].into()).unwrap());
    assert_eq!(world.usable(), ["beta"]);
    world.write(|draft| draft.org.include(web, production, &[alpha].into()).unwrap());
    world.write(|draft| draft.org.revoke_agent(bot, &[beta].into()).unwrap());
    assert_eq!(world.usable(), ["alpha"]);
    world.write(|draft| draft.org.grant_agent(bot, &[beta].into()).unwrap());
    assert_eq!(world.usable(), ["alpha", "beta"]);
    world.write(|draft| draft.org.remove_member(web, gateway).unwrap());
    assert_eq!(world.usable(), ["beta"], "the gateway itself may no longer read alpha");
    world.write(|draft| draft.org.add_agent_member(ops, bot).unwrap());
    assert_eq!(world.usable(), ["beta"], "secret is excluded for web, and the agent is in web");
    world.write(|draft| draft.org.remove_agent_member(web, bot).unwrap());
    assert_eq!(world.usable(), ["beta", "secret"]);
    world.write(|draft| draft.org.remove_key(secret).unwrap());
    assert_eq!(world.usable(), ["beta"]);
    world.write(|draft| draft.org.remove_group(ops).unwrap());
    assert_eq!(world.usable(), Vec::<String>::new());
}

#[test]
fn suspended_removed_and_rotated_agents_show_in_the_view_at_once() {
    let mut world = World::new();
    let bot = world.bot;
    assert_eq!(world.listed()[0].secret_sha256, world.credential.sha256());
    world.write(|draft| draft.org.set_agent_state(bot, AgentState::Suspended).unwrap());
    assert_eq!(world.listed(), []);
    world.write(|draft| draft.org.set_agent_state(bot, AgentState::Active).unwrap());
    let mut rotated = None;
    world.write(|draft| rotated = Some(draft.org.rotate_agent(bot).unwrap()));
    assert_eq!(world.listed()[0].secret_sha256, rotated.unwrap().sha256());
    assert_ne!(world.listed()[0].secret_sha256, world.credential.sha256());
    world.write(|draft| draft.org.remove_agent(bot).unwrap());
    assert_eq!(world.listed(), []);
}

#[test]
fn what_an_agent_loses_is_not_resealed_and_what_its_gateway_loses_is() {
    let mut world = World::new();
    let (alpha, web, bot) = (world.sample.alpha, world.sample.web, world.bot);
    let reseal = |world: &World| world.sample.organisation.org().key(alpha).unwrap().reseal;
    world.write(|draft| draft.org.revoke_agent(bot, &[alpha].into()).unwrap());
    assert_eq!(reseal(&world), 0, "it never held the value");
    let gateway = world.gateway.id;
    world.write(|draft| draft.org.remove_member(web, gateway).unwrap());
    assert_eq!(reseal(&world), 1);
    let org = world.sample.organisation.org();
    assert_eq!(org.key(alpha).unwrap().exposed[0].identity_name.as_str(), "edge");
}

#[test]
fn only_the_gateways_own_view_is_rebuilt_for_its_agents() {
    let mut world = World::new();
    let bot = world.bot;
    let beta = world.sample.beta;
    world.write(|draft| draft.org.revoke_agent(bot, &[beta].into()).unwrap());
    let last = world.sample.organisation.last();
    let granted: Vec<IdentityId> = last.grants.iter().map(|grant| grant.identity).collect();
    assert_eq!(granted, [world.gateway.id]);
    assert_eq!(last.views.len(), 1);
    assert_eq!((last.views[0].gateway, last.views[0].groups.len()), (Some(world.gateway.id), 0));
    assert!(last.secrets.is_empty());
}

#[test]
fn an_agent_needs_a_gateway_and_a_name_of_its_own() {
    let mut world = World::new();
    let (agent, gateway) = (world.sample.agent.id, world.gateway.id);
    let new = |name_: &str, gateway| NewAgent {
        name: name(name_),
        gateway,
        groups: BTreeSet::new(),
        granted: BTreeSet::new(),
        not_after: None,
    };
    world.write(|draft| {
        assert_eq!(draft.org.add_agent(new("x", agent)).err(), Some(EditError::NotThere));
        let taken = draft.org.add_agent(new("bot", gateway)).err();
        assert_eq!(taken, Some(EditError::NameTaken { kind: "an agent", name: name("bot") }));
        assert!(draft.org.add_agent(new("edge", gateway)).is_ok(), "a gateway's name is another kind's");
    });
    world.write(|draft| draft.org.remove_identity(gateway).unwrap());
    assert!(world.sample.organisation.org().agents.is_empty(), "they go with their gateway");
}
