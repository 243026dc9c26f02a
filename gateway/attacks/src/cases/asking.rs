//! R: what an agent finds out by asking again and again.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use data_encoding::{BASE64, HEXLOWER};

use crate::lab::agent::Agent;
use crate::lab::upstream::{Script, script};
use crate::lab::world::{Plan, SA, World};

/// The next request's body, by its length.
async fn body(talk: &mut crate::lab::upstream::Talk, head: &str) -> String {
    let length = head
        .to_lowercase()
        .split("content-length: ")
        .nth(1)
        .map_or(0, |rest| rest.lines().next().unwrap().parse().unwrap());
    String::from_utf8(talk.take(length).await).unwrap()
}

/// Answers each request with its own body, and nothing else.
fn repeat() -> Script {
    script(|mut talk| async move {
        while let Some(head) = talk.head().await {
            let body = body(&mut talk, &head).await;
            talk.answer("200 OK", "Content-Type: text/plain\r\n", body).await;
        }
    })
}

async fn post(agent: &mut Agent, to: &str, path: &str, body: &str) -> crate::lab::agent::Answer {
    let length = body.len();
    agent.ask(format!("POST {path} HTTP/1.1\r\nHost: {to}\r\nContent-Length: {length}\r\n\r\n{body}")).await
}

/// The text with another last character.
fn wrong(text: &str) -> String {
    let (rest, last) = text.split_at(text.len() - 1);
    format!("{rest}{}", if last == "x" { "y" } else { "x" })
}

pub(super) async fn r25_r21_a_guess_at_a_part_comes_back_as_it_was_right_or_wrong() {
    let (world, a, _upstream) = World::with(repeat()).await;
    let mut agent = world.tunnel(&a).await;
    let mut guesses = format!("Incorrect key: {}****{}\n", &SA[..8], &SA[SA.len() - 4..]);
    for length in 8..SA.len() {
        for right in [&SA[..length], &SA[SA.len() - length..]] {
            for guess in [right.to_owned(), wrong(right)] {
                let encoded = [HEXLOWER.encode(guess.as_bytes()), BASE64.encode(guess.as_bytes())];
                writeln!(guesses, "{guess} {} {}", encoded[0], encoded[1]).unwrap();
            }
        }
    }
    assert_eq!(post(&mut agent, &a, "/", &guesses).await.text(), guesses);
    // The whole is covered, as long as it is.
    let whole = format!("<{SA}> <{}>", wrong(SA));
    let answer = post(&mut agent, &a, "/", &whole).await.text();
    assert_eq!(answer.len(), whole.len());
    assert!(!answer.contains(SA) && answer.ends_with(&whole[SA.len() + 2..]), "{answer}");
}

pub(super) async fn r18_many_guesses_in_one_body_are_looked_through_and_counted_once() {
    let (world, a, _upstream) = World::with(repeat()).await;
    let mut agent = world.tunnel(&a).await;
    let guesses: Vec<String> = (0..20_000).map(|n| format!("{}{n:06}", &SA[..SA.len() - 6])).collect();
    let guesses = format!("{} {SA}", guesses.join(" "));
    let answer = post(&mut agent, &a, "/", &guesses).await.text();
    assert_eq!(answer.len(), guesses.len());
    assert_eq!(answer[..answer.len() - SA.len()], guesses[..guesses.len() - SA.len()]);
    let log = world.log();
    assert_eq!(log.iter().filter(|line| line["decision"] == "cover").count(), 1, "{log:?}");
}

pub(super) async fn r17_what_comes_before_a_pause_does_not_depend_on_what_it_ends_like() {
    let stalls = script(|mut talk| async move {
        while let Some(head) = talk.head().await {
            let body = body(&mut talk, &head).await;
            talk.say(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len() + 1)).await;
            talk.go_on().await;
            talk.say(".").await;
        }
    });
    let mut plan = Plan::new();
    let (a, upstream) = plan.upstream("a.test", &[b"http/1.1"], stalls).await;
    plan.bearer("A", SA, &a);
    let world = plan.start().await;
    let mut came = Vec::new();
    for length in [1, 2, 3, 6, 12, 24, SA.len() - 1] {
        for end in [SA[..length].to_owned(), wrong(&SA[..length])] {
            let mut agent = world.tunnel(&a).await;
            let text = format!("{}{end}", "x".repeat(20_000 - length));
            agent
                .say(format!("POST / HTTP/1.1\r\nHost: {a}\r\nContent-Length: {}\r\n\r\n{text}", text.len()))
                .await;
            came.push(agent.all_there_is(10_000).await);
            upstream.go_on();
            let whole = agent.answer().await.unwrap().text();
            assert_eq!(whole, format!("{text}."), "none of it was a value");
        }
    }
    came.dedup();
    assert_eq!(came.len(), 1, "{came:?}");
}

pub(super) async fn r19_what_is_stored_with_a_placeholder_has_the_placeholder_in_it() {
    let stored = Arc::new(Mutex::new(String::new()));
    let store = script(move |mut talk| {
        let stored = Arc::clone(&stored);
        async move {
            while let Some(head) = talk.head().await {
                let came = body(&mut talk, &head).await;
                if head.starts_with("POST /store ") {
                    stored.lock().unwrap().clone_from(&came);
                }
                let text = if head.starts_with("GET /echo ") { head } else { stored.lock().unwrap().clone() };
                talk.answer("200 OK", "", text).await;
            }
        }
    });
    let (world, a, upstream) = World::with(store).await;
    let mut agent = world.tunnel(&a).await;
    let placeholder = agent.placeholder(&a, "/echo").await;
    let text = format!("{{\"key\":\"{placeholder}\"}}");
    post(&mut agent, &a, "/store", &text).await;
    assert!(upstream.text().ends_with(&text), "it went as it was");
    assert_eq!(agent.get(&a, "/stored").await.text(), text);
}

pub(super) async fn r20_a_link_with_the_key_in_it_has_a_placeholder_with_which_it_works() {
    let pages = script(|mut talk| async move {
        while let Some(head) = talk.head().await {
            let key = head.split("access_token=").nth(1).unwrap().split(['&', ' ']).next().unwrap();
            let host = head.split("host: ").nth(1).unwrap().lines().next().unwrap();
            let next = format!("{{\"next\":\"https:\\/\\/{host}\\/?page=2&access_token={key}\"}}");
            talk.answer("200 OK", "Content-Type: application/json\r\n", next).await;
        }
    });
    let mut plan = Plan::new();
    let (a, upstream) = plan.upstream("a.test", &[b"http/1.1"], pages).await;
    let into = "query:access_token".parse().unwrap();
    plan.source.grant(&plan.agent, "A", SA, &[&a], vec![into], |_| ());
    let world = plan.start().await;
    let mut agent = world.tunnel(&a).await;
    let mut path = "/".to_owned();
    for count in 1..=3 {
        let answer = agent.get(&a, &path).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        assert_eq!(upstream.text().matches(&format!("access_token={SA}")).count(), count);
        let json: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
        let next = json["next"].as_str().unwrap();
        next.strip_prefix(&format!("https://{a}")).unwrap().clone_into(&mut path);
        assert_eq!(path.len(), "/?page=2&access_token=".len() + SA.len());
    }
}

/// What the gateway's document says that it cannot stop. If one of these is stopped some day, the document is to say so.
pub(super) async fn r23_a_value_that_is_turned_around_or_told_a_character_at_a_time_is_not_covered() {
    let (world, a, _upstream) = World::with(repeat()).await;
    let mut agent = world.tunnel(&a).await;
    let reversed: String = SA.chars().rev().collect();
    let turned: String =
        SA.bytes().map(|byte| char::from(if byte == b'~' { b' ' } else { byte + 1 })).collect();
    for text in [reversed, turned] {
        assert_eq!(post(&mut agent, &a, "/", &text).await.text(), text);
    }
    // Taken together, that would be the value.
    agent.forgets();
    let mut told = String::new();
    for character in SA.chars() {
        told += &post(&mut agent, &a, "/", &character.to_string()).await.text();
    }
    assert_eq!(told, SA);
}
