//! WebSocket: the handshake over HTTP/1.1, then messages. Those to the agent are scrubbed.
//!
//! What an agent sends passes as it is: placeholders in messages are not replaced. No extensions are agreed on, so that no
//! message is compressed.

mod frames;

use std::io;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use data_encoding::BASE64;
use http::header::{
    CONNECTION, HeaderMap, HeaderName, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS,
    SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{Response, Version};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use ring::digest;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use crate::activity::Busy;
use crate::answer::Answer;
use crate::drive::LONG_QUIET_TIME;
use crate::headers::{clean_answer, connection_has};
use crate::pulse::{Pulse, PulseStream};
use crate::refuse::{Code, Refusal};
use crate::scrub;
use crate::shared::stopped;
use crate::tunnel::Tunnel;
pub(crate) use frames::Frames;

/// Turns a request into a WebSocket handshake of the gateway's own, without extensions. Returns the `Sec-WebSocket-Accept` that
/// the upstream must answer with.
pub(crate) fn ask(headers: &mut HeaderMap) -> Result<String, Code> {
    let one = |name: HeaderName| {
        let mut values = headers.get_all(name).iter();
        values.next().filter(|_| values.next().is_none())
    };
    let key = one(SEC_WEBSOCKET_KEY).ok_or(Code::Malformed)?;
    if one(SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
        return Err(Code::Malformed);
    }
    let accept = accept(key.as_bytes());
    headers.remove(SEC_WEBSOCKET_EXTENSIONS);
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    Ok(accept)
}

/// `base64(SHA-1(key ‖ GUID))` (RFC 6455, 4.2.2). Nothing here is secret: it tells servers that speak WebSocket from others.
fn accept(key: &[u8]) -> String {
    let mut hash = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
    hash.update(key.trim_ascii());
    hash.update(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    BASE64.encode(hash.finish().as_ref())
}

/// Answers the agent with the upstream's 101, and carries messages from then on.
pub(crate) fn relay(
    tunnel: &Arc<Tunnel>,
    mut answer: Response<Incoming>,
    accept: &str,
    agent: OnUpgrade,
    busy: Busy,
    of: u64,
) -> Result<Response<Answer>, Refusal> {
    let headers = answer.headers();
    let agreed =
        headers.get(UPGRADE).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"))
            && connection_has(headers, "upgrade")
            && headers.get_all(SEC_WEBSOCKET_ACCEPT).iter().eq([accept])
            && !headers.contains_key(SEC_WEBSOCKET_EXTENSIONS);
    if !agreed {
        return Err(Code::UpstreamProtocol.into());
    }
    let upstream = hyper::upgrade::on(&mut answer);
    let (mut parts, _) = answer.into_parts();
    parts.extensions.clear();
    parts.version = Version::HTTP_11;
    clean_answer(&mut parts.headers);
    let in_head = scrub::headers(&*tunnel.scrubber().ok_or(Code::AccessRestricted)?, &mut parts.headers);
    if in_head {
        tunnel.covered(of);
    }
    parts.headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    parts.headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    let own = Arc::clone(tunnel);
    let mut untold = Some(of).filter(|_| !in_head);
    tunnel.gateway.spawn(async move {
        let (Ok(agent), Ok(upstream)) = (agent.await, upstream.await) else { return };
        let pulse = Pulse::default();
        let (agent, upstream) =
            (PulseStream::new(TokioIo::new(agent), pulse.clone(), ()), TokioIo::new(upstream));
        let mut stop = own.gateway.stop.subscribe();
        tokio::select! {
            _ = carry(agent, upstream, &own, &mut untold) => {}
            () = own.ended() => {}
            () = pulse.still(LONG_QUIET_TIME) => {}
            () = stopped(&mut stop) => {}
        }
        drop(busy);
    });
    Ok(Response::from_parts(parts, Answer::own(Bytes::new())))
}

/// Carries messages both ways. `untold` is the number of the request's log line, or `None` if the log says already that a value
/// was in its answer.
async fn carry<A, U>(agent: A, upstream: U, tunnel: &Tunnel, untold: &mut Option<u64>) -> io::Result<()>
where
    A: AsyncRead + AsyncWrite,
    U: AsyncRead + AsyncWrite,
{
    let (mut from_agent, to_agent) = tokio::io::split(agent);
    let (from_upstream, mut to_upstream) = tokio::io::split(upstream);
    let up = async {
        tokio::io::copy(&mut from_agent, &mut to_upstream).await?;
        to_upstream.shutdown().await
    };
    tokio::try_join!(up, scrubbed(from_upstream, to_agent, tunnel, untold)).map(|_| ())
}

/// Carries frames to the agent.
async fn scrubbed<F, T>(mut from: F, mut to: T, tunnel: &Tunnel, untold: &mut Option<u64>) -> io::Result<()>
where
    F: AsyncRead + Unpin,
    T: AsyncWrite + Unpin,
{
    let mut frames = Frames::new();
    let mut came = BytesMut::with_capacity(8 * 1024);
    loop {
        // If an upstream breaks off, what it said until then goes on.
        if from.read_buf(&mut came).await.unwrap_or(0) == 0 {
            let last = frames.finish(&*tunnel.scrubber_or_end().await);
            to.write_all(&last).await?;
            return to.shutdown().await;
        }
        let scrubber = tunnel.scrubber_or_end().await;
        let out = frames.push(&scrubber, &came.split()).ok_or(io::ErrorKind::InvalidData)?;
        if frames.covered()
            && let Some(of) = untold.take()
        {
            tunnel.covered(of);
        }
        to.write_all(&out).await?;
        to.flush().await?;
        came.reserve(8 * 1024);
    }
}
