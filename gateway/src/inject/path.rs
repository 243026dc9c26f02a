//! A value that is part of the path: `/bot{v}/…`.

use keyward_wire::rule::{PathTemplate, RequestPath, Rule, Template};
use zeroize::Zeroizing;

use super::{InjectError, Slots, joined, render, split_query};
use crate::placeholder::MANAGED;
use crate::source::Value;

/// The target with the value in its slot. `None` if it has no such slot, or something else stands in the slot. A path is not only
/// a place for credentials, so the agent marks the slot with the placeholder or with `keyward-managed`.
///
/// Whether the value may stand in a path was checked before. The path is another one with the value in it, so the rule judges it
/// again.
pub(super) fn replace(
    target: &[u8],
    rule: &Rule,
    template: &PathTemplate,
    value: &Value,
    slots: &mut Slots<'_>,
) -> Result<Option<Zeroizing<Vec<u8>>>, InjectError> {
    let (path, query) = split_query(target);
    let Some((before, slot, after)) = template.split(path) else { return Ok(None) };
    let managed = MANAGED.iter().any(|managed| managed.as_bytes() == slot);
    if !slots.text(slot)? && !managed {
        return Ok(None);
    }
    let secret = render(&slot_of(template.template()), value)?;
    let path = joined(&[before, &secret, after]);
    // A value with `..` or `//` in it would make another path.
    let read = RequestPath::new(&path).map_err(|_| InjectError::BadValue)?;
    if !rule.fits_path(read) {
        return Err(InjectError::BadValue);
    }
    let query = query.map_or([b"".as_slice(); 2], |query| [b"?", query]);
    Ok(Some(joined(&[&path, query[0], query[1]])))
}

/// The part of a template that fills its slot, without the text around it.
fn slot_of(template: &Template) -> Template {
    let text = template.to_string();
    let slot = text.find('{').zip(text.find('}')).and_then(|(start, end)| text.get(start..=end));
    slot.and_then(|slot| slot.parse().ok()).unwrap_or_else(Template::value)
}
