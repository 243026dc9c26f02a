//! How long a connection lives: until a side ends it, it must end, or nothing has happened for too long. Before that, a
//! connection on which nothing happens rests: it gives up its parser and the parser's memory until the next byte comes.

use std::pin::Pin;
use std::time::Duration;

use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep, timeout};

use crate::activity::Activity;
use crate::pulse::Pulse;
use crate::shared::{Shared, stopped};

/// What shows that a connection is still used.
pub(crate) struct Alive<'a> {
    pub(crate) activity: &'a Activity,
    pub(crate) pulse: &'a Pulse,
    /// How long the connection may go without a request before it is closed.
    pub(crate) idle_time: Duration,
}

/// Why a connection is not driven any more.
pub(crate) enum Why {
    /// The connection has ended, or must.
    Over,
    /// No request was under way for a while: the connection may rest.
    Quiet,
}

/// Drives a connection until it is over; `ended` cuts it off. It is also cut off if no byte was sent or received for
/// [`QUIET_TIME`], or if shutting it down takes longer than [`CLOSE_TIME`]: a peer that does not read must not keep its place for
/// good.
pub(crate) async fn drive<C: Future>(
    gateway: &Shared,
    alive: &Alive<'_>,
    connection: Pin<&mut C>,
    shut_down: impl Fn(Pin<&mut C>),
    ended: Pin<&mut impl Future<Output = ()>>,
) {
    drive_until_quiet(gateway, alive, connection, shut_down, || false, ended).await;
}

/// Drives a connection until it is over, or until nothing is under way and `rests` says that the connection can do without its
/// parser. The first look comes after two times [`QUIET`], later ones every [`LOOK`], or every quarter of the idle time if that
/// is shorter: a connection that had a single request rests at once, and a busy one is rarely looked at.
pub(crate) async fn drive_until_quiet<C: Future>(
    gateway: &Shared,
    alive: &Alive<'_>,
    mut connection: Pin<&mut C>,
    shut_down: impl Fn(Pin<&mut C>),
    rests: impl Fn() -> bool,
    mut ended: Pin<&mut impl Future<Output = ()>>,
) -> Why {
    let mut stop = gateway.stop.subscribe();
    let mut stopping: Option<Instant> = None;
    let mut look = interval_at(Instant::now() + 2 * QUIET, (alive.idle_time / 4).min(LOOK));
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = connection.as_mut() => return Why::Over,
            () = ended.as_mut() => return Why::Over,
            () = alive.pulse.still(QUIET_TIME) => return Why::Over,
            () = stopped(&mut stop), if stopping.is_none() => {
                stopping = Some(Instant::now());
                shut_down(connection.as_mut());
            }
            _ = look.tick() => match (alive.activity.idle(), stopping) {
                (Some(idle), None) if idle >= alive.idle_time => {
                    stopping = Some(Instant::now());
                    shut_down(connection.as_mut());
                }
                (Some(idle), Some(since)) if idle.min(since.elapsed()) >= CLOSE_TIME => return Why::Over,
                (Some(idle), None) if idle >= QUIET && rests() => return Why::Quiet,
                _ => {}
            },
        }
    }
}

/// Waits for the next byte on a resting connection, and leaves the byte there. False if the connection has ended, must end, or
/// has rested for too long.
pub(crate) async fn wakes<S>(
    gateway: &Shared,
    alive: &Alive<'_>,
    stream: &mut S,
    ended: Pin<&mut impl Future<Output = ()>>,
) -> bool
where
    S: AsyncBufRead + AsyncWrite + Unpin,
{
    let mut stop = gateway.stop.subscribe();
    let left = alive.idle_time.saturating_sub(alive.activity.idle().unwrap_or_default());
    tokio::select! {
        came = stream.fill_buf() => match came {
            Ok([]) => {}
            came => return came.is_ok(),
        },
        () = ended => return false,
        () = sleep(left) => {}
        () = stopped(&mut stop) => {}
    }
    // A peer that does not take the closing bytes is not waited for.
    let _ = timeout(CLOSE_TIME, stream.shutdown()).await;
    false
}

/// How long a connection may be without any byte sent or received: longer than an upstream may think.
const QUIET_TIME: Duration = Duration::from_mins(20);
/// The same limit for tunnels that the gateway does not look into and for WebSockets, which may be silent for longer.
pub(crate) const LONG_QUIET_TIME: Duration = Duration::from_hours(1);
const CLOSE_TIME: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_secs(5);
/// How long nothing must be under way before a connection may rest: longer than the pause between the requests of a busy client.
const QUIET: Duration = Duration::from_millis(100);
