//! What moves the clock, takes all threads or measures memory, and so needs a process of its own.

use std::io::Write as _;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use keyward_gateway::{Egress, Listener};
use keyward_wire::rule::Injection;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::lab::agent::{Agent, trusting};
use crate::lab::upstream::{echo, fixed, script, silent};
use crate::lab::world::{Plan, SA, World};

/// Lets so much time pass, for the gateway too.
async fn pass(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}

pub(super) async fn p16_a_silent_answer_a_silent_tunnel_and_a_peer_that_does_not_close_end_by_the_clock() {
    let mut plan = Plan::new();
    plan.egress = Egress::Allow;
    let (a, _a) = plan.upstream("a.test", &[b"http/1.1"], silent()).await;
    let (b, _b) = plan.plain("b.test", silent()).await;
    plan.bearer("A", SA, &a);
    let world = plan.start().await;
    let mut streaming = world.streaming(&a).await;
    let mut blind = world.blind(&b).await;
    // It agrees to HTTP/2 and never answers a ping.
    let mut deaf = world.tunnel_of(&a, &world.credential, &[b"h2"]).await;
    deaf.say(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await;
    deaf.take(9).await.unwrap();
    pass(Duration::from_mins(6)).await;
    // The gateway says that it goes.
    deaf.until(b"\x07").await.unwrap();
    pass(Duration::from_mins(1)).await;
    pass(Duration::from_mins(1)).await;
    deaf.rest().await;
    pass(Duration::from_mins(15)).await;
    streaming.rest().await;
    pass(Duration::from_hours(1)).await;
    blind.rest().await;
}

/// A tunnel on which nothing happens for a moment is served by a new parser from then on.
pub(super) async fn p10_p16_a_tunnel_that_rested_goes_on_where_it_was_and_ends_like_any_other() {
    let (world, a, upstream) = World::with(echo()).await;
    let rest = async || {
        settle().await;
        pass(Duration::from_secs(6)).await;
        settle().await;
    };
    let get = |path: &str, host: &str| format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n");
    let mut agent = world.tunnel(&a).await;
    rest().await;
    assert_eq!(agent.get(&a, "/1").await.status, 200);
    rest().await;
    for part in ["\r", "\n", "GET /2 HT", "TP/1.1\r\nHost: "] {
        agent.say(part).await;
        rest().await;
    }
    assert_eq!(agent.ask(format!("{a}\r\n\r\n")).await.status, 200);
    rest().await;
    agent.say(format!("POST /3 HTTP/1.1\r\nHost: {a}\r\nContent-Length: 6\r\n\r\none")).await;
    rest().await;
    let answer = agent.ask(["two", &get("/4", "x.test"), &get("/5", &a)].concat()).await;
    assert!(answer.status == 200 && answer.text().ends_with("onetwo"), "{answer:?}");
    assert_eq!(agent.answer().await.unwrap().status, 421);
    assert_eq!(agent.answer().await.unwrap().status, 200);
    rest().await;
    agent.say(get("/6", &a).replace('\n', "")).await;
    assert_eq!(agent.answer().await.unwrap().status, 400);
    agent.rest().await;
    let text = upstream.text();
    let sent: Vec<_> = text.lines().filter_map(|line| line.strip_suffix(" HTTP/1.1")).collect();
    assert_eq!(sent, ["GET /1", "GET /2", "POST /3", "onetwoGET /5"]);

    let mut idle = world.tunnel(&a).await;
    rest().await;
    pass(Duration::from_mins(5)).await;
    idle.rest().await;

    let mut revoked = world.tunnel(&a).await;
    assert_eq!(revoked.get(&a, "/7").await.status, 200);
    rest().await;
    world.source.revoke(&world.credential);
    revoked.rest().await;
    world.logged("cut").await;
}

/// The answer to the first request is on its way, all of it written and not all of it sent, when the second comes: the parser
/// reads that and does not begin it. How much fits on the way nobody says, so answers of many lengths are tried.
pub(super) async fn p10_a_request_behind_an_answer_that_is_not_read_is_answered_in_its_turn() {
    let big = script(|mut talk| async move {
        while let Some(head) = talk.head().await {
            let path = head.split(' ').nth(1).unwrap_or_default();
            let length = path[1..].parse().unwrap_or(0);
            talk.answer("200 OK", "", "x".repeat(length)).await;
            if head.starts_with("POST") {
                talk.take(6).await;
            }
        }
    });
    let (world, a, _upstream) = World::with(big).await;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("gateway.sock");
    let listener = tokio::net::UnixListener::bind(&path).unwrap();
    let serving = world.gateway.clone();
    tokio::spawn(async move { serving.serve(Listener::Unix(listener)).await });
    for length in (160..520).step_by(24) {
        let mut agent = Agent::of(tokio::net::UnixStream::connect(&path).await.unwrap());
        assert_eq!(agent.connect(&a, &world.credential).await.status, 200);
        let mut agent = agent.tls("a.test", trusting(&world.ca, &[])).await.unwrap();
        let length = length * 1024;
        agent.say(format!("POST /{length} HTTP/1.1\r\nHost: {a}\r\nContent-Length: 6\r\n\r\none")).await;
        settle().await;
        agent.say(format!("twoGET /2 HTTP/1.1\r\nHost: {a}\r\n\r\n")).await;
        settle().await;
        pass(Duration::from_secs(6)).await;
        settle().await;
        assert_eq!(agent.answer().await.unwrap().body.len(), length);
        pass(Duration::from_secs(6)).await;
        settle().await;
        assert_eq!(agent.get(&a, "/3").await.body.len(), 2, "behind {length} bytes");
        assert_eq!(agent.answer().await.unwrap().body.len(), 3, "behind {length} bytes");
    }
}

pub(super) async fn p18_an_upload_may_take_longer_than_an_answer() {
    let (world, a, upstream) = World::with(echo()).await;
    let mut agent = world.tunnel(&a).await;
    agent.say(format!("POST / HTTP/1.1\r\nHost: {a}\r\nContent-Length: 9\r\n\r\n")).await;
    for part in ["one", "two", "six"] {
        agent.say(part).await;
        upstream.came(part.as_bytes()).await;
        pass(Duration::from_mins(10)).await;
    }
    let answer = agent.answer().await.unwrap();
    assert_eq!(answer.status, 200);
    assert!(answer.text().ends_with("onetwosix"));
}

pub(super) async fn s3_a_revocation_waits_for_no_disk_and_no_resolver() {
    let (world, a, _upstream) = World::with(silent()).await;
    let mut agent = world.tunnel(&a).await;
    agent.say(format!("GET / HTTP/1.1\r\nHost: {a}\r\n\r\n")).await;
    agent.until(b"data: 1\n\n").await.unwrap();
    // All threads for work that blocks are taken.
    let gate = Arc::new((Mutex::new(false), Condvar::new()));
    for _ in 0..512 {
        let gate = Arc::clone(&gate);
        tokio::task::spawn_blocking(move || {
            let open = gate.0.lock().unwrap();
            drop(gate.1.wait_while(open, |open| !*open).unwrap());
        });
    }
    pass(Duration::from_secs(2)).await;
    // The gateway has begun to bring its log to the disk.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    world.source.revoke(&world.credential);
    agent.rest().await;
    *gate.0.lock().unwrap() = true;
    gate.1.notify_all();
}

/// Megabytes of this process.
fn resident_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

/// Waits until nothing moves any more. Nobody but this case runs in this thread.
async fn settle() {
    for _ in 0..5000 {
        tokio::task::yield_now().await;
    }
}

pub(super) async fn p18_bodies_of_any_size_are_streamed_in_bounded_memory_to_whoever_reads_slowly_too() {
    const MIB: usize = 64;
    let counts = script(|mut talk| async move {
        while let Some(head) = talk.head().await {
            if head.starts_with("GET") {
                talk.say(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", MIB << 20)).await;
                for _ in 0..MIB {
                    talk.say(vec![b'x'; 1 << 20]).await;
                }
            } else {
                let mut sum = 0;
                for _ in 0..MIB {
                    settle().await;
                    sum += talk.take_unseen(1 << 20).await;
                }
                talk.answer("200 OK", "", sum.to_string()).await;
            }
        }
    });
    let (world, a, _upstream) = World::with(counts).await;
    let mut agent = world.tunnel(&a).await;
    agent.forgets();
    let before = resident_mib();
    agent.say(format!("GET / HTTP/1.1\r\nHost: {a}\r\n\r\n")).await;
    agent.until(b"\r\n\r\n").await.unwrap();
    for _ in 0..MIB {
        settle().await;
        assert!(agent.take(1 << 20).await.unwrap() == vec![b'x'; 1 << 20]);
    }
    agent.say(format!("POST / HTTP/1.1\r\nHost: {a}\r\nContent-Length: {}\r\n\r\n", MIB << 20)).await;
    for _ in 0..MIB {
        agent.say(vec![b'y'; 1 << 20]).await;
    }
    assert_eq!(agent.answer().await.unwrap().text(), (MIB << 20).to_string());
    let grown = resident_mib() - before;
    assert!(grown < 24, "{grown} MiB more for {MIB} MiB each way");
}

pub(super) async fn r6_a_value_far_into_a_body_and_in_its_last_bytes_is_covered_in_bounded_memory() {
    const MIB: usize = 160;
    let far = script(|mut talk| async move {
        while talk.head().await.is_some() {
            talk.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await;
            for count in 1..=MIB {
                let mut piece = vec![b'x'; 1 << 20];
                if matches!(count, 3 | 64 | MIB) {
                    let start = piece.len() - SA.len();
                    piece[start..].copy_from_slice(SA.as_bytes());
                }
                talk.say(format!("{:x}\r\n", piece.len())).await;
                talk.say(&piece).await;
                talk.say("\r\n").await;
            }
            talk.say("0\r\n\r\n").await;
        }
    });
    let (world, a, _upstream) = World::with(far).await;
    let mut agent = world.tunnel(&a).await;
    agent.forgets();
    let before = resident_mib();
    agent.say(format!("GET / HTTP/1.1\r\nHost: {a}\r\n\r\n")).await;
    agent.until(b"\r\n\r\n").await.unwrap();
    let (plain, mut total, mut other) = (vec![b'x'; 1 << 21], 0, Vec::new());
    loop {
        let size = String::from_utf8(agent.until(b"\r\n").await.unwrap()).unwrap();
        let size = usize::from_str_radix(size.trim_end(), 16).unwrap();
        let piece = agent.take(size).await.unwrap();
        agent.take(2).await.unwrap();
        if size == 0 {
            break;
        }
        total += size;
        if piece != plain[..size] {
            other.extend(piece.into_iter().filter(|byte| *byte != b'x'));
        }
    }
    assert_eq!(total, MIB << 20);
    // What covers it has no x in it but by chance.
    let other = String::from_utf8(other).unwrap();
    assert!(other.len() > SA.len() * 2 && other.len() <= SA.len() * 3, "{other}");
    assert!(
        !SA.as_bytes().windows(8).any(|part| other.as_bytes().windows(8).any(|told| told == part)),
        "{other}"
    );
    let grown = resident_mib() - before;
    assert!(grown < 24, "{grown} MiB more for {MIB} MiB");
}

pub(super) async fn p16_an_answer_that_unpacks_to_a_thousand_times_its_size_is_streamed() {
    const MIB: usize = 64;
    let mut coder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    coder.write_all(&vec![0; 4 << 20]).unwrap();
    // One member after the other, which is one text.
    let bomb = coder.finish().unwrap().repeat(MIB / 4);
    assert!(bomb.len() < MIB << 11, "{}", bomb.len());
    let head = format!("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n", bomb.len());
    let (world, a, _upstream) = World::with(fixed([head.into_bytes(), bomb].concat())).await;
    let mut agent = world.tunnel(&a).await;
    agent.forgets();
    let before = resident_mib();
    agent.say(format!("GET / HTTP/1.1\r\nHost: {a}\r\n\r\n")).await;
    agent.until(b"\r\n\r\n").await.unwrap();
    let mut total = 0;
    loop {
        settle().await;
        let size = String::from_utf8(agent.until(b"\r\n").await.unwrap()).unwrap();
        let size = usize::from_str_radix(size.trim_end(), 16).unwrap();
        total += agent.take(size).await.unwrap().len();
        agent.take(2).await.unwrap();
        if size == 0 {
            break;
        }
    }
    assert_eq!(total, MIB << 20);
    let grown = resident_mib() - before;
    assert!(grown < 24, "{grown} MiB more for {MIB} MiB");
}

pub(super) async fn p16_heads_and_bodies_that_never_end_are_cut_off() {
    let (world, a, upstream) = World::with(echo()).await;
    let mut head = world.tunnel(&a).await;
    head.say("GET / HTTP/1.1\r\nHost: ").await;
    // A byte now and then is no end.
    for _ in 0..4 {
        settle().await;
        pass(Duration::from_secs(8)).await;
        head.say("a").await;
    }
    ends(&mut head).await;
    assert_eq!(upstream.connections(), 0);
    let mut body = world.tunnel(&a).await;
    body.say(format!("POST / HTTP/1.1\r\nHost: {a}\r\nContent-Length: 10\r\n\r\nx")).await;
    upstream.came(b"\r\n\r\nx").await;
    for _ in 0..8 {
        settle().await;
        pass(Duration::from_mins(3)).await;
    }
    ends(&mut body).await;
    world.still_works(&a).await;
}

/// Checks that the connection ends now, long before it would for being idle.
async fn ends(agent: &mut Agent) {
    tokio::time::timeout(Duration::from_secs(30), agent.rest()).await.expect("it goes on");
}

pub(super) async fn p16_an_agent_that_takes_all_it_can_get_leaves_others_their_share() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: Some(512), maximum }).unwrap();
    let mut plan = Plan::new();
    let (a, _upstream) = plan.upstream("a.test", &[b"http/1.1"], echo()).await;
    let (second, credential) = plan.source.agent("two");
    plan.bearer("A", SA, &a);
    plan.source.grant(&second, "A", SA, &[&a], vec![Injection::bearer()], |_| ());
    let world = plan.start().await;
    let mut held = Vec::new();
    let refused = loop {
        let mut agent = world.dial().await;
        let answer = agent.connect(&a, &world.credential).await;
        if answer.status != 200 {
            break answer;
        }
        held.push(agent);
        assert!(held.len() < 200, "one agent may have everything");
    };
    assert_eq!((refused.status, refused.error().as_str()), (429, "rate_limited"));
    assert!(held.len() > 40, "{} connections", held.len());
    for _ in 0..5 {
        assert_eq!(world.tunnel_of(&a, &credential, &[]).await.get(&a, "/").await.status, 200);
    }
    held.pop();
    settle().await;
    assert_eq!(
        world.dial().await.connect(&a, &world.credential).await.status,
        200,
        "a place that is given back"
    );
}
