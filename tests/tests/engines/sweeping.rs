//! What sweeps up what has ended stands in nobody's way.

use keyward_server::store::{ClockOffset, Store};
use keyward_tests::server::Engine;
use keyward_tests::world::founded;
use keyward_wire::{IdentityId, OrgId};

/// Each would wait for the other's rows, and one of the two be refused.
#[test]
fn what_a_sign_in_is_at_work_on_is_swept_up_another_time() {
    let (server, _owner) = founded(Engine::Postgres);
    let row = server.sql(
        "select encode(org_id, 'hex') || ' ' || encode(identity_id, 'hex') || ' ' || network from networks",
    );
    let [org, identity, network] = row.split_whitespace().collect::<Vec<_>>()[..] else { panic!("{row}") };
    let bytes = |text: &str| data_encoding::HEXLOWER.decode(text.as_bytes()).unwrap().try_into().unwrap();
    let (org, identity) = (OrgId::from_bytes(bytes(org)), IdentityId::from_bytes(bytes(identity)));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let store = Store::open_postgres(server.postgres_url(), ClockOffset::default()).await.unwrap();
        let mut signs_in = store.begin().await.unwrap();
        let now = signs_in.now().await.unwrap();
        signs_in.remember_network(org, identity, network.parse().unwrap(), now).await.unwrap();
        let mut sweeps = store.begin().await.unwrap();
        let later = now + 400 * 24 * 3_600_000;
        let swept = sweeps.sweep(later, later, later).await.unwrap();
        assert!(swept.credentials > 0 && swept.networks == 0, "{swept:?}");
        sweeps.commit().await.unwrap();
        signs_in.commit().await.unwrap();
        let mut sweeps = store.begin().await.unwrap();
        assert_eq!(sweeps.sweep(later, later, later).await.unwrap().networks, 1);
        sweeps.commit().await.unwrap();
        store.close().await;
    });
}
