//! Finds the assignment that two words on the command line mean.

use keyward_crypto::state::org::{Assignment, Deployment, Group, Org};

use crate::args::resolve;
use crate::fault::{Code, Fault};
use crate::text::quoted;

/// The group and the deployment of these names or ids, and their assignment.
///
/// # Errors
/// [`Code::NotFound`], if one of them is not there, or the deployment is not assigned to the group.
pub(super) fn find<'a>(
    org: &'a Org,
    group: &str,
    deployment: &str,
) -> anyhow::Result<(&'a Group, &'a Deployment, &'a Assignment)> {
    let group = resolve::group(org, group)?;
    let deployment = resolve::deployment(org, deployment)?;
    let assignment = org.assignment(group.id, deployment.id).ok_or_else(|| {
        let words = (quoted(group.name.as_str()), quoted(deployment.name.as_str()));
        not_assigned(group, deployment)
            .next(format!("assign it: keyward group assign {} {}", words.0, words.1))
    })?;
    Ok((group, deployment, assignment))
}

/// The fault that it is not.
pub(super) fn not_assigned(group: &Group, deployment: &Deployment) -> Fault {
    Fault::new(Code::NotFound, format!("{} is not assigned to {}", deployment.name, group.name))
}
