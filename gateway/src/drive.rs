//! How long a connection lives: until a side ends it, it must end, or nothing has happened for too long. Before that, one on
//! which nothing happens rests: it does without its parser and that one's memory until something comes.

use std::pin::Pin;
use std::time::Duration;

use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep, timeout};

use crate::activity::Activity;
use crate::line::Pulse;
use crate::shared::{Shared, stopped};

/// How it is seen that a connection is still used.
pub(crate) struct Alive<'a> {
    pub(crate) activity: &'a Activity,
    pub(crate) pulse: &'a Pulse,
    /// Without a request for so long, it is closed.
    pub(crate) idle_time: Duration,
}

/// Why a connection is not driven any more.
pub(crate) enum Why {
    /// It has ended, or must.
    Over,
    /// Nothing was asked for in a while.
    Quiet,
}

/// Drives a connection; `ended` cuts it off. So does the peer's silence in the midst of something, and closing that takes long:
/// whoever does not read would keep its place for good.
pub(crate) async fn drive<C: Future>(
    gateway: &Shared,
    alive: &Alive<'_>,
    connection: Pin<&mut C>,
    shut_down: impl Fn(Pin<&mut C>),
    ended: Pin<&mut impl Future<Output = ()>>,
) {
    drive_until_quiet(gateway, alive, connection, shut_down, || false, ended).await;
}

/// The same, until nothing is under way and `rests` says that the connection can do without its parser. It is asked soon and then
/// seldom: of a connection that is used, few looks find it so, and one that had a single request for now should be found at once.
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

/// Waits for the next byte on a connection that rests, and leaves it there. False: there is none; it has ended, or must, or has
/// rested for too long.
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
    // Whoever does not take the end is not waited for.
    let _ = timeout(CLOSE_TIME, stream.shutdown()).await;
    false
}

/// Longer than an upstream may think.
const QUIET_TIME: Duration = Duration::from_mins(20);
/// Connections into which nobody looks, and WebSockets, have silences of their own kind.
pub(crate) const LONG_QUIET_TIME: Duration = Duration::from_hours(1);
const CLOSE_TIME: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_secs(5);
/// Longer than between the requests of somebody who is busy.
const QUIET: Duration = Duration::from_millis(100);
