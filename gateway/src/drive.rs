//! How long a connection lives: until a side ends it, it must end, or nothing has happened for too long.

use std::pin::Pin;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval};

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

/// Drives a connection; `ended` cuts it off. So does the peer's silence in the midst of something, and closing that takes long:
/// whoever does not read would keep its place for good.
pub(crate) async fn drive<C: Future>(
    gateway: &Shared,
    alive: &Alive<'_>,
    mut connection: Pin<&mut C>,
    shut_down: impl Fn(Pin<&mut C>),
    mut ended: Pin<&mut impl Future<Output = ()>>,
) {
    let mut stop = gateway.stop.subscribe();
    let mut stopping: Option<Instant> = None;
    let mut look = interval((alive.idle_time / 4).min(LOOK));
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = connection.as_mut() => return,
            () = ended.as_mut() => return,
            () = alive.pulse.still(QUIET_TIME) => return,
            () = stopped(&mut stop), if stopping.is_none() => {
                stopping = Some(Instant::now());
                shut_down(connection.as_mut());
            }
            _ = look.tick() => match (alive.activity.idle(), stopping) {
                (Some(idle), None) if idle >= alive.idle_time => {
                    stopping = Some(Instant::now());
                    shut_down(connection.as_mut());
                }
                (Some(idle), Some(since)) if idle.min(since.elapsed()) >= CLOSE_TIME => return,
                _ => {}
            },
        }
    }
}

/// Longer than an upstream may think.
const QUIET_TIME: Duration = Duration::from_mins(20);
/// Connections into which nobody looks, and WebSockets, have silences of their own kind.
pub(crate) const LONG_QUIET_TIME: Duration = Duration::from_hours(1);
const CLOSE_TIME: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_secs(5);
