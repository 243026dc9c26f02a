//! Organisations: the small row that every request locks, ORG beside it, root envelopes, escrows.

use keyward_wire::api::org::RootItem;
use keyward_wire::api::write::{NewEpoch, NewEscrow, RootEnvelope, RootKind};
use keyward_wire::{Envelope, IdentityId, Nonce, OrgId, Sha256};

use super::StoreError;
use super::engine::{Inner, Row, Tx, id, int, maybe_id, statements};
use crate::access::Permit;

/// An organisation as of this transaction.
#[derive(Debug, Clone, Copy)]
pub struct OrgRow {
    /// The organisation's id.
    pub id: OrgId,
    /// Seq of ORG.
    pub seq: u64,
    /// SHA-256 of ORG.
    pub sha256: Sha256,
    /// The current epoch.
    pub epoch: u64,
    /// The epoch's nonce.
    pub nonce: Nonce,
    /// How many entries the audit chain has.
    pub audit_seq: u64,
    /// Hash of the audit chain's last entry.
    pub audit_hash: Sha256,
}

impl Tx {
    /// Locks the organisation until the transaction ends, waiting for others that hold the lock, and reads its row.
    pub async fn lock_org(&mut self, org: OrgId) -> Result<Option<OrgRow>, StoreError> {
        let sql = match &self.inner {
            Inner::Sqlite(_) => ORG,
            Inner::Postgres(_) => ORG_FOR_UPDATE,
        };
        self.optional(sql, vec![id(org)]).await?.as_ref().map(org_row).transpose()
    }

    /// Seq of an organisation, read without waiting for the lock.
    pub async fn seq_of(&mut self, org: OrgId) -> Result<Option<u64>, StoreError> {
        self.optional(SEQ, vec![id(org)]).await?.map(|row| row.count("seq")).transpose()
    }

    /// Adds an organisation at seq 1, epoch 1, with an empty audit chain.
    pub async fn insert_org(
        &mut self,
        org: OrgId,
        state: &Envelope,
        nonce: Nonce,
        genesis: Sha256,
        now: i64,
    ) -> Result<(), StoreError> {
        self.execute_one(
            INSERT_ORG,
            vec![id(org), state.sha256().into(), nonce.into(), genesis.into(), now.into()],
        )
        .await?;
        self.execute_one(INSERT_STATE, vec![id(org), state.into()]).await
    }

    /// Replaces ORG, and the epoch if there is a new one.
    pub(super) async fn replace_org(
        &mut self,
        org: OrgId,
        seq: u64,
        state: &Envelope,
        epoch: Option<&NewEpoch>,
    ) -> Result<(), StoreError> {
        self.execute_one(UPDATE_ORG, vec![id(org), int(seq)?, state.sha256().into()]).await?;
        self.execute_one(UPDATE_STATE, vec![id(org), state.into()]).await?;
        if let Some(new) = epoch {
            self.execute_one(UPDATE_EPOCH, vec![id(org), int(new.epoch)?, new.nonce.into()]).await?;
        }
        Ok(())
    }

    /// Sets the head of the audit chain.
    pub(super) async fn set_audit_head(
        &mut self,
        org: OrgId,
        seq: u64,
        hash: Sha256,
    ) -> Result<(), StoreError> {
        self.execute_one(UPDATE_HEAD, vec![id(org), int(seq)?, hash.into()]).await
    }

    /// ORG of the permit's organisation.
    pub async fn org_envelope(&mut self, permit: &Permit) -> Result<Envelope, StoreError> {
        self.one(STATE, vec![id(permit.org())]).await?.envelope("env")
    }

    /// ORGKEY_ADMIN of the identity that the permit is for.
    pub async fn own_orgkey(&mut self, permit: &Permit) -> Result<Option<Envelope>, StoreError> {
        self.own(permit, RootKind::OrgkeyAdmin).await?.map(|row| row.envelope("env")).transpose()
    }

    /// ROOT of the identity that the permit is for.
    pub async fn own_root(&mut self, permit: &Permit) -> Result<Option<RootItem>, StoreError> {
        let Some(row) = self.own(permit, RootKind::Root).await? else { return Ok(None) };
        Ok(Some(RootItem { generation: row.count("generation")?, env: row.envelope("env")? }))
    }

    /// ORGKEY_ROOT of the permit's organisation.
    pub async fn orgkey_root(&mut self, permit: &Permit) -> Result<Option<Envelope>, StoreError> {
        let args = vec![id(permit.org()), RootKind::OrgkeyRoot.as_str().into(), id(NOBODY)];
        self.optional(ROOT, args).await?.map(|row| row.envelope("env")).transpose()
    }

    async fn own(&mut self, permit: &Permit, kind: RootKind) -> Result<Option<Row>, StoreError> {
        self.optional(ROOT, vec![id(permit.org()), kind.as_str().into(), id(permit.identity())]).await
    }

    /// Stores a root envelope in the place of the former one.
    pub async fn put_root(&mut self, org: OrgId, root: &RootEnvelope) -> Result<(), StoreError> {
        let holder = root.identity.unwrap_or(NOBODY);
        let args =
            vec![id(org), root.kind.as_str().into(), id(holder), int(root.generation)?, (&root.env).into()];
        self.execute_one(PUT_ROOT, args).await
    }

    /// Deletes a root envelope, if there is one.
    pub(super) async fn delete_root(
        &mut self,
        org: OrgId,
        kind: RootKind,
        holder: IdentityId,
    ) -> Result<(), StoreError> {
        self.execute(DELETE_ROOT, vec![id(org), kind.as_str().into(), id(holder)]).await?;
        Ok(())
    }

    /// ESCROW of an identity of the permit's organisation.
    pub async fn escrow(
        &mut self,
        permit: &Permit,
        identity: IdentityId,
    ) -> Result<Option<NewEscrow>, StoreError> {
        let Some(row) = self.optional(ESCROW, vec![id(permit.org()), id(identity)]).await? else {
            return Ok(None);
        };
        Ok(Some(NewEscrow {
            identity,
            creator: row.maybe_id("creator_id")?,
            ik_gen: row.count("ik_gen")?,
            env: row.envelope("env")?,
        }))
    }

    /// Stores an ESCROW in the place of the former one.
    pub async fn put_escrow(&mut self, org: OrgId, escrow: &NewEscrow) -> Result<(), StoreError> {
        let args = vec![
            id(org),
            id(escrow.identity),
            maybe_id(escrow.creator),
            int(escrow.ik_gen)?,
            (&escrow.env).into(),
        ];
        self.execute_one(PUT_ESCROW, args).await
    }
}

pub(super) fn org_row(row: &Row) -> Result<OrgRow, StoreError> {
    Ok(OrgRow {
        id: row.id("id")?,
        seq: row.count("seq")?,
        sha256: row.sha256("sha256")?,
        epoch: row.count("epoch")?,
        nonce: row.nonce("nonce")?,
        audit_seq: row.count("audit_seq")?,
        audit_hash: row.sha256("audit_hash")?,
    })
}

/// The stored holder of ORGKEY_ROOT, which belongs to no identity.
pub const NOBODY: IdentityId = IdentityId::from_bytes([0; 16]);

statements! {
    ORG = "
        select id, seq, sha256, epoch, nonce, audit_seq, audit_hash
        from orgs
        where id = $1";
    SEQ = "select seq from orgs where id = $1";
    INSERT_ORG = "
        insert into orgs (id, seq, sha256, epoch, nonce, audit_seq, audit_hash, created_at)
        values ($1, 1, $2, 1, $3, 0, $4, $5)";
    UPDATE_ORG = "update orgs set seq = $2, sha256 = $3 where id = $1";
    UPDATE_EPOCH = "update orgs set epoch = $2, nonce = $3 where id = $1";
    UPDATE_HEAD = "update orgs set audit_seq = $2, audit_hash = $3 where id = $1";
    INSERT_STATE = "insert into org_states (org_id, env) values ($1, $2)";
    UPDATE_STATE = "update org_states set env = $2 where org_id = $1";
    STATE = "select env from org_states where org_id = $1";
    ROOT = "select generation, env from roots where org_id = $1 and kind = $2 and holder_id = $3";
    PUT_ROOT = "
        insert into roots (org_id, kind, holder_id, generation, env)
        values ($1, $2, $3, $4, $5)
        on conflict (org_id, kind, holder_id) do update
        set generation = excluded.generation, env = excluded.env";
    DELETE_ROOT = "delete from roots where org_id = $1 and kind = $2 and holder_id = $3";
    ESCROW = "select creator_id, ik_gen, env from escrows where org_id = $1 and identity_id = $2";
    PUT_ESCROW = "
        insert into escrows (org_id, identity_id, creator_id, ik_gen, env)
        values ($1, $2, $3, $4, $5)
        on conflict (org_id, identity_id) do update
        set creator_id = excluded.creator_id, ik_gen = excluded.ik_gen, env = excluded.env";
}

const ORG_FOR_UPDATE: &str = "
    select id, seq, sha256, epoch, nonce, audit_seq, audit_hash
    from orgs
    where id = $1
    for update";
