//! Checks of a technique that its form does not make: names, kinds, attributes, actions.

use std::collections::{BTreeMap, BTreeSet};

use crate::gain::{CALLER, Gain};
use crate::kind::Kinds;
use crate::technique::{
    Alternative, Call, CallOrChoice, Comparison, ContextValue, Matcher, NewObject, ObjectPattern,
    Resources, TagChange, Technique,
};

/// The kind of a tag's key: not an object of the snapshot, but a text that policies ask for.
const TAG_KEY: &str = "aws:tag-key";

/// The source identity of a session: one object, there where some policy asks for it.
const SOURCE_IDENTITY: &str = "aws:source-identity";

/// Service and resource control policies.
const CONTROL_POLICY: &str = "organizations:policy";

/// What they are attached to.
const CONTROL_TARGET: &str = "organizations:target";

/// The account of the caller.
const CALLERS_ACCOUNT: &str = "{account}";

/// Users of the directory of IAM Identity Center.
const DIRECTORY_USER: &str = "identitystore:user";

/// In a resource: the name of something that no response shows.
const ID: &str = "{id}";
/// What the attacker makes a token say.
const SAID: &str = "{text}";

/// What is wrong with a technique, and where in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// JSON pointer from the technique.
    pub(crate) at: String,
    /// What is wrong.
    pub(crate) text: String,
}

fn problem<T>(at: impl Into<String>, text: impl Into<String>) -> Result<T, Problem> {
    Err(Problem { at: at.into(), text: text.into() })
}

/// Names that are open have something between them that is in no name.
fn told_apart(text: &str, place: &str) -> Result<(), Problem> {
    let parts: Vec<&str> = text.split(ID).collect();
    let between = parts.get(1..parts.len() - 1).unwrap_or_default();
    match between.iter().find(|text| !text.contains(['/', ':'])) {
        Some(around) => {
            problem(place, format!("{text:?}: nothing tells apart the names around {around:?}"))
        }
        None => Ok(()),
    }
}

/// Checks one technique by itself. Fails on the first thing that is wrong.
pub(crate) fn check_technique(technique: &Technique, kinds: &Kinds) -> Result<(), Problem> {
    if !is_id(&technique.id) {
        return problem("/id", "an id is lower case letters, digits and hyphens");
    }
    if technique.title.trim().is_empty() {
        return problem("/title", "there is no title");
    }
    if technique.references.is_empty() {
        return problem("/references", "there is no reference");
    }
    if technique.calls.is_empty() {
        return problem("/calls", "there is no call");
    }
    if technique.gains.is_empty() {
        return problem("/gains", "nothing is gained");
    }
    let mut names = Names { kinds, bound: BTreeMap::new(), used: BTreeSet::new() };
    names.bind(&technique.objects, &technique.new, "")?;
    for (position, item) in technique.calls.iter().enumerate() {
        let at = format!("/calls/{position}");
        match item {
            CallOrChoice::Call(call) => names.call(call, &at)?,
            CallOrChoice::Choice(choice) => {
                if choice.any_of.is_empty() {
                    return problem(format!("{at}/any-of"), "there is no alternative");
                }
                for (position, alternative) in choice.any_of.iter().enumerate() {
                    names.alternative(alternative, &format!("{at}/any-of/{position}"))?;
                }
            }
        }
    }
    if !technique.ways.is_empty() && technique.before_ways().is_none() {
        return problem("/ways", "no role is passed");
    }
    for (position, way) in technique.ways.iter().enumerate() {
        names.alternative(way, &format!("/ways/{position}"))?;
    }
    for (position, gain) in technique.gains.iter().enumerate() {
        names.gain(gain, &format!("/gains/{position}"))?;
    }
    if let Some(session) = &technique.session {
        names.target(&session.of, &["iam:role"], "/session/of")?;
        names.text(&session.name, "/session/name", false)?;
        for (key, value) in &session.keys {
            names.text(value, &format!("/session/keys/{key}"), true)?;
        }
    }
    names.all_used(&technique.objects, &technique.new, "")
}

fn is_id(id: &str) -> bool {
    !id.is_empty() && id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

fn is_action(action: &str) -> bool {
    action.split_once(':').is_some_and(|(service, name)| {
        !service.is_empty()
            && service.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            // `rds-db:connect` is AWS's own spelling.
            && (name.starts_with(|c: char| c.is_ascii_uppercase())
                || !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase()))
            && name.bytes().all(|b| b.is_ascii_alphanumeric())
    })
}

/// What a name stands for.
#[derive(Clone)]
struct Bound {
    kind: String,
    /// Whether the attacker makes it.
    new: bool,
}

struct Names<'k> {
    kinds: &'k Kinds,
    bound: BTreeMap<String, Bound>,
    used: BTreeSet<String>,
}

impl Names<'_> {
    fn bind(
        &mut self,
        objects: &[ObjectPattern],
        new: &[NewObject],
        at: &str,
    ) -> Result<(), Problem> {
        for (position, object) in objects.iter().enumerate() {
            let at = format!("{at}/objects/{position}");
            if let Some(from) = &object.from {
                let place = format!("{at}/from");
                match references(from).as_slice() {
                    [(name, Some(_))] if from.len() == whole_length(name, from) => {}
                    _ => return problem(place, format!("{from:?} is not an object's attribute")),
                }
                self.text(from, &place, false)?;
            }
            if let Some(beside) = &object.beside {
                self.object(beside, &format!("{at}/beside"))?;
            }
            self.name(&object.name, &object.kind, false, &at)?;
            for (attribute, matcher) in &object.where_ {
                self.matcher(&object.name, attribute, matcher, &format!("{at}/where/{attribute}"))?;
            }
            for (position, trusted) in object.trusts.iter().enumerate() {
                let at = format!("{at}/trusts/{position}");
                if object.kind != "iam:role" {
                    return problem(at, "only roles trust");
                }
                if trusted.starts_with('$') {
                    self.target(trusted, &["iam:role"], &at)?;
                } else if !trusted.contains(".amazonaws.com") {
                    return problem(at, format!("{trusted:?} is no service principal"));
                }
            }
        }
        for (position, object) in new.iter().enumerate() {
            let at = format!("{at}/new/{position}");
            if let Some(beside) = &object.beside {
                self.object(beside, &format!("{at}/beside"))?;
                self.used.insert(beside.clone());
            }
            if let Some(named) = &object.named {
                let place = format!("{at}/named");
                if named.matches(ID).count() > 1 {
                    return problem(place, format!("{named:?}: one name can be open"));
                }
                self.text(&named.replace(ID, ""), &place, true)?;
            }
            self.name(&object.name, &object.kind, true, &at)?;
        }
        Ok(())
    }

    fn name(&mut self, name: &str, kind: &str, new: bool, at: &str) -> Result<(), Problem> {
        let rest = name.strip_prefix('$').unwrap_or_default();
        if rest.is_empty() || !rest.bytes().all(is_name_byte) {
            return problem(
                format!("{at}/name"),
                format!("{name:?}: a name is $ and letters, digits, hyphens"),
            );
        }
        if !self.kinds.contains(kind) {
            return problem(format!("{at}/kind"), format!("kind {kind:?} is not known"));
        }
        let bound = Bound { kind: kind.to_owned(), new };
        match self.bound.insert(name.to_owned(), bound) {
            Some(_) => problem(format!("{at}/name"), format!("{name:?} is bound twice")),
            None => Ok(()),
        }
    }

    /// The alternative's own names are gone afterwards; what it uses of outer names counts.
    fn alternative(&mut self, alternative: &Alternative, at: &str) -> Result<(), Problem> {
        let outer = self.bound.clone();
        self.bind(&alternative.objects, &alternative.new, at)?;
        for (object, matchers) in &alternative.where_ {
            let place = format!("{at}/where/{object}");
            self.object(object, &place)?;
            for (attribute, matcher) in matchers {
                self.matcher(object, attribute, matcher, &format!("{place}/{attribute}"))?;
            }
        }
        for (position, call) in alternative.calls.iter().enumerate() {
            self.call(call, &format!("{at}/calls/{position}"))?;
        }
        self.all_used(&alternative.objects, &alternative.new, at)?;
        for object in &alternative.objects {
            self.used.remove(&object.name);
        }
        for object in &alternative.new {
            self.used.remove(&object.name);
        }
        self.bound = outer;
        Ok(())
    }

    fn call(&mut self, call: &Call, at: &str) -> Result<(), Problem> {
        if !is_action(&call.action) {
            return problem(
                format!("{at}/action"),
                format!("{:?} is not of the form service:Name", call.action),
            );
        }
        if call.actor.is_empty() || !call.actor.bytes().all(is_name_byte) {
            return problem(format!("{at}/actor"), format!("{:?}: an actor is a word", call.actor));
        }
        self.resources(&call.resource, &format!("{at}/resource"))?;
        if let Some(source) = &call.source {
            self.resources(source, &format!("{at}/source"))?;
        }
        for (key, value) in &call.context {
            let place = format!("{at}/context/{}", key.replace('~', "~0").replace('/', "~1"));
            if !key.contains(':') {
                return problem(place, format!("{key:?} is no condition key"));
            }
            let values = match value {
                ContextValue::One(value) => std::slice::from_ref(value),
                ContextValue::Many(values) | ContextValue::AnyOf { any_of: values } => {
                    values.as_slice()
                }
                ContextValue::Absent { absent: true } => continue,
                ContextValue::Absent { absent: false } => {
                    return problem(
                        place,
                        "a key is absent or has a value; leave it out if neither is known",
                    );
                }
            };
            for value in values {
                // What a token says is up to whoever controls its issuer.
                let (names, said) = (value.matches(ID).count(), value.matches(SAID).count());
                let in_token = call.federated.is_some();
                if names + said > 0 && !in_token || said > 0 && names + said > 1 {
                    let what = "one text can be open, or names, of what a token says";
                    return problem(place, format!("{value:?}: {what}"));
                }
                told_apart(value, &place)?;
                self.text(&value.replace(SAID, "").replace(ID, ""), &place, true)?;
            }
        }
        if let Some(tags) = &call.tags {
            let place = format!("{at}/tags");
            self.object(&tags.on, &place)?;
            let keys: &[&str] = match tags.change {
                TagChange::Session => &[TAG_KEY, SOURCE_IDENTITY],
                TagChange::Set | TagChange::Remove => &[TAG_KEY],
            };
            self.target(&tags.key, keys, &place)?;
        }
        if let Some(provider) = &call.federated {
            self.text(provider, &format!("{at}/federated"), false)?;
        } else if call.any_audience {
            return problem(format!("{at}/any-audience"), "the call brings no token");
        }
        if let Some(by) = &call.made_as {
            self.text(by, &format!("{at}/as"), false)?;
        }
        if let Some(user) = &call.bearer {
            self.target(user, &[DIRECTORY_USER], &format!("{at}/bearer"))?;
        }
        if let Some(permission) = &call.permission {
            self.target(
                &permission.domain,
                &["opensearch:domain"],
                &format!("{at}/permission/domain"),
            )?;
            if permission.grants.is_empty() {
                return problem(format!("{at}/permission/grants"), "there is no permission");
            }
        }
        Ok(())
    }

    fn gain(&mut self, gain: &Gain, at: &str) -> Result<(), Problem> {
        const HOLDERS: &[&str] = &["iam:user", "iam:role", "iam:group"];
        match gain {
            Gain::Credentials(name) => {
                const PRINCIPALS: &[&str] =
                    &["iam:user", "iam:role", "opensearch:internal-user", DIRECTORY_USER];
                self.target(name, PRINCIPALS, at)
            }
            Gain::InlinePolicy(name) => self.target(name, HOLDERS, at),
            Gain::PolicyText(name) => self.target(name, &["iam:policy"], at),
            Gain::DefaultVersion { policy, version } => {
                self.target(policy, &["iam:policy"], at)?;
                self.target(version, &["iam:policy-version"], at)
            }
            Gain::AttachedPolicy { to, policy } => {
                self.target(to, HOLDERS, at)?;
                if policy.starts_with('$') {
                    self.target(policy, &["iam:policy"], at)
                } else if policy.starts_with("arn:{partition}:iam::") {
                    self.text(policy, at, true)
                } else {
                    problem(at, format!("{policy:?} is no managed policy"))
                }
            }
            Gain::Membership { user, group } | Gain::LeftGroup { user, group } => {
                self.target(user, &["iam:user"], at)?;
                self.target(group, &["iam:group"], at)
            }
            Gain::TrustPolicy(name) => self.target(name, &["iam:role"], at),
            Gain::NoBoundary(name) => self.target(name, &["iam:user", "iam:role"], at),
            Gain::DetachedPolicy { from, policy } => {
                self.target(from, HOLDERS, at)?;
                self.target(policy, &["iam:policy", "iam:inline-policy"], at)
            }
            Gain::Delegation { role, via, actions, except, answers, through, resources } => {
                if (role == CALLER) != via.is_some() {
                    return problem(at, format!("{CALLER} and via go together"));
                }
                if role != CALLER {
                    self.target(role, &["iam:role", "iam:user"], at)?;
                }
                let mut all = actions.iter().chain(except).chain(answers.iter().flatten());
                if actions.is_empty() || all.any(|action| action != "*" && !action.contains(':')) {
                    return problem(at, "the actions are service:Name, with wildcards");
                }
                for resource in resources {
                    self.text(resource, at, true)?;
                }
                self.text(through, at, true)
            }
            Gain::Object { kind, attributes } => {
                if !self.kinds.contains(kind) {
                    return problem(at, format!("kind {kind:?} is not known"));
                }
                for (attribute, value) in attributes {
                    if !self.kinds.has(kind, attribute) {
                        return problem(at, format!("{kind:?} has no attribute {attribute:?}"));
                    }
                    self.text(value, at, true)?;
                }
                Ok(())
            }
            Gain::NewPrincipal(name) => {
                self.new_principal(name, &["iam:user", "iam:role", "opensearch:internal-user"], at)
            }
            Gain::BoundedPrincipal { principal, boundary } => {
                self.new_principal(principal, &["iam:user", "iam:role"], at)?;
                self.target(boundary, &["iam:policy"], at)
            }
            Gain::AttachedPrincipal { principal, policy } => {
                self.new_principal(principal, &["iam:user", "iam:role"], at)?;
                self.target(policy, &["iam:policy"], at)
            }
            Gain::NewMember { user, group } => {
                self.new_principal(user, &["iam:user"], at)?;
                self.target(group, &["iam:group"], at)
            }
            Gain::DomainAdministration(name) => self.target(name, &["opensearch:domain"], at),
            Gain::ResourcePolicy(name) | Gain::NoResourcePolicy(name) => self.resource(name, at),
            Gain::ResourceGrant { on, actions } => {
                if actions.is_empty() || actions.iter().any(|action| !action.contains(':')) {
                    return problem(at, "the actions are service:Name, with wildcards");
                }
                self.resource(on, at)
            }
            Gain::Tag { on, key } | Gain::NoTag { on, key } => {
                self.object(on, at)?;
                self.used.insert(on.clone());
                self.target(key, &[TAG_KEY], at)
            }
            Gain::IdentityProvider(name) => match self.bound.get(name).filter(|bound| bound.new) {
                Some(bound)
                    if matches!(&*bound.kind, "iam:saml-provider" | "iam:oidc-provider") =>
                {
                    Ok(())
                }
                _ => problem(at, format!("{name:?} is no new identity provider")),
            },
            Gain::MfaDevice(name) | Gain::NoMfaDevice(name) => self.target(name, &["iam:user"], at),
            Gain::ControlPolicyText(name) => self.target(name, &[CONTROL_POLICY], at),
            Gain::DetachedControlPolicy { from, policy } => {
                self.target(from, &[CONTROL_TARGET], at)?;
                self.target(policy, &[CONTROL_POLICY], at)
            }
            Gain::AttachedControlPolicy { to, policy } => {
                self.target(to, &[CONTROL_TARGET], at)?;
                match policy {
                    Some(policy) => self.target(policy, &[CONTROL_POLICY], at),
                    None => Ok(()),
                }
            }
            Gain::ControlPoliciesOff { root, .. } => self.target(root, &[CONTROL_TARGET], at),
            Gain::LeftOrganization(account) if account == CALLERS_ACCOUNT => Ok(()),
            Gain::LeftOrganization(account) => self.target(account, &[CONTROL_TARGET], at),
            Gain::MovedAccount { account, to } => {
                self.target(account, &[CONTROL_TARGET], at)?;
                self.target(to, &[CONTROL_TARGET], at)
            }
            Gain::SessionTag { on, key } => {
                self.target(on, &["iam:role"], at)?;
                self.target(key, &[TAG_KEY, SOURCE_IDENTITY], at)
            }
        }
    }

    fn matcher(
        &mut self,
        object: &str,
        attribute: &str,
        matcher: &Matcher,
        at: &str,
    ) -> Result<(), Problem> {
        let kind = self.bound.get(object).map(|bound| bound.kind.clone()).unwrap_or_default();
        if !self.kinds.has(&kind, attribute) {
            return problem(at, format!("{kind:?} has no attribute {attribute:?}"));
        }
        match matcher {
            Matcher::Is(value) | Matcher::Compare(Comparison::Not(value)) => {
                self.text(value, at, true)
            }
            Matcher::OneOf(values) => {
                values.iter().try_for_each(|value| self.text(value, at, true))
            }
            Matcher::Compare(_) => Ok(()),
        }
    }

    /// What a call is checked on, or what comes of it.
    fn resources(&mut self, resources: &Resources, place: &str) -> Result<(), Problem> {
        let resources = resources.as_slice();
        if resources.is_empty() {
            return problem(place, "there is no resource");
        }
        for resource in resources {
            let form = resource == "*"
                || resource.starts_with('$')
                || resource.starts_with("arn:{partition}:");
            if !form {
                return problem(
                    place,
                    format!(
                        "{resource:?} is not \"*\", an ARN that begins with arn:{{partition}}:, or a name"
                    ),
                );
            }
            told_apart(resource, place)?;
            self.text(&resource.replace(ID, ""), place, true)?;
        }
        Ok(())
    }

    /// An object of the snapshot that can have a policy of its own.
    fn resource(&mut self, name: &str, at: &str) -> Result<(), Problem> {
        let kind = self.object(name, at)?;
        if kind.starts_with("iam:") || [TAG_KEY, SOURCE_IDENTITY].contains(&kind.as_str()) {
            return problem(at, format!("{name:?} has no policy of its own: it is {kind:?}"));
        }
        self.used.insert(name.to_owned());
        Ok(())
    }

    /// A user or role that the technique makes.
    fn new_principal(&mut self, name: &str, kinds: &[&str], at: &str) -> Result<(), Problem> {
        match self.bound.get(name).filter(|bound| bound.new) {
            Some(bound) if kinds.contains(&&*bound.kind) => {
                self.used.insert(name.to_owned());
                Ok(())
            }
            _ => problem(at, format!("{name:?} is no new user or role")),
        }
    }

    /// An object of the snapshot of one of these kinds, whole.
    fn target(&mut self, name: &str, kinds: &[&str], at: &str) -> Result<(), Problem> {
        let kind = self.object(name, at)?;
        if kinds.contains(&kind.as_str()) {
            self.used.insert(name.to_owned());
            Ok(())
        } else {
            problem(at, format!("{name:?} cannot be {kind:?} here, only {}", kinds.join(", ")))
        }
    }

    /// An object of the snapshot, whole; its kind.
    fn object(&self, name: &str, at: &str) -> Result<String, Problem> {
        match self.bound.get(name) {
            Some(bound) if !bound.new => Ok(bound.kind.clone()),
            Some(_) => problem(
                at,
                format!("{name:?} is made by the attacker, not an object of the snapshot"),
            ),
            None => problem(at, format!("{name:?} is not bound")),
        }
    }

    /// Text around names and placeholders.
    fn text(&mut self, text: &str, at: &str, new_allowed: bool) -> Result<(), Problem> {
        let mut rest = text;
        while let Some(start) = rest.find('{') {
            let tail = rest.get(start..).unwrap_or_default();
            let end = tail.find('}').map_or(tail.len(), |end| end + 1);
            let word = tail.get(..end).unwrap_or_default();
            if !["{partition}", "{region}", "{account}"].contains(&word) {
                return problem(
                    at,
                    format!("{word} is not {{partition}}, {{region}} or {{account}}"),
                );
            }
            rest = tail.get(end..).unwrap_or_default();
        }
        for (name, attribute) in references(text) {
            let Some(bound) = self.bound.get(&name).cloned() else {
                return problem(at, format!("{name:?} is not bound"));
            };
            if bound.new && !new_allowed {
                return problem(at, format!("{name:?} is made by the attacker"));
            }
            match attribute {
                Some(attribute) if bound.new && attribute != "name" => {
                    return problem(
                        at,
                        format!("{name}.{attribute}: a new resource has only a name"),
                    );
                }
                Some(attribute) if !self.kinds.has(&bound.kind, &attribute) => {
                    return problem(at, format!("{:?} has no attribute {attribute:?}", bound.kind));
                }
                _ => {}
            }
            self.used.insert(name);
        }
        Ok(())
    }

    /// An object that nothing refers to is a mistake, unless it has to fit something: then that it
    /// exists is the point.
    fn all_used(
        &self,
        objects: &[ObjectPattern],
        new: &[NewObject],
        at: &str,
    ) -> Result<(), Problem> {
        for (position, object) in objects.iter().enumerate() {
            let premise = !object.where_.is_empty() || !object.trusts.is_empty();
            if !premise && !self.used.contains(&object.name) {
                return problem(
                    format!("{at}/objects/{position}"),
                    format!("{:?} is not used", object.name),
                );
            }
        }
        for (position, object) in new.iter().enumerate() {
            if !self.used.contains(&object.name) {
                return problem(
                    format!("{at}/new/{position}"),
                    format!("{:?} is not used", object.name),
                );
            }
        }
        Ok(())
    }
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}

fn whole_length(name: &str, text: &str) -> usize {
    let attribute = text.get(name.len() + 1..).unwrap_or_default();
    name.len() + 1 + attribute.bytes().take_while(|b| is_name_byte(*b)).count()
}

/// The names in a text, with the attribute where one follows.
fn references(text: &str) -> Vec<(String, Option<String>)> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find('$') {
        let tail = rest.get(start + 1..).unwrap_or_default();
        if let Some(after) = tail.strip_prefix('$') {
            rest = after;
            continue;
        }
        let length = tail.bytes().take_while(|byte| is_name_byte(*byte)).count();
        let name = format!("${}", tail.get(..length).unwrap_or_default());
        rest = tail.get(length..).unwrap_or_default();
        let attribute = rest.strip_prefix('.').and_then(|tail| {
            let length =
                tail.bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'-').count();
            tail.get(..length).filter(|attribute| !attribute.is_empty())
        });
        if let Some(attribute) = attribute {
            rest = rest.get(1 + attribute.len()..).unwrap_or_default();
        }
        out.push((name, attribute.map(str::to_owned)));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[(&str, Option<&str>)]) {
        let found = references(text);
        let found: Vec<(&str, Option<&str>)> =
            found.iter().map(|(name, attribute)| (name.as_str(), attribute.as_deref())).collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn names_end_where_other_text_begins() {
        check("$role", &[("$role", None)]);
        check("$function.role", &[("$function", Some("role"))]);
        check(
            "$domain/_snapshot/$repository.name/_all",
            &[("$domain", None), ("$repository", Some("name"))],
        );
        check("$layer:1", &[("$layer", None)]);
        check("task-definition/$definition.name:*", &[("$definition", Some("name"))]);
        check("$container-instance.", &[("$container-instance", None)]);
        check("none", &[]);
        check("$", &[("$", None)]);
    }

    #[test]
    fn actions_have_a_service_and_a_name() {
        for (action, expected) in [
            ("iam:PassRole", true),
            ("ec2-instance-connect:SendSSHPublicKey", true),
            ("rds-db:connect", true),
            ("iam:passRole", false),
            ("iam:*", false),
            ("IAM:PassRole", false),
            (":PassRole", false),
            ("iam:", false),
        ] {
            assert_eq!(is_action(action), expected, "{action}");
        }
    }
}
