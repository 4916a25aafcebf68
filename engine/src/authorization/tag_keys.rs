//! The keys of tags that policies ask for: only these are worth changing.
//!
//! The source identity of a session is one more of them: like a session tag it is given to a session
//! when that begins, and policies ask callers for it by a key of its own.
//!
//! Implements <https://docs.aws.amazon.com/IAM/latest/UserGuide/access_tags.html> and
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_temp_control-access_monitor.html>.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::TagKey;
use crate::policy::{Condition, Effect, Operation, Policy, SetOperator, Statement};
use crate::snapshot::{
    AccountIndex, Attached, Detail, DocumentId, Object, Organization, OwnPolicy, World,
};

/// The kind of object that stands for the key of a tag.
const TAG_KEY: &str = "aws:tag-key";

/// The kind of object that stands for the source identity of a session.
const SOURCE_IDENTITY_KIND: &str = "aws:source-identity";

/// The name under which the source identity is among the keys, that of its condition key: no tag of
/// anybody's begins with `aws:`.
pub const SOURCE_IDENTITY: &str = "aws:sourceidentity";

/// Whether objects of a kind stand for keys that policies ask for.
pub fn stands_for_key(kind: &str) -> bool {
    matches!(kind, TAG_KEY | SOURCE_IDENTITY_KIND)
}

/// Whose tag a policy asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tagged {
    /// The caller's: `aws:PrincipalTag/KEY`.
    Principal,
    /// The resource's: `aws:ResourceTag/KEY`, `iam:ResourceTag/KEY`, `ec2:ResourceTag/KEY`.
    Resource,
    /// The request's: `aws:RequestTag/KEY`, as a role's trust policy asks of a session.
    Request,
}

/// The condition key that lists the keys of the tags in a request.
const TAG_KEYS: &str = "aws:tagkeys";

/// The key of a tag that is set where a policy asks for some tag or other.
const ANY_TAG: &str = "escalade";

/// The keys of tags that the policies of a world ask for, and which policy asks for which.
#[derive(Debug, Default)]
pub struct TagKeys {
    /// In lower case, sorted.
    names: Vec<Arc<str>>,
    /// The condition keys of these tags in a request.
    in_request: Vec<Arc<str>>,
    asked: BTreeSet<(TagKey, Tagged)>,
    /// The services in whose words tags of resources are asked for: `aws`, `iam`, `ec2`.
    services: BTreeMap<TagKey, BTreeSet<Arc<str>>>,
    /// By document.
    of_document: BTreeMap<DocumentId, BTreeSet<(TagKey, Tagged)>>,
    /// The keys that policies ask their callers for that are not the callers' own: resources' own
    /// policies, trust policies, control policies.
    of_any_caller: BTreeSet<TagKey>,
    /// Those of them that are asked for whatever the resource: by control policies, by policies of
    /// VPC endpoints.
    of_every_caller: BTreeSet<TagKey>,
    /// By key, the ways to spell it that can make a difference. The first is a policy's.
    spellings: Vec<Vec<Arc<str>>>,
    /// The keys that some statement asks a request for together.
    together: BTreeSet<Vec<TagKey>>,
}

/// The most tags of one request that a statement asks for together, and the most such statements,
/// that are tried for a request.
const TOGETHER: (usize, usize) = (8, 16);

impl TagKeys {
    /// Looks through the policies of a world.
    pub(super) fn of(world: &World) -> Self {
        let mut found: BTreeMap<DocumentId, BTreeSet<Asked>> = BTreeMap::new();
        for (at, document) in world.documents.iter().enumerate() {
            let Ok(policy) = &document.policy else { continue };
            let asked = asked_by(policy);
            if !asked.is_empty() {
                found.insert(DocumentId(u32::try_from(at).unwrap_or(u32::MAX)), asked);
            }
        }
        let names: BTreeSet<Arc<str>> =
            found.values().flatten().map(|asked| asked.name.clone()).collect();
        let in_request = names.iter().map(|name| format!("aws:requesttag/{name}").into()).collect();
        let mut out = Self { names: names.into_iter().collect(), in_request, ..Self::default() };
        for (document, asked) in found {
            let mut keys: BTreeSet<(TagKey, Tagged)> = BTreeSet::new();
            for Asked { name, tagged, service } in asked {
                let Some(key) = out.find(&name) else { continue };
                keys.insert((key, tagged));
                if tagged == Tagged::Resource {
                    out.services.entry(key).or_default().insert(service);
                }
            }
            out.asked.extend(&keys);
            out.of_document.insert(document, keys);
        }
        out.note_spellings(world);
        out.note_together(world);
        let (of_resources, others) = not_of_principals(world);
        let keys = |documents: &BTreeSet<DocumentId>| -> BTreeSet<TagKey> {
            documents.iter().flat_map(|at| out.asked_by(*at, Tagged::Principal)).collect()
        };
        let (of_resources, of_every_caller) = (keys(&of_resources), keys(&others));
        out.of_any_caller = &of_resources | &of_every_caller;
        out.of_every_caller = of_every_caller;
        out
    }

    /// Notes how keys are spelled: as policies write them and, where some policy compares
    /// `aws:TagKeys`, in small letters and in capitals.
    fn note_spellings(&mut self, world: &World) {
        let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let mut compared = BTreeSet::new();
        let mut compares = false;
        for condition in
            policies(world).flat_map(Policy::statements).flat_map(Statement::conditions)
        {
            if &*condition.key_lowercase == TAG_KEYS {
                compares = true;
                compared.extend(condition.texts().map(|text| filled(&text)));
            } else if let Some((family, name)) = condition.key.split_once('/')
                && family.to_lowercase().ends_with("tag")
            {
                found.entry(name.to_lowercase()).or_default().insert(name.to_owned());
            }
        }
        for text in compared {
            found.entry(text.to_lowercase()).or_default().insert(text);
        }
        self.spellings = self
            .names
            .iter()
            .map(|name| {
                let own = found.remove(&**name).unwrap_or_default();
                let mut out: Vec<Arc<str>> = own.into_iter().map(Arc::from).collect();
                for other in [name.to_lowercase(), name.to_uppercase()] {
                    if out.iter().all(|known| **known != *other) {
                        out.push(other.into());
                    }
                }
                out.truncate(if compares { out.len() } else { 1 });
                out
            })
            .collect();
    }

    /// Notes which keys statements ask a request for together.
    fn note_together(&mut self, world: &World) {
        for statement in policies(world).flat_map(Policy::statements) {
            let asked = asked_by_statement(statement).into_iter();
            // The source identity of a session is among the keys, but no tag.
            let of_request = asked
                .filter(|asked| asked.tagged == Tagged::Request && &*asked.name != SOURCE_IDENTITY);
            let mut keys: Vec<TagKey> =
                of_request.filter_map(|asked| self.find(&asked.name)).collect();
            keys.sort_unstable();
            keys.dedup();
            if !keys.is_empty() && keys.len() <= TOGETHER.0 {
                self.together.insert(keys);
            }
        }
    }

    /// The ways to spell a key that can make a difference.
    pub fn spellings(&self, key: TagKey) -> Vec<Arc<str>> {
        self.spellings.get(key.0 as usize).cloned().unwrap_or_default()
    }

    /// Which other keys can be worth setting in one request with a key: none, or those that some
    /// statement asks a request for together.
    pub fn beside(&self, key: TagKey) -> Vec<Vec<TagKey>> {
        let mut out = vec![Vec::new()];
        for keys in &self.together {
            let others: Vec<TagKey> = keys.iter().copied().filter(|other| *other != key).collect();
            if !out.contains(&others) && out.len() <= TOGETHER.1 {
                out.push(others);
            }
        }
        out
    }

    /// The keys, in lower case, of tags that some policy asks for of a kind of resource.
    pub fn asked_of_kind<'s>(&'s self, kind: &'s str) -> impl Iterator<Item = &'s str> {
        let keys = self.services.keys().filter(move |key| self.asks_of_kind(**key, kind));
        keys.filter_map(|key| self.name(*key))
    }

    /// Whether some policy asks whoever calls for a tag with the key, whatever the call is about: a
    /// control policy, or one of a VPC endpoint.
    pub fn asks_every_caller(&self, key: TagKey) -> bool {
        self.of_every_caller.contains(&key)
    }

    /// Whether some policy asks whoever calls for any tag, whatever the call is about.
    pub fn asks_every_caller_for_some(&self) -> bool {
        !self.of_every_caller.is_empty()
    }

    /// Whether some policy that is not a principal's own asks whoever calls for a tag with the key.
    pub fn asks_any_caller(&self, key: TagKey) -> bool {
        self.of_any_caller.contains(&key)
    }

    /// The key of a name in lower case.
    pub fn find(&self, name: &str) -> Option<TagKey> {
        let at = self.names.binary_search_by(|own| (**own).cmp(name)).ok()?;
        Some(TagKey(u32::try_from(at).unwrap_or(u32::MAX)))
    }

    /// The name of a key, in lower case.
    pub fn name(&self, key: TagKey) -> Option<&str> {
        self.names.get(key.0 as usize).map(|name| &**name)
    }

    /// The condition key of a tag in a request, in lower case.
    pub fn in_request(&self, key: TagKey) -> Option<&Arc<str>> {
        self.in_request.get(key.0 as usize)
    }

    /// The condition keys of all tags in a request.
    pub fn all_in_request(&self) -> impl Iterator<Item = &Arc<str>> {
        self.in_request.iter()
    }

    /// The names of all keys, in lower case, sorted.
    pub fn names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.names.iter()
    }

    /// Whether no policy asks for a tag.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Whether some policy asks for the key of such a tag.
    pub fn asks(&self, key: TagKey, tagged: Tagged) -> bool {
        self.asked.contains(&(key, tagged))
    }

    /// Whether some policy asks for any such tag.
    pub fn asks_some(&self, tagged: Tagged) -> bool {
        self.asked.iter().any(|(_, asked)| *asked == tagged)
    }

    /// Whether some policy asks for the key of a tag of a kind of resource: `iam:ResourceTag/KEY`
    /// is of IAM's own alone.
    pub fn asks_of_kind(&self, key: TagKey, kind: &str) -> bool {
        let own = kind.split(':').next().unwrap_or_default();
        self.services.get(&key).is_some_and(|services| {
            services.iter().any(|service| match &**service {
                "aws" => true,
                // Commands are sent to instances by the instances' tags.
                "ssm" => matches!(own, "ssm" | "ec2"),
                "es" => matches!(own, "es" | "opensearch"),
                service => service == own,
            })
        })
    }

    /// The keys of such tags that one document asks for.
    pub fn asked_by(
        &self,
        document: DocumentId,
        tagged: Tagged,
    ) -> impl Iterator<Item = TagKey> + '_ {
        let keys = self.of_document.get(&document).into_iter().flatten();
        keys.filter(move |(_, asked)| *asked == tagged).map(|(key, _)| *key)
    }

    /// The keys of tags of resources that a statement asks for.
    pub fn asked_of_resources(&self, statement: &Statement) -> BTreeSet<TagKey> {
        let asked = asked_by_statement(statement).into_iter();
        let of_resources = asked.filter(|asked| asked.tagged == Tagged::Resource);
        of_resources.filter_map(|asked| self.find(&asked.name)).collect()
    }

    /// One object for each key, named and addressed by it.
    pub(super) fn objects(&self) -> Vec<Object> {
        self.names
            .iter()
            .map(|name| Object {
                kind: match &**name {
                    SOURCE_IDENTITY => SOURCE_IDENTITY_KIND.into(),
                    _ => TAG_KEY.into(),
                },
                arn: name.clone(),
                name: name.clone(),
                account: AccountIndex(0),
                region: None,
                attributes: BTreeMap::new(),
                tags: Vec::new(),
                policy: OwnPolicy::Absent,
                detail: Detail::Other,
            })
            .collect()
    }
}

/// The policies of a world.
fn policies(world: &World) -> impl Iterator<Item = &Policy> {
    world.documents.iter().filter_map(|document| document.policy.as_ref().ok())
}

/// The documents that are not only the policies of users, groups and roles: resources' own and
/// trust policies; all others.
fn not_of_principals(world: &World) -> (BTreeSet<DocumentId>, BTreeSet<DocumentId>) {
    let (mut of_principals, mut of_resources) = (BTreeSet::new(), BTreeSet::new());
    let mut others: BTreeSet<DocumentId> = BTreeSet::new();
    for object in &world.objects {
        let of_endpoint = &*object.kind == "ec2:vpc-endpoint";
        if let OwnPolicy::Present(document) = object.policy {
            if of_endpoint { &mut others } else { &mut of_resources }.insert(document);
        }
        let inline = |policies: &[Attached]| policies.iter().filter_map(|p| p.inline).collect();
        let policies: Vec<DocumentId> = match &object.detail {
            Detail::User(user) => inline(&user.policies),
            Detail::Group(policies) => inline(policies),
            Detail::Role(role) => {
                of_resources.extend(role.trust.as_ref().ok());
                inline(&role.policies)
            }
            Detail::Policy(policy) => policy.versions.iter().map(|(_, at)| *at).collect(),
            _ => Vec::new(),
        };
        of_principals.extend(policies);
    }
    others.extend(world.organization.iter().flat_map(Organization::control_documents));
    let all =
        (0..world.documents.len()).map(|at| DocumentId(u32::try_from(at).unwrap_or(u32::MAX)));
    others.extend(all.filter(|at| !of_principals.contains(at) && !of_resources.contains(at)));
    (of_resources, others)
}

/// A tag that a policy asks for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Asked {
    name: Arc<str>,
    tagged: Tagged,
    service: Arc<str>,
}

/// The tags that a policy asks for, by condition or by variable.
fn asked_by(policy: &Policy) -> BTreeSet<Asked> {
    policy.statements().iter().flat_map(asked_by_statement).collect()
}

fn asked_by_statement(statement: &Statement) -> BTreeSet<Asked> {
    let mut out = BTreeSet::new();
    let mut add = |key: &str| {
        let Some((service, rest)) = key.split_once(':') else { return };
        if rest == "sourceidentity" {
            let tagged = match service {
                "aws" => Tagged::Principal,
                "sts" => Tagged::Request,
                _ => return,
            };
            out.insert(Asked { name: SOURCE_IDENTITY.into(), tagged, service: service.into() });
            return;
        }
        let Some((family, name)) = rest.split_once('/') else { return };
        let tagged = match (service, family) {
            ("aws", "principaltag") => Tagged::Principal,
            (_, "resourcetag") => Tagged::Resource,
            ("aws", "requesttag") => Tagged::Request,
            _ => return,
        };
        out.insert(Asked { name: name.into(), tagged, service: service.into() });
    };
    for condition in statement.conditions() {
        add(&condition.key_lowercase);
    }
    for variable in statement.templates().flat_map(|template| template.variables()) {
        add(&variable.key);
    }
    if TAGGING.iter().any(|action| statement.matches_action(action)) {
        out.extend(asked_as_listed(statement).into_iter().map(|name| Asked {
            name: name.to_lowercase().into(),
            tagged: Tagged::Request,
            service: "aws".into(),
        }));
    }
    out
}

/// The calls that tag principals and sessions. Those that make or tag other things list the keys of
/// tags in their requests too, but take whichever key is wanted for another reason.
const TAGGING: [&str; 4] = ["iam:tagrole", "iam:taguser", "sts:assumerole", "sts:tagsession"];

/// The condition keys that list keys of tags: of those in the request, of those that stay with the
/// sessions that are begun from the new one.
const LISTING: [&str; 2] = [TAG_KEYS, "sts:transitivetagkeys"];

/// The keys of tags without which a statement does not let a request pass, though it names them in
/// the list of keys alone. Where any will do, one.
fn asked_as_listed(statement: &Statement) -> Vec<String> {
    let allows = statement.effect() == Effect::Allow;
    let mut out = Vec::new();
    let (mut some, mut named) = (false, false);
    for condition in statement.conditions() {
        if !LISTING.contains(&&*condition.key_lowercase) {
            named |= condition.key_lowercase.starts_with("aws:requesttag/");
            continue;
        }
        let any_will_do = match &condition.operation {
            Operation::Null(absent) => absent.contains(&Ok(!allows)),
            Operation::Compare { negated, .. } => {
                let asks = match condition.set {
                    Some(SetOperator::ForAllValues) => !allows,
                    Some(SetOperator::ForAnyValue) | None => allows,
                };
                if asks && *negated != allows {
                    out.extend(condition.texts().map(|text| filled(&text)));
                }
                asks && *negated == allows
            }
            Operation::Unknown(_) => false,
        };
        // What else the statement says of the keys may say which.
        if any_will_do && allows {
            let listed = statement.conditions().iter().filter(|other| {
                LISTING.contains(&&*other.key_lowercase)
                    && matches!(&other.operation, Operation::Compare { negated: false, .. })
            });
            out.extend(listed.flat_map(Condition::texts).map(|text| filled(&text)));
        }
        some |= any_will_do;
    }
    if some && !named && out.is_empty() {
        out.push(ANY_TAG.to_owned());
    }
    out
}

/// A text that a pattern matches.
fn filled(pattern: &str) -> String {
    match pattern.replace('*', "").replace('?', "x") {
        empty if empty.is_empty() => ANY_TAG.to_owned(),
        filled => filled,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(condition: &str, expected: &[(&str, Tagged)]) {
        let text = format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":"*","Resource":"*","Condition":{condition}}}]}}"#
        );
        let asked = asked_by(&Policy::parse(&text).unwrap());
        let found: Vec<(&str, Tagged)> =
            asked.iter().map(|asked| (&*asked.name, asked.tagged)).collect();
        assert_eq!(found, expected, "{condition}");
    }

    #[test]
    fn keys_are_found_in_conditions_and_in_variables() {
        check(r#"{"StringEquals":{"aws:PrincipalTag/Team":"a"}}"#, &[("team", Tagged::Principal)]);
        check(r#"{"StringEquals":{"ec2:ResourceTag/Team":"a"}}"#, &[("team", Tagged::Resource)]);
        check(
            r#"{"StringEquals":{"aws:ResourceTag/team":"${aws:PrincipalTag/team}"}}"#,
            &[("team", Tagged::Principal), ("team", Tagged::Resource)],
        );
        check(r#"{"StringEquals":{"aws:RequestTag/team":"a"}}"#, &[("team", Tagged::Request)]);
        check(r#"{"StringEquals":{"aws:SourceVpc":"a"}}"#, &[]);
        let request = |name| [(name, Tagged::Request)];
        check(r#"{"ForAnyValue:StringEquals":{"aws:TagKeys":"App"}}"#, &request("app"));
        check(r#"{"ForAnyValue:StringLike":{"aws:TagKeys":"App-*"}}"#, &request("app-"));
        check(r#"{"Null":{"aws:TagKeys":"false"}}"#, &request(ANY_TAG));
        check(r#"{"ForAllValues:StringEquals":{"aws:TagKeys":"App"}}"#, &[]);
        check(
            r#"{"ForAllValues:StringEquals":{"aws:TagKeys":"App"},"Null":{"aws:TagKeys":"false"}}"#,
            &request("app"),
        );
        check(
            r#"{"StringLike":{"aws:RequestTag/team":"*"},"Null":{"aws:TagKeys":"false"}}"#,
            &request("team"),
        );
        let identity = |tagged| [(SOURCE_IDENTITY, tagged)];
        check(r#"{"Null":{"aws:SourceIdentity":"false"}}"#, &identity(Tagged::Principal));
        check(r#"{"StringLike":{"sts:SourceIdentity":"*"}}"#, &identity(Tagged::Request));
    }
}
