//! VPC endpoint policies: the most that requests through an endpoint can do. Like a boundary, one
//! never grants; unlike a boundary it binds whoever calls, by the way that the request comes.
//!
//! A request says in `aws:SourceVpce` which endpoint it comes through. Where that is open, the
//! request need not come through any, so endpoint policies matter only to what asks for one.
//!
//! Implements <https://docs.aws.amazon.com/vpc/latest/privatelink/vpc-endpoints-access.html>.

use std::sync::Arc;

use super::principals::{Naming, named, named_by_session, names_some_session};
use super::request::{Applicable, Caller, InForce, Input, Origin, Request};
use super::statements::Question;
use crate::pattern::Pattern;
use crate::policy::{Effect, Policy, Statement};
use crate::residual::{Atom, Gap, Residual, Test, Variable};
use crate::snapshot::{Known, Object, ObjectId, World};

/// A VPC endpoint that requests may come through.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// Its id, as in `aws:SourceVpce`.
    pub id: Arc<str>,
    /// The VPC it is in, as in `aws:SourceVpc`.
    pub vpc: Option<Arc<str>>,
    /// The account that owns it, as in `aws:VpceAccount`.
    pub account: Option<Arc<str>>,
    /// Whether it is a gateway endpoint: its policy cannot name an account's users and roles by
    /// their account.
    pub gateway: bool,
    /// What the actions of the service that it leads to start with: `s3`.
    pub service: Arc<str>,
    /// Its policy; a gap if the snapshot does not have it.
    pub policy: Known<Policy>,
    /// The endpoint among the objects of the world.
    pub object: ObjectId,
}

impl Endpoint {
    /// Its policy, as explanations call it.
    pub(super) fn in_force(&self) -> InForce<'_> {
        InForce {
            policy: self.policy.as_ref(),
            name: "endpoint policy",
            origin: Origin::Own(self.object),
        }
    }
}

/// The endpoints that a snapshot lists, sorted by id.
pub(super) fn endpoints(world: &World) -> Vec<Endpoint> {
    let mut out: Vec<Endpoint> = world
        .of_kind("ec2:vpc-endpoint")
        .iter()
        .filter_map(|id| Some(endpoint(world, *id, world.object(*id)?)))
        .collect();
    out.sort_by(|a, b| (&a.id, a.object).cmp(&(&b.id, b.object)));
    out
}

fn endpoint(world: &World, id: ObjectId, object: &Object) -> Endpoint {
    let one = |name: &str| match object.attribute(name) {
        Ok(values) => Ok(values.first().cloned()),
        Err(gap) => Err(gap),
    };
    let text = |name: &str| one(name).ok().flatten();
    let policy = match one("policy-document") {
        Err(gap) => Err(gap),
        Ok(document) => {
            Policy::parse(document.as_deref().unwrap_or(FULL_ACCESS)).map_err(|error| {
                Gap(format!(
                    "the policy of VPC endpoint {} is not understood: {error}",
                    object.name
                )
                .into())
            })
        }
    };
    Endpoint {
        id: object.name.clone(),
        vpc: text("vpc"),
        account: world.accounts.get(object.account.0 as usize).map(|account| account.id.clone()),
        gateway: text("type").as_deref() == Some("Gateway"),
        service: service(&text("service").unwrap_or_default()).into(),
        policy,
        object: id,
    }
}

/// What an endpoint has to which none was attached, and one of a service that takes none.
const FULL_ACCESS: &str =
    r#"{"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}]}"#;

/// The prefix of a service's actions by the name of its endpoint: `com.amazonaws.us-east-1.s3`,
/// `com.amazonaws.us-east-1.ecr.api`, `aws.api.us-east-1.athena`.
///
/// Implements <https://docs.aws.amazon.com/vpc/latest/privatelink/aws-services-privatelink-support.html>
/// where that name differs from the prefix.
fn service(name: &str) -> &str {
    let mut parts = name.split('.').skip_while(|part| !part.contains('-') || part.contains("vpce"));
    match parts.nth(1).unwrap_or_default() {
        "monitoring" => "cloudwatch",
        "email" | "email-smtp" => "ses",
        "kinesis-streams" => "kinesis",
        "kinesis-firehose" => "firehose",
        "ecs-agent" | "ecs-telemetry" => "ecs",
        "ec2messages" | "ssmmessages" => "ssm",
        other => other,
    }
}

/// When a statement with this effect of the endpoint's policy is about the request.
fn fits(question: &Question<'_>, endpoint: &Endpoint, effect: Effect) -> Residual {
    let policy = match &endpoint.policy {
        Ok(policy) => policy,
        Err(gap) => return Residual::Unknown(gap.clone()),
    };
    let statements = policy.statements().iter().filter(|statement| statement.effect() == effect);
    Residual::any(statements.map(|statement| {
        if names_as_such(question, endpoint, statement) {
            return question.fits(statement);
        }
        let Some(element) = statement.principals() else { return Residual::False };
        let Request { caller, context, .. } = *question.request;
        match named_by_session(element, effect, caller, context) {
            Residual::False => Residual::False,
            named => question.fits(statement).and(named),
        }
    }))
}

/// Whether a statement of the endpoint's policy names the caller, in whatever way.
pub(super) fn names(question: &Question<'_>, endpoint: &Endpoint, statement: &Statement) -> bool {
    names_as_such(question, endpoint, statement)
        || statement.principals().is_some_and(|element| {
            names_some_session(element, statement.effect(), question.request.caller)
        })
}

/// Whether it names the caller whatever its session is called.
fn names_as_such(question: &Question<'_>, endpoint: &Endpoint, statement: &Statement) -> bool {
    let Some(element) = statement.principals() else { return false };
    let caller = question.request.caller;
    match named(element, statement.effect(), caller, false) {
        Naming::Not => false,
        // "Access is granted to the root user only", says the page of gateway endpoints.
        Naming::Account if endpoint.gateway => matches!(caller, Caller::Root(_)),
        _ => true,
    }
}

/// The endpoint that the request comes through, if that is known and its policy is.
pub(super) fn used<'p>(question: &Question<'_>, policies: &Applicable<'p>) -> Option<&'p Endpoint> {
    if policies.endpoints.is_empty() {
        return None;
    }
    match question.request.context.get(KEY) {
        Input::One(id) => leading(question, policies).find(|endpoint| endpoint.id == id),
        _ => None,
    }
}

const KEY: &str = "aws:sourcevpce";

/// The endpoints that lead to the service of the request.
fn leading<'p>(
    question: &Question<'_>,
    policies: &Applicable<'p>,
) -> impl Iterator<Item = &'p Endpoint> {
    let service = question.action.split(':').next().unwrap_or_default().to_owned();
    policies.endpoints.iter().filter(move |endpoint| *endpoint.service == *service)
}

/// `permitted`, within what the endpoint that the request comes through lets pass.
pub(super) fn within(
    permitted: Residual,
    question: &Question<'_>,
    policies: &Applicable<'_>,
) -> Residual {
    if policies.endpoints.is_empty() || permitted.is_false() {
        return permitted;
    }
    match question.request.context.get(KEY) {
        Input::One(_) => match used(question, policies) {
            Some(endpoint) => permitted.and(fits(question, endpoint, Effect::Allow)),
            None => permitted,
        },
        Input::Free { variable, certain } if asks_for(&permitted, &variable) => {
            leading(question, policies).fold(permitted, |permitted, endpoint| {
                let passes = fits(question, endpoint, Effect::Allow)
                    .and(fits(question, endpoint, Effect::Deny).negate());
                permitted.and(elsewhere(&variable, certain, endpoint).or(passes))
            })
        }
        _ => permitted,
    }
}

/// When the policy of the endpoint that the request comes through denies it.
pub(super) fn denies(question: &Question<'_>, policies: &Applicable<'_>) -> Residual {
    match used(question, policies) {
        Some(endpoint) => fits(question, endpoint, Effect::Deny),
        None => Residual::False,
    }
}

/// When the policy of an endpoint that the request comes through allows it.
pub(super) fn permits(question: &Question<'_>, endpoint: &Endpoint) -> Residual {
    fits(question, endpoint, Effect::Allow)
}

fn asks_for(residual: &Residual, variable: &Variable) -> bool {
    residual.atoms().iter().any(|atom| atom.variable() == variable)
}

/// When the request does not come through this endpoint.
fn elsewhere(variable: &Variable, certain: bool, endpoint: &Endpoint) -> Residual {
    let is = Test::Like(Pattern::literal(&endpoint.id, false));
    let through = Residual::atom(Atom::Passes(variable.clone(), is));
    if certain {
        return through.negate();
    }
    Residual::atom(Atom::Present(variable.clone())).and(through).negate()
}

#[cfg(test)]
mod tests {
    use super::service;

    #[test]
    fn an_endpoint_leads_to_the_service_of_its_name() {
        for (name, expected) in [
            ("com.amazonaws.us-east-1.s3", "s3"),
            ("com.amazonaws.us-east-1.ecr.api", "ecr"),
            ("cn.com.amazonaws.cn-north-1.s3", "s3"),
            ("com.amazonaws.us-east-1.monitoring", "cloudwatch"),
            ("com.amazonaws.eu-central-1.secretsmanager", "secretsmanager"),
            ("com.amazonaws.vpce.us-east-1.vpce-svc-0e123abc", "vpce-svc-0e123abc"),
            ("", ""),
        ] {
            assert_eq!(service(name), expected, "{name}");
        }
    }
}
