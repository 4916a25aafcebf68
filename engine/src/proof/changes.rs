//! Which of the attacker's edits are in force when he calls.
//!
//! Most edits only ever let a call through that would not have been: they are taken as made. The
//! others (a policy with a deny, a tag, a policy taken away) may also stand in the way: what matters
//! of them to a call is tried in every combination.

use std::collections::BTreeSet;

use foldhash::HashSet;

use super::had::{Had, State};
use crate::authorization::{Edit, OrganizationEdit};
use crate::policy::{Effect, Policy, Statement};
use crate::residual::Residual;
use crate::snapshot::{Detail, Object, ObjectId, PolicySource};
use crate::technique::Search;

/// How many edits that may stand in the way are combined. More than that is refused.
const MOST: usize = 8;

/// Too many edits concern one call.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("more than {MOST} changes of {0:?} would have to be tried together")]
pub struct TooMany(pub String);

/// Edits in force, and the environments in which they can have been made.
#[derive(Clone, Debug)]
pub(super) struct InForce {
    pub(super) edits: Vec<Edit>,
    pub(super) condition: Residual,
}

/// The attacker's edits, sorted into what is always in force and what is tried.
#[derive(Clone, Debug)]
pub(super) struct Changes {
    always: Vec<Edit>,
    optional: Vec<(Edit, Residual)>,
}

impl Changes {
    pub(super) fn of(search: &Search<'_>, state: &State) -> Self {
        let mut out = Self { always: Vec::new(), optional: Vec::new() };
        for (had, condition) in &state.facts {
            let Had::Edited(edit) = had else { continue };
            // What is not known may be so: it only widens as well.
            if condition.with_gaps(true).is_true() && only_widens(search, *edit) {
                out.always.push(*edit);
            } else {
                out.optional.push((*edit, condition.clone()));
            }
        }
        out
    }

    /// Whether some edit gives a resource or role another policy of its own.
    pub(super) fn write_policies(&self) -> bool {
        self.always.iter().chain(self.optional.iter().map(|(edit, _)| edit)).any(|edit| {
            matches!(edit, Edit::ResourcePolicy(_) | Edit::ResourceGrant(..) | Edit::TrustPolicy(_))
        })
    }

    /// Every combination of the edits that concern one of `subjects`, together with those that are
    /// always in force.
    pub(super) fn worlds(
        &self,
        subjects: &BTreeSet<ObjectId>,
        with_organization: bool,
        name: impl Fn() -> String,
    ) -> Result<Vec<InForce>, TooMany> {
        let concerned: Vec<&(Edit, Residual)> = self
            .optional
            .iter()
            .filter(|(edit, _)| match edit {
                Edit::Organization(_) => with_organization,
                edit => edit.subject().is_some_and(|subject| subjects.contains(&subject)),
            })
            .collect();
        if concerned.len() > MOST {
            return Err(TooMany(name()));
        }
        Ok((0..1_usize << concerned.len())
            .map(|chosen| {
                let some = concerned.iter().enumerate().filter(|(at, _)| chosen >> at & 1 == 1);
                let (edits, conditions): (Vec<Edit>, Vec<Residual>) =
                    some.map(|(_, (edit, condition))| (*edit, condition.clone())).unzip();
                let edits = self.always.iter().copied().chain(edits).collect();
                InForce { edits, condition: Residual::all(conditions) }
            })
            .collect())
    }

    /// Of edits in force, as [`Changes::worlds`] gives them, those that need not be.
    pub(super) fn chosen<'e>(&self, edits: &'e [Edit]) -> &'e [Edit] {
        edits.get(self.always.len()..).unwrap_or_default()
    }

    /// Whether some edit that may stand in the way is about an object.
    pub(super) fn concern(&self, object: ObjectId) -> bool {
        self.optional.iter().any(|(edit, _)| edit.subject() == Some(object))
    }
}

/// Edits, with those of others that are not among them: there may be hundreds of both.
pub(super) fn together(edits: &[Edit], others: &[Edit]) -> Vec<Edit> {
    let known: HashSet<Edit> = edits.iter().copied().collect();
    let more = others.iter().filter(|edit| !known.contains(edit));
    edits.iter().chain(more).copied().collect()
}

/// Whether an edit can let calls through and never stand in the way of one.
fn only_widens(search: &Search<'_>, edit: Edit) -> bool {
    let object = |id: ObjectId| search.ground.world.objects.get(id.0 as usize);
    match edit {
        Edit::InlinePolicy(_)
        | Edit::PolicyText(_)
        | Edit::TrustPolicy(_)
        | Edit::NoBoundary(_)
        | Edit::ResourceGrant(..)
        | Edit::MfaDevice(_) => true,
        Edit::Attached(_, policy) => !may_deny(search, policy),
        Edit::Organization(edit) => match edit {
            OrganizationEdit::PolicyText(_)
            | OrganizationEdit::PoliciesOff(_)
            | OrganizationEdit::PolicyAttached(_, None) => true,
            OrganizationEdit::PolicyAttached(_, Some(policy)) => {
                control_policy(search, policy).is_some_and(|policy| !policy.has_deny())
            }
            OrganizationEdit::PolicyDetached(_, policy) => {
                let allows = |statement: &Statement| statement.effect() == Effect::Allow;
                control_policy(search, policy)
                    .is_some_and(|policy| !policy.statements().iter().any(allows))
            }
            OrganizationEdit::Left(_) | OrganizationEdit::Moved(..) => false,
        },
        Edit::Member(_, group) => match object(group).map(|object| &object.detail) {
            Some(Detail::Group(policies)) => {
                policies.iter().all(|attached| match (&attached.source, attached.inline) {
                    (PolicySource::Managed(policy), _) => !may_deny(search, *policy),
                    (_, Some(document)) => search
                        .ground
                        .world
                        .documents
                        .get(document.0 as usize)
                        .and_then(|document| document.policy.as_ref().ok())
                        .is_some_and(|policy| !policy.has_deny()),
                    _ => false,
                })
            }
            _ => false,
        },
        _ => false,
    }
}

/// A control policy as it is today, if it is known.
fn control_policy<'w>(search: &Search<'w>, policy: ObjectId) -> Option<&'w Policy> {
    let world = search.ground.world;
    let id = &world.objects.get(policy.0 as usize)?.name;
    world.policy(world.organization.as_ref()?.policy_document(id)?)
}

/// Whether some version of a managed policy has a deny, or is not known.
fn may_deny(search: &Search<'_>, policy: ObjectId) -> bool {
    let world = search.ground.world;
    let Some(Detail::Policy(managed)) =
        world.objects.get(policy.0 as usize).map(|object| &object.detail)
    else {
        return true;
    };
    managed.versions.iter().any(|(_, document)| {
        let policy = world.documents.get(document.0 as usize).map(|d| d.policy.as_ref());
        policy.and_then(Result::ok).is_none_or(Policy::has_deny)
    })
}

/// What a principal's permissions hang on: itself, its groups, and managed policies of all of these.
pub(super) fn subjects(
    search: &Search<'_>,
    state: &State,
    principal: ObjectId,
) -> BTreeSet<ObjectId> {
    let object = |id: ObjectId| search.ground.object(&state.made, id);
    let mut out = BTreeSet::from([principal]);
    let mut holders = vec![principal];
    if let Some(Detail::User(user)) = object(principal).map(|object| &object.detail) {
        holders.extend(user.groups.iter().copied());
    }
    for had in state.facts.keys() {
        match had {
            Had::Edited(Edit::Member(user, group)) if *user == principal => holders.push(*group),
            _ => {}
        }
    }
    for holder in &holders {
        out.insert(*holder);
        let Some(object) = object(*holder) else { continue };
        out.extend(managed_policies(object));
        for had in state.facts.keys() {
            match had {
                Had::Edited(Edit::Attached(of, policy)) if of == holder => {
                    out.insert(*policy);
                }
                _ => {}
            }
        }
    }
    out
}

fn managed_policies(holder: &Object) -> Vec<ObjectId> {
    let (policies, boundary) = match &holder.detail {
        Detail::User(user) => (&user.policies[..], user.boundary.as_ref()),
        Detail::Role(role) => (&role.policies[..], role.boundary.as_ref()),
        Detail::Group(policies) => (&policies[..], None),
        _ => return Vec::new(),
    };
    let sources = policies.iter().map(|attached| &attached.source).chain(boundary);
    sources
        .filter_map(|source| match source {
            PolicySource::Managed(policy) => Some(*policy),
            _ => None,
        })
        .collect()
}
