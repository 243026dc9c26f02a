//! What was told to whom in one case, which runs in one thread: at its end it is looked through for everything that is secret.

use std::cell::RefCell;
use std::io::Read as _;
use std::sync::{Arc, Mutex};

use crate::forms::Forms;

thread_local! {
    static RECORD: RefCell<Record> = RefCell::default();
}

/// Bytes that grow.
pub(crate) type Bytes = Arc<Mutex<Vec<u8>>>;

/// Gives what was told so far.
type Told = Box<dyn Fn() -> Vec<u8>>;

#[derive(Default)]
struct Record {
    secrets: Vec<Secret>,
    /// Whoever may be told nothing: agents, and a resolver.
    ears: Vec<(&'static str, Bytes)>,
    /// Bodies of answers, one after the other: a value may be spread over several.
    bodies: Vec<u8>,
    /// What was told to each upstream, by its port.
    upstreams: Vec<(u16, Told)>,
    logs: Vec<Arc<tempfile::NamedTempFile>>,
}

struct Secret {
    name: String,
    value: Vec<u8>,
    /// The ports that the secret may go to. An agent's credential may go to none.
    ports: Vec<u16>,
}

/// A value that may be told to these `host:port` only, and to no agent.
pub(crate) fn secret<'a>(name: &str, value: &[u8], hosts: impl IntoIterator<Item = &'a str>) {
    let port = |host: &str| host.rsplit_once(':').map_or(443, |(_, port)| port.parse().unwrap_or(443));
    let ports: Vec<u16> = hosts.into_iter().map(port).collect();
    RECORD.with_borrow_mut(|record| match record.secrets.iter_mut().find(|known| known.value == value) {
        Some(known) => known.ports.extend(ports),
        None => record.secrets.push(Secret { name: name.to_owned(), value: value.to_vec(), ports }),
    });
}

/// What somebody hears who may hear no secret goes here.
pub(crate) fn ear(whose: &'static str) -> Bytes {
    let heard = Bytes::default();
    RECORD.with_borrow_mut(|record| record.ears.push((whose, Arc::clone(&heard))));
    heard
}

/// Something else that an agent heard: a body taken out of its frames, headers taken out of their table.
pub(crate) fn heard(text: impl AsRef<[u8]>) {
    ear("an agent").lock().unwrap().extend_from_slice(text.as_ref());
}

/// A body of an answer, and what it says unpacked.
pub(crate) fn heard_body(coding: Option<&str>, body: &[u8]) {
    RECORD.with_borrow_mut(|record| record.bodies.extend_from_slice(body));
    let mut read = Vec::new();
    let _ = match coding {
        Some("gzip") => flate2::read::MultiGzDecoder::new(body).read_to_end(&mut read),
        Some("deflate") => flate2::read::ZlibDecoder::new(body).read_to_end(&mut read),
        _ => return,
    };
    heard(read);
}

/// What an upstream at this port was told, as it is then.
pub(crate) fn upstream(port: u16, told: impl Fn() -> Vec<u8> + 'static) {
    RECORD.with_borrow_mut(|record| record.upstreams.push((port, Box::new(told))));
}

/// A gateway's log.
pub(crate) fn log(file: Arc<tempfile::NamedTempFile>) {
    RECORD.with_borrow_mut(|record| record.logs.push(file));
}

/// Panics if something was told that must not have been. `also`: what was written down elsewhere meanwhile.
pub(crate) fn search(also: &[u8]) {
    let record = RECORD.take();
    let all = Forms::of(record.secrets.iter().map(|secret| &secret.value));
    let none_in = |forms: &Forms, text: &[u8], name: &dyn Fn(usize) -> String, whose: &str| {
        if let Some(number) = forms.any_in(text) {
            panic!("LEAK: {} is in {whose}", name(number));
        }
    };
    let name = |number: usize| record.secrets[number].name.clone();
    for (whose, heard) in &record.ears {
        none_in(&all, &heard.lock().unwrap(), &name, &format!("what {whose} got"));
    }
    none_in(&all, &record.bodies, &name, "what agents got, taken together");
    for log in &record.logs {
        none_in(&all, &std::fs::read(log.path()).unwrap(), &name, "the log");
    }
    none_in(&all, also, &name, "what programs say about what they do");
    for (port, told) in &record.upstreams {
        let others: Vec<&Secret> =
            record.secrets.iter().filter(|secret| !secret.ports.contains(port)).collect();
        let forms = Forms::of(others.iter().map(|secret| &secret.value));
        let name = |number: usize| others[number].name.clone();
        none_in(&forms, &told(), &name, "what an upstream got that it is not for");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALUE: &str = "sk-0123456789abcdefghij";

    /// What a search says of a case in which this happened.
    fn searched(happens: impl Fn() + std::panic::UnwindSafe) -> bool {
        secret("A", VALUE.as_bytes(), ["a.test:1"]);
        happens();
        std::panic::catch_unwind(|| search(b"")).is_ok()
    }

    #[test]
    fn what_was_told_to_somebody_who_may_not_know_it_is_found() {
        let (start, end) = VALUE.split_at(9);
        assert!(searched(|| heard(start)));
        assert!(searched(|| upstream(1, || VALUE.into())));
        assert!(!searched(|| upstream(2, || VALUE.into())));
        assert!(!searched(|| heard(format!("x{VALUE}"))));
        assert!(!searched(|| heard(data_encoding::BASE64.encode(format!("ab{VALUE}").as_bytes()))));
        assert!(!searched(|| [start, end].iter().for_each(|part| heard_body(None, part.as_bytes()))));
        let mut coder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut coder, VALUE.as_bytes()).unwrap();
        let coded = coder.finish().unwrap();
        assert!(!searched(|| heard_body(Some("gzip"), &coded)));
        secret("A", VALUE.as_bytes(), []);
        assert!(std::panic::catch_unwind(|| search(VALUE.as_bytes())).is_err(), "what is said elsewhere");
    }
}
