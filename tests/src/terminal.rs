//! A terminal, and somebody at it.

use std::io::{Read as _, Write as _};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use crate::machine::Machine;
use crate::server::{program, wait_until};

/// A program on a terminal of its own, at which somebody types.
pub struct Terminal {
    process: Child,
    keys: ChildStdin,
    screen: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
    /// How many bytes of the screen's text were answered.
    answered: usize,
}

impl Terminal {
    /// `keyward LINE`.
    pub fn open(machine: &Machine, line: &str) -> Self {
        Self::run(machine, &format!("{} {line}", program("keyward").display()))
    }

    /// Any command line.
    pub fn run(machine: &Machine, line: &str) -> Self {
        let mut command = machine.command("script".into());
        command.args(["-qefc", line, "/dev/null"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = command.spawn().expect("script is installed (Debian: bsdutils)");
        let (keys, mut output) = (process.stdin.take().unwrap(), process.stdout.take().unwrap());
        let screen = Arc::new(Mutex::new(String::new()));
        let reading = Arc::clone(&screen);
        let reader = std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = output.read(&mut bytes) {
                reading.lock().unwrap().push_str(&String::from_utf8_lossy(&bytes[..count]));
            }
        });
        Self { process, keys, screen, reader: Some(reader), answered: 0 }
    }

    /// Waits for a question, and types.
    pub fn asked(&mut self, question: &str, answer: &str) {
        let screen = Arc::clone(&self.screen);
        let from = self.answered;
        self.answered = wait_until(question, || {
            let screen = screen.lock().unwrap();
            let new = screen.get(from..).unwrap_or_default();
            // The question is out when its colon is: then the answer is read.
            let at = new.find(question)?;
            let colon = new.get(at..)?.find(": ")?;
            Some(from + at + colon + 2)
        });
        // A terminal shows what is typed before it was told not to.
        wait_until("keyward to wait for an answer", || is_waiting(self.process.id()).then_some(()));
        writeln!(self.keys, "{answer}").unwrap();
        self.keys.flush().unwrap();
    }

    /// Types, whatever is on the screen.
    pub fn types(&mut self, text: &str) {
        self.keys.write_all(text.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    /// Waits until this is on the screen, below what was waited for before.
    pub fn shows(&mut self, text: &str) {
        let screen = Arc::clone(&self.screen);
        let from = self.answered;
        self.answered = wait_until(&format!("{text} on the screen"), || {
            let screen = screen.lock().unwrap();
            Some(from + screen.get(from..).unwrap_or_default().find(text)? + text.len())
        });
    }

    /// The exit code of the program.
    pub fn ends(&mut self) -> i32 {
        let process = &mut self.process;
        let status = wait_until("the command to end", || process.try_wait().unwrap());
        self.reader.take().unwrap().join().unwrap();
        status.code().unwrap()
    }

    /// Everything on the screen.
    pub fn seen(&self) -> String {
        self.screen.lock().unwrap().clone()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Whether the youngest descendant of this process sleeps.
fn is_waiting(mut process: u32) -> bool {
    let read = |process: u32, name: &str| {
        std::fs::read_to_string(format!("/proc/{process}/{name}")).unwrap_or_default()
    };
    while let Ok(child) = read(process, &format!("task/{process}/children")).trim().parse() {
        process = child;
    }
    read(process, "stat").rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('S'))
}
