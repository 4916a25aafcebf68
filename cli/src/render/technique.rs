//! The catalogue: all techniques in a list, or one explained.

use std::io::{self, Write};
use std::mem;

use escalade_models::{
    Alternative, Call, CallOrChoice, Category, Comparison, ContextValue, ControlPolicyType, Gain,
    Matcher, NewObject, ObjectPattern, Resources, Severity, TagChange, Technique,
};

use super::columns::{Cell, columns};
use super::{ACTION, FAINT, PLAIN, STRONG, View, visible};

/// Writes all techniques, one line each.
pub(crate) fn list(out: &mut dyn Write, techniques: &[Technique], view: View) -> io::Result<()> {
    let rows: Vec<Vec<Cell>> = techniques
        .iter()
        .map(|technique| {
            vec![
                (visible(&technique.id).into_owned(), ACTION),
                (category(technique.category).to_owned(), FAINT),
                (visible(&technique.title).into_owned(), PLAIN),
            ]
        })
        .collect();
    columns(out, 0, &rows, view.width)
}

/// Writes what one technique needs, calls and gains.
pub(crate) fn technique(out: &mut dyn Write, technique: &Technique, view: View) -> io::Result<()> {
    writeln!(
        out,
        "{STRONG}{}{STRONG:#}  {}\n{FAINT}{}, {}{FAINT:#}",
        visible(&technique.id),
        visible(&technique.title),
        category(technique.category),
        severity(technique.severity())
    )?;
    if !technique.objects.is_empty() || !technique.new.is_empty() {
        heading(out, "Needs")?;
        needs(out, &technique.objects, &technique.new, 2, view)?;
    }
    heading(out, "Calls")?;
    for run in technique.calls.chunk_by(|a, b| is_call(a) && is_call(b)) {
        match run {
            [CallOrChoice::Choice(choice)] => {
                writeln!(out, "  {FAINT}one of{FAINT:#}")?;
                for alternative in &choice.any_of {
                    self::alternative(out, alternative, view)?;
                }
            }
            run => {
                let calls = run.iter().filter_map(|call| match call {
                    CallOrChoice::Call(call) => Some(&**call),
                    CallOrChoice::Choice(_) => None,
                });
                columns(out, 2, &calls.flat_map(call).collect::<Vec<_>>(), view.width)?;
            }
        }
    }
    if !technique.ways.is_empty() {
        let all = technique.before_ways() == Some(technique.calls.len());
        let words = if all { "then one of" } else { "or after iam:PassRole one of" };
        writeln!(out, "  {FAINT}{words}{FAINT:#}")?;
        for way in &technique.ways {
            alternative(out, way, view)?;
        }
    }
    heading(out, "Gains")?;
    for gain in &technique.gains {
        writeln!(out, "  {}", gained(gain))?;
    }
    if let Some(event) = &technique.event {
        writeln!(out, "  {FAINT}once{FAINT:#} {}", visible(event))?;
    }
    if let Some(stronger) = &technique.weaker_than {
        writeln!(
            out,
            "  {FAINT}where{FAINT:#} {} {FAINT}is not possible{FAINT:#}",
            visible(stronger)
        )?;
    }
    bullets(out, "Limits", &technique.limits)?;
    bullets(out, "References", &technique.references)?;
    let mut names = technique.aliases.clone();
    names.extend(technique.attack.iter().map(|id| format!("MITRE ATT&CK {id}")));
    bullets(out, "Also known as", &names)
}

fn heading(out: &mut dyn Write, text: &str) -> io::Result<()> {
    writeln!(out, "\n{STRONG}{text}{STRONG:#}")
}

fn bullets(out: &mut dyn Write, title: &str, texts: &[String]) -> io::Result<()> {
    if texts.is_empty() {
        return Ok(());
    }
    heading(out, title)?;
    texts.iter().try_for_each(|text| writeln!(out, "  - {}", visible(text)))
}

/// A family as the catalogue writes it.
pub(crate) fn category(category: Category) -> &'static str {
    match category {
        Category::SelfEscalation => "self-escalation",
        Category::PrincipalAccess => "principal-access",
        Category::NewPassrole => "new-passrole",
        Category::ExistingResource => "existing-resource",
        Category::ServiceDelegation => "service-delegation",
        Category::GuardrailRemoval => "guardrail-removal",
        Category::CredentialAccess => "credential-access",
        Category::ResourcePolicyEdit => "resource-policy-edit",
        Category::CrossAccount => "cross-account",
    }
}

/// How bad a technique is, as the catalogue writes it.
pub(crate) fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Low => "low",
        Severity::Medium => "medium",
        Severity::High => "high",
        Severity::Critical => "critical",
    }
}

fn is_call(call: &CallOrChoice) -> bool {
    matches!(call, CallOrChoice::Call(_))
}

fn needs(
    out: &mut dyn Write,
    objects: &[ObjectPattern],
    new: &[NewObject],
    indent: usize,
    view: View,
) -> io::Result<()> {
    let mut rows = Vec::<Vec<Cell>>::new();
    for object in objects {
        let mut text = visible(&object.kind).into_owned();
        if let Some(from) = &object.from {
            text.push_str(&format!(", which is {}", visible(from)));
        }
        if let Some(beside) = &object.beside {
            text.push_str(&format!(", beside {}", visible(beside)));
        }
        for (attribute, matcher) in &object.where_ {
            text.push_str(&format!(", {} {}", visible(attribute), matches_text(matcher)));
        }
        if !object.trusts.is_empty() {
            text.push_str(&format!(", trusts {}", list_of(&object.trusts, "or")));
        }
        rows.push(vec![(visible(&object.name).into_owned(), STRONG), (text, PLAIN)]);
    }
    for object in new {
        let mut text = format!("a new {}", visible(&object.kind));
        if let Some(beside) = &object.beside {
            text.push_str(&format!(", beside {}", visible(beside)));
        }
        rows.push(vec![(visible(&object.name).into_owned(), STRONG), (text, PLAIN)]);
    }
    columns(out, indent, &rows, view.width)
}

fn matches_text(matcher: &Matcher) -> String {
    match matcher {
        Matcher::Is(value) => format!("is {}", visible(value)),
        Matcher::OneOf(values) => format!("is {}", list_of(values, "or")),
        Matcher::Compare(comparison) => match comparison {
            Comparison::Not(value) => format!("is not {}", visible(value)),
            Comparison::LessThan(bound) => format!("is less than {bound}"),
            Comparison::AtLeast(bound) => format!("is at least {bound}"),
            Comparison::Absent(true) => "is absent".to_owned(),
            Comparison::Absent(false) => "is there".to_owned(),
            Comparison::Like(pattern) => format!("is like {}", visible(pattern)),
        },
    }
}

/// Writes one alternative: its calls, what it needs besides, what has to happen.
fn alternative(out: &mut dyn Write, alternative: &Alternative, view: View) -> io::Result<()> {
    let mut needed = Vec::new();
    for (object, attributes) in &alternative.where_ {
        for (attribute, matcher) in attributes {
            let what = format!("{} {}", visible(attribute), matches_text(matcher));
            needed.push(format!("if {} {what}", visible(object)));
        }
    }
    needed.extend(alternative.event.iter().map(|event| format!("once {}", visible(event))));
    let title = match (alternative.calls.is_empty(), needed.is_empty()) {
        (true, true) => "nothing more".to_owned(),
        (true, false) => format!("nothing, {}", needed.join(", ")),
        (false, true) => "these calls".to_owned(),
        (false, false) => format!("these calls, {}", needed.join(", ")),
    };
    writeln!(out, "    - {title}")?;
    needs(out, &alternative.objects, &alternative.new, 6, view)?;
    columns(out, 6, &alternative.calls.iter().flat_map(call).collect::<Vec<_>>(), view.width)
}

/// A call: who, what, on which resources, and below these what the call carries.
fn call(call: &Call) -> Vec<Vec<Cell>> {
    let resources = match &call.resource {
        Resources::One(resource) => std::slice::from_ref(resource),
        Resources::Many(resources) => resources.as_slice(),
    };
    let mut details: Vec<Cell> =
        resources.iter().map(|resource| (format!("on {}", visible(resource)), PLAIN)).collect();
    for (key, value) in &call.context {
        details.push((format!("with {} {}", visible(key), carried(value)), FAINT));
    }
    if let Some(tags) = &call.tags {
        let key = visible(&tags.key);
        details.push(match tags.change {
            TagChange::Session => (format!("for a session with {key}"), FAINT),
            TagChange::Set => (format!("with a tag {key}"), FAINT),
            TagChange::Remove => (format!("for the tag {key}"), FAINT),
        });
    }
    if let Some(provider) = &call.federated {
        details.push((format!("with a token of {}, unsigned", visible(provider)), FAINT));
    }
    if let Some(user) = &call.bearer {
        details.push((format!("with the token of {}, unsigned", visible(user)), FAINT));
    }
    if let Some(by) = &call.made_as {
        details.push((format!("made as {}", visible(by)), FAINT));
    }
    if let Some(permission) = &call.permission {
        let (grants, domain) = (visible(&permission.grants), visible(&permission.domain));
        details.push((format!("with {grants} granted by {domain}"), FAINT));
    }
    let mut who = (visible(&call.actor).into_owned(), PLAIN);
    let mut what = (visible(&call.action).into_owned(), ACTION);
    details
        .into_iter()
        .map(|detail| vec![mem::take(&mut who), mem::take(&mut what), detail])
        .collect()
}

fn carried(value: &ContextValue) -> String {
    match value {
        ContextValue::One(value) => format!("= {}", visible(value)),
        ContextValue::Many(values) => format!("= {}", list_of(values, "and")),
        ContextValue::AnyOf { any_of } => format!("= {}", list_of(any_of, "or")),
        ContextValue::Absent { .. } => "absent".to_owned(),
    }
}

fn gained(gain: &Gain) -> String {
    match gain {
        Gain::Credentials(of) => format!("the credentials of {}", visible(of)),
        Gain::InlinePolicy(of) => {
            format!("an inline policy of the attacker's choice on {}", visible(of))
        }
        Gain::PolicyText(of) => {
            format!("{} says what the attacker wants, wherever it is used", visible(of))
        }
        Gain::DefaultVersion { policy, version } => {
            format!("version {} of {} in force", visible(version), visible(policy))
        }
        Gain::AttachedPolicy { to, policy } => {
            format!("{} attached to {}", visible(policy), visible(to))
        }
        Gain::Membership { user, group } => {
            format!("{} is in group {}", visible(user), visible(group))
        }
        Gain::TrustPolicy(of) => format!("the trust policy of {} trusts the attacker", visible(of)),
        Gain::NoBoundary(of) => format!("no permissions boundary on {}", visible(of)),
        Gain::DetachedPolicy { from, policy } => {
            format!("{} no longer applies to {}", visible(policy), visible(from))
        }
        Gain::LeftGroup { user, group } => {
            format!("{} is no longer in group {}", visible(user), visible(group))
        }
        Gain::Delegation { role, via, actions, except, answers, through, .. } => {
            let role = match via {
                None => visible(role),
                Some(service) => format!("the caller, by way of {}", visible(service)).into(),
            };
            let through = visible(through);
            let mut out = match actions.as_slice() {
                [all] if all == "*" => format!("any call as {role} through {through}"),
                _ => format!("{} as {role} through {through}", list_of(actions, "and")),
            };
            if !except.is_empty() {
                out.push_str(&format!(", except {}", list_of(except, "and")));
            }
            match answers.as_deref() {
                None => {}
                Some([]) => out.push_str(", without seeing the answers"),
                Some(seen) => {
                    out.push_str(&format!(", seeing the answers only of {}", list_of(seen, "and")));
                }
            }
            out.push_str(", and nothing else");
            out
        }
        Gain::Object { kind, attributes } => {
            let attributes: Vec<_> = attributes
                .iter()
                .map(|(name, value)| format!("{} = {}", visible(name), visible(value)))
                .collect();
            match attributes.as_slice() {
                [] => format!("a new {}", visible(kind)),
                attributes => format!("a new {} with {}", visible(kind), attributes.join(", ")),
            }
        }
        Gain::NewPrincipal(of) => {
            format!("the credentials of {}, which may do everything", visible(of))
        }
        Gain::BoundedPrincipal { principal, boundary } => format!(
            "the credentials of {}, which may do everything within its permissions boundary {}",
            visible(principal),
            visible(boundary)
        ),
        Gain::AttachedPrincipal { principal, policy } => format!(
            "the credentials of {}, which may do what {} allows",
            visible(principal),
            visible(policy)
        ),
        Gain::NewMember { user, group } => {
            format!("the credentials of {}, which is in {}", visible(user), visible(group))
        }
        Gain::DomainAdministration(domain) => {
            format!("everything inside the OpenSearch domain {}", visible(domain))
        }
        Gain::ResourcePolicy(of) => format!("the policy of {} lets the attacker in", visible(of)),
        Gain::NoResourcePolicy(of) => format!("no policy on {}", visible(of)),
        Gain::ResourceGrant { on, actions } => {
            format!("{} grants the attacker {}", visible(on), list_of(actions, "and"))
        }
        Gain::Tag { on, key } => {
            format!("the tag {} of {} is as the attacker wants", visible(key), visible(on))
        }
        Gain::NoTag { on, key } => format!("no tag {} on {}", visible(key), visible(on)),
        Gain::IdentityProvider(of) => {
            format!("an identity provider {} of the attacker's", visible(of))
        }
        Gain::MfaDevice(of) => format!("an MFA device of the attacker's on {}", visible(of)),
        Gain::NoMfaDevice(of) => format!("no MFA device on {}", visible(of)),
        Gain::ControlPolicyText(of) => {
            format!("{} allows everything, wherever it is attached", visible(of))
        }
        Gain::DetachedControlPolicy { from, policy } => {
            format!("{} no longer attached to {}", visible(policy), visible(from))
        }
        Gain::AttachedControlPolicy { to, policy } => {
            let policy =
                policy.as_deref().map_or("a policy that allows everything".into(), visible);
            format!("{policy} attached to {}", visible(to))
        }
        Gain::ControlPoliciesOff { of, .. } => match of {
            ControlPolicyType::ServiceControlPolicy => {
                "no service control policy binds anybody".to_owned()
            }
            ControlPolicyType::ResourceControlPolicy => {
                "no resource control policy binds anything".to_owned()
            }
        },
        Gain::LeftOrganization(account) => match account.starts_with('$') {
            true => format!("{} is in no organization", visible(account)),
            false => "the caller's account is in no organization".to_owned(),
        },
        Gain::MovedAccount { account, to } => {
            format!("{} stands below {}", visible(account), visible(to))
        }
        Gain::SessionTag { on, key } => {
            format!("{} of a session of {} is as the attacker wants", visible(key), visible(on))
        }
    }
}

/// `a`, `a or b`, `a, b or c`.
fn list_of(texts: &[String], word: &str) -> String {
    match texts {
        [] => "nothing".to_owned(),
        [only] => visible(only).into_owned(),
        [rest @ .., last] => {
            let rest: Vec<_> = rest.iter().map(|text| visible(text)).collect();
            format!("{} {word} {}", rest.join(", "), visible(last))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::plain;

    const LAMBDA: &str = r#"{
      "id": "lambda-create-function",
      "title": "Run code in a new Lambda function under a role passed to it",
      "category": "new-passrole",
      "objects": [
        { "name": "$role", "kind": "iam:role", "trusts": ["lambda.amazonaws.com"],
          "where": { "path": { "not": "/aws-service-role/" } } }
      ],
      "new": [{ "name": "$function", "kind": "lambda:function", "beside": "$role" }],
      "calls": [
        { "action": "iam:PassRole", "resource": "$role",
          "context": { "iam:PassedToService": "lambda.amazonaws.com" } },
        { "action": "lambda:CreateFunction", "resource": ["$function", "$role"] },
        { "any-of": [
          { "calls": [{ "actor": "any", "action": "lambda:InvokeFunction", "resource": "$function" }] },
          { "event": "somebody invokes $function" }
        ] }
      ],
      "gains": [{ "credentials": "$role" }],
      "limits": ["the role is in the function's account"],
      "references": ["https://docs.aws.amazon.com/lambda/latest/dg/lambda-intro-execution-role.html"],
      "aliases": ["pathfinding.cloud:lambda-001"],
      "attack": "T1098"
    }"#;

    fn lambda() -> Technique {
        serde_json::from_str(LAMBDA).unwrap()
    }

    #[test]
    fn an_explanation_has_needs_calls_gains_and_limits() {
        insta::assert_snapshot!(plain(|out| technique(out, &lambda(), View::default())), @r"
        lambda-create-function  Run code in a new Lambda function under a role passed to it
        new-passrole, critical

        Needs
          $role      iam:role, path is not /aws-service-role/, trusts lambda.amazonaws.com
          $function  a new lambda:function, beside $role

        Calls
          attacker  iam:PassRole           on $role
                                           with iam:PassedToService = lambda.amazonaws.com
          attacker  lambda:CreateFunction  on $function
                                           on $role
          one of
            - these calls
              any  lambda:InvokeFunction  on $function
            - nothing, once somebody invokes $function

        Gains
          the credentials of $role

        Limits
          - the role is in the function's account

        References
          - https://docs.aws.amazon.com/lambda/latest/dg/lambda-intro-execution-role.html

        Also known as
          - pathfinding.cloud:lambda-001
          - MITRE ATT&CK T1098
        ");
    }

    #[test]
    fn the_list_is_aligned() {
        let other = Technique {
            id: "iam-x".into(),
            category: Category::SelfEscalation,
            title: "Do x".into(),
            ..lambda()
        };
        insta::assert_snapshot!(plain(|out| list(out, &[lambda(), other], View::default())), @r"
        lambda-create-function  new-passrole     Run code in a new Lambda function under a role passed to it
        iam-x                   self-escalation  Do x
        ");
    }
}
