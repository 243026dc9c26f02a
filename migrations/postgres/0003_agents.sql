-- Agents: clients of a gateway, which injects keys into requests for them. What an agent shows its gateway is not here, nor
-- any hash of it.
create table agents (
    org_id bytea not null, -- immutable
    id bytea not null check (length(id) = 16), -- made by the client, immutable
    gateway_id bytea not null, -- the gateway that serves it; mutable
    state text not null check (state in ('active', 'suspended')), -- whether it is served; mutable
    not_after bigint, -- time at which it ends; null: never; mutable
    primary key (org_id, id),
    foreign key (org_id, gateway_id) references identities (org_id, id)
        deferrable initially deferred -- a write may remove a gateway before it gives its agents to another
);

create index agents_of_gateway on agents (org_id, gateway_id);

-- Which agent is in which group.
create table agent_members (
    org_id bytea not null, -- immutable
    group_id bytea not null, -- immutable
    agent_id bytea not null, -- immutable
    primary key (org_id, group_id, agent_id),
    foreign key (org_id, group_id) references groups (org_id, id),
    foreign key (org_id, agent_id) references agents (org_id, id) on delete cascade
);

create index agent_members_by_agent on agent_members (org_id, agent_id);

-- Which key an agent was granted. It may be used only as far as the access rule lets the agent and its gateway read it.
create table agent_keys (
    org_id bytea not null, -- immutable
    agent_id bytea not null, -- immutable
    key_id bytea not null, -- immutable
    primary key (org_id, agent_id, key_id),
    foreign key (org_id, agent_id) references agents (org_id, id) on delete cascade,
    foreign key (org_id, key_id) references keys (org_id, id)
);

create index agent_keys_by_key on agent_keys (org_id, key_id);

-- The gateway whose own view it is; null: of a set of groups. views.groups of a gateway's view is the gateway's id, so that
-- no other view has the same; immutable
alter table views add column gateway_id bytea check (length(gateway_id) = 16);
