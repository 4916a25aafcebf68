//! Who may make a call as things are: every user and role asked in turn.

use std::collections::BTreeMap;
use std::sync::Arc;

use rayon::prelude::*;
use schemars::JsonSchema;
use serde::Serialize;

use super::{Asked, Simulation, Simulator, Verdict};
use crate::analysis::{Models, QuestionError, check_action, pins, starts};
use crate::answer::{AllowedBy, Assumption, SCHEMA};
use crate::authorization::Origin;
use crate::pattern::Pattern;
use crate::snapshot::{Detail, World};

/// Who may make a call.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct WhoCan {
    /// Always [`SCHEMA`].
    #[schemars(extend("const" = SCHEMA))]
    pub schema: &'static str,
    /// `service:Name`, as given.
    pub action: Arc<str>,
    /// The resources that were asked about, sorted.
    pub resources: Vec<Arc<str>>,
    /// How many users and roles were asked about.
    pub principals: usize,
    /// Who may, or may under conditions, or for whom it is not known: by resource, then by
    /// principal.
    pub allowed: Vec<MayCall>,
    /// What was missing or skipped, or taken as none, sorted.
    pub unknown: Vec<Arc<str>>,
}

/// A principal that may make the call.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct MayCall {
    /// The principal's ARN.
    pub principal: Arc<str>,
    /// The resource.
    pub resource: Arc<str>,
    /// `allowed`, `allowed-under-assumptions` or `unknown`.
    #[schemars(with = "String")]
    pub verdict: Verdict,
    /// Alternatives under which it may, the least assuming first; empty if it surely may.
    pub allowed_if: Vec<Vec<Assumption>>,
    /// The statements that allow.
    pub allowed_by: Vec<AllowedBy>,
    /// For `unknown` what is not known, sorted.
    pub unknown: Vec<Arc<str>>,
}

/// Asks for every user and role whether it may make a call. Service-linked roles are left out: only
/// AWS's services can hold them.
///
/// - `resource`: an ARN, the end of one, `*` for an action that takes none, or a pattern with `*`
///   and `?`, which stands for the resources of the snapshot that it covers.
///
/// - `assume`: condition keys that are pinned; `None` means absent.
///
/// Fails if the action is none or no resource is meant.
pub fn who_can(
    world: &World,
    models: &Models,
    action: &str,
    resource: &str,
    assume: &BTreeMap<Arc<str>, Option<Arc<str>>>,
) -> Result<WhoCan, QuestionError> {
    check_action(action)?;
    let resources = resources(world, resource)?;
    let simulator = Simulator::new(world, models)?;
    pins(&simulator.ground, models.keys(), &simulator.solver, assume)?;
    let principals: Vec<&Arc<str>> = starts(world)
        .into_iter()
        .filter_map(|id| world.object(id))
        .map(|object| &object.arn)
        .collect();
    let context: BTreeMap<Arc<str>, Vec<Arc<str>>> =
        assume.iter().map(|(key, value)| (key.clone(), value.iter().cloned().collect())).collect();
    let mut asked = Vec::with_capacity(resources.len() * principals.len());
    for resource in &resources {
        for principal in &principals {
            asked.push(Asked {
                principal: principal.to_string(),
                action: action.to_owned(),
                resource: resource.to_string(),
                context: context.clone(),
                ..Asked::default()
            });
        }
    }
    let answers: Vec<Simulation> =
        asked.par_iter().map(|asked| simulator.decide(asked)).collect::<Result<_, _>>()?;
    let general: Vec<Arc<str>> = world.gaps.iter().map(|gap| gap.0.clone()).collect();
    // What is said of everybody is said once. Without principals nothing is asked.
    let mut unknown = general.clone();
    for text in answers.iter().flat_map(|answer| &answer.unknown) {
        let everywhere = || answers.iter().all(|answer| answer.unknown.contains(text));
        if !unknown.contains(text) && everywhere() {
            unknown.push(text.clone());
        }
    }
    unknown.sort();
    let mut allowed: Vec<MayCall> = answers
        .into_iter()
        .filter(|answer| {
            matches!(
                answer.verdict,
                Verdict::Allowed | Verdict::AllowedUnderAssumptions | Verdict::Unknown
            )
        })
        .map(|answer| MayCall {
            principal: answer.request.principal.clone(),
            resource: answer.request.resource.clone(),
            verdict: answer.verdict,
            allowed_if: answer.allowed_if,
            allowed_by: answer
                .allowed_by
                .iter()
                .map(|by| AllowedBy {
                    policy: by.policy.clone(),
                    kind: by.kind.into(),
                    statement: by.statement,
                    sid: by.sid.clone(),
                    origin: Origin::Elsewhere,
                })
                .collect(),
            unknown: answer.unknown.into_iter().filter(|text| !unknown.contains(text)).collect(),
        })
        .collect();
    allowed.sort_by(|a, b| (&a.resource, &a.principal).cmp(&(&b.resource, &b.principal)));
    Ok(WhoCan {
        schema: SCHEMA,
        action: action.into(),
        resources,
        principals: principals.len(),
        allowed,
        unknown,
    })
}

fn resources(world: &World, resource: &str) -> Result<Vec<Arc<str>>, QuestionError> {
    if resource == "*" || !resource.contains(['*', '?']) {
        return Ok(vec![resource.into()]);
    }
    let pattern = Pattern::glob(resource, false);
    let mut out: Vec<Arc<str>> = world
        .objects
        .iter()
        .filter(|object| !matches!(object.detail, Detail::Unlisted(_)))
        .filter(|object| &*object.kind != "iam:inline-policy" && pattern.matches(&object.arn))
        .map(|object| object.arn.clone())
        .collect();
    out.sort();
    if out.is_empty() { Err(QuestionError::NoResource(resource.to_owned())) } else { Ok(out) }
}
