//! An owner's or admin's session: opens the organisation, and carries a change of it through (CRYPTO.md §2.7 “Admin client”).

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use keyward_crypto::change::{Author, Draft, open_current};
use keyward_crypto::enrol::Enroller;
use keyward_crypto::random_bytes;
use keyward_crypto::state::cred::Cred;
use keyward_crypto::state::local::Local;
use keyward_crypto::state::org::{KeyEntry, Org};
use keyward_crypto::state::roots::open_root;
use keyward_crypto::state::secret::Secret;
use keyward_crypto::verify::{Floors, Verified, VerifiedOrg, verify_bundle, verify_org};
use keyward_crypto::{OrgKey, RootKey};
use keyward_wire::api::Role;
use keyward_wire::api::bundle::SecretItem;
use keyward_wire::api::org::{AuditHead, OrgAnswer, RootItem, SecretRef};
use keyward_wire::api::write::Base;
use keyward_wire::limits::SECRETS_PER_REQUEST;
use keyward_wire::{Envelope, KeyId};

use super::freshness::Freshness;
use super::notice;
use super::pins::Pins;
use crate::api::{Api, ApiError};
use crate::ctx::Ctx;
use crate::fault::{Code, Fault};
use crate::session::credential::Credential;
use crate::session::home::Home;

/// How long a write that conflicts with others' writes is tried again.
const PATIENCE: Duration = Duration::from_secs(30);

/// A signed-in identity, with its session in memory.
pub struct Session {
    /// The server.
    pub api: Api,
    /// The identity that is signed in.
    pub cred: Cred,
    home: Option<Home>,
    /// The newest state that this session has seen, also if nothing is remembered beyond the session.
    seen: RefCell<Local>,
}

/// The organisation, opened and verified.
pub struct OpenOrg<'a> {
    /// The server.
    pub api: &'a Api,
    /// The identity that opened it.
    pub cred: &'a Cred,
    /// ORG.
    pub org: Rc<Org>,
    /// The root key. `None` if the identity is not an owner.
    pub root: Option<RootKey>,
    /// The audit head that the server named with ORG.
    pub audit_head: AuditHead,
    ok: OrgKey,
    answer: OrgAnswer,
    floors: Floors,
    pins: Pins,
}

impl Session {
    /// Signs in with this run's credential.
    ///
    /// # Errors
    /// If there is no credential, or it is refused.
    pub async fn start(ctx: &Ctx) -> anyhow::Result<Self> {
        Self::with(Credential::find(ctx)?).await
    }

    /// Signs in with this credential.
    ///
    /// # Errors
    /// If the credential is refused.
    pub async fn with(credential: Credential) -> anyhow::Result<Self> {
        let mut api = Api::new(&credential.server)?;
        let answer = api.log_in(credential.id, &credential.keys).await;
        let answer = answer.map_err(|error| credential.refused(error, Fault::from))?;
        let cred = Cred::open(&credential.keys.unlock, credential.id, &answer.cred).map_err(Fault::from)?;
        Ok(Self::resume(api, cred, credential.home))
    }

    /// A session that was made in another way: with a password.
    pub fn resume(api: Api, cred: Cred, home: Option<Home>) -> Self {
        Self { api, cred, home, seen: RefCell::default() }
    }

    /// This client's memory of its own identity.
    ///
    /// # Errors
    /// If that memory is gone or damaged.
    pub fn pins(&self) -> anyhow::Result<Pins> {
        Pins::load(self.home.as_ref(), &self.cred)
    }

    /// The verified state of what this identity is and may read now. It is remembered.
    ///
    /// # Errors
    /// If any part of the answer is not as it must be.
    pub async fn standing(&self, ctx: &Ctx) -> anyhow::Result<Verified> {
        let (pins, floors) = self.floors(ctx)?;
        let bundle = self.api.own_bundle().await.map_err(Fault::from)?;
        let verified = verify_bundle(&self.cred, &bundle, &floors, ctx.now()).map_err(Fault::from)?;
        notice::recovered(ctx, self.cred.id, &verified.recovered);
        pins.remember(ctx, &self.cred, &verified.seen);
        self.seen.replace(verified.seen.clone());
        Ok(verified)
    }

    fn floors(&self, ctx: &Ctx) -> anyhow::Result<(Pins, Floors)> {
        let pins = self.pins()?;
        let seen = pins.local.merge(&self.seen.borrow());
        let floors = Freshness::default().floors(ctx, seen)?;
        Ok((pins, floors))
    }

    /// Fetches, verifies and remembers the organisation's state.
    ///
    /// # Errors
    /// If this identity does not administer the organisation, or any part of the answer is not as it must be.
    pub async fn open(&self, ctx: &Ctx) -> anyhow::Result<OpenOrg<'_>> {
        let (pins, floors) = self.floors(ctx)?;
        let answer = self.api.org().await.map_err(not_an_admin)?;
        let VerifiedOrg { org, ok, seen, continuous, recovered } =
            verify_org(&self.cred, &answer, &floors, ctx.now()).map_err(Fault::from)?;
        if !continuous {
            ctx.out
                .warn("so much has changed since this client last looked that continuity cannot be verified");
        }
        let root = self.root(&org, answer.root.as_ref())?;
        notice::recovered(ctx, self.cred.id, &recovered);
        pins.remember(ctx, &self.cred, &seen);
        self.seen.replace(seen);
        let (api, cred, audit_head) = (&self.api, &self.cred, answer.audit_head);
        Ok(OpenOrg { api, cred, org: Rc::new(org), root, audit_head, ok, answer, floors, pins })
    }

    /// The root key, which every owner has and nobody else. Without it an owner would enrol as an admin does, and no other owner
    /// could open what was enrolled.
    fn root(&self, org: &Org, item: Option<&RootItem>) -> Result<Option<RootKey>, Fault> {
        let is_owner = org.identity(self.cred.id).is_some_and(|own| own.role == Role::Owner);
        match (is_owner, item) {
            (true, Some(item)) => {
                Ok(Some(open_root(&self.cred.ik, self.cred.org, self.cred.id, item.generation, &item.env)?))
            }
            (false, None) => Ok(None),
            (true, None) => {
                Err(Fault::new(Code::Missing, "the server left out the root key, which every owner has"))
            }
            (false, Some(_)) => Err(Fault::new(
                Code::Integrity,
                "the server sent a root key, though this identity is no owner",
            )),
        }
    }

    /// Carries a change through: opens, changes, seals, writes. Starts again for up to 30 seconds if somebody else wrote
    /// meanwhile, so `change` may be called several times. Then reads back that the write is there.
    ///
    /// # Errors
    /// The error of `change`; [`Code::Conflict`] if others kept writing.
    pub async fn write<T>(
        &self,
        ctx: &Ctx,
        mut change: impl AsyncFnMut(&mut Draft, &OpenOrg<'_>) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let start = Instant::now();
        loop {
            let opened = self.open(ctx).await?;
            let mut draft = opened.draft(ctx)?;
            let answer = change(&mut draft, &opened).await?;
            opened.reseal(&mut draft).await?;
            let finished = draft.finish(&opened.ok).map_err(Fault::from)?;
            let doubt = match self.api.write(&finished.request).await {
                Ok(_) => None,
                Err(error) if error.is_status(409) || error.leaves_doubt() => Some(error),
                Err(error) => return Err(Fault::from(error).into()),
            };
            // Whatever the answer was, the stored state counts: a 409 may answer the second copy of a write that was carried out.
            if self.is_there(ctx, finished.after, doubt.as_ref()).await? {
                return Ok(answer);
            }
            match doubt {
                None => return Err(unstored().into()),
                Some(error) if !error.is_status(409) => return Err(Fault::from(error).into()),
                Some(_) if start.elapsed() < PATIENCE => tokio::time::sleep(jitter()).await,
                Some(_) => return Err(overtaken().into()),
            }
        }
    }

    /// Whether the server shows a write that this session did not send itself.
    ///
    /// # Errors
    /// If the organisation cannot be opened.
    pub async fn shows(&self, ctx: &Ctx, written: Base) -> anyhow::Result<bool> {
        self.is_there(ctx, written, None).await
    }

    /// Reads back whether a write is there: as the present state, or among its predecessors.
    async fn is_there(&self, ctx: &Ctx, written: Base, doubt: Option<&ApiError>) -> anyhow::Result<bool> {
        let opened = self.open(ctx).await.map_err(|error| match doubt {
            // Nothing was written, and what is wrong now is wrong for the next attempt, too.
            Some(conflict) if conflict.is_status(409) => error,
            _ => error.context("the write may or may not have happened; look before you run it again"),
        })?;
        let now = Base { seq: opened.answer.seq, sha256: opened.answer.env.sha256() };
        let mut before = opened.org.prev.iter();
        Ok(now == written || before.any(|prev| prev.seq == written.seq && prev.sha256 == written.sha256))
    }
}

impl OpenOrg<'_> {
    /// The enroller under whose key a new identity's key is kept in ESCROW.
    pub fn enroller(&self) -> Enroller<'_> {
        match &self.root {
            Some(rk) => Enroller::Owner(rk),
            None => Enroller::Admin(self.cred.id, &self.cred.ik),
        }
    }

    /// The current value of a key.
    ///
    /// # Errors
    /// If the server does not have it, or has another one.
    pub async fn secret(&self, key: &KeyEntry) -> anyhow::Result<Secret> {
        let envelope = self.envelope(key.id, key.version).await?;
        Ok(open_current(&self.org, key, &envelope).map_err(Fault::from)?)
    }

    /// The current values of several keys, in their order.
    ///
    /// # Errors
    /// If the server leaves one out, or has another one.
    pub async fn secrets(&self, keys: &[&KeyEntry]) -> anyhow::Result<Vec<Secret>> {
        let each = self.each_secret(keys).await?;
        Ok(each.into_iter().collect::<Result<_, _>>()?)
    }

    /// The current values of several keys, in their order. A wrong one does not keep back the others.
    ///
    /// # Errors
    /// If the server does not answer properly.
    pub async fn each_secret(&self, keys: &[&KeyEntry]) -> anyhow::Result<Vec<Result<Secret, Fault>>> {
        let wanted: Vec<SecretRef> =
            keys.iter().map(|key| SecretRef { key: key.id, version: key.version }).collect();
        let sealed = self.envelopes(&wanted).await?;
        let open = |key: &&KeyEntry| {
            let envelope = sealed.get(&(key.id, key.version)).ok_or_else(held_back)?;
            Ok(open_current(&self.org, key, envelope)?)
        };
        Ok(keys.iter().map(open).collect())
    }

    /// The sealed values of these versions, as far as the server has them; in as many requests as it takes.
    ///
    /// # Errors
    /// If the server does not answer properly.
    pub async fn envelopes(&self, wanted: &[SecretRef]) -> anyhow::Result<BTreeMap<(KeyId, u64), Envelope>> {
        let (mut sealed, mut rest, mut most) = (BTreeMap::new(), wanted, SECRETS_PER_REQUEST);
        while !rest.is_empty() {
            let (some, later) = rest.split_at(most.min(rest.len()));
            match self.api.secrets(some.to_vec()).await {
                Ok(answer) => {
                    sealed
                        .extend(answer.secrets.into_iter().map(|item| ((item.key, item.version), item.env)));
                    rest = later;
                }
                // One answer cannot hold so many.
                Err(error) if error.is_status(422) && some.len() > 1 => most = some.len().div_ceil(2),
                Err(error) => return Err(Fault::from(error).into()),
            }
        }
        Ok(sealed)
    }

    /// The sealed value of one version of a key.
    ///
    /// # Errors
    /// If the server does not have it.
    pub async fn envelope(&self, key: KeyId, version: u64) -> anyhow::Result<Envelope> {
        let answer = self.api.secrets(vec![SecretRef { key, version }]).await.map_err(Fault::from)?;
        let found = answer.secrets.into_iter().find(|item| item.key == key && item.version == version);
        Ok(found.ok_or_else(held_back)?.env)
    }

    /// Remembers the audit head up to which the chain was verified.
    pub fn remember_audit(&self, ctx: &Ctx, head: AuditHead) {
        let mut seen = self.pins.local.clone();
        seen.audit_head = Some(head);
        self.pins.remember(ctx, self.cred, &seen);
    }

    /// The audit head that this client verified last.
    pub fn known_audit_head(&self) -> Option<AuditHead> {
        self.floors.local.audit_head
    }

    fn draft(&self, ctx: &Ctx) -> anyhow::Result<Draft> {
        // Keys are never cloned: the state after the write is the same ORG opened a second time.
        let after = verify_org(self.cred, &self.answer, &self.floors, ctx.now()).map_err(Fault::from)?;
        let author = Author {
            identity: self.cred.id,
            now: ctx.now(),
            base_sha256: self.answer.env.sha256(),
            audit_head: self.answer.audit_head,
        };
        Ok(Draft::new(Rc::clone(&self.org), after.org, author))
    }

    /// Reseals the keys that somebody loses by this change.
    async fn reseal(&self, draft: &mut Draft) -> anyhow::Result<()> {
        let keys = draft.to_reseal();
        if keys.is_empty() {
            return Ok(());
        }
        let version =
            |key: &KeyId| self.org.key(*key).map(|entry| SecretRef { key: *key, version: entry.version });
        let wanted = keys.iter().filter_map(version).collect();
        let answer = self.api.secrets(wanted).await.map_err(Fault::from)?;
        for key in keys {
            let found = answer.secrets.iter().find(|item: &&SecretItem| item.key == key);
            draft.reseal(key, &found.ok_or_else(held_back)?.env).map_err(Fault::from)?;
        }
        Ok(())
    }
}

fn not_an_admin(error: ApiError) -> Fault {
    match error {
        ApiError::Refused { status: 403, .. } => {
            Fault::new(Code::Policy, "only owners and admins may do this")
                .next("sign in as one: `keyward login` (KEYWARD_TOKEN and KEYWARD_TOKEN_FILE go before it)")
        }
        other => other.into(),
    }
}

fn unstored() -> Fault {
    Fault::new(Code::Integrity, "the server said the change is stored, but shows a state without it")
        .next("do not rely on the change; ask the server's operator")
}

fn overtaken() -> Fault {
    Fault::new(Code::Conflict, "others kept changing the organisation; nothing was written")
        .next("run the command again")
}

fn held_back() -> Fault {
    Fault::new(Code::Missing, "the server left out a stored value")
        .next("nothing was changed; ask its operator")
}

/// A random pause of 50 to 306 ms, so that clients that collided do not collide again.
fn jitter() -> Duration {
    let [byte] = random_bytes::<1>();
    Duration::from_millis(50 + u64::from(byte))
}
