//! A man in the middle: passes requests on to the true server, or lies, and remembers everything.

use std::collections::BTreeMap;
use std::io::{BufReader, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use crate::http::{self, Answer, Request};

/// What a lie does with a request: it may ask the true server with `honest`, any number of times.
type Lie = dyn Fn(&Request, &dyn Fn(&Request) -> Answer) -> Reply + Send + Sync;

/// A proxy on a free port. Without lies it changes nothing.
pub struct Liar {
    address: SocketAddr,
    shared: Arc<Shared>,
}

/// The reply that the liar sends.
pub enum Reply {
    /// A whole answer.
    Whole(Answer),
    /// These bytes, then the end of the connection.
    Bytes(Vec<u8>),
    /// These bytes, then nothing more until the client gives up.
    Stall(Vec<u8>),
    /// These bytes, in a hundred drops with a pause between.
    Drops(Vec<u8>),
}

/// One request with its answer, as both passed.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// The request as the client sent it.
    pub request: Request,
    /// Every byte that went back.
    pub reply: Vec<u8>,
}

struct Shared {
    server: SocketAddr,
    lies: Mutex<BTreeMap<String, Arc<Lie>>>,
    traffic: Mutex<Vec<Exchange>>,
}

impl Liar {
    /// A liar before this server, honest so far.
    pub fn before(server: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared { server, lies: Mutex::default(), traffic: Mutex::default() });
        let serving = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let serving = Arc::clone(&serving);
                std::thread::spawn(move || serving.connection(&stream));
            }
        });
        Self { address, shared }
    }

    /// `http://127.0.0.1:port`
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Lies so about `GET /path`, or about everything (`*`), from now on.
    pub fn lie(
        &self,
        route: &str,
        lie: impl Fn(&Request, &dyn Fn(&Request) -> Answer) -> Reply + Send + Sync + 'static,
    ) {
        held(&self.shared.lies).insert(route.to_owned(), Arc::new(lie));
    }

    /// Changes the true answer to `GET /path`, from now on.
    pub fn change(&self, route: &str, change: impl Fn(&mut Answer) + Send + Sync + 'static) {
        self.lie(route, move |request, honest| {
            let mut answer = honest(request);
            change(&mut answer);
            Reply::Whole(answer)
        });
    }

    /// Answers `GET /path` with this, whatever is asked, from now on.
    pub fn answer(&self, route: &str, answer: Answer) {
        self.lie(route, move |_, _| Reply::Whole(answer.clone()));
    }

    /// Honest again, and forgetful.
    pub fn reform(&self) {
        held(&self.shared.lies).clear();
        held(&self.shared.traffic).clear();
    }

    /// What has passed since the start, or since it reformed.
    pub fn traffic(&self) -> Vec<Exchange> {
        held(&self.shared.traffic).clone()
    }

    /// The routes of the requests that passed: `GET /path`, in order.
    pub fn routes(&self) -> Vec<String> {
        self.traffic().iter().map(|exchange| exchange.request.route()).collect()
    }

    /// Every byte that passed, in both directions.
    pub fn bytes(&self) -> Vec<u8> {
        self.traffic().into_iter().flat_map(|e| [e.request.bytes(), e.reply]).flatten().collect()
    }
}

impl Shared {
    fn connection(&self, stream: &TcpStream) {
        let mut reader = BufReader::new(stream);
        let Ok(Some(request)) = Request::read(&mut reader) else { return };
        let honest = |request: &Request| {
            http::send(self.server, request).unwrap_or_else(|_| Answer::new(502, "the true server is gone"))
        };
        let lies = held(&self.lies);
        let lie = lies.get(&request.route()).or_else(|| lies.get("*")).map(Arc::clone);
        drop(lies);
        let reply = match lie {
            Some(lie) => lie(&request, &honest),
            None => Reply::Whole(honest(&request)),
        };
        let (bytes, stall, drops) = match reply {
            Reply::Whole(answer) => (answer.bytes(), false, 1),
            Reply::Bytes(bytes) => (bytes, false, 1),
            Reply::Stall(bytes) => (bytes, true, 1),
            Reply::Drops(bytes) => (bytes, false, 100),
        };
        held(&self.traffic).push(Exchange { request, reply: bytes.clone() });
        for drop in bytes.chunks(bytes.len().div_ceil(drops).max(1)) {
            // A client that has seen enough hangs up early.
            let _ = (&mut &*stream).write_all(drop);
            if drops > 1 {
                std::thread::sleep(Duration::from_millis(3));
            }
        }
        if stall {
            let _ = Request::read(&mut reader);
        }
        let _ = stream.shutdown(Shutdown::Both);
    }
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap()
}
