//! Whether a principal is an administrator: whether its identity policies, within its boundary,
//! allow all that AdministratorAccess allows.

use std::sync::Arc;

use super::conditions::condition_holds;
use super::permissions::{AnyRequest, Permissions};
use super::{Context, InForce, Input};
use crate::pattern::Pattern;
use crate::policy::{Effect, Statement};
use crate::residual::{Atom, Grammar, Residual, Test, Variable, VariableKind};
use crate::solver::{Solution, Solver};

/// The residual, over the environment, under which `identity` within `boundary` allows every action
/// on every resource. Control policies do not count: they narrow every principal of the account.
///
/// A deny, or a condition on an allow, that depends on the request (a tag, a parameter) narrows the
/// principal; one that depends only on the environment (MFA, the source address) becomes part of
/// the residual.
///
/// The yardstick is the policy of <https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AdministratorAccess.html>.
pub fn administrator(
    identity: &[InForce<'_>],
    boundary: Option<&InForce<'_>>,
    context: &dyn Context,
    solver: &Solver,
) -> Residual {
    let granted = covers(identity, context, solver);
    if !granted.is_true() && may_cover(identity) {
        // Conditions that leave no request out together, and denies that are never about one.
        if permits_everything(identity, boundary, context, solver) {
            return Residual::True;
        }
    }
    if granted.is_false() {
        return Residual::False;
    }
    let limited = match boundary {
        None => Residual::True,
        Some(boundary) => covers(std::slice::from_ref(boundary), context, solver),
    };
    if limited.is_false() {
        return Residual::False;
    }
    let layers: Vec<InForce<'_>> = identity.iter().chain(boundary).copied().collect();
    granted.and(limited).and(undenied(&layers, context, solver))
}

/// Whether there is no request at all, in any environment, that the policies do not permit.
fn permits_everything(
    identity: &[InForce<'_>],
    boundary: Option<&InForce<'_>>,
    context: &dyn Context,
    solver: &Solver,
) -> bool {
    let permissions = Permissions { identity: identity.to_vec(), boundary: boundary.copied() };
    let spelling = |key: &str| Arc::from(key);
    let mut request = AnyRequest::new(Some(context), &spelling);
    request.note_sets(&permissions);
    let left_out = request.well_formed().and(request.permitted(&permissions).negate());
    matches!(solver.solve(&left_out.with_gaps(true)), Solution::Unsatisfiable)
}

/// When the allow statements together are about every action on every resource.
fn covers(policies: &[InForce<'_>], context: &dyn Context, solver: &Solver) -> Residual {
    let mut certain: Vec<&Statement> = Vec::new();
    let mut conditional: Vec<(&Statement, Residual)> = Vec::new();
    let mut missing = Residual::False;
    for in_force in policies {
        let policy = match in_force.policy {
            Ok(policy) => policy,
            Err(gap) => {
                missing = Residual::Unknown(gap.clone());
                continue;
            }
        };
        for statement in policy.statements().iter().filter(|s| s.effect() == Effect::Allow) {
            match allowance(statement, context) {
                Residual::False => {}
                Residual::True if is_everything(statement) => return Residual::True,
                Residual::True => certain.push(statement),
                residual => conditional.push((statement, residual)),
            }
        }
    }
    if covered(&certain, solver) {
        return Residual::True;
    }
    let everything = conditional.iter().filter(|(statement, _)| is_everything(statement));
    let everything = Residual::any(everything.map(|(_, residual)| residual.clone()));
    if !everything.is_false() {
        return everything.or(missing);
    }
    let mut all = certain.clone();
    all.extend(conditional.iter().map(|(statement, _)| *statement));
    if !conditional.is_empty() && covered(&all, solver) {
        return Residual::all(conditional.into_iter().map(|(_, residual)| residual)).or(missing);
    }
    missing
}

/// Whether several statements with conditions are each about most requests, so that all of them
/// together may be about every one. Most principals have none.
fn may_cover(policies: &[InForce<'_>]) -> bool {
    let statements =
        policies.iter().filter_map(|in_force| in_force.policy.ok()).flat_map(|policy| {
            policy.statements().iter().filter(|statement| statement.effect() == Effect::Allow)
        });
    let wide = statements.filter(|statement| {
        let actions = statement.actions();
        let any_action = actions.negated
            || actions.patterns.iter().any(|pattern| pattern.text().starts_with('*'));
        let any_resource = statement.resources_negated()
            || statement.resources().iter().any(|t| t.fixed().is_some_and(Pattern::is_any));
        any_action && any_resource
    });
    wide.take(2).count() == 2
}

fn is_everything(statement: &Statement) -> bool {
    let actions = statement.actions();
    !actions.negated
        && actions.patterns.iter().any(|pattern| pattern.text() == "*" || pattern.text() == "*:*")
        && !statement.resources_negated()
        && statement.resources().iter().any(|t| t.fixed().is_some_and(Pattern::is_any))
}

/// Whether the statements, taken as unconditional, leave no action on no resource out.
fn covered(statements: &[&Statement], solver: &Solver) -> bool {
    // Without both of these no union covers everything, and most principals stop here.
    let any_resource = |s: &&&Statement| {
        s.resources_negated()
            || s.resources().iter().any(|t| t.fixed().is_some_and(Pattern::is_any))
    };
    let wide = statements.iter().filter(any_resource).any(|statement| {
        statement.actions().negated
            || statement.actions().patterns.iter().any(|pattern| pattern.text().starts_with('*'))
    });
    if !wide {
        return false;
    }
    let variable = |name: &str, alphabet: &[(char, char)]| Variable {
        name: name.into(),
        scope: "administrator".into(),
        kind: VariableKind::Chosen,
        multivalued: false,
        grammar: Grammar::new(alphabet, (1, 1024)),
    };
    // Service and action of `service:Action`, in lower case.
    let action = variable("action", &[('-', '-'), ('0', '9'), (':', ':'), ('a', 'z')]);
    let resource = variable("resource", &[]);
    let like = |variable: &Variable, pattern: Pattern| {
        Residual::atom(Atom::Passes(variable.clone(), Test::Like(pattern)))
    };
    let is_action = like(&action, Pattern::glob("?*:?*", false));
    let left_out = Residual::all(statements.iter().map(|statement| {
        let actions = statement.actions();
        let selects = Residual::any(
            actions
                .patterns
                .iter()
                .map(|pattern| like(&action, Pattern::glob(pattern.text(), false))),
        );
        let selects = if actions.negated { selects.negate() } else { selects };
        let on = Residual::any(statement.resources().iter().map(|template| {
            match template.fixed() {
                Some(pattern) if pattern.is_any() => Residual::True,
                Some(pattern) => like(&resource, pattern.clone()),
                // A variable's value is one text among many: such a pattern covers nothing whole.
                None => Residual::constant(statement.resources_negated()),
            }
        }));
        let on = if statement.resources_negated() { on.negate() } else { on };
        selects.and(on).negate()
    }));
    matches!(solver.solve(&left_out.and(is_action)), Solution::Unsatisfiable)
}

/// When no deny statement bites. What depends on the request counts as biting.
fn undenied(policies: &[InForce<'_>], context: &dyn Context, solver: &Solver) -> Residual {
    let mut out = Residual::True;
    for in_force in policies {
        let Ok(policy) = in_force.policy else { continue };
        for statement in policy.statements().iter().filter(|s| s.effect() == Effect::Deny) {
            // A statement that selects no action at all denies nothing.
            let actions = statement.actions();
            if actions.negated && actions.patterns.iter().any(|pattern| pattern.text() == "*") {
                continue;
            }
            if statement.resources_negated()
                && statement.resources().iter().any(|t| t.fixed().is_some_and(Pattern::is_any))
            {
                continue;
            }
            let open = conditions(statement, context);
            // Conditions that contradict each other are never met.
            if !matches!(open, Residual::True)
                && matches!(solver.solve(&open.with_gaps(true)), Solution::Unsatisfiable)
            {
                continue;
            }
            out = out.and(open.for_kind(VariableKind::Chosen, true).negate());
            if out.is_false() {
                return out;
            }
        }
    }
    out
}

/// When the conditions of an allow hold for every request.
fn allowance(statement: &Statement, context: &dyn Context) -> Residual {
    conditions(statement, context).for_kind(VariableKind::Chosen, false)
}

fn conditions(statement: &Statement, context: &dyn Context) -> Residual {
    Residual::all(
        statement
            .conditions()
            .iter()
            .map(|condition| condition_holds(condition, &OfEnvironment(context))),
    )
}

/// The environment and the caller as in `0`; every other key may be anything, or absent.
struct OfEnvironment<'c>(&'c dyn Context);

impl Context for OfEnvironment<'_> {
    fn get(&self, key: &str) -> Input {
        match self.0.get(key) {
            Input::Free { variable, certain } if variable.kind == VariableKind::Environment => {
                Input::Free { variable, certain }
            }
            known @ (Input::One(_) | Input::Many(_) | Input::Template { .. })
                if key.starts_with("aws:principal")
                    || key.starts_with("aws:user")
                    || key == "aws:securetransport" =>
            {
                known
            }
            Input::Absent if key.starts_with("aws:principal") || key == "aws:username" => {
                Input::Absent
            }
            _ => Input::Free {
                variable: Variable {
                    name: Arc::from(key),
                    scope: "administrator".into(),
                    kind: VariableKind::Chosen,
                    multivalued: false,
                    grammar: Grammar::any(),
                },
                certain: false,
            },
        }
    }
}
