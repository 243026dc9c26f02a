//! EX-22: an exclusion withholds a key from an agent as from anybody.

use keyward_gateway::Closed;
use keyward_tests::engines;
use keyward_tests::http::Request;
use keyward_tests::insider::{sign_in, token_halves};
use keyward_tests::world::{ALPHA, BETA, DEPLOYMENT, EXCLUDED, GROUP};
use keyward_wire::api::agents::AgentsAnswer;

use crate::{BOT, EDGES, Edge};

engines! {
    fn ex_22_an_agent_gets_nothing_of_an_excluded_key_and_the_other_agent_does(engine) {
        let edge = Edge::new(engine);
        let running = edge.start();
        let [alpha, beta, excluded] = [ALPHA, BETA, EXCLUDED].map(|(name, _)| edge.key(name));
        assert_eq!(running.usable(&edge.bot), [ALPHA.0, BETA.0]);
        assert_eq!(running.open(&edge.bot, alpha).as_deref(), Ok(ALPHA.1));
        assert_eq!(running.open(&edge.bot, beta).as_deref(), Ok(BETA.1));
        // As one that does not exist.
        assert_eq!(running.open(&edge.bot, excluded), Err(Closed::NotGranted));
        assert_eq!(running.open(&edge.bot, keyward_crypto::new_id()), Err(Closed::NotGranted));
        assert_eq!(running.usable(&edge.free), [ALPHA.0, BETA.0, EXCLUDED.0]);
        assert_eq!(running.open(&edge.free, excluded).as_deref(), Ok(EXCLUDED.1));
        // The server says the same, by ids.
        let (_, session) = sign_in(&edge.world.server, &token_halves(&edge.token));
        let answer: AgentsAnswer =
            edge.world.server.send(&Request::get("/v1/me/agents").by(&session)).read();
        let bot = running.client(&edge.bot).id;
        let keys = &answer.agents.iter().find(|agent| agent.id == bot).unwrap().keys;
        assert!(keys.contains(&alpha) && keys.contains(&beta) && keys.len() == 2);
    }

    fn ex_22_what_is_excluded_for_the_gateway_no_agent_uses(engine) {
        let edge = Edge::new(engine);
        edge.world.owner.ok(&["group", "exclude", EDGES, DEPLOYMENT, ALPHA.0]);
        let running = edge.start();
        assert_eq!(running.usable(&edge.bot), [BETA.0]);
        assert_eq!(running.usable(&edge.free), [BETA.0, EXCLUDED.0]);
    }

    fn ex_22_an_agent_in_two_groups_loses_what_either_excludes(engine) {
        let edge = Edge::new(engine);
        edge.world.owner.ok(&["group", "add", EDGES, BOT]);
        assert_eq!(edge.start().usable(&edge.bot), [ALPHA.0, BETA.0]);
        edge.world.owner.ok(&["group", "remove", GROUP, BOT]);
        assert_eq!(edge.start().usable(&edge.bot), [ALPHA.0, BETA.0, EXCLUDED.0]);
        edge.world.owner.ok(&["agent", "revoke", BOT, BETA.0]);
        assert_eq!(edge.start().usable(&edge.bot), [ALPHA.0, EXCLUDED.0]);
    }
}
