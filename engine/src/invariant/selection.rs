//! Which principals, accounts and resources an invariant is about.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, de};

use super::{Goals, Selected, covers};
use crate::snapshot::{Detail, Object, ObjectId, TAGS_NOT_KNOWN, World};

/// A description of users and roles: every element that is given has to fit, and of an element one
/// of its patterns. Patterns have `*` and `?`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Principals {
    /// ARNs, or what follows the account in them: `user/*`, `role/deploy`.
    #[serde(default)]
    pub principals: Vec<Arc<str>>,
    /// The accounts that they are in, by id or name.
    #[serde(default)]
    pub accounts: Vec<Arc<str>>,
    /// Organizational units, by id or name; the account is anywhere below one of them.
    #[serde(default)]
    pub ou: Vec<Arc<str>>,
    /// Tags with a pattern for the value of each; all of them.
    #[serde(default)]
    pub tags: BTreeMap<Arc<str>, Arc<str>>,
}

impl Principals {
    /// Whether it describes nothing in particular.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A description of accounts, likewise.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accounts {
    /// Ids or names.
    #[serde(default)]
    pub accounts: Vec<Arc<str>>,
    /// Organizational units, by id or name.
    #[serde(default)]
    pub ou: Vec<Arc<str>>,
}

/// A description of resources, likewise.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Things {
    /// ARNs.
    #[serde(default)]
    pub arns: Vec<Arc<str>>,
    /// Kinds, such as `s3:bucket`.
    #[serde(default)]
    pub kinds: Vec<Arc<str>>,
    /// The accounts that they are in, by id or name.
    #[serde(default)]
    pub accounts: Vec<Arc<str>>,
    /// Organizational units, by id or name.
    #[serde(default)]
    pub ou: Vec<Arc<str>>,
    /// Tags with a pattern for the value of each; all of them.
    #[serde(default)]
    pub tags: BTreeMap<Arc<str>, Arc<str>>,
}

/// Where accounts stand.
pub(super) struct Place<'w> {
    world: &'w World,
    /// Ids and names of the organizational units above each account.
    above: BTreeMap<Arc<str>, Vec<Arc<str>>>,
}

impl<'w> Place<'w> {
    pub(super) fn new(world: &'w World) -> Self {
        let mut out = Self { world, above: BTreeMap::new() };
        let Some(organization) = &world.organization else { return out };
        for account in &world.accounts {
            let mut above = organization.service_control_targets(&account.id);
            above.pop();
            let titles: Vec<Arc<str>> =
                above.iter().filter_map(|id| organization.title(id).map(Arc::from)).collect();
            above.extend(titles);
            out.above.insert(account.id.clone(), above);
        }
        out
    }

    pub(super) fn selects_account(
        &self,
        wanted: &Accounts,
        account: &str,
        unknown: &mut Vec<Arc<str>>,
    ) -> bool {
        self.in_account(&wanted.accounts, &wanted.ou, account, unknown)
    }

    /// Whether an account is one of these, by id or name, and below one of these units.
    fn in_account(
        &self,
        accounts: &[Arc<str>],
        units: &[Arc<str>],
        account: &str,
        unknown: &mut Vec<Arc<str>>,
    ) -> bool {
        let organization = self.world.organization.as_ref();
        if !accounts.is_empty() {
            let name = organization.and_then(|organization| organization.title(account));
            if !covers(accounts, account) && !name.is_some_and(|name| covers(accounts, name)) {
                return false;
            }
        }
        if units.is_empty() {
            return true;
        }
        match self.above.get(account) {
            Some(above) if !above.is_empty() => above.iter().any(|unit| covers(units, unit)),
            // The management account's place may be missing as well; of it nothing is known then.
            _ => {
                let why = format!(
                    "where account {account} stands in the organization is not in the snapshot"
                );
                unknown.push(why.into());
                false
            }
        }
    }

    pub(super) fn selects_principal(
        &self,
        wanted: &Principals,
        id: ObjectId,
        unknown: &mut Vec<Arc<str>>,
    ) -> bool {
        let Some(object) = self.world.object(id) else { return false };
        let short = object.arn.splitn(6, ':').nth(5).unwrap_or_default();
        let named = wanted.principals.is_empty()
            || covers(&wanted.principals, &object.arn)
            || covers(&wanted.principals, short);
        named
            && tagged(object, &wanted.tags)
            && self.in_account(&wanted.accounts, &wanted.ou, self.account(object), unknown)
    }

    /// Says which users and roles may be selected that were not listed.
    pub(super) fn not_listed(
        &self,
        wanted: &Principals,
        except: &Principals,
        unknown: &mut Vec<Arc<str>>,
    ) {
        for account in &self.world.accounts {
            let mut aside = Vec::new();
            let is_in = |of: &Principals, aside: &mut Vec<Arc<str>>| {
                self.in_account(&of.accounts, &of.ou, &account.id, aside)
            };
            let whole = except.principals.is_empty() && except.tags.is_empty();
            let excepted = whole && !except.is_empty() && is_in(except, &mut aside);
            if !is_in(wanted, &mut aside) || excepted {
                continue;
            }
            for (kind, word) in [("iam:user", "user/"), ("iam:role", "role/")] {
                let may_name = |pattern: &Arc<str>| {
                    pattern.contains(['*', '?'])
                        && (pattern.starts_with(['*', '?'])
                            || pattern.starts_with("arn:")
                            || pattern.starts_with(word))
                };
                let named = wanted.principals.is_empty() || wanted.principals.iter().any(may_name);
                let missing = account.uncollected.get(&(kind.into(), "global".into()));
                if let (true, Some(why)) = (named, missing) {
                    unknown.push(format!("which {kind} there is besides: {why}").into());
                }
            }
        }
    }

    pub(super) fn selects_thing(
        &self,
        wanted: &Things,
        object: &Object,
        unknown: &mut Vec<Arc<str>>,
    ) -> bool {
        let kind = wanted.kinds.is_empty() || covers(&wanted.kinds, &object.kind);
        if !kind || !self.in_account(&wanted.accounts, &wanted.ou, self.account(object), unknown) {
            return false;
        }
        if matches!(object.detail, Detail::Unlisted(_)) {
            // It stands for those that were not listed; its name says what was not asked.
            if !wanted.kinds.is_empty() {
                unknown.push(format!("{}: {}", object.kind, object.name).into());
            }
            return false;
        }
        if !wanted.arns.is_empty() && !covers(&wanted.arns, &object.arn) {
            return false;
        }
        if let (false, Some(Err(why))) =
            (wanted.tags.is_empty(), object.attributes.get(TAGS_NOT_KNOWN))
            && object.tags.is_empty()
        {
            if !wanted.kinds.is_empty() || !wanted.arns.is_empty() {
                unknown.push(format!("the tags of {}: {why}", object.arn).into());
            }
            return false;
        }
        tagged(object, &wanted.tags)
    }

    fn account(&self, object: &Object) -> &'w str {
        self.world.accounts.get(object.account.0 as usize).map_or("", |account| &account.id)
    }
}

/// Whether an object has all of these tags. Tag keys of IAM are compared without regard to case,
/// those of most services with; a policy that asks for a tag decides by the exact key, and so does
/// this.
fn tagged(object: &Object, wanted: &BTreeMap<Arc<str>, Arc<str>>) -> bool {
    wanted.iter().all(|(key, value)| {
        let pattern = std::slice::from_ref(value);
        object.tags.iter().any(|(known, tag)| known == key && covers(pattern, tag))
    })
}

/// A goal, a list of goals, or a description of goals. Written out, since what derives from an
/// untagged enum says nothing of what is wrong.
impl<'de> Deserialize<'de> for Goals {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reading;
        impl<'de> Visitor<'de> for Reading {
            type Value = Goals;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a goal, a list of goals, or a table that describes goals")
            }

            fn visit_str<E: de::Error>(self, goal: &str) -> Result<Goals, E> {
                Ok(Goals::Several(vec![goal.into()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut goals: A) -> Result<Goals, A::Error> {
                let mut out = Vec::new();
                while let Some(goal) = goals.next_element()? {
                    out.push(goal);
                }
                Ok(Goals::Several(out))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Goals, A::Error> {
                let selected = Selected::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Goals::Selected(Box::new(selected)))
            }
        }
        deserializer.deserialize_any(Reading)
    }
}
