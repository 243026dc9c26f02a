//! A server that lies.

use keyward_tests::server::Engine;
use keyward_tests::world::{World, expected, read};

#[test]
fn ms_00_an_honest_proxy_changes_nothing() {
    let mut world = World::new(Engine::Sqlite);
    let liar = world.liar();
    world.robot.redirect(&liar.url());
    assert_eq!(read(&world.robot), expected());
    assert_eq!(liar.routes(), ["GET /v1/me/bundle"]);
}
