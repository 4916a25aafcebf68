//! IAM's own objects, from `iam get-account-authorization-details`: users, groups, roles, managed
//! policies and their versions, instance profiles.
//!
//! Implements <https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccountAuthorizationDetails.html>.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde_json::Value;
use serde_json::value::RawValue;

use super::credentials::{CredentialReport, as_count, credentials};
use super::details::{
    AttachedPolicy, Details, GroupDetail, InlinePolicy, PermissionsBoundary, PolicyDetail,
    RoleDetail, Tag, Text, UserDetail, account_of,
};
use super::draft::{AccountDraft, Attributes, References};
use super::files::gap;
use super::response::{Response, ResponseFiles, one_page};
use super::shown_keys::{INACTIVE_KEY_IDS, KEY_IDS};
use super::world::{
    Attached, Detail, DocumentId, Known, ManagedPolicy, PolicySource, Role, TAGS_NOT_KNOWN, User,
};
use crate::residual::{Gap, parse_date};

/// The kinds that the account authorization details list.
pub(super) const KINDS: [&str; 7] = [
    "iam:group",
    "iam:inline-policy",
    "iam:instance-profile",
    "iam:policy",
    "iam:policy-version",
    "iam:role",
    "iam:user",
];

/// Adds the principals and policies of `details` to the account. `shown` is the file, for
/// messages; `files` are the responses beside it, for what the details do not say.
pub(super) fn read_details(
    details: &Details<'_>,
    shown: &str,
    files: &mut ResponseFiles<'_>,
    draft: &mut AccountDraft,
) {
    let whole = !details.is_one_page();
    let lists = [
        ("UserDetailList", details.user_detail_list.is_some(), &["iam:user"][..]),
        ("GroupDetailList", details.group_detail_list.is_some(), &["iam:group"]),
        ("RoleDetailList", details.role_detail_list.is_some(), &["iam:role"]),
        ("Policies", details.policies.is_some(), &["iam:policy", "iam:policy-version"]),
        ("RoleDetailList", details.role_detail_list.is_some(), &["iam:instance-profile"]),
    ];
    for (list, there, kinds) in lists {
        let why = if !there {
            gap(format!("{shown} at /{list}: expected a list, found none"))
        } else if !whole {
            one_page(shown)
        } else {
            continue;
        };
        draft.gaps.push(why.clone());
        for kind in kinds {
            draft.account.uncollected.insert(((*kind).into(), "global".into()), why.clone());
        }
    }

    draft.account.not_before = latest(details);
    let mut reading = Reading { shown, draft };
    for (at, policy) in details.policies.iter().flatten().enumerate() {
        reading.policy(policy, at, files);
    }
    let mut groups: HashMap<&str, Arc<str>> = HashMap::new();
    for (at, group) in details.group_detail_list.iter().flatten().enumerate() {
        if let Some(arn) = reading.group(group, at)
            && let Some(name) = group.group_name.as_deref()
        {
            groups.entry(name).or_insert(arn);
        }
    }
    let report = CredentialReport::read(files);
    for (at, user) in details.user_detail_list.iter().flatten().enumerate() {
        reading.user(user, at, &groups, &report, files);
    }
    let mut profiles = Profiles::new();
    for (at, role) in details.role_detail_list.iter().flatten().enumerate() {
        reading.role(role, at, &mut profiles);
    }
    for (arn, (name, roles)) in profiles {
        let attributes = [("role".into(), Ok(roles))].into();
        draft.add("iam:instance-profile", &arn, &name, attributes, Detail::InstanceProfile(vec![]));
    }
}

/// Instance profiles by ARN: name and roles.
type Profiles = BTreeMap<Arc<str>, (Arc<str>, Vec<Arc<str>>)>;

struct Reading<'a> {
    shown: &'a str,
    draft: &'a mut AccountDraft,
}

impl Reading<'_> {
    fn gap(&mut self, at: &str, problem: &str) -> Gap {
        let why = gap(format!("{} at {at}: {problem}", self.shown));
        self.draft.gaps.push(why.clone());
        why
    }

    /// ARN and name of an entry of a kind. `None`, and a gap, if it has no ARN: then one of that kind
    /// is not listed.
    fn identify<'a>(
        &mut self,
        kind: &str,
        arn: Option<&'a Text<'_>>,
        name: Option<&'a Text<'_>>,
        at: &str,
    ) -> Option<(&'a str, &'a str)> {
        let Some(arn) = arn.filter(|arn| arn.starts_with("arn:")) else {
            let why = self.gap(at, "expected an ARN at Arn, left out");
            let place = (kind.into(), "global".into());
            self.draft.account.uncollected.entry(place).or_insert(why);
            return None;
        };
        if let Some(account) = account_of(arn)
            && account != &*self.draft.account.id
        {
            // What lies in an account that is loaded by itself is not missing.
            if !self.draft.others.contains(account) {
                self.gap(at, &format!("expected an ARN of this account, left out {:?}", &**arn));
            }
            return None;
        }
        let name = match name {
            Some(name) => name,
            None => arn.rsplit('/').next().unwrap_or(arn),
        };
        Some((arn, name))
    }

    fn document(&mut self, raw: Option<&RawValue>, at: &str, member: &str) -> Known<DocumentId> {
        let shown = self.shown;
        match raw {
            Some(raw) => {
                Ok(self.draft.documents.intern(raw.get(), || format!("{shown} at {at}/{member}")))
            }
            None => Err(self.gap(&format!("{at}/{member}"), "expected a policy document")),
        }
    }

    /// Inline and managed policies of `owner`, and an object for each inline policy that denies.
    fn policies(
        &mut self,
        owner: &str,
        inline: Option<&[InlinePolicy<'_>]>,
        inline_member: &str,
        attached: Option<&[AttachedPolicy<'_>]>,
        at: &str,
    ) -> Vec<Attached> {
        let inline = inline.unwrap_or_default();
        let attached = attached.unwrap_or_default();
        let mut out = Vec::with_capacity(inline.len() + attached.len());
        for (index, policy) in inline.iter().enumerate() {
            let here = format!("{at}/{inline_member}/{index}");
            let name = policy.policy_name.as_deref().unwrap_or_default();
            let document = match self.document(policy.policy_document, &here, "PolicyDocument") {
                Ok(document) => document,
                Err(why) => self.draft.documents.missing(why),
            };
            if self.draft.documents.denies(document) {
                let of = self.draft.texts.share(owner);
                let truth = self.draft.texts.share("true");
                let attributes =
                    [("denies".into(), Ok(vec![truth])), ("of".into(), Ok(vec![of]))].into();
                let arn = format!("{owner}#inline/{name}");
                self.draft.add("iam:inline-policy", &arn, name, attributes, Detail::Other);
            }
            out.push(Attached {
                source: PolicySource::Inline(self.draft.texts.share(name)),
                inline: Some(document),
            });
        }
        for (index, policy) in attached.iter().enumerate() {
            let arn = match policy.policy_arn.as_deref() {
                Some(arn) => self.draft.texts.share(arn),
                None => {
                    let here = format!("{at}/AttachedManagedPolicies/{index}/PolicyArn");
                    self.gap(&here, "expected an ARN").0
                }
            };
            out.push(Attached { source: PolicySource::Missing(arn), inline: None });
        }
        out
    }

    fn boundary(
        &mut self,
        boundary: Option<&PermissionsBoundary<'_>>,
        at: &str,
    ) -> Option<PolicySource> {
        let boundary = boundary?;
        let arn = match boundary.permissions_boundary_arn.as_deref() {
            Some(arn) => self.draft.texts.share(arn),
            None => {
                let here = format!("{at}/PermissionsBoundary/PermissionsBoundaryArn");
                self.gap(&here, "expected an ARN").0
            }
        };
        Some(PolicySource::Missing(arn))
    }

    fn tags(&mut self, tags: Option<&[Tag<'_>]>, at: &str) -> Vec<(Arc<str>, Arc<str>)> {
        let mut out: Vec<(Arc<str>, Arc<str>)> = Vec::new();
        for (index, tag) in tags.unwrap_or_default().iter().enumerate() {
            match tag.key.as_deref() {
                Some(key) => {
                    let value = tag.value.as_deref().unwrap_or_default();
                    let texts = &mut self.draft.texts;
                    out.push((texts.share(key), texts.share(value)));
                }
                None => {
                    self.gap(&format!("{at}/Tags/{index}/Key"), "expected a text, left out");
                }
            }
        }
        out.sort();
        out
    }

    /// One of the attributes that are `"true"` or have no value.
    fn flag(&mut self, is_so: bool) -> Known<Vec<Arc<str>>> {
        Ok(if is_so { vec![self.draft.texts.share("true")] } else { Vec::new() })
    }

    fn text(&mut self, text: &str) -> Known<Vec<Arc<str>>> {
        Ok(vec![self.draft.texts.share(text)])
    }

    fn user(
        &mut self,
        user: &UserDetail<'_>,
        index: usize,
        groups: &HashMap<&str, Arc<str>>,
        report: &CredentialReport,
        files: &mut ResponseFiles<'_>,
    ) {
        let at = format!("/UserDetailList/{index}");
        let Some((arn, name)) =
            self.identify("iam:user", user.arn.as_ref(), user.user_name.as_ref(), &at)
        else {
            return;
        };
        let mut policies = self.policies(
            arn,
            user.user_policy_list.as_deref(),
            "UserPolicyList",
            user.attached_managed_policies.as_deref(),
            &at,
        );
        let mut member_of = Vec::new();
        for (index, group) in user.group_list.iter().flatten().enumerate() {
            match groups.get(&**group) {
                Some(arn) => member_of.push(arn.clone()),
                None => {
                    // What the group allows or denies is not known: as if the user had a managed
                    // policy that is not there.
                    let here = format!("{at}/GroupList/{index}");
                    let problem = format!("no group {:?} in GroupDetailList", &**group);
                    let why = self.gap(&here, &problem);
                    policies.push(Attached { source: PolicySource::Missing(why.0), inline: None });
                }
            }
        }
        let boundary = self.boundary(user.permissions_boundary.as_ref(), &at);
        let tags = self.tags(user.tags.as_deref(), &at);
        let credentials = credentials(name, report, files);
        let access_keys =
            as_count(&credentials.access_keys).map(|count| vec![self.draft.texts.share(&count)]);
        let login_profile = credentials.login_profile.clone().and_then(|has| self.flag(has));
        let share = |ids: Vec<String>| ids.iter().map(|id| self.draft.texts.share(id)).collect();
        let key_ids: Known<Vec<Arc<str>>> = credentials.key_ids.clone().map(share);
        let mfa = credentials.mfa.and_then(|has| self.flag(has));
        let inactive = credentials.inactive_key_ids;
        let mut attributes: Attributes = [
            ("access-keys".into(), access_keys),
            (KEY_IDS.into(), key_ids),
            ("login-profile".into(), login_profile),
            ("mfa".into(), mfa),
            ("path".into(), self.text(user.path.as_deref().unwrap_or("/"))),
        ]
        .into();
        if !inactive.is_empty() {
            let ids = inactive.iter().map(|id| self.draft.texts.share(id)).collect();
            attributes.insert(INACTIVE_KEY_IDS.into(), Ok(ids));
        }
        let detail = Detail::User(Box::new(User {
            unique_id: user.user_id.as_deref().unwrap_or_default().into(),
            policies,
            groups: Vec::new(),
            boundary,
            access_keys: credentials.access_keys,
            login_profile: credentials.login_profile,
        }));
        let added = self.draft.add("iam:user", arn, name, attributes, detail);
        added.object.tags = tags;
        added.refers_to = References::Groups(member_of);
    }

    fn group(&mut self, group: &GroupDetail<'_>, index: usize) -> Option<Arc<str>> {
        let at = format!("/GroupDetailList/{index}");
        let (arn, name) =
            self.identify("iam:group", group.arn.as_ref(), group.group_name.as_ref(), &at)?;
        let policies = self.policies(
            arn,
            group.group_policy_list.as_deref(),
            "GroupPolicyList",
            group.attached_managed_policies.as_deref(),
            &at,
        );
        let path = self.text(group.path.as_deref().unwrap_or("/"));
        let attributes = [("path".into(), path)].into();
        let added = self.draft.add("iam:group", arn, name, attributes, Detail::Group(policies));
        Some(added.object.arn.clone())
    }

    fn role(&mut self, role: &RoleDetail<'_>, index: usize, profiles: &mut Profiles) {
        let at = format!("/RoleDetailList/{index}");
        let Some((arn, name)) =
            self.identify("iam:role", role.arn.as_ref(), role.role_name.as_ref(), &at)
        else {
            return;
        };
        let trust =
            self.document(role.assume_role_policy_document, &at, "AssumeRolePolicyDocument");
        let policies = self.policies(
            arn,
            role.role_policy_list.as_deref(),
            "RolePolicyList",
            role.attached_managed_policies.as_deref(),
            &at,
        );
        let boundary = self.boundary(role.permissions_boundary.as_ref(), &at);
        let tags = self.tags(role.tags.as_deref(), &at);
        let mut in_profiles = Vec::new();
        for (index, profile) in role.instance_profile_list.iter().flatten().enumerate() {
            let here = format!("{at}/InstanceProfileList/{index}");
            let name = profile.instance_profile_name.as_ref();
            if let Some((profile_arn, name)) =
                self.identify("iam:instance-profile", profile.arn.as_ref(), name, &here)
            {
                let profile_arn: Arc<str> = profile_arn.into();
                let (_, roles) = profiles
                    .entry(profile_arn.clone())
                    .or_insert_with(|| (name.into(), Vec::new()));
                roles.push(arn.into());
                in_profiles.push(profile_arn);
            }
        }
        let path = role.path.as_deref().unwrap_or("/");
        let attributes: Attributes = [
            ("path".into(), self.text(path)),
            ("service-linked".into(), self.flag(path.starts_with("/aws-service-role/"))),
            ("sso-reserved".into(), self.flag(path.starts_with("/aws-reserved/"))),
        ]
        .into();
        let detail = Detail::Role(Box::new(Role {
            unique_id: role.role_id.as_deref().unwrap_or_default().into(),
            trust,
            policies,
            boundary,
            profiles: Vec::new(),
        }));
        let added = self.draft.add("iam:role", arn, name, attributes, detail);
        added.object.tags = tags;
        added.refers_to = References::Profiles(in_profiles);
    }

    fn policy(&mut self, policy: &PolicyDetail<'_>, index: usize, files: &mut ResponseFiles<'_>) {
        let at = format!("/Policies/{index}");
        let aws_managed = policy.arn.as_deref().is_some_and(is_aws_managed);
        let Some((arn, name)) =
            self.identify("iam:policy", policy.arn.as_ref(), policy.policy_name.as_ref(), &at)
        else {
            return;
        };
        let mut versions: Vec<(Arc<str>, DocumentId)> = Vec::new();
        let mut default = None;
        let named = policy.default_version_id.as_deref();
        for (index, version) in policy.policy_version_list.iter().flatten().enumerate() {
            let here = format!("{at}/PolicyVersionList/{index}");
            let id = version.version_id.as_deref().unwrap_or_default();
            let document = match self.document(version.document, &here, "Document") {
                Ok(document) => document,
                Err(why) => self.draft.documents.missing(why),
            };
            if version.is_default_version == Some(true) || (named.is_some() && named == Some(id)) {
                match default {
                    None => default = Some(versions.len()),
                    Some(_) => {
                        self.gap(&here, "a second default version, the first counts");
                    }
                }
            }
            versions.push((self.draft.texts.share(id), document));
        }
        let default = default.unwrap_or_else(|| {
            let why = self.gap(&at, "the default version is not in PolicyVersionList");
            let document = self.draft.documents.missing(why);
            versions.push((named.unwrap_or_default().into(), document));
            versions.len() - 1
        });
        let denies = versions
            .get(default)
            .is_some_and(|(_, document)| self.draft.documents.denies(*document));
        let attributes: Attributes = [
            ("aws-managed".into(), self.flag(aws_managed)),
            ("denies".into(), self.flag(denies)),
            ("path".into(), self.text(policy.path.as_deref().unwrap_or("/"))),
            ("versions".into(), self.text(&versions.len().to_string())),
        ]
        .into();
        if !aws_managed {
            let policy_arn = self.draft.texts.share(arn);
            for (at, (id, _)) in versions.iter().enumerate() {
                if at == default {
                    continue;
                }
                let attributes = [
                    ("policy".into(), Ok(vec![policy_arn.clone()])),
                    ("version".into(), Ok(vec![id.clone()])),
                ]
                .into();
                let arn = format!("{arn}#{id}");
                self.draft.add("iam:policy-version", &arn, id, attributes, Detail::Other);
            }
        }
        let mut attributes = attributes;
        let tags = match policy.tags.as_deref() {
            None if !aws_managed => {
                let tags = self.policy_tags(arn, name, files);
                if let Err(why) = &tags {
                    let name = self.draft.texts.share(TAGS_NOT_KNOWN);
                    attributes.insert(name, Err(why.clone()));
                }
                tags.unwrap_or_default()
            }
            tags => self.tags(tags, &at),
        };
        let detail = Detail::Policy(Box::new(ManagedPolicy { versions, default, aws_managed }));
        self.draft.add("iam:policy", arn, name, attributes, detail).object.tags = tags;
    }

    /// The tags of a managed policy, which the authorization details leave out.
    ///
    /// Implements <https://docs.aws.amazon.com/IAM/latest/APIReference/API_ManagedPolicyDetail.html>
    /// and <https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListPolicyTags.html>.
    fn policy_tags(
        &mut self,
        arn: &str,
        name: &str,
        files: &mut ResponseFiles<'_>,
    ) -> Known<Vec<(Arc<str>, Arc<str>)>> {
        let commands = [arn, name].map(|name| format!("iam/list-policy-tags/{name}"));
        let Some(command) = commands.iter().find(|command| files.is_there(command)) else {
            // Said alike of all, so that they count as alike.
            let place = files.place("iam/list-policy-tags");
            let place = place.trim_end_matches(".json");
            return Err(gap(format!("{place} was not asked for each")));
        };
        let place = files.place(command);
        match files.read_once(command) {
            Response::Content(content) => {
                let tags = content.get("Tags").and_then(Value::as_array);
                let tags = tags.ok_or_else(|| gap(format!("{place} at /Tags: expected a list")))?;
                let mut out: Vec<(Arc<str>, Arc<str>)> = Vec::new();
                for (index, tag) in tags.iter().enumerate() {
                    let [key, value] =
                        ["Key", "Value"].map(|member| tag.get(member).and_then(Value::as_str));
                    let (Some(key), Some(value)) = (key, value) else {
                        return Err(gap(format!("{place} at /Tags/{index}: expected a tag")));
                    };
                    let texts = &mut self.draft.texts;
                    out.push((texts.share(key), texts.share(value)));
                }
                out.sort();
                Ok(out)
            }
            Response::Absent => Ok(Vec::new()),
            Response::Unknown(why) => Err(why),
        }
    }
}

/// Whether an ARN is of a policy that AWS owns: its account is `aws`.
pub(super) fn is_aws_managed(arn: &str) -> bool {
    arn.split(':').nth(4) == Some("aws")
}

/// The latest time at which a user or role was created. Times of one form sort as texts, so only the
/// last one is read as a time.
fn latest(details: &Details<'_>) -> Option<i64> {
    let users = details.user_detail_list.iter().flatten().map(|user| &user.create_date);
    let roles = details.role_detail_list.iter().flatten().map(|role| &role.create_date);
    let last = users.chain(roles).flatten().map(|text| &**text).max()?;
    parse_date(last)
}
