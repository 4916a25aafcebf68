//! One request against a snapshot: what the policies say, and why.
//!
//! Decided by the same evaluator as everything else. What the snapshot and the request determine is
//! folded in; what neither does is left open, and the answer says on which keys it hangs and how.

mod caller;
mod conditions;
mod place;
mod report;
mod target;
mod who_can;

use std::collections::BTreeMap;
use std::sync::Arc;

use escalade_models::ResourceKinds;

pub use report::{
    Deviation, LayerReport, NearMissReport, PolicyReport, Says, SimulatedRequest, Simulation,
    StatementReport, Verdict,
};

pub use who_can::{MayCall, WhoCan, who_can};

use crate::analysis::{Models, QuestionError, check_action};
use crate::authorization::{
    Applicable, CallContext, Decision, Edits, Ground, InForce, Input, Origin, Request, Resource,
    ResourcePolicy, View, explain, fold_time, layers,
};
use crate::policy::Policy;
use crate::provenance::PolicyFiles;
use crate::residual::Gap;
use crate::snapshot::{OwnPolicy, World};
use crate::solver::Solver;
use caller::Who;
use conditions::{alternatives, never, settled};
pub(crate) use place::Places;
use target::Target;
pub(crate) use target::called;

/// A request to simulate.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// Who calls: a principal's ARN or shorthand, a session's ARN, a service, a provider,
    /// `anonymous`.
    pub principal: String,
    /// `service:Name`.
    pub action: String,
    /// One resource: an ARN, the end of one that the snapshot has, or `*` for an action that takes
    /// none.
    pub resource: String,
    /// Condition keys, by name as given, with their values; without a value the key is absent.
    pub context: BTreeMap<Arc<str>, Vec<Arc<str>>>,
    /// The session policy.
    pub session_policy: Option<Arc<Policy>>,
    /// The snapshot's only file, where it is a single one.
    pub file: Option<Arc<str>>,
}

/// A world in which requests are simulated.
pub struct Simulator<'w> {
    ground: Ground<'w>,
    models: &'w Models,
    solver: Solver,
}

impl<'w> Simulator<'w> {
    /// Prepares to simulate requests in `world`. Fails if a built-in policy does not parse.
    pub fn new(world: &'w World, models: &'w Models) -> Result<Self, QuestionError> {
        let ground = Ground::new(world, models.kinds())
            .map_err(|error| QuestionError::Catalogue(error.to_string()))?;
        Ok(Self { ground, models, solver: Solver::default() })
    }

    /// Decides a request.
    ///
    /// Fails if the question is none: no such principal in an account of the snapshot, an action
    /// or a resource that is a pattern, a resource's name that means several.
    pub fn decide(&self, asked: &Asked) -> Result<Simulation, QuestionError> {
        let world = self.ground.world;
        check_action(&asked.action)?;
        let who = Who::find(world, &asked.principal)?;
        let target = Target::find(world, &asked.resource, &asked.action)?;
        let action = asked.action.to_lowercase();
        let edits = Edits::default();
        let view = View { ground: &self.ground, made: &[], edits: &edits };
        let mut unknown: Vec<Arc<str>> = world.gaps.iter().map(|gap| gap.0.clone()).collect();

        let determined = self.determined(asked, &who, &action);
        let pins = BTreeMap::new();
        let resource = Resource::Literal(target.arn.clone());
        let account = target.account.clone();
        let context = CallContext {
            keys: self.models.keys(),
            view,
            action: &action,
            request: &action,
            made_by: None,
            is_there: false,
            caller: &who.caller,
            principal: who.object,
            resource: &resource,
            object: target.object,
            resource_account: account.as_deref(),
            region: &target.region,
            determined: &determined,
            pins: &pins,
            via: None,
            leave_open: true,
            of_object: None,
        };
        let applicable = self.applicable(view, &who, &target, &action, asked);
        let request = Request {
            caller: &who.caller,
            action: &asked.action,
            resource: &resource,
            resource_account: account.as_deref(),
            context: &context,
        };
        let explanation = explain(&request, &applicable, true);
        let not_before = self.ground.not_before;
        let decision = Decision {
            allowed: fold_time(explanation.decision.allowed.clone(), not_before),
            denied: fold_time(explanation.decision.denied.clone(), not_before),
        };
        let (verdict, allowed_if, gaps) = self.verdict(&decision);
        unknown.extend(gaps.into_iter().map(|gap| gap.0));
        self.taken_as_none(&target, &action, &determined, &who, &mut unknown);
        unknown.sort();
        unknown.dedup();

        let files = PolicyFiles { world, kinds: self.models.kinds(), single: asked.file.clone() };
        let places = Places { files, not_before };
        let report = |list: &[crate::authorization::Deciding]| {
            list.iter().map(|deciding| places.statement(deciding, &self.solver)).collect()
        };
        let shown = layers(&request, &applicable);
        Ok(Simulation {
            request: SimulatedRequest {
                principal: who.name.clone(),
                action: asked.action.as_str().into(),
                resource: target.arn.clone(),
                context: asked.context.clone(),
            },
            verdict,
            allowed_if,
            allowed_by: report(&explanation.allowing),
            denied_by: report(&explanation.denying),
            layers: shown
                .iter()
                .map(|layer| places.layer(layer, self.accounts(&who, &target), &self.solver))
                .collect(),
            near_misses: explanation
                .near_misses
                .iter()
                .map(|miss| places.near_miss(miss, &who.name, &asked.action, &target.arn))
                .collect(),
            unknown,
        })
    }

    /// The accounts of caller and resource, whose levels control policies have.
    fn accounts<'a>(&self, who: &'a Who, target: &'a Target) -> (Option<&'a str>, Option<&'a str>) {
        (who.caller.account(), target.account.as_deref())
    }

    /// The keys that the question gives, and those that follow from a session's name.
    fn determined(&self, asked: &Asked, who: &Who, action: &str) -> BTreeMap<Arc<str>, Input> {
        let mut out: BTreeMap<Arc<str>, Input> = who.keys.clone();
        for (key, values) in &asked.context {
            let lowercase: Arc<str> = key.to_lowercase().into();
            let several = || {
                self.models.keys().get(action, &lowercase).is_some_and(|known| known.multivalued)
            };
            let input = match values.as_slice() {
                [] => Input::Absent,
                [one] if !several() => Input::One(one.clone()),
                many => Input::Many(many.to_vec()),
            };
            out.insert(lowercase, input);
        }
        out
    }

    /// Every policy that applies.
    fn applicable<'a>(
        &'a self,
        view: View<'a, 'w>,
        who: &'a Who,
        target: &Target,
        action: &str,
        asked: &'a Asked,
    ) -> Applicable<'a> {
        let mut applicable = match who.object {
            Some(principal) => view.applicable(principal),
            None => Applicable {
                identity: Vec::new(),
                boundary: None,
                session: None,
                service_control: who
                    .caller
                    .account()
                    .map(|account| view.service_control(account))
                    .unwrap_or_default(),
                resource_control: Vec::new(),
                resource: ResourcePolicy::Absent,
                endpoints: &self.ground.endpoints,
            },
        };
        if let Some(gap) = &who.gap {
            applicable.identity.push(InForce {
                policy: Err(gap),
                name: "identity policies",
                origin: Origin::Elsewhere,
            });
        }
        applicable.session = asked.session_policy.as_deref().map(|policy| InForce {
            policy: Ok(policy),
            name: "session policy",
            origin: Origin::Elsewhere,
        });
        if let Some(object) = target.object {
            applicable.resource = view.governing_policy(action, object, None);
        }
        if let Some(account) = &target.account {
            applicable.resource_control = view.resource_control(account, action, target.object);
        }
        applicable
    }

    /// The verdict; on what it hangs if on keys that are open; what is not known.
    fn verdict(
        &self,
        decision: &Decision,
    ) -> (Verdict, Vec<Vec<crate::answer::Assumption>>, Vec<Gap>) {
        let authorized = decision.authorized();
        let (most, least) = (authorized.with_gaps(true), authorized.with_gaps(false));
        if settled(&self.solver, &least) {
            return (Verdict::Allowed, Vec::new(), Vec::new());
        }
        if never(&self.solver, &most) {
            let explicit = settled(&self.solver, &decision.denied.with_gaps(false))
                || !never(&self.solver, &decision.allowed.with_gaps(true));
            let verdict =
                if explicit { Verdict::ExplicitlyDenied } else { Verdict::ImplicitlyDenied };
            return (verdict, Vec::new(), Vec::new());
        }
        let gaps: Vec<Gap> = authorized.gaps().into_iter().collect();
        let found = alternatives(&self.solver, &least);
        if found.is_empty() {
            let limit = || vec![Gap("a limit of the solver was reached".into())];
            let gaps = if gaps.is_empty() { limit() } else { gaps };
            return (Verdict::Unknown, Vec::new(), gaps);
        }
        (Verdict::AllowedUnderAssumptions, found, gaps)
    }

    /// What was taken as none because the snapshot does not have it.
    fn taken_as_none(
        &self,
        target: &Target,
        action: &str,
        determined: &BTreeMap<Arc<str>, Input>,
        who: &Who,
        unknown: &mut Vec<Arc<str>>,
    ) {
        let arn = &target.arn;
        match target.object.and_then(|id| self.ground.world.object(id)) {
            Some(object) => {
                if let OwnPolicy::NotAsked(gap) = &object.policy
                    && may_have_policy(self.models.kinds(), &object.kind, action)
                {
                    unknown.push(format!("{gap}: taken as none").into());
                }
            }
            // Users, groups and policies have none; a role's decides who may assume it.
            None if **arn == *"*" || action.starts_with("iam:") => {}
            None => unknown.push(
                format!(
                    "{arn:?} is nothing that the snapshot lists: a policy of its own was taken as \
                     none"
                )
                .into(),
            ),
        }
        if target.account.is_none() && **arn != *"*" && who.caller.account().is_some() {
            unknown.push(
                format!("which account owns {arn:?} is not known: taken as the caller's").into(),
            );
        }
        if let Some(Input::One(id)) = determined.get("aws:sourcevpce")
            && !self.ground.endpoints.iter().any(|endpoint| endpoint.id == *id)
        {
            unknown.push(
                format!(
                    "the policy of VPC endpoint {id:?} is not in the snapshot: taken as allowing \
                     everything"
                )
                .into(),
            );
        }
    }
}

/// Whether the action is checked against a policy that objects of this kind can have.
fn may_have_policy(kinds: &ResourceKinds, kind: &str, action: &str) -> bool {
    let service = action.split(':').next().unwrap_or_default();
    let own = match kind.split(':').next().unwrap_or_default() {
        "opensearch" => "es",
        own => own,
    };
    own == service && kinds.get(kind).is_some_and(|kind| kind.has_policy())
}

#[cfg(test)]
mod tests;
