//! Asks, at a terminal, what an unknown name of a deployment means here. The answer is saved.

use keyward_crypto::state::view::{View, ViewDeployment};
use keyward_wire::DeploymentId;
use keyward_wire::name::Name;

use super::mapping_file;
use crate::ctx::Ctx;
use crate::fault::{holds_token, likeness};
use crate::prompt;

/// The most deployments that are offered; the nearest names come first.
const OFFERED: usize = 20;

/// Asks which of the deployments in `view` is meant by `name`, and saves the answer in `.keyward-deployment`. Only commands that
/// read ask: a change must not hit a deployment that somebody picked from a list.
///
/// Under `eval $(…)` stdout is no terminal, but if stdin and stderr are one, the person there can still be asked.
///
/// # Errors
/// `unknown`, if there is nobody to ask, or nothing was chosen.
pub async fn deployment(
    ctx: &Ctx,
    view: &View,
    name: &str,
    unknown: anyhow::Error,
) -> anyhow::Result<DeploymentId> {
    let is_name = name.parse::<Name>().is_ok() && !holds_token(name);
    let asks = is_name && prompt::on_terminal() && !ctx.out.quiet && !ctx.out.json;
    let offers = offers(view, name);
    if !asks || offers.is_empty() {
        return Err(unknown);
    }
    ctx.out.note(&format!("there is no deployment {name}; which one is meant here?"));
    for (number, offer) in (1..).zip(&offers) {
        ctx.out.note(&format!("{number:4}  {}", offer.name));
    }
    // On another thread: a signal must be noticed while somebody thinks.
    let answer =
        tokio::task::spawn_blocking(|| prompt::line("Number (nothing: none of them)", "no terminal"));
    let Some(chosen) = chosen(&offers, &answer.await??) else { return Err(unknown) };
    match mapping_file::save(name, chosen.id) {
        Ok(path) => ctx.out.note(&format!(
            "{name} means {} here from now on: {}\nit holds no secret; in a repository, commit it",
            chosen.name,
            mapping_file::shown(&path)
        )),
        Err(error) => ctx.out.warn(&format!("this is used now, but could not be kept: {error:#}")),
    }
    Ok(chosen.id)
}

/// The deployments to offer, the most similar name first.
fn offers<'a>(view: &'a View, name: &str) -> Vec<&'a ViewDeployment> {
    let mut offers: Vec<_> = view.deployments.iter().collect();
    offers.sort_by(|a, b| {
        let likeness = |one: &ViewDeployment| likeness(name, one.name.as_str());
        likeness(b).total_cmp(&likeness(a)).then_with(|| a.name.cmp(&b.name))
    });
    offers.truncate(OFFERED);
    offers
}

/// The deployment that `answer` names by its number or its name.
fn chosen<'a>(offers: &[&'a ViewDeployment], answer: &str) -> Option<&'a ViewDeployment> {
    let by_number = || offers.get(answer.parse::<usize>().ok()?.checked_sub(1)?).copied();
    let by_name = offers.iter().find(|offer| offer.name.as_str() == answer).copied();
    by_name.or_else(by_number)
}
