//! A wire that can be cut: passes bytes on between whoever connects and a fixed address.

use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

/// A relay on a free port.
pub struct Relay {
    address: SocketAddr,
    wire: Arc<Wire>,
}

struct Wire {
    to: Mutex<Vec<SocketAddr>>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    cut: bool,
    /// Both ends of every connection that is open.
    open: Vec<TcpStream>,
    /// The index of the address whose turn it is.
    next: usize,
}

impl Relay {
    /// A relay to these addresses in turn; one that does not answer is passed over.
    pub fn before(to: &[SocketAddr]) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let wire = Arc::new(Wire { to: Mutex::new(to.to_vec()), state: Mutex::default() });
        let serving = Arc::clone(&wire);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                serving.connect(stream);
            }
        });
        Self { address, wire }
    }

    /// A relay to the cluster that `KEYWARD_TEST_POSTGRES` names.
    pub fn before_postgres() -> Self {
        Self::before(&[crate::database::cluster_address()])
    }

    /// The address that the relay listens at.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends every connection, and lets none begin.
    pub fn cut(&self) {
        let mut state = self.wire.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.cut = true;
        for stream in state.open.drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Lets connections begin again.
    pub fn mend(&self) {
        self.wire.state.lock().unwrap_or_else(PoisonError::into_inner).cut = false;
    }

    /// Sends new connections to these addresses, from now on.
    pub fn turn_to(&self, to: &[SocketAddr]) {
        *self.wire.to.lock().unwrap_or_else(PoisonError::into_inner) = to.to_vec();
    }
}

impl Wire {
    fn connect(&self, near: TcpStream) {
        let to = self.to.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.cut {
            return;
        }
        let turn = state.next;
        state.next += 1;
        let far = (0..to.len()).find_map(|n| TcpStream::connect(to[(turn + n) % to.len()]).ok());
        let Some(far) = far else { return };
        for (from, into) in [(&near, &far), (&far, &near)] {
            let (from, into) = (from.try_clone().unwrap(), into.try_clone().unwrap());
            std::thread::spawn(move || pass(from, into));
        }
        state.open.extend([near, far]);
    }
}

/// An end is passed on, so that both sides see it.
fn pass(mut from: TcpStream, mut into: TcpStream) {
    let _ = io::copy(&mut from, &mut into);
    let _ = into.shutdown(Shutdown::Write);
    let _ = from.shutdown(Shutdown::Read);
}
