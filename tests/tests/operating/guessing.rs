//! A password guessed from everywhere: the guessers wait, its holder does not where he was, and who must wait is told how long.

use keyward_tests::engines;
use keyward_tests::http::Request;
use keyward_tests::liar::{Liar, Reply};
use keyward_tests::machine::Machine;
use keyward_tests::server::Server;
use keyward_tests::world::{EMAIL, ORG, PASSWORD, World};
use serde_json::{Value, json};

engines! {
    fn guessers_do_not_lock_the_holder_out_and_a_stranger_is_told_when_to_come_again(engine) {
        let server = Server::start_with(engine, &["--trusted-proxy", "127.0.0.1/32"]);
        let code = std::fs::read_to_string(server.data().join("setup-code")).unwrap();
        let home = Machine::new(&server.url());
        let init = [
            "init", "--org", ORG, "--email", EMAIL, "--password-stdin", "--recovery-kit", "kit.txt",
            "--setup-code", code.trim(),
        ];
        home.keyward_with(&init, PASSWORD.as_bytes()).ok(&init);

        let prelogin = Request::get(&format!("/v1/auth/prelogin?email={EMAIL}"));
        let known: Value = server.send(&prelogin).read();
        let guess = json!({ "cred": known["cred"], "auth": "A".repeat(43) });
        let mut statuses = Vec::new();
        for n in 0..25 {
            let request = Request::post("/v1/auth/login", &guess);
            let answer = server.send(&request.header("x-forwarded-for", &format!("192.0.2.{n}")));
            statuses.push(answer.status);
            if answer.status == 429 {
                let wait: u64 = answer.of("retry-after").unwrap().parse().unwrap();
                assert!((1..=30).contains(&wait), "{wait}");
            }
        }
        assert_eq!(statuses, [vec![401; 20], vec![429; 5]].concat());

        // The holder, where he signed up.
        let login = ["login", "--email", EMAIL, "--password-stdin"];
        home.keyward_with(&login, PASSWORD.as_bytes()).ok(&login);
        // The same person on the road, with the right password.
        let road = Liar::before(server.address);
        road.lie("POST /v1/auth/login", |request, server| {
            Reply::Whole(server(&request.clone().header("x-forwarded-for", "203.0.113.9")))
        });
        let ended = Machine::new(&road.url()).keyward_with(&login, PASSWORD.as_bytes());
        assert_eq!(ended.code, 5, "{}", ended.said());
        assert!(ended.stderr.contains("Too many refused sign-ins: try again in "), "{}", ended.stderr);
        // Guesses that were not looked at are not in the audit; those that were are.
        assert_eq!(server.sql("select count(*) from audit where entry like '%login.refused%'"), "20");
    }

    fn guesses_that_come_together_count_one_by_one(engine) {
        // From the machine of the sign-up itself: no stranger's limit holds there.
        let world = World::new(engine);
        let prelogin = Request::get(&format!("/v1/auth/prelogin?email={EMAIL}"));
        let known: Value = world.server.send(&prelogin).read();
        let guess = json!({ "cred": known["cred"], "auth": "A".repeat(43) });
        let judged = std::thread::scope(|scope| {
            let guesses: Vec<_> = (0..150)
                .map(|_| scope.spawn(|| world.server.send(&Request::post("/v1/auth/login", &guess)).status))
                .collect();
            guesses.into_iter().map(|guess| guess.join().unwrap()).filter(|status| *status == 401).count()
        });
        // 50, and one more for every two seconds that it took.
        assert!((50..=60).contains(&judged), "{judged} of 150 guesses were judged");
        let number = |sql: &str| world.server.sql(sql).parse::<usize>().unwrap();
        let audited = number("select count(*) from audit where entry like '%login.refused%'");
        assert!((50..=52).contains(&audited), "{audited}: the first 50 are in the audit, and then one a minute");
        assert_eq!(number("select unknown_logins from server") + audited, judged, "the others are counted");
    }
}
