//! How docker compose reads a `.env` file and an `env_file:`, by the rules of compose-go's `dotenv` and `template`
//! packages. Compose is a Go program of no registry that tests can install from, so its rules stand here a second time:
//! only those that our files can touch, and an error for the rest.

use crate::batch::Found;

/// Variables of the file. Expanded are those that come before in it, and no others.
pub(crate) fn read(text: &str) -> Result<Found, String> {
    let mut found = Found::new();
    let mut rest = text.strip_prefix('\u{feff}').unwrap_or(text);
    loop {
        rest = rest.trim_start();
        if rest.is_empty() {
            return Ok(found);
        }
        if rest.starts_with('#') {
            rest = rest.find('\n').map_or("", |end| &rest[end..]);
            continue;
        }
        let equals = rest.find('=').ok_or("no =")?;
        let name = &rest[..equals];
        if !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            return Err(format!("not a name: {name:?}"));
        }
        let after = rest[equals + 1..].trim_start_matches(is_blank);
        let (value, left) = value(after, &found)?;
        found.insert(name.to_owned(), value.into_bytes());
        rest = left;
    }
}

fn value<'a>(text: &'a str, found: &Found) -> Result<(String, &'a str), String> {
    let Some(quote) = text.chars().next().filter(|c| matches!(c, '\'' | '"')) else {
        let (line, left) = text.split_once('\n').unwrap_or((text, ""));
        let value = line.split(" #").next().unwrap_or_default();
        return Ok((expanded(value.trim_end(), found)?, left));
    };
    let mut inside = String::new();
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        if c != quote {
            if !escaped && c == '\\' {
                escaped = true;
                continue;
            }
            if escaped {
                inside.push('\\');
                escaped = false;
            }
            inside.push(c);
        } else if escaped {
            inside.push(c);
            escaped = false;
        } else {
            let value = if quote == '"' { expanded(&unescaped(&inside)?, found)? } else { inside };
            return Ok((value, &text[at + 1..]));
        }
    }
    Err("a quote that is not closed".to_owned())
}

/// `\a \b \f \n \r \t \v \\ \"` as Go has them, `\$` as `$$`; `\c` and others stay, octal ones are not ours.
fn unescaped(text: &str) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        let next = rest.clone().next();
        let meant = match (c, next) {
            ('\\', Some('0')) => return Err("an octal escape".to_owned()),
            ('\\', Some('a')) => "\u{7}",
            ('\\', Some('b')) => "\u{8}",
            ('\\', Some('f')) => "\u{c}",
            ('\\', Some('n')) => "\n",
            ('\\', Some('r')) => "\r",
            ('\\', Some('t')) => "\t",
            ('\\', Some('v')) => "\u{b}",
            ('\\', Some('\\')) => "\\",
            ('\\', Some('"')) => "\"",
            ('\\', Some('$')) => "$$",
            _ => {
                out.push(c);
                continue;
            }
        };
        rest.next();
        out.push_str(meant);
    }
    Ok(out)
}

/// `$$` is `$`, `$NAME` and `${NAME}` are what they stand for, and any other `${` is an error.
fn expanded(text: &str, found: &Found) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        // Case-insensitive in Go: ſ and the Kelvin sign are letters of the alphabet, too.
        let letter = |c: char| c == '_' || c.is_ascii_alphabetic() || c == '\u{17f}' || c == '\u{212a}';
        if let Some(left) = after.strip_prefix('$') {
            out.push('$');
            rest = left;
        } else if after.starts_with('{') {
            return Err("an expansion in braces".to_owned());
        } else if after.starts_with(letter) {
            let end = after.find(|c| !letter(c) && !char::is_ascii_digit(&c)).unwrap_or(after.len());
            let value = found.get(&after[..end]).map(|value| String::from_utf8_lossy(value).into_owned());
            out.push_str(&value.unwrap_or_default());
            rest = &after[end..];
        } else {
            out.push('$');
            rest = after;
        }
    }
    out.push_str(rest);
    Ok(out)
}

/// Go's own list for the blanks behind `=`.
fn is_blank(c: char) -> bool {
    matches!(c, '\t' | '\u{b}' | '\u{c}' | '\r' | ' ' | '\u{85}' | '\u{a0}')
}
