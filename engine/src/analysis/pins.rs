//! What a question takes to be so: environment keys with values that requests can have, all of them
//! in one request.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use escalade_models::{ContextKey, ContextKeys, KeyKind, Presence, ValueType};

use super::question::QuestionError;
use crate::authorization::{Ground, Pins, SESSION_SCOPE};
use crate::pattern::Pattern;
use crate::residual::{
    Atom, Comparison, Grammar, Residual, Test, Variable, VariableKind, parse_date, parse_number,
};
use crate::solver::{Solution, Solver};

/// The pins of a question, by key in lower case.
///
/// Fails for a key that is none of the environment's, for a value that the key cannot have, and for
/// keys that no request has together as they are given. A key that the table does not have may be
/// newer than the table, but then some policy asks for it; otherwise it is misspelt.
///
/// Implements each key's "Availability" and "Value type" in
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html>.
pub(crate) fn pins(
    ground: &Ground<'_>,
    keys: &ContextKeys,
    solver: &Solver,
    assume: &BTreeMap<Arc<str>, Option<Arc<str>>>,
) -> Result<Pins, QuestionError> {
    let mut out = Pins::new();
    let mut said: Vec<(&Arc<str>, Residual)> = Vec::new();
    for (key, value) in assume {
        let known = of_environment(keys, key)?;
        if known.is_empty() && keys.is_of_aws(key) && !is_asked(ground, key) {
            let problem =
                "no such key is known, and no policy of the snapshot asks for it".to_owned();
            return Err(QuestionError::NotAssumed { key: key.to_string(), problem });
        }
        let value = value.as_deref();
        if let Some(problem) = problem(&known, value) {
            return Err(QuestionError::NotAssumed { key: key.to_string(), problem });
        }
        if let Some(first) = known.first() {
            said.push((key, says(first, value)));
        }
        out.insert(key.to_lowercase().into(), value.map(Into::into));
    }
    let clash = |together: &mut dyn Iterator<Item = &Residual>| {
        let all = Residual::all(together.cloned());
        matches!(solver.solve(&all), Solution::Unsatisfiable)
    };
    let not_together = |one: &Arc<str>, other: &str| QuestionError::NotTogether {
        one: one.to_string(),
        other: other.to_owned(),
    };
    for (at, (one, says)) in said.iter().enumerate() {
        for (other, also) in said.iter().take(at) {
            if clash(&mut [says, also].into_iter()) {
                return Err(not_together(other, one));
            }
        }
    }
    if let Some((last, _)) = said.last()
        && clash(&mut said.iter().map(|(_, says)| says))
    {
        return Err(not_together(last, "the others"));
    }
    of_endpoint(ground, &out)?;
    Ok(out)
}

/// Whether some policy of the snapshot asks for a key.
fn is_asked(ground: &Ground<'_>, key: &str) -> bool {
    let key = key.to_lowercase();
    let documents = ground.world.documents.iter().filter_map(|one| one.policy.as_ref().ok());
    let endpoints = ground.endpoints.iter().filter_map(|end| end.policy.as_ref().ok());
    documents.chain(endpoints).any(|policy| policy.asks_for(|asked| asked == key))
}

/// What the table says of a key. Fails if caller, call or snapshot decide on it.
fn of_environment<'k>(
    keys: &'k ContextKeys,
    key: &str,
) -> Result<Vec<&'k ContextKey>, QuestionError> {
    let known = keys.named(key);
    // The caller sends the external id, but it has to be the one that the role's owner expects.
    // What a resource is like and no snapshot shows is nobody's choice either.
    let is_open = |known: &&ContextKey| {
        known.kind == KeyKind::Environment
            || known.is_of_resource_alone()
            || known.name.eq_ignore_ascii_case("sts:ExternalId")
    };
    let open: Vec<&ContextKey> = known.iter().copied().filter(is_open).collect();
    if open.is_empty() && !known.is_empty() {
        let chosen =
            |known: &&ContextKey| matches!(known.kind, KeyKind::Chosen | KeyKind::Limiting);
        let problem = match known.iter().any(chosen) {
            true => "the caller chooses it",
            false => "it follows from caller, call and snapshot",
        };
        let problem = format!("{problem}; only keys of the environment can be");
        return Err(QuestionError::NotAssumed { key: key.to_owned(), problem });
    }
    Ok(open)
}

/// Why no request has a key with this value.
fn problem(known: &[&ContextKey], value: Option<&str>) -> Option<String> {
    let Some(value) = value else {
        let always = |key: &&ContextKey| key.presence == Presence::Always && key.unless.is_empty();
        let always = !known.is_empty() && known.iter().all(always);
        return always.then(|| "it is in every request".to_owned());
    };
    if known.is_empty() || known.iter().any(|key| takes(key, value)) {
        return None;
    }
    let wanted = known.first().map_or("value of its", |key| match key.value_type {
        ValueType::Ip => "IP address",
        ValueType::Bool => "true or false",
        ValueType::Number => "number",
        ValueType::Date => "date",
        ValueType::Arn => "ARN",
        ValueType::String => "value of its",
    });
    Some(format!("{value:?} is no {wanted}"))
}

fn takes(key: &ContextKey, value: &str) -> bool {
    let of_type = match key.value_type {
        ValueType::Ip => value.parse::<IpAddr>().is_ok(),
        ValueType::Bool => ["true", "false"].iter().any(|word| word.eq_ignore_ascii_case(value)),
        ValueType::Number => parse_number(value).is_some(),
        ValueType::Date => parse_date(value).is_some(),
        ValueType::Arn => value.starts_with("arn:") && value.split(':').count() >= 6,
        ValueType::String => true,
    };
    let listed = |known: &String| Pattern::glob(known, true).matches(value);
    of_type && (key.values.is_empty() || key.values.iter().any(listed))
}

/// What a pin says of a request, for the solver, which knows which keys move together.
fn says(key: &ContextKey, value: Option<&str>) -> Residual {
    let lowercase = key.name.to_lowercase();
    let of_session = matches!(
        &*lowercase,
        "aws:multifactorauthpresent" | "aws:multifactorauthage" | "aws:tokenissuetime"
    );
    let variable = Variable {
        name: key.name.as_str().into(),
        scope: if of_session { SESSION_SCOPE.into() } else { "".into() },
        kind: VariableKind::Environment,
        multivalued: key.multivalued,
        grammar: Grammar::any(),
    };
    let present = Residual::atom(Atom::Present(variable.clone()));
    let Some(value) = value else { return present.negate() };
    let test = match key.value_type {
        _ if key.multivalued => None,
        ValueType::Date => parse_date(value).map(|time| Test::Date(Comparison::Equal, time)),
        ValueType::Number => parse_number(value).map(|n| Test::Number(Comparison::Equal, n)),
        ValueType::Ip => value.parse::<IpAddr>().ok().map(|address| Test::Address(address.into())),
        ValueType::Bool => Some(Test::Like(Pattern::literal(&value.to_lowercase(), false))),
        ValueType::String | ValueType::Arn => Some(Test::Like(Pattern::literal(value, false))),
    };
    match test {
        Some(test) => present.and(Residual::atom(Atom::Passes(variable, test))),
        None => present,
    }
}

/// Fails where an endpoint of the snapshot is pinned together with a VPC or an owner that it does not
/// have.
fn of_endpoint(ground: &Ground<'_>, pins: &Pins) -> Result<(), QuestionError> {
    let Some(Some(id)) = pins.get("aws:sourcevpce") else { return Ok(()) };
    let Some(endpoint) = ground.endpoints.iter().find(|endpoint| endpoint.id == *id) else {
        return Ok(());
    };
    let own = [
        ("aws:SourceVpc", "aws:sourcevpc", &endpoint.vpc),
        ("aws:VpceAccount", "aws:vpceaccount", &endpoint.account),
    ];
    for (name, lowercase, has) in own {
        if let (Some(Some(pinned)), Some(has)) = (pins.get(lowercase), has)
            && pinned != has
        {
            return Err(QuestionError::NotAssumed {
                key: name.to_owned(),
                problem: format!("{pinned:?} is not what endpoint {id:?} has, which is {has:?}"),
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use escalade_models::ResourceKinds;

    use super::*;
    use crate::snapshot::World;

    fn check(assume: &[(&str, Option<&str>)], expected: Option<&str>) {
        let (world, kinds) = (World::default(), ResourceKinds::builtin().unwrap());
        let (ground, keys) =
            (Ground::new(&world, &kinds).unwrap(), ContextKeys::builtin().unwrap());
        let assume =
            assume.iter().map(|(key, value)| (Arc::from(*key), value.map(Arc::from))).collect();
        let found = pins(&ground, &keys, &Solver::default(), &assume);
        let found = found.err().map(|error| error.to_string());
        match (found, expected) {
            (None, None) => {}
            (Some(found), Some(expected)) => assert!(found.contains(expected), "{found}"),
            (found, _) => panic!("{assume:?}: {found:?}, expected {expected:?}"),
        }
    }

    #[test]
    fn only_keys_of_the_environment_are_pinned() {
        check(&[("aws:SourceIp", Some("203.0.113.7"))], None);
        check(&[("AWS:sourcevpce", None)], None);
        check(&[("sts:ExternalId", None)], None);
        check(&[("new:Key", Some("x"))], None);
        let misspelt = "no such key is known";
        check(&[("aws:MultiFactorAuthPresnt", Some("true"))], Some(misspelt));
        check(&[("s3:Prefx", None)], Some(misspelt));
        check(&[("s3:ExistingObjectTag/class", Some("public"))], None);
        check(&[("kms:KeySpec", Some("RSA_2048"))], Some("it follows from caller"));
        check(&[("aws:PrincipalArn", Some("x"))], Some("it follows from caller"));
        check(&[("aws:PrincipalTag/a", Some("x"))], Some("it follows from caller"));
        check(&[("kms:CallerAccount", None)], Some("it follows from caller"));
        check(&[("aws:RequestTag/a", Some("x"))], Some("the caller chooses it"));
        check(&[("s3:prefix", Some("x"))], Some("the caller chooses it"));
        check(&[("kms:GrantOperations", Some("Decrypt"))], Some("the caller chooses it"));
    }

    #[test]
    fn a_value_is_one_that_the_key_can_have() {
        check(&[("aws:SourceIp", Some("notanip"))], Some("\"notanip\" is no IP address"));
        check(&[("aws:SourceIp", Some("10.0.0.0/8"))], Some("is no IP address"));
        check(&[("aws:VpcSourceIp", Some("2001:db8::1"))], None);
        check(&[("aws:MultiFactorAuthPresent", Some("yes"))], Some("is no true or false"));
        check(&[("aws:MultiFactorAuthAge", Some("old"))], Some("is no number"));
        check(&[("aws:CurrentTime", Some("soon"))], Some("is no date"));
        check(&[("aws:CurrentTime", None)], Some("in every request"));
        check(&[("codebuild:BuildArn", Some("x"))], Some("is no ARN"));
        check(&[("glue:RoleAssumedBy", Some("x"))], Some("is no value of its"));
    }

    #[test]
    fn keys_that_move_together_do_so_where_they_are_pinned() {
        let (ip, vpce) = (("aws:SourceIp", Some("10.1.1.1")), ("aws:SourceVpce", Some("vpce-1")));
        check(&[ip, vpce], Some("\"aws:SourceIp\" and \"aws:SourceVpce\""));
        check(&[vpce, ("aws:SourceIp", None), ("aws:SourceVpc", Some("vpc-1"))], None);
        check(&[vpce, ("aws:SourceVpc", None)], Some("no request has"));
        let time = ("aws:CurrentTime", Some("2031-01-01T00:00:00Z"));
        check(&[time, ("aws:EpochTime", Some("1600000000"))], Some("no request has"));
        check(&[time, ("aws:EpochTime", Some("1924992000"))], None);
        let age = ("aws:MultiFactorAuthAge", Some("5"));
        check(&[age, ("aws:MultiFactorAuthPresent", Some("false"))], Some("no request has"));
        check(&[age, ("aws:MultiFactorAuthPresent", Some("true"))], None);
        check(&[age, ("aws:MultiFactorAuthPresent", None)], Some("no request has"));
    }
}
