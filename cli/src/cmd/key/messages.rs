//! Messages about a write, on stderr, before the write is made.

use crate::ctx::Ctx;

/// What was announced before a write, which may be tried again: each time it is announced only if it is something else by then.
#[derive(Default)]
pub(super) struct Announcements(Vec<Message>);

impl Announcements {
    pub(super) fn announce(&mut self, ctx: &Ctx, lines: Vec<Message>) {
        if self.0 != lines {
            say_all(ctx, &lines);
            self.0 = lines;
        }
    }
}

/// A line on stderr.
#[derive(PartialEq)]
pub(super) enum Message {
    Info(String),
    Warning(String),
}

/// Prints them.
pub(super) fn say_all(ctx: &Ctx, lines: &[Message]) {
    for line in lines {
        match line {
            Message::Info(text) => ctx.out.say(text),
            Message::Warning(text) => ctx.out.warn(text),
        }
    }
}
