//! Whether one set of permissions lets through what another does not: any action, on any resource,
//! in any context.
//!
//! Decided for all requests at once, wildcards included, by the formula "permitted by the one and
//! not by the other". Control policies, resource policies and session policies are left aside: they
//! are of the account, the resource and the session, not of what is compared.

mod side;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Serialize;

use crate::analysis::{Models, QuestionError};
use crate::answer::{KeyValue, SCHEMA};
use crate::authorization::{AnyRequest, Ground, Permissions};
use crate::pattern::Pattern;
use crate::residual::{Atom, Residual, Test};
use crate::snapshot::World;
use crate::solver::{Assignment, Solution, Solver, Value};
use side::Side;

/// How many known actions are named that only one side permits.
const NAMED: usize = 100;

/// How two sets of permissions stand to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Relation {
    /// Both permit the same.
    Equal,
    /// The first permits all that the second does, and more.
    More,
    /// The first permits less, and nothing that the second does not.
    Less,
    /// Each permits something that the other does not.
    Different,
    /// Not known.
    Unknown,
}

/// A request that one side permits and the other does not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Counterexample {
    /// The action.
    pub action: Arc<str>,
    /// The resource.
    pub resource: Arc<str>,
    /// Condition keys that matter; without a value the key is absent.
    pub context: BTreeMap<Arc<str>, KeyValue>,
}

/// What one side permits beyond the other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Whether there is something; `None` if that is not known.
    pub exists: Option<bool>,
    /// An example.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub example: Option<Counterexample>,
    /// Actions of the catalogue that are permitted somewhere beyond the other, sorted.
    pub actions: Vec<Arc<str>>,
    /// What is not known, sorted.
    pub unknown: Vec<Arc<str>>,
}

/// The answer to a comparison.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Comparison {
    /// Always [`SCHEMA`].
    pub schema: &'static str,
    /// The first side: a principal's or policy's ARN.
    pub a: Arc<str>,
    /// The second side.
    pub b: Arc<str>,
    /// How the first stands to the second.
    pub relation: Relation,
    /// What only the first permits.
    pub only_a: Difference,
    /// What only the second permits.
    pub only_b: Difference,
}

/// Compares what two principals or policies permit.
///
/// - `a`, `b`: a principal's ARN or shorthand, a policy's ARN, or the name of a policy
///   (`AdministratorAccess`).
///
/// A policy is read as attached to the principal that it is compared with. Fails if a side is
/// nothing that the snapshot or AWS has.
pub fn compare(
    world: &World,
    models: &Models,
    a: &str,
    b: &str,
) -> Result<Comparison, QuestionError> {
    let ground = Ground::new(world, models.kinds())
        .map_err(|error| QuestionError::Catalogue(error.to_string()))?;
    let rules = models.rules()?;
    let (a, b) = (Side::find(world, a)?, Side::find(world, b)?);
    let solver = Solver::default();
    let known: BTreeSet<Arc<str>> = rules
        .rules
        .iter()
        .flat_map(|rule| rule.calls.iter().map(|call| call.action.clone()))
        .filter(|action| !action.contains('*'))
        .collect();
    let comparing = Comparing { ground: &ground, models, solver: &solver, known: &known };
    let only_a = comparing.difference(&a, &b);
    let only_b = comparing.difference(&b, &a);
    let relation = match (only_a.exists, only_b.exists) {
        (Some(false), Some(false)) => Relation::Equal,
        (Some(true), Some(false)) => Relation::More,
        (Some(false), Some(true)) => Relation::Less,
        (Some(true), Some(true)) => Relation::Different,
        _ => Relation::Unknown,
    };
    Ok(Comparison { schema: SCHEMA, a: a.name, b: b.name, relation, only_a, only_b })
}

struct Comparing<'c, 'w> {
    ground: &'c Ground<'w>,
    models: &'c Models,
    solver: &'c Solver,
    known: &'c BTreeSet<Arc<str>>,
}

impl Comparing<'_, '_> {
    /// What `more` permits and `less` does not.
    fn difference(&self, more: &Side, less: &Side) -> Difference {
        let (formula, request) = self.formula(more, less);
        let (certain, possible) = (formula.with_gaps(false), formula.with_gaps(true));
        let mut out = Difference {
            exists: Some(true),
            example: None,
            actions: Vec::new(),
            unknown: Vec::new(),
        };
        match self.solver.solve(&certain) {
            Solution::Satisfiable(assignment) => {
                let (actions, example) = self.examples(&certain, &request, assignment);
                out.actions = actions;
                out.example = Some(example);
                return out;
            }
            Solution::Unknown(reason) => out.unknown.push(reason),
            Solution::Unsatisfiable => {}
        }
        match self.solver.solve(&possible) {
            Solution::Unsatisfiable => out.exists = Some(false),
            Solution::Unknown(reason) => {
                out.exists = None;
                out.unknown.push(reason);
            }
            Solution::Satisfiable(_) => {
                out.exists = None;
                out.unknown.extend(formula.gaps().into_iter().map(|gap| gap.0));
            }
        }
        if out.exists == Some(false) {
            out.unknown.clear();
        }
        out.unknown.sort();
        out.unknown.dedup();
        out
    }

    fn formula(&self, more: &Side, less: &Side) -> (Residual, Asked) {
        let spelling = |key: &str| self.spelling(key);
        let edits = crate::authorization::Edits::default();
        let of = |side: &Side, other: &Side| -> Residual {
            let permissions = [more, less].map(|side| side.permissions(self.ground, &edits));
            side.with_caller(self.ground, self.models, &edits, other, |caller| {
                let mut request = AnyRequest::new(caller, &spelling);
                permissions.iter().for_each(|permissions| request.note_sets(permissions));
                self.note_global(&mut request);
                let own: Permissions<'_> = side.permissions(self.ground, &edits);
                request.permitted(&own)
            })
        };
        let request = AnyRequest::new(None, &spelling);
        let formula = request.well_formed().and(of(more, less)).and(of(less, more).negate());
        (formula, Asked { action: request.action, resource: request.resource })
    }

    fn note_global(&self, request: &mut AnyRequest<'_>) {
        let several = self.models.keys().global().filter(|key| key.multivalued);
        request.multivalued.extend(several.map(|key| Arc::from(key.name.to_lowercase())));
    }

    fn spelling(&self, key: &str) -> Arc<str> {
        let known = self.models.keys().global().find(|known| known.name.eq_ignore_ascii_case(key));
        known.map_or_else(|| key.into(), |known| known.name.as_str().into())
    }

    /// Actions of the catalogue with which the formula can hold, and an example: with one of these
    /// on a resource of its service if there is one.
    fn examples(
        &self,
        formula: &Residual,
        request: &Asked,
        any: Assignment,
    ) -> (Vec<Arc<str>>, Counterexample) {
        let mut actions = Vec::new();
        let mut example: Option<Counterexample> = None;
        for action in self.known {
            let lowercase: Arc<str> = action.to_lowercase().into();
            let of_action = formula.substitute(&|atom: &Atom| {
                (*atom.variable() == request.action).then(|| {
                    Residual::constant(crate::solver::holds(atom, &Value::One(lowercase.clone())))
                })
            });
            if of_action.is_false() {
                continue;
            }
            let service = lowercase.split(':').next().unwrap_or_default();
            let own = Residual::atom(Atom::Passes(
                request.resource.clone(),
                Test::Like(Pattern::glob(&format!("arn:aws:{service}:*"), false)),
            ));
            let found = match self.solver.solve(&of_action.clone().and(own)) {
                Solution::Satisfiable(assignment) => Some(assignment),
                _ => match self.solver.solve(&of_action) {
                    Solution::Satisfiable(assignment) => Some(assignment),
                    _ => None,
                },
            };
            if let Some(assignment) = found {
                actions.push(action.clone());
                example.get_or_insert_with(|| shown(request, action.clone(), &assignment));
            }
            if actions.len() == NAMED {
                break;
            }
        }
        let example = example.unwrap_or_else(|| {
            let action = match any.get(&request.action) {
                Some(Value::One(action)) => action.clone(),
                _ => "any:action".into(),
            };
            shown(request, action, &any)
        });
        (actions, example)
    }
}

/// The variables of a comparison's request.
struct Asked {
    action: crate::residual::Variable,
    resource: crate::residual::Variable,
}

fn shown(request: &Asked, action: Arc<str>, assignment: &Assignment) -> Counterexample {
    let resource = match assignment.get(&request.resource) {
        Some(Value::One(text)) => text.clone(),
        _ => "*".into(),
    };
    let context = assignment
        .iter()
        .filter(|(variable, _)| **variable != request.action && **variable != request.resource)
        .map(|(variable, value)| {
            let values = match value {
                Value::Absent => Vec::new(),
                Value::One(text) => vec![text.clone()],
                Value::Many(texts) => texts.clone(),
            };
            (variable.name.clone(), KeyValue(values))
        })
        .collect();
    Counterexample { action, resource, context }
}
