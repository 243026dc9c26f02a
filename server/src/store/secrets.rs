//! Keys and their sealed versions.

use keyward_wire::KeyId;
use keyward_wire::api::bundle::SecretItem;
use keyward_wire::api::org::SecretRef;

use super::StoreError;
use super::engine::{Row, Tx, id, int, statements};
use crate::access::{Permit, Readable};

impl Tx {
    /// The current versions of exactly the readable keys, in the order of their ids.
    pub async fn current_secrets(&mut self, readable: &Readable) -> Result<Vec<SecretItem>, StoreError> {
        let keys: Vec<KeyId> = readable.keys().iter().copied().collect();
        let mut secrets = Vec::with_capacity(keys.len());
        for some in keys.chunks(CURRENT_BATCH) {
            let mut args = vec![id(readable.org())];
            args.extend(some.iter().map(|key| id(*key)));
            // The statement has a fixed number of places; the last id is repeated in those that are left.
            let last = *some.last().expect("chunks are not empty");
            args.resize_with(1 + CURRENT_BATCH, || id(last));
            for row in self.all(CURRENT, args).await? {
                let secret = item(&row)?;
                if readable.keys().contains(&secret.key) {
                    secrets.push(secret);
                }
            }
        }
        Ok(secrets)
    }

    /// Those of the wanted versions that exist, in this order. `None` if they take more than `max_bytes`.
    pub async fn secret_versions(
        &mut self,
        permit: &Permit,
        wanted: &[SecretRef],
        max_bytes: usize,
    ) -> Result<Option<Vec<SecretItem>>, StoreError> {
        let (mut secrets, mut bytes) = (Vec::with_capacity(wanted.len()), 0);
        for wanted in wanted {
            // A number that cannot be stored is not stored.
            let Ok(version) = int(wanted.version) else { continue };
            let args = vec![id(permit.org()), id(wanted.key), version];
            let Some(row) = self.optional(VERSION, args).await? else { continue };
            let secret = item(&row)?;
            bytes += secret.env.as_bytes().len();
            if bytes > max_bytes {
                return Ok(None);
            }
            secrets.push(secret);
        }
        Ok(Some(secrets))
    }
}

fn item(row: &Row) -> Result<SecretItem, StoreError> {
    Ok(SecretItem {
        key: row.id("key_id")?,
        version: row.count("version")?,
        reseal: row.count("reseal")?,
        env: row.envelope("env")?,
    })
}

/// The number of keys that one [`CURRENT`] asks for.
const CURRENT_BATCH: usize = 32;

statements! {
    CURRENT = "
        select s.key_id, s.version, s.reseal, s.env
        from keys k
        join secrets s on s.org_id = k.org_id and s.key_id = k.id and s.version = k.version
        where k.org_id = $1 and k.id in (
            $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17,
            $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33
        )
        order by s.key_id";
    VERSION = "
        select key_id, version, reseal, env
        from secrets
        where org_id = $1 and key_id = $2 and version = $3";
}
