-- Everything the server keeps. It holds no name and no value: only ids, relations between ids, and sealed envelopes.
--
-- Conventions: ids are 16 bytes; hashes and nonces 32 bytes; times are milliseconds UTC of this database's clock; "null:
-- never" where a time may be absent. `env` is a sealed envelope (CRYPTO.md §2.3), which this server cannot open. Every
-- table of an organisation starts its key with org_id, so that no statement can reach into another one.

-- The server itself: one row.
create table server (
    id integer not null primary key check (id = 1), -- always 1
    prelogin_secret blob not null check (length(prelogin_secret) = 32), -- random, immutable; makes the stable answer for unknown e-mails
    unknown_logins integer not null, -- count of refused log-ins that named no credential; mutable
    created_at integer not null -- time, immutable
) strict;

-- An organisation. Small on purpose: every request locks and rewrites this row.
create table orgs (
    id blob not null primary key check (length(id) = 16), -- made by the client, immutable
    seq integer not null check (seq >= 1), -- of the current ORG; grows by 1 a write
    sha256 blob not null check (length(sha256) = 32), -- hash of the current ORG envelope; mutable
    epoch integer not null check (epoch >= 1), -- current epoch; only grows
    nonce blob not null check (length(nonce) = 32), -- public nonce of the epoch; mutable
    audit_seq integer not null check (audit_seq >= 0), -- entries in the audit chain; grows by 1 an entry
    audit_hash blob not null check (length(audit_hash) = 32), -- head of the audit chain; mutable
    created_at integer not null -- time, immutable
) strict;

-- ORG of each organisation, apart from its small row.
create table org_states (
    org_id blob not null primary key references orgs (id) on delete cascade, -- immutable
    env blob not null -- sealed ORG at orgs.seq; replaced by every write
) strict;

-- People, API users and gateways.
create table identities (
    org_id blob not null references orgs (id) on delete cascade, -- immutable
    id blob not null check (length(id) = 16), -- made by the client, immutable
    kind text not null check (kind in ('human', 'api', 'gateway')), -- immutable
    role text not null check (role in ('owner', 'admin', 'user', 'viewer')), -- mutable
    email text unique, -- for signing in, unique on this server; null: cannot sign in by e-mail; mutable
    not_after integer, -- time at which it ends; null: never; mutable
    created_at integer not null, -- time, immutable
    last_used_at integer, -- time at which one of its credentials last proved itself; null: never; mutable
    primary key (org_id, id)
) strict;

-- Ways to sign in. Replaced, never edited.
create table credentials (
    id blob not null primary key check (length(id) = 16), -- made by the client, unique on this server, immutable
    org_id blob not null, -- immutable
    identity_id blob not null, -- immutable
    kind text not null check (kind in ('password', 'token', 'device', 'link', 'recovery')), -- immutable
    salt blob check (length(salt) = 16), -- of the password derivation; null for the other kinds; immutable
    auth_sha256 blob not null check (length(auth_sha256) = 32), -- hash of the auth half, immutable
    env blob not null, -- sealed CRED, or RECOVERY for kind recovery; immutable
    not_after integer, -- time at which it ends; null: never; immutable
    created_at integer not null, -- time, immutable
    last_used_at integer, -- time at which it last proved itself; null: never; mutable
    foreign key (org_id, identity_id) references identities (org_id, id) on delete cascade
) strict;

create index credentials_of_identity on credentials (org_id, identity_id);

-- Signed-in sessions, 15 minutes each.
create table sessions (
    token_sha256 blob not null primary key check (length(token_sha256) = 32), -- hash of the session token, immutable
    org_id blob not null, -- immutable
    identity_id blob not null, -- immutable
    credential_id blob not null references credentials (id) on delete cascade, -- what it was made with, immutable
    created_at integer not null, -- time at which the credential proved itself, immutable
    expires_at integer not null, -- time, immutable
    foreign key (org_id, identity_id) references identities (org_id, id) on delete cascade
) strict;

create index sessions_of_credential on sessions (credential_id);
create index sessions_of_identity on sessions (org_id, identity_id);
create index sessions_by_expiry on sessions (org_id, expires_at);

-- An identity's own key, sealed for whoever enrolled it.
create table escrows (
    org_id blob not null, -- immutable
    identity_id blob not null, -- whose key, immutable
    creator_id blob check (length(creator_id) = 16), -- the enroller under whose key; null: under the root key; mutable
    ik_gen integer not null, -- generation of the key; mutable
    env blob not null, -- sealed ESCROW; mutable
    primary key (org_id, identity_id),
    foreign key (org_id, identity_id) references identities (org_id, id) on delete cascade
) strict;

-- Envelopes that lead to the root key and to the organisation key.
create table roots (
    org_id blob not null references orgs (id) on delete cascade, -- immutable
    kind text not null check (kind in ('root', 'orgkey_root', 'orgkey_admin')), -- immutable
    holder_id blob not null check (length(holder_id) = 16), -- the owner or admin it is for; 16 zero bytes for orgkey_root; immutable
    generation integer not null, -- epoch for orgkey_*, generation of the root key for root; mutable
    env blob not null, -- sealed ROOT, ORGKEY_ROOT or ORGKEY_ADMIN; mutable
    primary key (org_id, kind, holder_id)
) strict;

-- Keys: stored secrets, by id.
create table keys (
    org_id blob not null references orgs (id) on delete cascade, -- immutable
    id blob not null check (length(id) = 16), -- made by the client, immutable
    version integer not null, -- the current version; 0 only inside the transaction that makes the key; grows
    primary key (org_id, id)
) strict;

-- One sealed value a version of a key: the current one and a few old ones.
create table secrets (
    org_id blob not null, -- immutable
    key_id blob not null, -- immutable
    version integer not null check (version >= 1), -- immutable
    reseal integer not null check (reseal >= 0), -- how often this version was resealed; grows
    sha256 blob not null check (length(sha256) = 32), -- hash of env; mutable
    env blob not null, -- sealed SECRET; replaced by a reseal
    created_at integer not null, -- time of this version, immutable
    primary key (org_id, key_id, version),
    foreign key (org_id, key_id) references keys (org_id, id) on delete cascade
) strict;

-- Deployments: named sets of mappings, by id.
create table deployments (
    org_id blob not null references orgs (id) on delete cascade, -- immutable
    id blob not null check (length(id) = 16), -- made by the client, immutable
    primary key (org_id, id)
) strict;

-- Which key stands in which deployment. The variable's name is sealed in ORG.
create table mappings (
    org_id blob not null, -- immutable
    id blob not null check (length(id) = 16), -- made by the client, immutable
    deployment_id blob not null, -- immutable
    key_id blob not null, -- immutable
    primary key (org_id, id),
    foreign key (org_id, deployment_id) references deployments (org_id, id),
    foreign key (org_id, key_id) references keys (org_id, id)
) strict;

create index mappings_of_deployment on mappings (org_id, deployment_id, key_id);
create index mappings_of_key on mappings (org_id, key_id);

-- Groups, by id.
create table groups (
    org_id blob not null references orgs (id) on delete cascade, -- immutable
    id blob not null check (length(id) = 16), -- made by the client, immutable
    primary key (org_id, id)
) strict;

-- Who is in which group.
create table members (
    org_id blob not null, -- immutable
    group_id blob not null, -- immutable
    identity_id blob not null, -- immutable
    primary key (org_id, group_id, identity_id),
    foreign key (org_id, group_id) references groups (org_id, id),
    foreign key (org_id, identity_id) references identities (org_id, id) on delete cascade
) strict;

create index members_by_identity on members (org_id, identity_id);

-- Which deployment is assigned to which group.
create table assignments (
    org_id blob not null, -- immutable
    group_id blob not null, -- immutable
    deployment_id blob not null, -- immutable
    new_keys text not null check (new_keys in ('allow', 'deny')), -- what happens to keys mapped later; mutable
    primary key (org_id, group_id, deployment_id),
    foreign key (org_id, group_id) references groups (org_id, id),
    foreign key (org_id, deployment_id) references deployments (org_id, id)
) strict;

create index assignments_by_deployment on assignments (org_id, deployment_id);

-- Which key of an assigned deployment a group may not read. Wins over every inclusion.
create table exclusions (
    org_id blob not null, -- immutable
    group_id blob not null, -- immutable
    deployment_id blob not null, -- immutable
    key_id blob not null, -- immutable
    primary key (org_id, group_id, deployment_id, key_id),
    foreign key (org_id, group_id, deployment_id)
        references assignments (org_id, group_id, deployment_id),
    foreign key (org_id, key_id) references keys (org_id, id)
) strict;

create index exclusions_by_key on exclusions (org_id, key_id);

-- What the members of exactly one set of groups may read, sealed once for all of them.
create table views (
    org_id blob not null references orgs (id) on delete cascade, -- immutable
    id blob not null check (length(id) = 16), -- made by the client, kept across rebuilds, immutable
    groups blob not null, -- the ids of the set, sorted bytewise and concatenated; empty: no group; immutable
    seq integer not null, -- orgs.seq of the write that built it; grows
    env blob not null, -- sealed VIEW; replaced by a rebuild
    primary key (org_id, id),
    unique (org_id, groups)
) strict;

-- Which keys each build of a view listed. Kept when the view is rebuilt or dropped: the audit needs it.
create table view_keys (
    org_id blob not null references orgs (id) on delete cascade, -- immutable
    view_id blob not null, -- immutable
    seq integer not null, -- of the build, immutable
    key_id blob not null, -- immutable
    primary key (org_id, view_id, seq, key_id)
) strict;

create index view_keys_by_key on view_keys (org_id, key_id);

-- The key of a view for one identity: exactly one for each active identity that is not owner or admin.
create table grants (
    org_id blob not null, -- immutable
    identity_id blob not null, -- immutable
    view_id blob not null, -- mutable
    seq integer not null, -- orgs.seq of the write that made it; grows
    env blob not null, -- sealed GRANT; replaced
    primary key (org_id, identity_id),
    foreign key (org_id, identity_id) references identities (org_id, id) on delete cascade,
    foreign key (org_id, view_id) references views (org_id, id)
        deferrable initially deferred -- a write may drop the view before it replaces the grant
) strict;

create index grants_by_view on grants (org_id, view_id);

-- The audit chain: rows are added, never changed.
create table audit (
    org_id blob not null references orgs (id) on delete cascade, -- immutable
    seq integer not null check (seq >= 1), -- place in the chain, without gaps, immutable
    time integer not null, -- time, immutable
    actor_id blob check (length(actor_id) = 16), -- who; null: nobody proven; immutable
    entry text not null, -- the exact JSON bytes that are hashed and returned, immutable
    hash blob not null check (length(hash) = 32), -- SHA-256(hash before ‖ entry), immutable
    primary key (org_id, seq)
) strict;

create index audit_by_actor on audit (org_id, actor_id, seq);

-- What an audit entry is about, for filters only: the chain covers audit.entry, not this.
create table audit_objects (
    org_id blob not null, -- immutable
    audit_seq integer not null, -- immutable
    kind text not null check (kind in ('key', 'identity', 'view')), -- immutable
    object_id blob not null check (length(object_id) = 16), -- immutable
    view_seq integer not null, -- the build of the view; 0 for other kinds; immutable
    primary key (org_id, kind, object_id, view_seq, audit_seq),
    foreign key (org_id, audit_seq) references audit (org_id, seq) on delete cascade
) strict;
