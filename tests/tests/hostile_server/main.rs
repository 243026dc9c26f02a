//! A server that lies: the rows MS-* of THREATS.md. In each, the client ends with the code of its row, leaves no byte of a
//! secret on stdout, and asks that server for nothing more.

#![expect(clippy::unwrap_used, reason = "a test's helpers: a failure is the test's failure")]

mod admin;
mod answers;
mod bundles;
mod envelopes;
mod freshness;
mod offline;
mod sealed;
mod sign_in;

use keyward_tests::forge::Forge;
use keyward_tests::http::Answer;
use keyward_tests::insider::Insider;
use keyward_tests::liar::{Liar, Reply};
use keyward_tests::machine::Machine;
use keyward_tests::server::Engine;
use keyward_tests::world::{ENV_FILE, ROBOT, World, env_file, expected, read};
use keyward_wire::api::bundle::Bundle;
use serde::Serialize;
use serde_json::Value;

const BUNDLE: &str = "GET /v1/me/bundle";

/// A robot that believes to talk to its server.
struct Trap {
    world: World,
    liar: Liar,
    honest: Vec<u8>,
}

impl Trap {
    fn new() -> Self {
        let mut world = World::new(Engine::Sqlite);
        let liar = world.liar();
        world.robot.redirect(&liar.url());
        let honest = env_file(&world.robot).ok(ENV_FILE).into_bytes();
        Self { world, liar, honest }
    }

    /// Like the robot, with a memory.
    fn remembering(&self) -> Machine {
        let mut machine = self.world.remembering_robot();
        machine.redirect(&self.liar.url());
        machine
    }

    /// The robot's true bundle.
    fn bundle(&self) -> Bundle {
        self.world.bundle(&self.world.token)
    }

    /// The robot's bundle, to be forged by this owner.
    fn forge<'a>(&self, insider: &'a Insider) -> Forge<'a> {
        Forge::new(insider, ROBOT, self.bundle())
    }

    /// Serves this in place of every bundle.
    fn serve(&self, bundle: &impl Serialize) {
        self.serve_text(&serde_json::to_string(bundle).unwrap());
    }

    fn serve_text(&self, text: &str) {
        self.liar.answer(BUNDLE, json_answer(text));
    }

    /// Changes every bundle on its way.
    fn tamper(&self, change: impl Fn(&mut Value) + Send + Sync + 'static) {
        self.liar.change(BUNDLE, move |answer| answer.edit(&change));
    }

    /// The robot is told this lie, and refuses.
    fn refused(&self, code: i32, lie: &str) {
        self.refused_by(&self.world.robot, code, lie);
    }

    /// The machine is told this lie, and refuses.
    fn refused_by(&self, machine: &Machine, code: i32, lie: &str) {
        let before = self.liar.traffic().len();
        env_file(machine).refused(code, lie);
        assert_eq!(self.liar.traffic().len() - before, 1, "{lie}: it asked again");
    }

    /// The robot is told this lie, and it changes nothing.
    fn unharmed(&self, lie: &str) {
        let ended = env_file(&self.world.robot);
        assert_eq!(ended.code, 0, "{lie}: {}", ended.said());
        assert_eq!(ended.stdout, self.honest, "{lie}");
    }
}

fn json_answer(text: &str) -> Answer {
    Answer::new(200, text).header("content-type", "application/json")
}

/// An answer as bytes, with these headers of its own.
fn raw(head: &str, body: &[u8]) -> Reply {
    Reply::Bytes([head.as_bytes(), b"\r\n", body].concat())
}

#[test]
fn ms_00_an_honest_proxy_changes_nothing() {
    let trap = Trap::new();
    assert_eq!(read(&trap.world.robot), expected());
    assert_eq!(trap.liar.routes(), [BUNDLE, BUNDLE]);
    trap.unharmed("no lie at all");
}
