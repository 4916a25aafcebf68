//! Which resources a goal's call can be about, where the question says so by a pattern: objects of the
//! snapshot, what is in one of its buckets, and what need not be there, since the call makes it.

use std::collections::BTreeSet;
use std::sync::Arc;

use escalade_models::ResourceKinds;

use super::called_on::service_of;
use super::goal::{GoalCall, GoalTarget};
use super::rule::Part;
use super::rules::Rules;
use crate::authorization::{Resource, may_be, unlisted};
use crate::pattern::Pattern;
use crate::residual::{Atom, Grammar, Residual, Test, Variable, VariableKind};
use crate::snapshot::{Detail, Object, ObjectId, World};

/// How the names of most actions begin that make what they are about.
const MAKING: [&str; 4] = ["Create", "Import", "Register", "Run"];

/// What an action is about.
#[derive(Debug, Default)]
struct About<'a> {
    /// The prefix of the action.
    service: &'a str,
    /// Whether calls of the catalogue show what it is about. Of tagging they show a few of many kinds.
    shown: bool,
    /// The kinds of object that these are about.
    kinds: BTreeSet<&'a Arc<str>>,
    /// Whether it is about something that need not be there before.
    makes: bool,
    /// Whether it is about what is in a bucket.
    in_buckets: bool,
}

impl<'a> About<'a> {
    fn of(action: &'a str, rules: &'a Rules) -> Self {
        let (service, name) = action.split_once(':').unwrap_or((action, ""));
        let mut out = Self { service, in_buckets: is_about_s3_objects(action), ..Self::default() };
        let named_so = MAKING.iter().any(|beginning| name.starts_with(beginning));
        for rule in rules.rules.iter() {
            for call in rule.calls.iter().filter(|call| call.action.eq_ignore_ascii_case(action)) {
                for resource in &call.resources {
                    match resource.0.as_slice() {
                        [Part::Object(slot)] => {
                            out.kinds.extend(rule.slots.get(*slot).map(|slot| &slot.kind));
                        }
                        // Another call may have made it.
                        [Part::New(new), ..] => match named_so {
                            true => out.makes = true,
                            false => out.kinds.extend(rule.new.get(*new).map(|new| &new.kind)),
                        },
                        _ => {}
                    }
                }
            }
        }
        out.shown = !name.contains("Tag") && (out.makes || !out.kinds.is_empty());
        if !out.shown {
            out.makes = named_so;
        }
        out
    }

    /// Whether the action can be about an object as a whole.
    fn is_on(&self, object: &Object) -> bool {
        if self.in_buckets {
            return false;
        }
        match self.shown {
            true => self.kinds.contains(&object.kind),
            false => service_of(&object.arn).is_some_and(|s| s.eq_ignore_ascii_case(self.service)),
        }
    }
}

/// Whether an action is about objects in a bucket, not the bucket.
///
/// Implements `Resource types` of
/// <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html>.
pub(super) fn is_about_s3_objects(action: &str) -> bool {
    let Some((service, name)) = action.split_once(':') else { return false };
    let parts_of_uploads = ["AbortMultipartUpload", "ListMultipartUploadParts"];
    service.eq_ignore_ascii_case("s3")
        && ((name.contains("Object") && !name.contains("Bucket"))
            || parts_of_uploads.iter().any(|known| known.eq_ignore_ascii_case(name)))
}

impl GoalCall {
    /// Works out which resources of the world a call can be about.
    ///
    /// - `rules`: of the catalogue; they show what many actions are about.
    pub fn new(
        world: &World,
        kinds: &ResourceKinds,
        rules: &Rules,
        action: &str,
        resource: &str,
    ) -> Self {
        let about = About::of(action, rules);
        let pattern = Pattern::glob(resource, false);
        let is_pattern = resource.contains(['*', '?']);
        let mut targets = Vec::new();
        // Where the catalogue and the service's name say of nothing that it can be: all that fits.
        let mut others = Vec::new();
        for (at, object) in world.objects.iter().enumerate() {
            if object.kind.starts_with("iam:inline-policy") || object.is_unlisted() {
                continue;
            }
            let id = ObjectId(u32::try_from(at).unwrap_or(u32::MAX));
            let target = |resource, within| GoalTarget::of(world, id, action, resource, within);
            if pattern.matches(&object.arn) {
                let whole = target(Resource::Literal(object.arn.clone()), Residual::True);
                match !is_pattern || about.is_on(object) {
                    true => targets.push(whole),
                    false => others.push(whole),
                }
            } else if let Some((resource, within)) = below(object, resource) {
                targets.push(target(resource, within));
                continue;
            }
            if is_pattern && about.in_buckets && *object.kind == *"s3:bucket" {
                targets.extend(in_bucket(object, &pattern).map(|(r, within)| target(r, within)));
            }
        }
        if targets.is_empty() && !about.makes && service_of(resource).is_some() {
            targets = others;
        }
        if targets.is_empty() || (is_pattern && about.makes) {
            targets.push(by_itself(world, &about, action, resource));
        }
        // Of what was not listed it is not known that it is there; but who changes it may get at it.
        let standing = unlisted(world, kinds);
        let not_listed = if is_pattern { Vec::new() } else { may_be(world, kinds, resource) };
        let all = standing.iter().chain(&not_listed).enumerate();
        let asked = all.filter(|(at, object)| {
            let open = object.arn.split_once("{name}").map_or(&*object.arn, |(before, _)| before);
            let is_on = about.is_on(object) || about.in_buckets && &*object.kind == "s3:bucket";
            // What IAM has is in the authorization details.
            let is_on = is_on && !object.kind.starts_with("iam:");
            let may_be = is_pattern && is_on && !pattern.after_prefix(open).is_empty();
            may_be || *at >= standing.len()
        });
        let first = world.objects.len();
        targets.extend(asked.filter_map(|(at, object)| {
            let Detail::Unlisted(gap) = &object.detail else { return None };
            let account = world.accounts.get(object.account.0 as usize)?.id.clone();
            let (resource, within) = open(resource);
            Some(GoalTarget {
                action: action.into(),
                action_lowercase: action.to_lowercase().into(),
                resource,
                within: within.and(Residual::Unknown(gap.clone())),
                object: Some(ObjectId(u32::try_from(first + at).unwrap_or(u32::MAX))),
                account: Some(account),
            })
        }));
        Self {
            action: action.into(),
            resource: resource.into(),
            targets,
            principals: Vec::new(),
            left_out: Vec::new(),
            not_listed,
        }
    }
}

/// What a pattern says by itself: something that the snapshot does not show.
fn by_itself(world: &World, about: &About<'_>, action: &str, resource: &str) -> GoalTarget {
    let (open, mut within) = open(resource);
    let account = match &open {
        Resource::Literal(text) | Resource::Template { prefix: text, .. } => {
            text.split(':').nth(4).filter(|account| account.len() == 12).map(Arc::from)
        }
    };
    let of_service = |object: &Object| {
        service_of(&object.arn).is_some_and(|of| of.eq_ignore_ascii_case(about.service))
    };
    // Nothing else is known of a service of which there is nothing.
    if let Resource::Template { prefix, variable, .. } = &open
        && prefix.is_empty()
        && world.objects.iter().any(of_service)
    {
        let partitions: BTreeSet<&Arc<str>> = world.accounts.iter().map(|a| &a.partition).collect();
        within = within.and(Residual::any(partitions.into_iter().map(|partition| {
            let form = format!("arn:{partition}:{}:*", about.service);
            like(variable, Pattern::glob(&form, false))
        })));
    }
    GoalTarget {
        action: action.into(),
        action_lowercase: action.to_lowercase().into(),
        resource: open,
        within,
        object: None,
        account,
    }
}

/// The part of a bucket, or of another container, that the pattern names: `arn:aws:s3:::bucket/*`.
fn below(object: &Object, resource: &str) -> Option<(Resource, Residual)> {
    let rest = resource.strip_prefix(&*object.arn)?;
    rest.starts_with(['/', ':']).then(|| open(resource))
}

/// What is in a bucket that a pattern can be about. `None` if nothing is.
fn in_bucket(bucket: &Object, pattern: &Pattern) -> Option<(Resource, Residual)> {
    let prefix = format!("{}/", bucket.arn);
    let rests = pattern.after_prefix(&prefix);
    let variable = variable(1);
    let within = Residual::any(rests.into_iter().map(|rest| like(&variable, rest)));
    let resource = Resource::Template { prefix: prefix.into(), variable, suffix: "".into() };
    (!within.is_false()).then_some((resource, within))
}

/// What the attacker chooses of a resource's ARN: so many characters at least.
fn variable(least: u16) -> Variable {
    Variable {
        name: "resource".into(),
        scope: "goal".into(),
        kind: VariableKind::Chosen,
        multivalued: false,
        grammar: Grammar { length: (least, 1024), ..Grammar::any() },
    }
}

/// That the value of a variable fits a pattern.
pub(super) fn like(variable: &Variable, pattern: Pattern) -> Residual {
    match pattern.is_any() {
        true => Residual::True,
        false => Residual::atom(Atom::Passes(variable.clone(), Test::Like(pattern))),
    }
}

/// Text up to the first wildcard, and a variable for the rest. That may be empty where the text is a
/// whole ARN by itself: `bucket/a*`, and `bucket/a/*`, since keys of objects may end so.
pub(super) fn open(resource: &str) -> (Resource, Residual) {
    let Some(at) = resource.find(['*', '?']) else {
        return (Resource::Literal(resource.into()), Residual::True);
    };
    let (prefix, rest) = resource.split_at(at);
    let is_key = |text: &str| text.splitn(6, ':').last().is_some_and(|last| last.contains('/'));
    let is_whole = match prefix.strip_suffix('/') {
        Some(before) => prefix.contains(":s3:::") && is_key(before),
        None => !prefix.is_empty() && !prefix.ends_with(':'),
    };
    let variable = variable(u16::from(!is_whole));
    let within = like(&variable, Pattern::glob(rest, false));
    (Resource::Template { prefix: prefix.into(), variable, suffix: "".into() }, within)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_about_objects_in_buckets_names_no_bucket() {
        for action in ["s3:GetObject", "S3:PutObjectAcl", "s3:AbortMultipartUpload"] {
            assert!(is_about_s3_objects(action), "{action}");
        }
        for action in ["s3:ListBucket", "s3:PutBucketObjectLockConfiguration", "glue:GetObject"] {
            assert!(!is_about_s3_objects(action), "{action}");
        }
    }
}
