//! Whether a fetch gets slower as everything around it grows: one API user's bundle from a server that has nothing else, and
//! from one with a million keys, a hundred thousand identities and ten million audit entries.

use std::time::Duration;

use anyhow::Result;

use super::load::Target;
use super::place::{Engine, Place, found};
use super::throughput::session;
use crate::common::effort::Effort;
use crate::common::lab::Lab;
use crate::common::report::{Report, talk};
use crate::common::stats::{median, ratios};

/// Measures both engines. Takes some ten minutes and, in the temporary directory, some 10 GB.
///
/// # Errors
/// If something cannot be measured; a missed target is none.
pub fn run(report: &mut Report) -> Result<()> {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        measure(report, &Lab::new()?, engine)?;
    }
    Ok(())
}

fn measure(report: &mut Report, lab: &Lab, engine: Engine) -> Result<()> {
    let name = engine.name();
    let places = [Place::new(engine, "empty")?, Place::new(engine, "grown")?];
    let mut authorizations = Vec::new();
    for place in &places {
        let server = place.serve(lab)?;
        authorizations.push(found(lab, &server, &place.name, KEYS)?);
    }
    let amounts = Amounts::of(report.effort);
    talk(&format!("filling {name}: {} keys, {} audit entries …", amounts.keys, amounts.entries));
    places[1].sql(lab, &fill(engine, &amounts))?;

    let servers = [places[0].serve(lab)?, places[1].serve(lab)?];
    let mut targets = Vec::new();
    for ((server, authorization), what) in servers.iter().zip(&authorizations).zip(["empty", "grown"]) {
        let session = session(server.address, authorization)?;
        for (form, authorization) in [("from memory", authorization), ("from the database", &session)] {
            let headers = format!("authorization: {authorization}\r\n");
            let target = format!("{form}, {what}");
            targets.push(Target::get(&target, server.address, server.id(), "/v1/me/bundle", &headers));
        }
    }
    let mut outcomes = vec![Vec::new(); targets.len()];
    for round in 0..report.effort.slow_rounds() {
        for place in 0..targets.len() {
            let at = (place + round) % targets.len();
            outcomes[at].push(targets[at].load(1, Duration::from_millis(400))?);
        }
    }
    let took = |at: usize| outcomes[at].iter().map(|outcome| outcome.median).collect::<Vec<f64>>();
    let note = format!(
        "One connection, {} rounds, interleaved; a bundle of {KEYS} keys. The grown database has {} keys and {} \
         identities in {OTHERS} other organisations, and {} audit entries, a tenth of them in this one.",
        outcomes[0].len(),
        amounts.keys,
        amounts.identities,
        amounts.entries
    );
    report.section(&format!("Crowd, {name}"), &note);
    let rows = targets
        .iter()
        .enumerate()
        .map(|(at, target)| vec![target.name.clone(), format!("{:.0}", median(&took(at)))]);
    report.table(&["fetch", "µs, median"], &rows.collect::<Vec<_>>());
    for (at, form) in ["from memory", "from the database"].into_iter().enumerate() {
        let target = format!("{name}: {form}, grown ÷ empty");
        report.at_most(&target, &ratios(&took(at + 2), &took(at)), 1.2, "×");
    }
    Ok(())
}

/// The amounts of everything that the server has.
struct Amounts {
    keys: u64,
    identities: u64,
    entries: u64,
}

impl Amounts {
    fn of(effort: Effort) -> Self {
        match effort {
            Effort::Full => Self { keys: 1_000_000, identities: 100_000, entries: 10_000_000 },
            Effort::Quick => Self { keys: 50_000, identities: 5_000, entries: 500_000 },
        }
    }
}

/// Rows as the server would have written them, but that nothing in them can be opened and no chain holds.
fn fill(engine: Engine, amounts: &Amounts) -> String {
    let sqlite = engine == Engine::Sqlite;
    let random = |bytes: usize| {
        if sqlite {
            format!("randomblob({bytes})")
        } else {
            format!("substr(decode(repeat(md5(random()::text), {}), 'hex'), 1, {bytes})", bytes.div_ceil(16))
        }
    };
    let numbers = |count: u64| {
        if sqlite {
            format!(
                "(with recursive n (i) as (select 1 union all select i + 1 from n where i < {count}) select i from n) n"
            )
        } else {
            format!("generate_series(1, {count}) n (i)")
        }
    };
    let (id, hash, envelope) = (random(16), random(32), random(616));
    let (keys, identities) = (amounts.keys / OTHERS, amounts.identities / OTHERS);
    let (own, others) = (amounts.entries / 10, amounts.entries / 10 * 9 / OTHERS);
    let entry = "'{\"seq\":1234567,\"time\":1764150000000,\"actor\":\"482bd7d9-38e0-4568-99be-6ae3a44d48a2\",\
                 \"action\":\"bundle.read\",\"objects\":[\"view:482bd7d9-38e0-4568-99be-6ae3a44d48a2@12\"],\"ip\":\"127.0.0.1\"}'";
    let (before, after) = if sqlite {
        ("pragma synchronous = off; begin;", "commit; pragma wal_checkpoint(truncate);")
    } else {
        ("set session_replication_role = replica; set synchronous_commit = off;", "analyze;")
    };
    let of_others =
        |columns: &str, count: u64| format!("select {columns} from other o cross join {}", numbers(count));
    format!(
        "{before}
        create temporary table own as select id, audit_seq from orgs;
        create temporary table other as select {id} as id from {};
        insert into orgs (id, seq, sha256, epoch, nonce, audit_seq, audit_hash, created_at)
            select id, 1, {hash}, 1, {hash}, {others}, {hash}, 0 from other;
        insert into identities (org_id, id, kind, role, created_at) {};
        insert into credentials (id, org_id, identity_id, kind, auth_sha256, env, created_at)
            select {id}, i.org_id, i.id, 'token', {hash}, {envelope}, 0
            from identities i join other o on o.id = i.org_id;
        insert into keys (org_id, id, version) {};
        insert into secrets (org_id, key_id, version, reseal, sha256, env, created_at)
            select k.org_id, k.id, 1, 0, {hash}, {envelope}, 0 from keys k join other o on o.id = k.org_id;
        insert into audit (org_id, seq, time, actor_id, entry, hash) {};
        insert into audit_objects (org_id, audit_seq, kind, object_id, view_seq) {};
        insert into audit (org_id, seq, time, actor_id, entry, hash)
            select o.id, o.audit_seq + n.i, n.i, o.id, {entry}, {hash} from own o cross join {};
        insert into audit_objects (org_id, audit_seq, kind, object_id, view_seq)
            select o.id, o.audit_seq + n.i, 'view', v.id, v.seq
            from own o join views v on v.org_id = o.id cross join {};
        update orgs set audit_seq = audit_seq + {own} where id in (select id from own);
        {after}",
        numbers(OTHERS),
        of_others(&format!("o.id, {id}, 'api', 'viewer', 0"), identities),
        of_others(&format!("o.id, {id}, 1"), keys),
        of_others(&format!("o.id, n.i, n.i, o.id, {entry}, {hash}"), others),
        of_others("o.id, n.i, 'view', o.id, 1", others),
        numbers(own),
        numbers(own),
    )
}

/// Keys in the bundle.
const KEYS: usize = 50;

/// Other organisations.
const OTHERS: u64 = 100;
