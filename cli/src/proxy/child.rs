//! A program that was started behind a gateway of its own.

use std::future::poll_fn;
use std::os::unix::process::ExitStatusExt as _;
use std::process::Command;
use std::task::Poll;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::timeout;

use crate::fault::Ended;
use crate::launch;

/// The program.
pub struct Child {
    process: tokio::process::Child,
    signals: Signals,
}

impl Child {
    /// Starts it. From now on signals are for it.
    ///
    /// # Errors
    /// If there is no such program.
    pub fn start(command: Command) -> anyhow::Result<Self> {
        let signals = Signals::new()?;
        let mut command = tokio::process::Command::from(command);
        match command.spawn() {
            Ok(process) => Ok(Self { process, signals }),
            Err(error) => Err(launch::not_started(command.as_std(), &error).into()),
        }
    }

    /// Waits until it has ended, and passes on to it what it is sent meanwhile.
    ///
    /// # Errors
    /// [`Ended`], with the code that a shell would give.
    pub async fn ended(&mut self) -> anyhow::Result<()> {
        let status = loop {
            tokio::select! {
                status = self.process.wait() => break status?,
                sent = self.signals.next() => self.send(sent),
            }
        };
        let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(1);
        match u8::try_from(code).unwrap_or(1) {
            0 => Ok(()),
            code => Err(Ended(code).into()),
        }
    }

    /// Ends it: without its gateway it can do nothing.
    pub async fn end(&mut self) {
        self.send(Signal::TERM);
        if timeout(GRACE, self.process.wait()).await.is_err() {
            let _ = self.process.kill().await;
        }
    }

    fn send(&self, sent: Signal) {
        let pid = self.process.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        // A key that is typed at the terminal has reached the program already, and twice is not the same as once.
        if typed(sent) && in_foreground() {
            return;
        }
        if let Some(pid) = pid {
            let _ = kill_process(pid, sent);
        }
    }
}

/// Those that a program is sent by people and by what supervises it.
struct Signals([(tokio::signal::unix::Signal, Signal); 6]);

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self([
            (signal(SignalKind::terminate())?, Signal::TERM),
            (signal(SignalKind::interrupt())?, Signal::INT),
            (signal(SignalKind::hangup())?, Signal::HUP),
            (signal(SignalKind::quit())?, Signal::QUIT),
            (signal(SignalKind::user_defined1())?, Signal::USR1),
            (signal(SignalKind::user_defined2())?, Signal::USR2),
        ]))
    }

    async fn next(&mut self) -> Signal {
        poll_fn(|context| {
            let sent = self
                .0
                .iter_mut()
                .find_map(|(signal, sent)| signal.poll_recv(context).is_ready().then_some(*sent));
            sent.map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }
}

fn typed(sent: Signal) -> bool {
    sent == Signal::INT || sent == Signal::QUIT
}

/// Whether keys that are typed come here, and so to the program, which is of the same group.
fn in_foreground() -> bool {
    let terminal = std::fs::File::open("/dev/tty").ok();
    let foreground = terminal.and_then(|terminal| rustix::termios::tcgetpgrp(terminal).ok());
    foreground == Some(rustix::process::getpgrp())
}

/// Between being asked to end and being ended.
const GRACE: Duration = Duration::from_secs(10);
