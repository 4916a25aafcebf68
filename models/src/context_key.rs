//! Condition keys: what kind of value each has, where it comes from, and in which requests it is.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// A condition key as AWS documents it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ContextKey {
    /// Its name as AWS writes it; `*` stands for what differs: `aws:PrincipalTag/*`.
    pub name: String,
    /// The type of its values.
    #[serde(rename = "type")]
    pub value_type: ValueType,
    /// Whether a request can carry several values.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub multivalued: bool,
    /// Who decides on its value, where neither the technique's call nor the question says it.
    pub kind: KeyKind,
    /// Whether requests that can carry it do.
    #[serde(default, skip_serializing_if = "Presence::is_maybe")]
    pub presence: Presence,
    /// All values it can have, where AWS lists them; `*` and `?` are wildcards.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
    /// It is absent where one of these keys is in the request.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unless: Vec<String>,
    /// It is absent where none of these keys is in the request.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub with: Vec<String>,
    /// Whether it comes with the credentials of roles alone: it is absent from the requests of users,
    /// and from unsigned ones.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub of_roles: bool,
    /// The key whose value it has: the attacker gives in the request what he is himself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub same_as: Option<String>,
    /// The service principals that give it with the credentials of the sessions that they begin: it is
    /// absent from sessions of a role that trusts none of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub issued_by: Vec<String>,
    /// The attribute of the resource that has its values, where a snapshot shows them: the one that it
    /// has, or for a key that is chosen those that can be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attribute: Option<String>,
    /// Where what `*` stands for is the key of a tag of the resource: the attributes, with their
    /// values, that the resource must have for its tags to count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag_where: Option<BTreeMap<String, String>>,
    /// When it is in the request, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl ContextKey {
    /// Whether it says what the resource is like, and no snapshot shows it: a key of a service's own
    /// that neither caller nor call determine.
    pub fn is_of_resource_alone(&self) -> bool {
        let name = self.name.to_lowercase();
        self.kind == KeyKind::Determined
            && self.presence == Presence::Maybe
            && self.attribute.is_none()
            && self.tag_where.is_none()
            && !name.starts_with("aws:")
            && !name.contains(":resourcetag/")
    }
}

/// The type of a key's values, as
/// <https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html>
/// names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ValueType {
    /// Text.
    String,
    /// An ARN.
    Arn,
    /// `true` or `false`.
    Bool,
    /// A number.
    Number,
    /// A date and time.
    Date,
    /// An IP address.
    Ip,
}

/// Who decides on a key's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyKind {
    /// It follows from principal, resource, call or snapshot.
    Determined,
    /// The caller picks it with the request's parameters.
    Chosen,
    /// The same, and what the call does is limited to it.
    Limiting,
    /// Neither: the caller's network, session or clock.
    Environment,
}

/// Whether a key is in the requests that can carry it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Presence {
    /// In each of them.
    Always,
    /// In some of them.
    #[default]
    Maybe,
    /// In none that a principal makes itself: only in those that services make, or in sessions
    /// that no technique starts.
    Never,
}

impl Presence {
    fn is_maybe(&self) -> bool {
        *self == Self::Maybe
    }
}

/// Whether a request carries a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Availability<'k> {
    /// It can: see the key's presence.
    Carried(&'k ContextKey),
    /// The service's reference lists the action, and the key is not among its keys.
    NotInRequest,
    /// The table has neither the key nor the action.
    Unknown,
}

/// The table of condition keys.
///
/// The global keys are those of
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html>, the
/// services' those of the service authorization reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContextKeys {
    global: Keys,
    services: BTreeMap<String, Service>,
    /// Resource types and the keys each has, by action in lower case: the other resources of a
    /// call are checked without them.
    by_resource: BTreeMap<String, BTreeMap<String, BTreeSet<String>>>,
}

/// Keys by name in lower case. One name has several entries where its kind differs by action.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Keys {
    exact: BTreeMap<String, Vec<Entry>>,
    /// Names with one `*`: what is before it, what is after it.
    patterns: Vec<(String, String, Vec<Entry>)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    key: ContextKey,
    /// Actions in lower case, without the service; empty for all.
    actions: BTreeSet<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Service {
    /// The actions that are covered; `None` for all.
    only: Option<BTreeSet<String>>,
    tags_in_request: BTreeSet<String>,
    resource_tags: BTreeSet<String>,
    keys: Keys,
    /// Each with its actions in lower case, without the service.
    besides: Vec<(BTreeSet<String>, Besides)>,
    /// Likewise.
    key_use: Vec<(BTreeSet<String>, KeyUse)>,
}

/// The permission for the key with which a resource is encrypted, for actions that the service can
/// only carry out if the caller has it. Where the resource names no key it is the service's own,
/// which only principals of the owner's account can use.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct KeyUse {
    /// The permission: `kms:Decrypt`.
    pub permission: String,
    /// The actions, without the service.
    actions: Vec<String>,
    /// The resource's attribute that names the key as the response does.
    pub named_by: String,
    /// Its attribute that is the key, by ARN.
    pub key: String,
    /// The service principal that calls with the caller's permissions.
    pub by: String,
    /// Members of the encryption context whose value is the resource's ARN.
    #[serde(default)]
    pub encryption_context: Vec<String>,
    /// The AWS pages that say so.
    pub references: Vec<String>,
}

/// A permission that a request needs besides that of its action, where it carries one of some keys:
/// to tag what is made, to tag a session.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Besides {
    /// The permission, an action's name: `ec2:CreateTags`.
    pub permission: String,
    /// The keys, as the table has them: `aws:RequestTag/*`.
    pub carrying: Vec<String>,
    /// The actions whose requests need it, without the service.
    actions: Vec<String>,
    /// What it is checked on, where that is not what the action is checked on.
    pub on: Option<String>,
    /// The service whose requests always carry the keys, if it is only about that service's.
    pub by: Option<String>,
    /// The key that then says which action it is for: `ec2:CreateAction`.
    pub says_action: Option<String>,
    /// The AWS pages that say so.
    pub references: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct File {
    global: Vec<ContextKey>,
    services: BTreeMap<String, FileService>,
    by_resource: BTreeMap<String, BTreeMap<String, Vec<String>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct FileService {
    only: Option<Vec<String>>,
    tags_in_request: Vec<String>,
    resource_tags: Vec<String>,
    groups: Vec<FileGroup>,
    #[serde(default)]
    besides: Vec<Besides>,
    #[serde(default)]
    key_use: Vec<KeyUse>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct FileGroup {
    keys: Vec<ContextKey>,
    actions: Vec<String>,
}

impl ContextKeys {
    /// The table that comes with the program. Fails only if the embedded file does not have the
    /// form it should have, which a test rules out.
    pub fn builtin() -> Result<Self, serde_json::Error> {
        let file: File = serde_json::from_str(include_str!("../context-keys.json"))?;
        let mut global = Keys::default();
        for key in file.global {
            global.add(key, &BTreeSet::new());
        }
        let services = file
            .services
            .into_iter()
            .map(|(name, service)| {
                let mut keys = Keys::default();
                for group in service.groups {
                    let actions = lower(group.actions);
                    for key in group.keys {
                        keys.add(key, &actions);
                    }
                }
                let service = Service {
                    only: service.only.map(lower),
                    tags_in_request: lower(service.tags_in_request),
                    resource_tags: lower(service.resource_tags),
                    keys,
                    besides: service
                        .besides
                        .into_iter()
                        .map(|besides| (lower(besides.actions.clone()), besides))
                        .collect(),
                    key_use: service
                        .key_use
                        .into_iter()
                        .map(|key_use| (lower(key_use.actions.clone()), key_use))
                        .collect(),
                };
                (name, service)
            })
            .collect();
        let by_resource = file
            .by_resource
            .into_iter()
            .map(|(action, types)| {
                let types = types.into_iter().map(|(kind, keys)| (kind, lower(keys))).collect();
                (action.to_lowercase(), types)
            })
            .collect();
        Ok(Self { global, services, by_resource })
    }

    /// The key as requests for this action carry it; `None` if they do not, or if the table does
    /// not know. Case matters neither in `action` (`service:Name`) nor in `key`.
    pub fn get(&self, action: &str, key: &str) -> Option<&ContextKey> {
        match self.availability(action, key) {
            Availability::Carried(key) => Some(key),
            Availability::NotInRequest | Availability::Unknown => None,
        }
    }

    /// Whether requests for this action carry the key.
    pub fn availability(&self, action: &str, key: &str) -> Availability<'_> {
        let (action, key) = (lowercase(action), lowercase(key));
        let Some((service_name, name)) = action.split_once(':') else {
            return Availability::Unknown;
        };
        let service = self
            .services
            .get(service_name)
            .filter(|service| service.only.as_ref().is_none_or(|only| only.contains(name)));
        if let Some(found) = service.and_then(|service| service.keys.find(&key, name)) {
            return Availability::Carried(found);
        }
        if let Some(found) = self.global.find(&key, name) {
            let listed = match service {
                None => true,
                Some(service) => match found.name.as_str() {
                    "aws:RequestTag/*" | "aws:TagKeys" => service.tags_in_request.contains(name),
                    "aws:ResourceTag/*" => service.resource_tags.contains(name),
                    _ => true,
                },
            };
            return if listed { Availability::Carried(found) } else { Availability::NotInRequest };
        }
        // A key that nobody documents is not known to be absent: it may be newer than the table.
        let documented = self.services.values().any(|service| service.keys.knows(&key));
        if service.is_some() && documented {
            Availability::NotInRequest
        } else {
            Availability::Unknown
        }
    }

    /// Whether the check of this action on this resource carries the key: calls such as
    /// `ec2:RunInstances` are checked on several resources, each with keys of its own.
    ///
    /// - `resource`: an ARN, of which the type is read.
    pub fn availability_on(&self, action: &str, resource: &str, key: &str) -> Availability<'_> {
        let found = self.availability(action, key);
        let Availability::Carried(context_key) = found else { return found };
        let Some(types) = self.by_resource.get(lowercase(action).as_ref()) else { return found };
        let kind = resource
            .splitn(6, ':')
            .nth(5)
            .and_then(|rest| rest.split(['/', ':']).next())
            .unwrap_or_default();
        let name = context_key.name.to_lowercase();
        let of_some_type = types.values().any(|keys| keys.contains(&name));
        match types.get(kind) {
            Some(keys) if of_some_type && !keys.contains(&name) => Availability::NotInRequest,
            _ => found,
        }
    }

    /// The permissions that requests for this action need besides its own where they carry some
    /// keys.
    ///
    /// - `by`: the service that calls, if one does: of these, those that it always needs.
    pub fn besides(&self, action: &str, by: Option<&str>) -> impl Iterator<Item = &Besides> {
        let action = lowercase(action);
        let (service, name) = action.split_once(':').unwrap_or_default();
        let all = self.services.get(service).map_or(&[][..], |service| &service.besides);
        let (name, by) = (name.to_owned(), by.map(str::to_owned));
        all.iter()
            .filter(move |(actions, besides)| actions.contains(&name) && besides.by == by)
            .map(|(_, besides)| besides)
    }

    /// What a call of this action needs to be able to do with the key of its resource, if it does.
    pub fn key_use(&self, action: &str) -> Option<&KeyUse> {
        let action = lowercase(action);
        let (service, name) = action.split_once(':')?;
        let all = &self.services.get(service)?.key_use;
        all.iter().find(|(actions, _)| actions.contains(name)).map(|(_, key_use)| key_use)
    }

    /// The global key of a name, or of the family that it belongs to.
    pub fn global_named(&self, key: &str) -> Option<&ContextKey> {
        self.global.entries(&lowercase(key)).first().map(|entry| &entry.key)
    }

    /// The keys of a name, or of the families that it belongs to: the global one first, then those of
    /// services, once for each kind of request that they are in.
    pub fn named(&self, key: &str) -> Vec<&ContextKey> {
        let key = lowercase(key);
        let services = self.services.values().map(|service| &service.keys);
        let all = std::iter::once(&self.global).chain(services);
        all.flat_map(|keys| keys.entries(&key)).map(|entry| &entry.key).collect()
    }

    /// Whether a key, by how its name begins, is a global one or one of a service in the table.
    pub fn is_of_aws(&self, key: &str) -> bool {
        let key = lowercase(key);
        let prefix = key.split(':').next().unwrap_or_default();
        prefix == "aws" || self.services.contains_key(prefix)
    }

    /// The global keys, sorted by name in lower case.
    pub fn global(&self) -> impl Iterator<Item = &ContextKey> {
        let mut keys: Vec<(String, &ContextKey)> =
            self.global.all().map(|entry| (entry.key.name.to_lowercase(), &entry.key)).collect();
        keys.sort_by(|a, b| a.0.cmp(&b.0));
        keys.into_iter().map(|(_, key)| key)
    }
}

impl Keys {
    fn add(&mut self, key: ContextKey, actions: &BTreeSet<String>) {
        let name = key.name.to_lowercase();
        let entry = Entry { key, actions: actions.clone() };
        match name.split_once('*') {
            None => self.exact.entry(name).or_default().push(entry),
            Some((before, after)) => {
                match self.patterns.iter_mut().find(|(b, a, _)| b == before && a == after) {
                    Some((.., entries)) => entries.push(entry),
                    None => self.patterns.push((before.to_owned(), after.to_owned(), vec![entry])),
                }
            }
        }
    }

    /// The entries of a key, whatever the action.
    fn entries(&self, key: &str) -> &[Entry] {
        if let Some(entries) = self.exact.get(key) {
            return entries;
        }
        self.patterns
            .iter()
            .filter(|(before, after, _)| {
                key.len() > before.len() + after.len()
                    && key.starts_with(before.as_str())
                    && key.ends_with(after.as_str())
            })
            // The longest text that is fixed is the nearest pattern.
            .max_by_key(|(before, after, _)| before.len() + after.len())
            .map_or(&[], |(.., entries)| entries)
    }

    fn find(&self, key: &str, action: &str) -> Option<&ContextKey> {
        self.entries(key)
            .iter()
            .find(|entry| entry.actions.is_empty() || entry.actions.contains(action))
            .map(|entry| &entry.key)
    }

    fn knows(&self, key: &str) -> bool {
        !self.entries(key).is_empty()
    }

    fn all(&self) -> impl Iterator<Item = &Entry> {
        self.exact
            .values()
            .flatten()
            .chain(self.patterns.iter().flat_map(|(.., entries)| entries.iter()))
    }
}

fn lower(words: Vec<String>) -> BTreeSet<String> {
    words.into_iter().map(|word| word.to_lowercase()).collect()
}

fn lowercase(text: &str) -> Cow<'_, str> {
    if text.bytes().any(|byte| byte.is_ascii_uppercase()) || !text.is_ascii() {
        Cow::Owned(text.to_lowercase())
    } else {
        Cow::Borrowed(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Call, CallOrChoice, Catalogue};

    fn keys() -> ContextKeys {
        ContextKeys::builtin().unwrap()
    }

    fn check(action: &str, key: &str, expected: Option<(KeyKind, Presence)>) {
        let keys = keys();
        let found = keys.get(action, key).map(|key| (key.kind, key.presence));
        assert_eq!(found, expected, "{key} in {action}");
    }

    #[test]
    fn global_keys_are_in_every_request() {
        use {KeyKind::*, Presence::*};
        check("iam:PassRole", "aws:SourceIp", Some((Environment, Always)));
        check("nobody:Knows", "aws:sourceip", Some((Environment, Always)));
        check("s3:GetObject", "aws:PrincipalTag/team", Some((Determined, Maybe)));
        check("s3:GetObject", "aws:MultiFactorAuthPresent", Some((Environment, Maybe)));
        check("s3:GetObject", "aws:CalledVia", Some((Determined, Never)));
        assert_eq!(keys().get("s3:GetObject", "AWS:securetransport").unwrap().values, ["true"]);
    }

    #[test]
    fn a_services_key_is_in_the_requests_that_its_reference_lists() {
        use {KeyKind::*, Presence::*};
        check("iam:PassRole", "iam:PassedToService", Some((Chosen, Always)));
        check("iam:CreateAccessKey", "iam:PassedToService", None);
        check("lambda:CreateEventSourceMapping", "lambda:FunctionArn", Some((Chosen, Always)));
        check("lambda:InvokeFunction", "lambda:FunctionArn", None);
        check(
            "codebuild:StartBuild",
            "codebuild:environment.environmentVariables/A.value",
            Some((Chosen, Maybe)),
        );
        check("kms:Decrypt", "kms:EncryptionContext:AppName", Some((Chosen, Maybe)));
    }

    #[test]
    fn a_boundary_in_the_request_is_chosen_and_one_on_the_target_is_not() {
        use {KeyKind::*, Presence::*};
        check("iam:PutUserPermissionsBoundary", "iam:PermissionsBoundary", Some((Chosen, Maybe)));
        check("iam:PutUserPolicy", "iam:PermissionsBoundary", Some((Determined, Maybe)));
        check("iam:PutGroupPolicy", "iam:PermissionsBoundary", None);
    }

    #[test]
    fn tags_are_in_the_requests_of_actions_that_take_them() {
        let keys = keys();
        assert!(keys.get("iam:CreateRole", "aws:RequestTag/team").is_some());
        assert!(keys.get("iam:AttachRolePolicy", "aws:RequestTag/team").is_none());
        assert!(keys.get("iam:AttachRolePolicy", "aws:ResourceTag/team").is_some());
        assert!(keys.get("iam:AddUserToGroup", "aws:ResourceTag/team").is_none());
    }

    #[test]
    fn what_is_not_documented_is_unknown_and_not_absent() {
        let keys = keys();
        for (action, key, expected) in [
            ("iam:CreateUser", "s3:prefix", Availability::NotInRequest),
            ("iam:CreateUser", "iam:NewerThanThisTable", Availability::Unknown),
            ("nobody:Knows", "s3:prefix", Availability::Unknown),
            ("ec2:AcceptAddressTransfer", "ec2:Vpc", Availability::Unknown),
            ("no action", "s3:prefix", Availability::Unknown),
        ] {
            assert_eq!(keys.availability(action, key), expected, "{key} in {action}");
        }
    }

    #[test]
    fn each_resource_of_a_call_has_its_own_keys() {
        let keys = keys();
        let on = |resource: &str, key: &str| {
            matches!(
                keys.availability_on("ec2:RunInstances", resource, key),
                Availability::Carried(_)
            )
        };
        let instance = "arn:aws:ec2:us-east-1:111111111111:instance/*";
        let image = "arn:aws:ec2:us-east-1::image/ami-1";
        assert!(on(instance, "ec2:InstanceType"));
        assert!(!on(image, "ec2:InstanceType"));
        assert!(on(image, "ec2:Owner"));
        assert!(!on(instance, "ec2:Owner"));
        assert!(on(image, "aws:SourceIp"));
        assert!(on(image, "ec2:Region"));
    }

    #[test]
    fn a_permission_besides_is_for_keys_that_the_action_and_the_permission_carry() {
        let keys = keys();
        let needed = |action: &str| -> Vec<&str> {
            keys.besides(action, None).map(|besides| besides.permission.as_str()).collect()
        };
        assert_eq!(needed("ec2:RunInstances"), ["ec2:CreateTags"]);
        // The tags that EKS Pod Identity sets; others are techniques of their own.
        assert_eq!(needed("sts:AssumeRole"), ["sts:TagSession", "sts:SetSourceIdentity"]);
        assert_eq!(keys.besides("sts:AssumeRole", Some("rolesanywhere.amazonaws.com")).count(), 2);
        assert!(needed("ec2:CreateTags").is_empty());
        for (service, besides) in keys
            .services
            .iter()
            .flat_map(|(name, service)| service.besides.iter().map(move |one| (name, one)))
        {
            let (actions, besides) = besides;
            assert!(!besides.references.is_empty(), "{}", besides.permission);
            for key in &besides.carrying {
                for name in actions.iter().filter(|_| besides.by.is_none()) {
                    let action = format!("{service}:{name}");
                    assert!(keys.get(&action, key).is_some(), "{key} in {action}");
                }
                assert!(keys.get(&besides.permission, key).is_some(), "{key}");
            }
            if let Some(key) = &besides.says_action {
                assert!(keys.get(&besides.permission, key).is_some(), "{key}");
            }
        }
    }

    fn calls(item: &CallOrChoice) -> Vec<&Call> {
        match item {
            CallOrChoice::Call(call) => vec![call],
            CallOrChoice::Choice(choice) => {
                choice.any_of.iter().flat_map(|alternative| &alternative.calls).collect()
            }
        }
    }

    #[test]
    fn every_key_that_a_technique_sets_is_carried_by_the_action() {
        let (keys, catalogue) = (keys(), Catalogue::builtin().unwrap());
        for technique in catalogue.techniques() {
            // What a token says is the issuer's to name.
            let signed = |call: &&Call| call.federated.is_none();
            for call in technique.calls.iter().flat_map(calls).filter(signed) {
                for (key, value) in &call.context {
                    let found = keys.get(&call.action, key);
                    let found = found
                        .unwrap_or_else(|| panic!("{}: {key} in {}", technique.id, call.action));
                    let many = matches!(value, crate::ContextValue::Many(_));
                    assert!(!many || found.multivalued, "{}: {key} has one value", technique.id);
                    let one = matches!(
                        value,
                        crate::ContextValue::One(_) | crate::ContextValue::AnyOf { .. }
                    );
                    assert!(
                        !one || !found.multivalued,
                        "{}: {key} has several values",
                        technique.id
                    );
                }
            }
        }
    }

    #[test]
    fn every_attribute_that_a_key_names_is_in_the_tables() {
        let (keys, kinds) = (keys(), crate::ResourceKinds::builtin().unwrap());
        // The engine makes these of every object, of users and roles.
        let known = |name: &str| {
            matches!(name, "arn" | "name" | "account" | "boundary")
                || kinds.iter().any(|kind| kind.attributes().contains(name))
        };
        for service in keys.services.values() {
            for entry in service.keys.all() {
                let conditions = entry.key.tag_where.iter().flat_map(|where_| where_.keys());
                for name in entry.key.attribute.iter().chain(conditions) {
                    assert!(known(name), "{}: {name}", entry.key.name);
                }
            }
            for (_, key_use) in &service.key_use {
                assert!(known(&key_use.named_by) && known(&key_use.key));
                assert!(!key_use.references.is_empty());
            }
        }
        assert!(keys.key_use("secretsmanager:GetSecretValue").is_some());
        assert!(keys.key_use("secretsmanager:DescribeSecret").is_none());
    }

    #[test]
    fn keys_that_move_together_are_in_the_table() {
        let keys = keys();
        for key in keys.global() {
            for other in key.unless.iter().chain(&key.with) {
                assert!(keys.get("s3:GetObject", other).is_some(), "{} names {other}", key.name);
            }
        }
        assert!(keys.global().count() > 50);
    }
}
