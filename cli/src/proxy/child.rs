//! A program that was started behind a gateway of its own.

use std::future::poll_fn;
use std::os::unix::process::ExitStatusExt as _;
use std::process::Command;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::sleep;

use crate::fault::Ended;
use crate::launch;
use crate::signals::ignored::IgnoredSignals;

/// A program that runs behind the gateway.
pub struct Child {
    process: tokio::process::Child,
    signals: Signals,
}

impl Child {
    /// Starts the program. From now on signals are passed on to it.
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

    /// Waits until the program has ended, and passes signals on to it meanwhile.
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

    /// Ends the program: without its gateway it can do nothing.
    pub async fn end(&mut self) {
        self.send(Signal::TERM);
        self.signals.forget();
        tokio::select! {
            _ = self.process.wait() => return,
            () = sleep(GRACE) => {}
            () = self.signals.ending() => {}
        }
        let _ = self.process.kill().await;
    }

    /// Waits until keyward is asked to end, from now on: signals that came earlier were for the program.
    pub async fn asked_to_end(&mut self) {
        self.signals.forget();
        self.signals.ending().await;
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

/// The signals that a program is sent by people and by what supervises it.
struct Signals(Vec<(tokio::signal::unix::Signal, Signal)>);

impl Signals {
    /// Begins to listen for signals, except for those that are ignored. The program inherits that it ignores them, too.
    fn new() -> std::io::Result<Self> {
        let all = [
            (SignalKind::terminate(), Signal::TERM),
            (SignalKind::interrupt(), Signal::INT),
            (SignalKind::hangup(), Signal::HUP),
            (SignalKind::quit(), Signal::QUIT),
            (SignalKind::user_defined1(), Signal::USR1),
            (SignalKind::user_defined2(), Signal::USR2),
        ];
        let ignored = IgnoredSignals::read();
        let all = all.into_iter().filter(|(kind, _)| !ignored.has(*kind));
        all.map(|(kind, sent)| Ok((signal(kind)?, sent))).collect::<Result<_, _>>().map(Self)
    }

    async fn next(&mut self) -> Signal {
        poll_fn(|context| self.poll(context).map_or(Poll::Pending, Poll::Ready)).await
    }

    /// Waits for a signal that ends a program that does not handle it.
    async fn ending(&mut self) {
        while matches!(self.next().await, Signal::USR1 | Signal::USR2) {}
    }

    /// Forgets the signals that came already.
    fn forget(&mut self) {
        while self.poll(&mut Context::from_waker(Waker::noop())).is_some() {}
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Option<Signal> {
        self.0.iter_mut().find_map(|(signal, sent)| signal.poll_recv(context).is_ready().then_some(*sent))
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

/// Time between asking the program to end and killing it.
const GRACE: Duration = Duration::from_secs(10);
