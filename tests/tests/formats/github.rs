//! How GitHub's runner reads the file that `$GITHUB_ENV` names, and a command for it, by the rules of its source.

use keyward_cli::export::{Format, masks};

use crate::batch::{Batch, Found, written};
use crate::values::hostile;

/// The system that the runner runs on, which decides what ends a line.
#[derive(Clone, Copy)]
enum Runner {
    Unix,
    Windows,
}

impl Runner {
    /// The next line without its end, and the length of that end.
    fn line(self, text: &str) -> Option<(&str, usize)> {
        if text.is_empty() {
            return None;
        }
        let Some(end) = text.find('\n') else { return Some((text, 0)) };
        match text[..end].strip_suffix('\r') {
            Some(line) if matches!(self, Self::Windows) => Some((line, 2)),
            _ => Some((&text[..end], 1)),
        }
    }

    fn read(self, text: &str) -> Found {
        let mut found = Found::new();
        let mut at = 0;
        while let Some((line, end)) = self.line(&text[at..]) {
            at += line.len() + end;
            if line.is_empty() {
                continue;
            }
            let heredoc = line.find("<<").expect("only this form is written");
            assert!(line.find('=').is_none_or(|equals| equals > heredoc), "{line}");
            let (name, delimiter) = (&line[..heredoc], &line[heredoc + 2..]);
            let (start, mut value_end) = (at, at);
            loop {
                let (line, end) = self.line(&text[at..]).expect("the delimiter comes");
                at += line.len() + end;
                if line == delimiter {
                    break;
                }
                value_end = at - end;
            }
            found.insert(name.to_owned(), text.as_bytes()[start..value_end].to_vec());
        }
        found
    }
}

#[test]
fn the_runner_finds_every_value_that_is_not_refused() {
    let batch = Batch::with_the_ordinary(Format::GithubActions);
    assert!(batch.len() > 600, "{} values were not refused", batch.len());
    let file = batch.file();
    let text = str::from_utf8(&file).unwrap();
    batch.check("the runner", &Runner::Unix.read(text));
    batch.check("the runner on Windows", &Runner::Windows.read(text));
}

#[test]
fn no_value_can_end_itself_and_begin_another_variable() {
    let first = written(Format::GithubActions, "A", b"x").unwrap();
    let delimiter = str::from_utf8(&first).unwrap().lines().last().unwrap().to_owned();
    // Whoever saw one delimiter knows nothing of the next.
    let value = format!("x\n{delimiter}\nPWNED<<{delimiter}\n1");
    let second = written(Format::GithubActions, "A", value.as_bytes()).unwrap();
    let found = Runner::Unix.read(str::from_utf8(&second).unwrap());
    assert_eq!(found, Found::from([("A".to_owned(), value.into_bytes())]));
}

#[test]
fn every_value_is_masked_by_a_command_of_one_line() {
    let texts: Vec<String> =
        hostile().into_iter().filter_map(|value| String::from_utf8(value).ok()).collect();
    let values: Vec<&[u8]> = texts.iter().map(String::as_bytes).collect();
    let commands = masks(&values).to_vec();
    let mut masked = str::from_utf8(&commands).unwrap().split_terminator('\n').map(|line| {
        assert!(!line.contains('\r'));
        let data = line.strip_prefix("::add-mask::").expect("a command");
        data.replace("%0D", "\r").replace("%0A", "\n").replace("%25", "%")
    });
    for text in texts.iter().filter(|text| !text.as_bytes().trim_ascii().is_empty()) {
        assert_eq!(masked.next().as_ref(), Some(text));
    }
    assert_eq!(masked.next(), None);
}
