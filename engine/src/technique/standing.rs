//! What tells principals of one account apart besides their own policies: tags and ARNs that the
//! policies of resources and of the organization ask for, being named by one of them.
//!
//! Where an attacker acts as an administrator whom nothing limits, another principal of the account
//! with the same standing gives him nothing, whatever he makes of its policies: every call that it
//! could come to make, the administrator makes alike. So the attacker need not be followed through
//! changing the permissions of everyone in an account that is his already.

use std::collections::BTreeSet;
use std::sync::Arc;

use foldhash::HashMap;

use super::actions::Actions;
use super::index::mapped_in_domains;
use super::rule::Rules;
use super::search::Search;
use super::trusting::Trusted;
use crate::pattern::Pattern;
use crate::policy::{Effect, Policy, Statement, Template, tells_callers_apart};
use crate::snapshot::{
    AccountIndex, Attached, Detail, Object, ObjectId, Organization, OwnPolicy, PolicySource,
    TAGS_NOT_KNOWN, World,
};

/// What tells a principal from others of its kind and account, besides its own policies.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Standing {
    account: AccountIndex,
    kind: Arc<str>,
    mfa: Vec<Arc<str>>,
    /// The tags that are asked for: by key in lower case, with what it has.
    tags: Vec<(Arc<str>, Option<Arc<str>>)>,
}

/// What some policies ask of their callers.
#[derive(Clone, Debug, Default)]
struct Asked {
    /// Keys of the callers' tags, in lower case.
    tags: BTreeSet<Arc<str>>,
    /// Their ARNs: whoever fits one has a standing of its own.
    arns: Vec<Pattern>,
    /// Something else.
    other: bool,
}

impl Asked {
    fn by(&mut self, statement: &Statement) {
        if !tells_callers_apart(statement) {
            return;
        }
        for condition in statement.conditions() {
            match &*condition.key_lowercase {
                "aws:principalarn" => {
                    let patterns: Option<Vec<&Pattern>> =
                        condition.templates().map(Template::fixed).collect();
                    match patterns {
                        Some(patterns) => self.arns.extend(patterns.into_iter().cloned()),
                        None => self.other = true,
                    }
                }
                // The same for all users, and for all roles.
                "aws:principaltype" => {}
                key => self.key(key),
            }
        }
        let variables = statement.templates().flat_map(Template::variables);
        variables.for_each(|variable| self.key(&variable.key));
    }

    fn key(&mut self, key: &str) {
        match key.strip_prefix("aws:principaltag/") {
            Some(tag) => {
                self.tags.insert(tag.into());
            }
            None => self.other |= crate::policy::depends_on_caller(key),
        }
    }
}

/// Whom policies that are not principals' own tell apart.
#[derive(Debug, Default)]
pub(super) struct Standings {
    /// Of every account.
    everywhere: Asked,
    /// Of an account, by id.
    within: HashMap<Arc<str>, Asked>,
    /// Principals that an OpenSearch domain knows.
    mapped: foldhash::HashSet<Arc<str>>,
}

impl Standings {
    pub(super) fn new(world: &World, rules: &Rules, all_apart: bool) -> Self {
        let mut out = Self { mapped: mapped_in_domains(world), ..Self::default() };
        out.everywhere.other = all_apart;
        let policy_of = |id: crate::snapshot::DocumentId| {
            world.documents.get(id.0 as usize)?.policy.as_ref().ok()
        };
        let controls = world.organization.iter().flat_map(Organization::control_documents);
        for policy in controls.filter_map(policy_of) {
            policy.statements().iter().for_each(|statement| out.everywhere.by(statement));
        }
        let rewrites = may_rewrite_trust(world, rules);
        for object in &world.objects {
            let own = match (&object.detail, &object.policy) {
                (Detail::Role(role), _) => role.trust.as_ref().ok().copied(),
                (_, OwnPolicy::Present(document)) => Some(*document),
                _ => None,
            };
            let Some(policy) = own.and_then(policy_of) else { continue };
            if !policy.statements().iter().any(tells_callers_apart) {
                continue;
            }
            let home = world.accounts.get(object.account.0 as usize).map(|account| &account.id);
            let is_role = matches!(object.detail, Detail::Role(_));
            // An administrator of the account lets himself in.
            let rewritten =
                is_role && rewrites.get(object.account.0 as usize).copied().unwrap_or(false);
            let trusted = Trusted::by(policy);
            let mut accounts: BTreeSet<Arc<str>> = trusted.accounts;
            accounts.extend(home.filter(|_| !is_role).cloned());
            if rewritten && let Some(home) = home {
                accounts.remove(home);
            }
            if trusted.everyone {
                policy.statements().iter().for_each(|statement| out.everywhere.by(statement));
            }
            for account in accounts {
                let asked = out.within.entry(account).or_default();
                policy.statements().iter().for_each(|statement| asked.by(statement));
            }
        }
        out
    }
}

/// By account, whether no control policy keeps an administrator from writing trust policies.
fn may_rewrite_trust(world: &World, rules: &Rules) -> Vec<bool> {
    const REWRITE: &str = "iam:updateassumerolepolicy";
    let at = rules.actions.iter().position(|action| &**action == REWRITE);
    let denies = |policy: &Policy| {
        at.is_none_or(|at| Actions::denied_by(policy, rules).contains(at))
            || !policy.statements().iter().any(|one| one.effect() == Effect::Deny)
                && !at.is_none_or(|at| Actions::allowed_by(policy, rules).contains(at))
    };
    world
        .accounts
        .iter()
        .map(|account| {
            let Some(organization) = &world.organization else { return true };
            let levels = organization.service_control_levels(&account.id);
            levels.iter().flatten().all(|document| {
                let policy = world.documents.get(document.0 as usize).map(|one| &one.policy);
                matches!(policy, Some(Ok(policy)) if !denies(policy))
            })
        })
        .collect()
}

impl Search<'_> {
    /// The standing of a user or role. `None` if something tells it from all others, or may.
    pub fn standing(&self, principal: ObjectId) -> Option<Standing> {
        let world = self.ground.world;
        let object = world.object(principal)?;
        let known = self
            .standings
            .get_or_init(|| Standings::new(world, &self.rules, self.index.tells_all_apart()));
        let plain = matches!(object.detail, Detail::User(_) | Detail::Role(_))
            && !object.is_service_linked()
            && !object.attributes.contains_key(TAGS_NOT_KNOWN);
        let account = world.accounts.get(object.account.0 as usize)?;
        let asked = [Some(&known.everywhere), known.within.get(&account.id)];
        let asked = asked.into_iter().flatten();
        if !plain
            || self.index.is_named(&object.arn)
            || known.mapped.contains(&object.arn)
            || asked.clone().any(|asked| {
                asked.other || asked.arns.iter().any(|pattern| pattern.matches(&object.arn))
            })
        {
            return None;
        }
        let keys: BTreeSet<&Arc<str>> = asked.flat_map(|asked| &asked.tags).collect();
        let tag = |key: &Arc<str>| {
            let mut tags = object.tags.iter();
            tags.find(|(own, _)| own.eq_ignore_ascii_case(key)).map(|(_, value)| value.clone())
        };
        Some(Standing {
            account: object.account,
            kind: object.kind.clone(),
            mfa: object.attribute("mfa").unwrap_or_default(),
            tags: keys.into_iter().map(|key| (key.clone(), tag(key))).collect(),
        })
    }

    /// Whether the identity policies of a user or role allow everything and deny nothing, and it has
    /// no boundary.
    pub fn is_unlimited(&self, principal: ObjectId) -> bool {
        let world = self.ground.world;
        let Some(object) = world.object(principal) else { return false };
        let mut policies: Vec<&[Attached]> = Vec::new();
        match &object.detail {
            Detail::User(user) if user.boundary.is_none() => {
                policies.push(&user.policies);
                for group in &user.groups {
                    match world.object(*group).map(|group: &Object| &group.detail) {
                        Some(Detail::Group(of_group)) => policies.push(of_group),
                        _ => return false,
                    }
                }
            }
            Detail::Role(role) if role.boundary.is_none() => policies.push(&role.policies),
            _ => return false,
        }
        let attached = || policies.iter().copied().flatten();
        let managed = |one: &Attached| match &one.source {
            PolicySource::Managed(policy) => Some(*policy),
            _ => None,
        };
        // What is inline or not known may deny.
        attached().all(|one| managed(one).is_some_and(|policy| !self.denies_something(policy)))
            && attached().filter_map(managed).any(|policy| self.allows_everything(policy, None))
    }
}
