//! A gateway waits for what its agents may use to change.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use keyward_wire::api::agents::AgentsAnswer;
use keyward_wire::api::credentials::CredentialKind;
use keyward_wire::api::write::{AgentState, Delta, NewEscrow, NewGrant, NewView, WriteRequest};
use keyward_wire::api::{IdentityKind, Role};
use keyward_wire::error::{ErrorBody, ErrorCode};
use keyward_wire::{AgentId, GroupId, IdentityId, Purpose, ViewId};
use tokio::task::JoinHandle;

use super::world::{World, write};
use crate::testing::{Answered, credential, envelope, id};

/// A gateway in the world's group with one agent, which was granted the world's first key.
struct Edge {
    world: World,
    gateway: IdentityId,
    agent: AgentId,
    view: ViewId,
    session: String,
}

impl Edge {
    async fn build() -> Self {
        let world = World::build().await;
        let (gateway, agent) = (IdentityId::from_bytes(id()), AgentId::from_bytes(id()));
        let (group, key) = (world.group, world.allowed[0]);
        let (kind, role) = (IdentityKind::Gateway, Role::Viewer);
        let delta = vec![
            Delta::AddIdentity { id: gateway, kind, role, not_after: None, email: None },
            Delta::AddMember { group, identity: gateway },
            Delta::AddAgent { id: agent, gateway, state: AgentState::Active, not_after: None },
            Delta::AddAgentMember { group, agent },
            Delta::AddAgentKey { agent, key },
        ];
        let mut edge = Self { world, gateway, agent, view: ViewId::from_bytes(id()), session: String::new() };
        let mut new = write(&edge.world.org().await, delta);
        edge.add_view(&mut new);
        let token = credential(gateway, CredentialKind::Token);
        let token_id = token.id;
        new.credentials.push(token);
        let env = envelope(Purpose::Escrow);
        new.escrows.push(NewEscrow { identity: gateway, creator: None, ik_gen: 1, env });
        edge.world.send(&new).await;
        edge.session = edge.world.server.login(token_id).await;
        edge
    }

    fn add_view(&self, write: &mut WriteRequest) {
        let (id, seq, env) = (self.view, write.base.seq + 1, envelope(Purpose::View));
        write.views.push(NewView { id, groups: Vec::new(), gateway: Some(self.gateway), seq, env });
        let env = envelope(Purpose::Grant);
        write.grants.push(NewGrant { identity: self.gateway, view: id, seq, env });
    }

    async fn ask(&self, wait_secs: u64, tag: Option<&str>) -> Answered {
        self.world.server.send(self.request(wait_secs, tag)).await
    }

    fn request(&self, wait_secs: u64, tag: Option<&str>) -> Request<Body> {
        let mut request = Request::get(format!("/v1/me/agents?wait_secs={wait_secs}"))
            .header("authorization", &self.session);
        if let Some(tag) = tag {
            request = request.header("if-none-match", tag);
        }
        request.body(Body::empty()).unwrap()
    }

    /// A request that waits, once it does.
    async fn waiting(&self, tag: &str) -> JoinHandle<StatusCode> {
        let (router, request) = (self.world.server.router.clone(), self.request(15, Some(tag)));
        let asking = tokio::spawn(async move {
            let mut router = router;
            tower_service::Service::call(&mut router, request).await.unwrap().status()
        });
        while self.world.server.app.watch().count() == 0 {
            tokio::task::yield_now().await;
        }
        asking
    }

    async fn revoke(&self) {
        let delta = vec![Delta::RemoveAgentKey { agent: self.agent, key: self.world.allowed[0] }];
        let mut new = write(&self.world.org().await, delta);
        self.add_view(&mut new);
        self.world.send(&new).await;
    }
}

#[tokio::test]
async fn who_waits_hears_of_its_own_change_and_not_of_anothers() {
    let edge = Edge::build().await;
    let first = edge.ask(0, None).await;
    let answer: AgentsAnswer = first.json();
    assert_eq!((answer.agents.len(), &answer.agents[0].keys), (1, &vec![edge.world.allowed[0]]));
    let tag = first.header("etag").to_owned();
    assert_eq!(edge.ask(0, Some(&tag)).await.status, StatusCode::NOT_MODIFIED);
    let asking = edge.waiting(&tag).await;
    who_waits_holds_no_connection(&edge).await;
    let others = vec![Delta::AddGroup { id: GroupId::from_bytes(id()) }];
    edge.world.send(&write(&edge.world.org().await, others)).await;
    assert!(!asking.is_finished());
    edge.revoke().await;
    assert_eq!(asking.await.unwrap(), StatusCode::OK);
    let now: AgentsAnswer = edge.ask(0, Some(&tag)).await.json();
    assert!(now.agents[0].keys.is_empty() && now.grant_seq > answer.grant_seq);
    assert_eq!(edge.world.server.app.watch().count(), 0, "its place is free again");
}

/// The pool takes a connection back in a task of its own, a moment after the request let it go.
async fn who_waits_holds_no_connection(edge: &Edge) {
    let all_idle = async {
        loop {
            let (open, idle) = edge.world.server.app.store().connections();
            if open == idle {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), all_idle).await.expect("who waits holds a connection");
}

#[tokio::test]
async fn who_is_removed_while_it_waits_is_unknown() {
    let edge = Edge::build().await;
    let tag = edge.ask(0, None).await.header("etag").to_owned();
    let asking = edge.waiting(&tag).await;
    let mut new = write(&edge.world.org().await, vec![Delta::RemoveIdentity { id: edge.gateway }]);
    new.drop_views = vec![edge.view];
    edge.world.send(&new).await;
    assert_eq!(asking.await.unwrap(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn when_the_server_stops_who_waits_is_told_that_nothing_has_changed() {
    let edge = Edge::build().await;
    let tag = edge.ask(0, None).await.header("etag").to_owned();
    let asking = edge.waiting(&tag).await;
    edge.world.server.app.watch().close();
    // Long before its own fifteen seconds are over.
    let answered = tokio::time::timeout(Duration::from_secs(10), asking).await;
    assert_eq!(answered.expect("it waits on").unwrap(), StatusCode::NOT_MODIFIED);
}

#[tokio::test]
async fn one_gateway_does_not_fill_the_server_with_waiting_requests() {
    let edge = Edge::build().await;
    let tag = edge.ask(0, None).await.header("etag").to_owned();
    let (watch, org) = (edge.world.server.app.watch(), edge.world.owner.signup.org);
    let places: Vec<_> = std::iter::from_fn(|| watch.enter(org, edge.gateway, 3)).collect();
    let refused = edge.ask(15, Some(&tag)).await;
    assert_eq!(refused.json::<ErrorBody>().error.code, ErrorCode::TooMany);
    assert_eq!((refused.status, refused.header("retry-after")), (StatusCode::TOO_MANY_REQUESTS, "15"));
    assert_eq!(edge.ask(0, Some(&tag)).await.status, StatusCode::NOT_MODIFIED, "who does not wait may ask");
    drop(places);
    assert_eq!(edge.ask(15, None).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_wait_is_a_number_of_seconds() {
    let edge = Edge::build().await;
    for query in ["wait_secs=x", "wait_secs=-1", "wait=1"] {
        let request = Request::get(format!("/v1/me/agents?{query}")).header("authorization", &edge.session);
        let answer = edge.world.server.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.json::<ErrorBody>().error.code, ErrorCode::InvalidRequest, "{query}");
    }
}
