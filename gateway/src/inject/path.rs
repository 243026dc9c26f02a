//! `/bot{v}/…`: a value that is part of the path.

use keyward_wire::rule::{PathTemplate, RequestPath, Template};

use super::render::{percent, render};
use super::{Slots, Wrong, split_query};
use crate::placeholder::MANAGED;
use crate::source::Value;

/// The target with the value in its slot; None if it has no such slot, or something else stands in it. A path is not only a
/// place for credentials, so the agent marks it, with the placeholder or with `keyward-managed`.
pub(super) fn replace(
    target: &[u8],
    template: &PathTemplate,
    value: &Value,
    slots: &mut Slots<'_>,
) -> Result<Option<Vec<u8>>, Wrong> {
    let (path, query) = split_query(target);
    let Some((before, slot, after)) = template.split(path) else { return Ok(None) };
    let managed = MANAGED.iter().any(|managed| managed.as_bytes() == slot);
    if !slots.text(slot)? && !managed {
        return Ok(None);
    }
    let secret = render(&slot_of(template.template()), value)?;
    if secret.is_empty() || secret.iter().any(u8::is_ascii_control) {
        return Err(Wrong::BadValue);
    }
    let mut written = [before, &percent(&secret, PCHAR), after].concat();
    // A value with `..` or `//` in it would make another path of it.
    RequestPath::new(&written).map_err(|_| Wrong::BadValue)?;
    if let Some(query) = query {
        written.push(b'?');
        written.extend_from_slice(query);
    }
    Ok(Some(written))
}

/// What a template says in its slot, without the text around it.
fn slot_of(template: &Template) -> Template {
    let text = template.to_string();
    let slot = text.find('{').zip(text.find('}')).and_then(|(start, end)| text.get(start..=end));
    slot.and_then(|slot| slot.parse().ok()).unwrap_or_else(Template::value)
}

/// RFC 3986: what stands in a path as it is; a value of several segments has its own `/`.
const PCHAR: &[u8] = b"-._~!$&'()*+,;=:@/";
