-- Networks from which people have signed in: guesses from elsewhere do not slow them there. An identity has 64 at most, and
-- one goes half a year after its last use.
create table networks (
    org_id bytea not null, -- immutable
    identity_id bytea not null, -- immutable
    network text not null, -- IPv4 address, or the first address of an IPv6 /64; immutable
    seen_at bigint not null, -- time of the last sign-in from there; mutable
    primary key (org_id, identity_id, network),
    foreign key (org_id, identity_id) references identities (org_id, id) on delete cascade
);

create index networks_by_time on networks (seen_at);
create index sessions_by_end on sessions (expires_at);
create index credentials_by_end on credentials (not_after);
