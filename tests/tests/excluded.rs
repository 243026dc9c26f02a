//! Exclusions, black box, on both engines: what a group may not read, its members cannot even count.

use keyward_tests::engines;
use keyward_tests::world::{World, expected, read};

engines! {
    fn ex_01_a_bundle_holds_exactly_what_is_included(engine) {
        let world = World::new(engine);
        assert_eq!(read(&world.robot), expected());
    }
}
