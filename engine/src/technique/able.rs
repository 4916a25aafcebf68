//! What a principal or a policy can be good for, by the tables of documents alone, before any call is
//! decided.

use super::actions::Actions;
use super::actor::Actor;
use super::rule::Rule;
use super::search::Search;
use crate::authorization::{InForce, Tagged};
use crate::policy::{Policy, Statement};
use crate::reachability::Variant;
use crate::snapshot::{Detail, Object, ObjectId, PolicySource};

impl Search<'_> {
    /// The actions that an actor may be allowed, by the tables of the documents in force: those of
    /// its identity policies within its boundary, and those that resources' own policies grant; all
    /// within the service control policies, and without what is denied whatever the resource.
    pub(super) fn actions_of(&self, actor: &Actor<'_, '_>) -> Actions {
        let policies = &actor.applicable;
        let mut out = self.allowed_by_some(&policies.identity);
        if let Some(boundary) = &policies.boundary {
            out.keep(&self.allowed_by_some(std::slice::from_ref(boundary)));
        }
        out.extend(&self.index.granted);
        let linked = actor.view.object(actor.principal).is_some_and(Object::is_service_linked);
        let levels: &[_] = if linked { &[] } else { &policies.service_control };
        for level in levels {
            out.keep(&self.allowed_by_some(level));
        }
        let identity = policies.identity.iter().chain(&policies.boundary);
        for in_force in identity.chain(levels.iter().flatten()) {
            let Ok(policy) = in_force.policy else { continue };
            let document = self.ground.document_of(policy);
            match document.and_then(|at| self.index.forbidden.get(at.0 as usize)) {
                Some(actions) => out.remove(actions),
                None => out.remove(&Actions::forbidden_by(policy, &self.rules)),
            }
        }
        match actor.mandated {
            Some(mandated) => mandated.of(&out),
            None => out,
        }
    }

    /// The actions that some of these policies allow somewhere.
    pub(super) fn allowed_by_some(&self, policies: &[InForce<'_>]) -> Actions {
        let mut out = Actions::default();
        for in_force in policies {
            match in_force.policy {
                Ok(policy) => match self.document_of(policy) {
                    Some(actions) => out.extend(actions),
                    None => out.extend(&Actions::allowed_by(policy, &self.rules)),
                },
                Err(_) => out.extend(&Actions::all(&self.rules)),
            }
        }
        out
    }

    /// The statements of a policy that are about an action, on something that it may be called on.
    ///
    /// - `action`: its position in the catalogue's, and its name in lower case.
    pub(super) fn statements_about<'p>(
        &self,
        policy: &'p Policy,
        action: (usize, &str),
    ) -> impl Iterator<Item = &'p Statement> {
        let document = self.ground.document_of(policy);
        let is_about = move |at: usize, statement: &Statement| {
            let known = document.and_then(|id| self.index.is_about(id, at, action.0));
            known.unwrap_or_else(|| {
                statement.matches_action(action.1) && self.rules.is_on(statement, action.0)
            })
        };
        let statements = policy.statements().iter().enumerate();
        statements.filter_map(move |(at, one)| is_about(at, one).then_some(one))
    }

    /// The table of a document, recognised by its address in the world.
    pub(super) fn document_of(&self, policy: &Policy) -> Option<&Actions> {
        let document = self.ground.document_of(policy)?;
        self.index.allowed.get(document.0 as usize).map(|actions| &**actions)
    }

    /// The actions that a managed policy, in its default or the given version, allows. `None` if
    /// the snapshot does not hold it.
    pub fn allowed_by_policy(&self, policy: ObjectId, version: Option<usize>) -> Option<&Actions> {
        self.version(policy, version).and_then(|policy| self.document_of(policy))
    }

    /// The actions that each policy of a group allows. `None` if one is not known, or denies.
    pub fn policies_of_group(&self, group: ObjectId) -> Option<Vec<&Actions>> {
        let Detail::Group(policies) = &self.ground.world.objects.get(group.0 as usize)?.detail
        else {
            return None;
        };
        policies
            .iter()
            .map(|attached| match (&attached.source, attached.inline) {
                (PolicySource::Managed(policy), _) => self.allowed_by_policy(*policy, None),
                (PolicySource::Inline(_), Some(document)) => {
                    self.index.allowed.get(document.0 as usize).map(|actions| &**actions)
                }
                _ => None,
            })
            .collect()
    }

    /// Whether a policy allows no action that a technique or the goal needs.
    pub fn adds_nothing(&self, policy: ObjectId) -> bool {
        self.allowed_by_policy(policy, None)
            .is_some_and(|actions| actions.is_subset(&Actions::default()))
    }

    /// Whether a managed policy's default version has a deny.
    pub fn denies_something(&self, policy: ObjectId) -> bool {
        self.version(policy, None).is_some_and(Policy::has_deny)
    }

    /// Whether a managed policy, in its default or the given version, allows everything.
    pub fn allows_everything(&self, policy: ObjectId, version: Option<usize>) -> bool {
        self.version(policy, version).is_some_and(Policy::is_administrator)
    }

    pub(super) fn version(&self, policy: ObjectId, version: Option<usize>) -> Option<&Policy> {
        self.ground.world.managed_policy(policy, version)
    }

    /// Whether a principal whose policies are about these actions may use an object of a kind.
    pub fn may_use(&self, variant: &Variant, actions: &Actions, kind: &str) -> bool {
        let principal = self.ground.world.objects.get(variant.principal.0 as usize);
        // An internal user of an OpenSearch domain has no policies.
        if principal
            .is_none_or(|principal| matches!(principal.detail, Detail::Other | Detail::Symbolic(_)))
        {
            return true;
        }
        self.rules.rules.iter().any(|rule| {
            rule.slots.iter().any(|slot| &*slot.kind == kind) && rule.is_within(actions)
        })
    }

    /// Whether policies that are about these actions may let somebody change a principal's
    /// permissions.
    pub fn edits_principals(&self, actions: &Actions) -> bool {
        let changes = self.selected_rules.of_holders(actions);
        let mut changes = changes.iter().filter_map(|at| self.rules.rules.get(*at));
        changes.any(|rule| rule.is_within(actions))
    }

    /// The slot of the user or role that a rule tags, if some policy asks for tags of its caller.
    pub(super) fn tags_principals(&self, rule: &Rule) -> Option<usize> {
        if !self.ground.tag_keys().asks_some(Tagged::Principal) {
            return None;
        }
        rule.principal_tagged()
    }
}
