//! The life of a server, from its start to its end.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use keyward_tests::engines;
use keyward_tests::http::Request;
use keyward_tests::server::{Server, wait_until};
use keyward_tests::world::{World, expected, founded, read};
use serde_json::json;

engines! {
    fn the_ready_line_is_all_of_stdout(engine) {
        let server = Server::start(engine);
        assert_eq!(server.stdout(), format!("keyward-server listening on {}\n", server.url()));
        assert_eq!(server.send(&Request::get("/healthz")).status, 200);
        assert_eq!(server.send(&Request::get("/readyz")).status, 200);
    }

    fn a_restart_keeps_everything(engine) {
        let mut world = World::new(engine);
        let (before, audit) = (world.insider().answer, world.server.sql("select count(*) from audit"));
        // Killed, not asked: whatever was answered is on the disk.
        world.server.restart();
        assert_ne!(audit, "0");
        assert_eq!(world.server.sql("select count(*) from audit"), audit);
        for machine in [&mut world.owner, &mut world.robot] {
            machine.redirect(&world.server.url());
        }
        let after = world.insider().answer;
        assert_eq!((after.seq, after.sha256, after.env.sha256()), (before.seq, before.sha256, before.env.sha256()));
        assert_eq!(read(&world.robot), expected());
    }

    fn nobody_else_on_the_machine_reads_the_data_directory(engine) {
        let (server, _owner) = founded(engine);
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o7777;
        assert_eq!(mode(&server.data()), 0o700);
        for file in std::fs::read_dir(server.data()).unwrap() {
            let path = file.unwrap().path();
            assert_eq!(mode(&path), 0o600, "{}", path.display());
        }
    }

    fn a_request_that_is_under_way_is_answered_before_the_end(engine) {
        let (mut server, _owner) = founded(engine);
        let body = json!({ "cred": "482bd7d9-38e0-4568-99be-6ae3a44d48a2", "auth": "A".repeat(43) });
        let bytes = Request::post("/v1/auth/login", &body).bytes();
        let (first, rest) = bytes.split_at(bytes.len() - 10);
        let mut stream = TcpStream::connect(server.address).unwrap();
        stream.write_all(first).unwrap();
        // The server has begun to read: it answers another request on a later connection.
        assert_eq!(server.send(&Request::get("/healthz")).status, 200);
        server.ask_to_end();
        let address = server.address;
        wait_until("the listener to close", || TcpStream::connect(address).is_err().then_some(()));
        stream.write_all(rest).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
        assert_eq!(server.wait().code(), Some(0));
    }
}
