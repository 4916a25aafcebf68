//! What the calls of rules are on: a statement on resources of services none of which an action is
//! called on in any rule has no say in it, whatever actions it selects.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use escalade_models::ResourceKinds;
use foldhash::HashMap;

use super::actions::Actions;
use super::rule::{Expression, Part, Rule};
use super::rules::Rules;
use crate::policy::Statement;
use crate::snapshot::World;

/// Services, by their segment of an ARN; `None` where it may be any.
type Services = Option<BTreeSet<Arc<str>>>;

/// Which actions are called on resources of which services.
#[derive(Clone, Debug, Default)]
pub(super) struct CalledOn {
    /// Those that may be called on something of any service.
    on_any: Actions,
    /// By service, in lower case: those called on something of it, with those on any.
    by_service: HashMap<Box<str>, Actions>,
}

impl CalledOn {
    /// What the rules call in a world. What the question asks about may be on anything.
    pub(super) fn in_world(rules: &Rules, kinds: &ResourceKinds, world: &World) -> Self {
        let of_kinds = of_kinds(world);
        let mut out: Vec<Services> = vec![Some(BTreeSet::new()); rules.actions.len()];
        for rule in rules.rules.iter() {
            for call in &rule.calls {
                let besides = call.besides.iter().map(|besides| besides.action_bit);
                for action in std::iter::once(call.action_bit).chain(besides) {
                    let Some(known) = out.get_mut(action) else { continue };
                    // What is needed besides is checked on something of the same service.
                    for resource in &call.resources {
                        let services = services(rule, resource, kinds, &of_kinds);
                        match (&mut *known, services) {
                            (Some(known), Some(more)) => known.extend(more),
                            (known, _) => *known = None,
                        }
                    }
                }
            }
        }
        for at in &rules.questioned {
            if let Some(known) = out.get_mut(*at) {
                *known = None;
            }
        }
        Self::by_service(&out)
    }

    fn by_service(services: &[Services]) -> Self {
        let mut out = Self::default();
        for (action, services) in services.iter().enumerate() {
            let Some(services) = services else {
                out.on_any.insert(action);
                continue;
            };
            for service in services {
                let service = service.to_ascii_lowercase().into();
                out.by_service.entry(service).or_default().insert(action);
            }
        }
        let Self { on_any, by_service } = &mut out;
        by_service.values_mut().for_each(|actions| actions.extend(on_any));
        out
    }

    /// The actions that a statement can have a say in, whichever it selects: those called on something
    /// that may be of a service of whose resources it is. `None` if that may be any.
    pub(super) fn of(&self, statement: &Statement) -> Option<Cow<'_, Actions>> {
        let services = named_services(statement)?;
        let mut services = services.iter().map(|service| self.of_service(service));
        let first = Cow::Borrowed(services.next().unwrap_or(&self.on_any));
        Some(services.fold(first, |mut all, more| {
            all.to_mut().extend(more);
            all
        }))
    }

    fn of_service(&self, service: &str) -> &Actions {
        let known = match service.bytes().any(|byte| byte.is_ascii_uppercase()) {
            true => self.by_service.get(&*service.to_ascii_lowercase()),
            false => self.by_service.get(service),
        };
        known.unwrap_or(&self.on_any)
    }
}

impl Rules {
    /// Whether a statement that selects an action, by position, is on something that it may be
    /// called on.
    pub(super) fn is_on(&self, statement: &Statement, action: usize) -> bool {
        self.called_on.of(statement).is_none_or(|actions| actions.contains(action))
    }
}

/// The services of whose resources a statement is. `None` if it may be of any.
///
/// Implements `Resource` of
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html>:
/// wildcards in the segment of the service stay within it.
pub(super) fn named_services(statement: &Statement) -> Option<Vec<&str>> {
    if statement.resource_element().is_none() || statement.resources_negated() {
        return None;
    }
    let mut out = Vec::new();
    for resource in statement.resources() {
        let service = service_of(resource.text())?;
        if !out.contains(&service) {
            out.push(service);
        }
    }
    Some(out)
}

/// The service of an ARN, if it is written out.
pub(super) fn service_of(arn: &str) -> Option<&str> {
    let mut segments = arn.split(':');
    let (prefix, partition, service) = (segments.next()?, segments.next()?, segments.next()?);
    let plain = |text: &str| !text.is_empty() && !text.contains(['*', '?', '$', '{']);
    (prefix == "arn" && !partition.contains('$') && plain(service) && segments.next().is_some())
        .then_some(service)
}

/// The services of the ARNs of a world's objects, by kind.
fn of_kinds(world: &World) -> BTreeMap<&str, Services> {
    let mut out: BTreeMap<&str, Services> = BTreeMap::new();
    for object in &world.objects {
        let known = out.entry(&object.kind).or_insert_with(|| Some(BTreeSet::new()));
        match (&mut *known, service_of(&object.arn)) {
            (None, _) => {}
            (Some(known), Some(service)) => {
                if !known.contains(service) {
                    known.insert(service.into());
                }
            }
            (known, None) => *known = None,
        }
    }
    out
}

/// The services that a resource of a call of a rule can be of; none where it is on `*`, which no ARN
/// in a policy matches.
fn services(
    rule: &Rule,
    resource: &Expression,
    kinds: &ResourceKinds,
    of_kinds: &BTreeMap<&str, Services>,
) -> Services {
    let of_form = |kind: &str| Some(Arc::from(service_of(&kinds.get(kind)?.arn)?));
    match resource.0.as_slice() {
        [Part::Text(text)] if **text == *"*" => Some(BTreeSet::new()),
        [Part::Object(slot)] => {
            let kind = &rule.slots.get(*slot)?.kind;
            let mut out = match of_kinds.get(&**kind) {
                Some(known) => known.clone()?,
                None => BTreeSet::new(),
            };
            out.insert(of_form(kind)?);
            Some(out)
        }
        [Part::New(new), ..] => Some(BTreeSet::from([of_form(&rule.new.get(*new)?.kind)?])),
        [Part::Text(arn), Part::Partition, Part::Text(rest), ..] if **arn == *"arn:" => {
            let (service, _) = rest.strip_prefix(':')?.split_once(':')?;
            Some(BTreeSet::from([service.into()]))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_known_where_it_is_written_out() {
        let known = [
            ("arn:aws:s3:::records/*", "s3"),
            ("arn:*:iam::*:role/*", "iam"),
            ("arn:aws:iam::1:user/${aws:username}", "iam"),
        ];
        for (arn, service) in known {
            assert_eq!(service_of(arn), Some(service), "{arn}");
        }
        for arn in ["*", "arn:aws:*:::x", "arn:aws:s?:::x", "arn:aws:s3", "arn:${aws:x}:s3:::x"] {
            assert_eq!(service_of(arn), None, "{arn}");
        }
    }
}
