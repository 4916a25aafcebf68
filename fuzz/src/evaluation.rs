//! The evaluator: a case in the format of `simulate --cases`, decided as it is, and once more with
//! some of its condition keys and part of its resource not known.

use escalade_engine::authorization::cases::{Verdict, decide_case};
use escalade_engine::authorization::{
    Applicable, Caller, Context, Decision, InForce, Input, Origin, Request, Resource,
    ResourcePolicy, authorize, explain,
};
use escalade_engine::policy::Policy;
use escalade_engine::residual::{Gap, Grammar, Residual, Variable, VariableKind};
use escalade_engine::solver::{Value as Given, holds};
use serde_json::Value;

/// Decides the case in the text, and with it a partial request of the same policies, which must
/// come to the same where what it left open has the values of the case.
pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let verdict = decide_case(text).verdict;
    let Ok(case) = serde_json::from_str::<Value>(text) else { return };
    let (Some(decision), Ok(verdict)) = (partial(&case, text.len()), verdict) else { return };
    let [allowed, denied] = [&decision.allowed, &decision.denied].map(|part| at_case(part, &case));
    if denied.is_decided() && allowed.is_decided() {
        let found = match (denied.is_true(), allowed.is_true()) {
            (true, _) => Verdict::ExplicitlyDenied,
            (false, true) => Verdict::Allowed,
            (false, false) => Verdict::ImplicitlyDenied,
        };
        assert_eq!(found, verdict, "the residual at the case's own point");
    }
}

/// The residual with the values that the case has for what was left open.
fn at_case(residual: &Residual, case: &Value) -> Residual {
    residual.substitute(&|atom| {
        let name = &*atom.variable().name;
        let value = if name == "$name" {
            let arn = case["request"]["resource"].as_str().unwrap_or_default();
            Given::One(arn.rsplit('/').next().unwrap_or_default().into())
        } else {
            match key_of(&case["request"]["context"], name) {
                None => Given::Absent,
                Some(Value::Array(values)) if values.is_empty() => Given::Absent,
                Some(Value::Array(values)) => {
                    Given::Many(values.iter().map(|value| text_of(value).into()).collect())
                }
                Some(value) => Given::One(text_of(value).into()),
            }
        };
        Some(Residual::constant(holds(atom, &value)))
    })
}

fn key_of<'a>(keys: &'a Value, key: &str) -> Option<&'a Value> {
    let mut keys = keys.as_object()?.iter();
    keys.find(|(name, _)| name.to_lowercase() == key).map(|(_, value)| value)
}

fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// What is left of the case with every other key unknown.
fn partial(case: &Value, seed: usize) -> Option<Decision> {
    let policy = |value: &Value| Policy::parse(&value.to_string()).ok();
    let list = |value: &Value| -> Option<Vec<Policy>> {
        value.as_array().map_or(Some(Vec::new()), |list| list.iter().map(policy).collect())
    };
    let optional = |value: &Value| -> Option<Option<Policy>> {
        if value.is_null() { Some(None) } else { policy(value).map(Some) }
    };
    let identity = list(&case["identity_policies"])?;
    let boundary = optional(&case["boundary"])?;
    let session = optional(&case["session_policy"])?;
    let own = optional(&case["resource_policy"])?;
    let levels: Vec<Vec<Policy>> = match case["scps"].as_array() {
        Some(levels) if case["org"].is_null() => levels.iter().map(list).collect::<Option<_>>()?,
        Some(_) => return None,
        None => Vec::new(),
    };
    if !case["rcps"].as_array().is_none_or(Vec::is_empty) {
        return None;
    }
    let request = &case["request"];
    let caller = caller(request["principal"].as_str()?)?;
    let arn = request["resource"].as_str()?;
    let in_force = |policy| InForce { policy: Ok(policy), name: "p", origin: Origin::Elsewhere };
    let applicable = Applicable {
        identity: identity.iter().map(in_force).collect(),
        boundary: boundary.as_ref().map(in_force),
        session: session.as_ref().map(in_force),
        service_control: levels.iter().map(|l| l.iter().map(in_force).collect()).collect(),
        resource_control: Vec::new(),
        resource: own
            .as_ref()
            .map_or(ResourcePolicy::Absent, |p| ResourcePolicy::Present(in_force(p))),
        endpoints: &[],
    };
    let resource = match arn.rsplit_once('/') {
        Some((before, after)) if !after.is_empty() && after.chars().count() <= 1024 => {
            Resource::Template {
                prefix: format!("{before}/").into(),
                variable: variable("$name", false),
                suffix: "".into(),
            }
        }
        _ => Resource::Literal(arn.into()),
    };
    let context = Half { keys: &request["context"], seed };
    let request = Request {
        caller: &caller,
        action: request["action"].as_str()?,
        resource: &resource,
        resource_account: request["resource_account"].as_str(),
        context: &context,
    };
    let explanation = explain(&request, &applicable, seed % 2 == 0);
    let decision = authorize(&request, &applicable);
    assert_eq!(explanation.decision, decision);
    // A statement that decides is never one that does not match.
    let deciding = explanation.allowing.iter().chain(&explanation.denying);
    assert!(deciding.into_iter().all(|statement| statement.when != Residual::False));
    Some(decision)
}

fn caller(text: &str) -> Option<Caller> {
    Some(match text.rsplit(':').next()?.split('/').next()? {
        "user" => Caller::User(text.into()),
        "role" => Caller::Role(text.into()),
        "assumed-role" => Caller::RoleSession { session: text.into(), role: None },
        "anonymous" => Caller::Anonymous,
        _ => return None,
    })
}

fn variable(name: &str, multivalued: bool) -> Variable {
    Variable {
        name: name.into(),
        scope: "".into(),
        kind: VariableKind::Chosen,
        multivalued,
        grammar: Grammar { length: (0, u16::MAX), ..Grammar::any() },
    }
}

/// The keys of a case, some of them not known.
struct Half<'a> {
    keys: &'a Value,
    seed: usize,
}

impl Context for Half<'_> {
    fn get(&self, key: &str) -> Input {
        let mix = key.bytes().fold(self.seed, |sum, byte| sum.wrapping_mul(31) ^ usize::from(byte));
        // Whether a session is of a service-linked role must be known.
        let open = mix % 3 == 0 && key != "aws:principalarn";
        let free =
            |multivalued| Input::Free { variable: variable(key, multivalued), certain: false };
        match key_of(self.keys, key) {
            // The values of a multivalued key that is not known are never empty.
            Some(Value::Array(values)) if open && values.iter().all(|v| !text_of(v).is_empty()) => {
                free(true)
            }
            Some(Value::Array(values)) => {
                Input::Many(values.iter().map(|value| text_of(value).into()).collect())
            }
            _ if open => free(false),
            None if mix % 7 == 1 => Input::Unknown(Gap("not known".into())),
            None => Input::Absent,
            Some(value) => Input::One(text_of(value).into()),
        }
    }
}
