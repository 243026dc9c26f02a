//! Tunnels that the gateway does not look into, to hosts that no key is for: TLS goes from end to end, and the gateway sees a
//! name and byte counts.

use std::io;
use std::sync::Arc;

use rustls::server::{Accepted, Acceptor};
use tokio::io::{
    AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, copy_bidirectional_with_sizes,
};
use tokio::time::timeout;

use crate::drive::LONG_QUIET_TIME;
use crate::pulse::{Pulse, PulseStream};
use crate::refuse::Code;
use crate::serve::{HANDSHAKE_TIME, is_for};
use crate::shared::stopped;
use crate::tunnel::Tunnel;

/// Carries bytes until one side ends, the agent may act no more, or the gateway stops.
///
/// A TLS connection must name the host that the tunnel was made for, and on port 443 nothing but TLS may begin: by another name
/// the agent would reach, behind a shared address, a host that was not judged.
pub(crate) async fn relay<A, U>(tunnel: &Arc<Tunnel>, agent: A, mut upstream: U)
where
    A: AsyncRead + AsyncWrite + Unpin,
    U: AsyncRead + AsyncWrite + Unpin,
{
    let mut stop = tunnel.gateway.stop.subscribe();
    // One pulse tells of both directions: whatever the upstream says is written to the agent.
    let pulse = Pulse::default();
    let mut agent = PulseStream::new(agent, pulse.clone(), ());
    let carried = async {
        let mut is_told = false;
        let begun = match beginning(tunnel, &mut agent, &mut upstream, &mut is_told).await {
            Ok(begun) => begun,
            // One side hung up.
            Err(error) if is_told && error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            Err(_) => {
                tunnel.say(if is_told { "cut" } else { "refuse" }, Code::Misdirected);
                return Ok(());
            }
        };
        if !is_told {
            tunnel.opened()?;
        }
        upstream.write_all(&begun).await?;
        copy_bidirectional_with_sizes(&mut agent, &mut upstream, BUFFER, BUFFER).await.map(|_| ())
    };
    tokio::select! {
        _ = carried => {}
        () = tunnel.blind_ended() => {}
        () = pulse.still(LONG_QUIET_TIME) => {}
        () = stopped(&mut stop) => {}
    }
}

/// The first bytes that the agent sends, if they may come first. On ports other than 443 the upstream may speak first; then the log
/// is told of the tunnel before the agent is told anything, and `is_told` says so.
async fn beginning<A, U>(
    tunnel: &Tunnel,
    agent: &mut A,
    upstream: &mut U,
    is_told: &mut bool,
) -> io::Result<Vec<u8>>
where
    A: AsyncRead + AsyncWrite + Unpin,
    U: AsyncRead + Unpin,
{
    let https = tunnel.to.port == 443;
    let mut begun = Vec::new();
    let mut said = [0; 4096];
    while begun.is_empty() {
        tokio::select! {
            read = agent.read_buf(&mut begun) => if read? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            },
            read = upstream.read(&mut said), if !https => {
                let count = read?;
                if count == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                if !*is_told {
                    tunnel.opened()?;
                    *is_told = true;
                }
                agent.write_all(said.get(..count).unwrap_or_default()).await?;
            }
        }
    }
    if !https && begun.first() != Some(&TLS_HANDSHAKE) {
        return Ok(begun);
    }
    let hello =
        timeout(HANDSHAKE_TIME, hello(agent, &mut begun)).await.map_err(|_| io::ErrorKind::TimedOut)??;
    if is_for(&hello.client_hello(), &tunnel.to.host) {
        Ok(begun)
    } else {
        Err(io::ErrorKind::InvalidData.into())
    }
}

/// Reads the rest of a ClientHello into `begun`.
async fn hello<A: AsyncRead + Unpin>(agent: &mut A, begun: &mut Vec<u8>) -> io::Result<Accepted> {
    let mut acceptor = Acceptor::default();
    let mut looked = 0;
    loop {
        let mut fresh = begun.get(looked..).unwrap_or_default();
        if fresh.is_empty() {
            if begun.len() > MOST_HELLO || agent.read_buf(begun).await? == 0 {
                return Err(io::ErrorKind::InvalidData.into());
            }
            continue;
        }
        looked += acceptor.read_tls(&mut fresh)?;
        match acceptor.accept() {
            Ok(Some(accepted)) => return Ok(accepted),
            Ok(None) => {}
            Err(_) => return Err(io::ErrorKind::InvalidData.into()),
        }
    }
}

/// The first byte of a TLS handshake record, the only kind that may come first.
const TLS_HANDSHAKE: u8 = 0x16;
const BUFFER: usize = 16 * 1024;
const MOST_HELLO: usize = 64 * 1024;
