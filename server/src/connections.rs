//! Limits how many connections one address may hold, so that no client takes all of them.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use crate::auth::network;

/// Open connections by address; for IPv6 by /64. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Connections(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// A place among an address's connections, given back when this is dropped.
pub(crate) struct ConnectionPermit {
    connections: Connections,
    network: IpAddr,
}

impl Connections {
    /// A place for a connection from `ip`. `None` if it has [`MOST`] already.
    pub(crate) fn enter(&self, ip: IpAddr) -> Option<ConnectionPermit> {
        let network = network(ip);
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(network).or_default();
        if *count == MOST {
            return None;
        }
        *count += 1;
        Some(ConnectionPermit { connections: self.clone(), network })
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        let mut counts = self.connections.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.network) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.network);
            }
        }
    }
}

/// The most connections of one address at once.
const MOST: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_so_many_places_and_takes_nobody_else_s() {
        let (connections, ip) = (Connections::default(), |text: &str| text.parse::<IpAddr>().unwrap());
        let mut places: Vec<ConnectionPermit> =
            (0..MOST).map(|_| connections.enter(ip("2001:db8::1")).unwrap()).collect();
        assert!(connections.enter(ip("2001:db8::2")).is_none());
        assert!(connections.enter(ip("2001:db8:0:1::1")).is_some());
        assert!(connections.enter(ip("192.0.2.1")).is_some());
        places.pop();
        assert!(connections.enter(ip("2001:db8::2")).is_some());
        drop(places);
        assert!(connections.0.lock().unwrap().is_empty());
    }
}
