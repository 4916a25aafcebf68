//! Facts as text: how a certificate names principals, edits and objects that the attacker has made.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::had::{Had, State};
use crate::authorization::{Edit, Granted, OrganizationEdit};
use crate::residual::Residual;
use crate::snapshot::{AccountIndex, ControlPolicyKind, Detail, Object, ObjectId, OwnPolicy};
use crate::technique::{Delegation, Mandate, NewAs, Search, new_principal};

/// A fact and the environments in which the attacker has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FactText {
    /// What he has.
    pub fact: HadText,
    /// When; without it always.
    #[serde(rename = "if", default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<Residual>,
}

/// [`Had`] with ARNs and names for what it is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum HadText {
    /// See [`Had::Holds`].
    ActsAs {
        /// The principal.
        principal: Arc<str>,
    },
    /// See [`Had::Edited`].
    Edited {
        /// What the edit does, in the words of a technique's gains.
        edit: Arc<str>,
        /// What it is about, in order.
        of: Vec<Arc<str>>,
    },
    /// See [`Had::MayJoin`].
    MayJoin {
        /// The group.
        group: Arc<str>,
    },
    /// See [`Had::Delegated`].
    Delegated {
        /// The role.
        role: Arc<str>,
        /// What the service does.
        actions: Vec<Arc<str>>,
        /// Of these, what it does not do.
        except: Vec<Arc<str>>,
        /// Whose answers are seen; without it all.
        answers: Option<Vec<Arc<str>>>,
        /// Which service makes the calls in a forward access session, if one does.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        via: Option<Arc<str>>,
        /// Through which resource.
        through: Arc<str>,
        /// On which resources; empty: on any.
        resources: Vec<Arc<str>>,
    },
    /// See [`Had::Exists`].
    Exists {
        /// The object.
        object: Arc<str>,
    },
    /// See [`Had::Administers`].
    Administers {
        /// The domain.
        domain: Arc<str>,
    },
    /// See [`Had::IdentityProvider`].
    IdentityProvider {
        /// The account.
        account: Arc<str>,
    },
    /// See [`Had::Administrator`].
    Administrator {
        /// The account.
        account: Arc<str>,
    },
    /// See [`Had::Called`].
    Called,
}

/// An object that the attacker makes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MadeText {
    /// Its kind.
    pub kind: Arc<str>,
    /// Its ARN, or what stands for it.
    pub arn: Arc<str>,
    /// Its account.
    pub account: Arc<str>,
    /// Its region.
    pub region: Option<Arc<str>>,
    /// Its attributes.
    pub attributes: BTreeMap<Arc<str>, Vec<Arc<str>>>,
}

/// Reads and writes the names of one snapshot's things.
pub(super) struct Names<'s, 'w> {
    pub(super) search: &'s Search<'w>,
}

const MADE: &str = "made ";

impl Names<'_, '_> {
    fn first_made(&self) -> u32 {
        self.search.ground.next_made(0).0
    }

    fn object(&self, state: &State, id: ObjectId) -> Arc<str> {
        let ground = &self.search.ground;
        if id.0 >= self.first_made() {
            return format!("{MADE}{}", id.0 - self.first_made()).into();
        }
        let Some(object) = ground.object(&state.made, id) else { return "".into() };
        if ground.world.by_arn.get(&object.arn) == Some(&id) {
            object.arn.clone()
        } else {
            // What stands for buckets that were not listed is called alike in every account.
            let account = self.account(object.account);
            format!("{} {} of {account}", object.kind, object.arn).into()
        }
    }

    fn id(&self, state: &State, text: &str) -> Option<ObjectId> {
        let ground = &self.search.ground;
        if let Some(at) = text.strip_prefix(MADE) {
            let at: usize = at.parse().ok()?;
            return (at < state.made.len()).then(|| ground.next_made(at));
        }
        if let Some(id) = ground.world.by_arn.get(text) {
            return Some(*id);
        }
        let (kind, rest) = text.split_once(' ')?;
        let (arn, account) = rest.rsplit_once(" of ")?;
        let is_it = |object: &Object| {
            *object.kind == *kind
                && *object.arn == *arn
                && *self.account(object.account) == *account
        };
        let mut ids = (0..self.first_made()).map(ObjectId);
        ids.find(|id| ground.object(&[], *id).is_some_and(is_it))
    }

    fn account(&self, account: AccountIndex) -> Arc<str> {
        let accounts = &self.search.ground.world.accounts;
        accounts.get(account.0 as usize).map_or("".into(), |account| account.id.clone())
    }

    fn account_index(&self, text: &str) -> Option<AccountIndex> {
        let accounts = &self.search.ground.world.accounts;
        let at = accounts.iter().position(|account| *account.id == *text)?;
        Some(AccountIndex(u32::try_from(at).ok()?))
    }

    fn granted(&self, granted: Granted) -> Arc<str> {
        let actions = self.search.rules.grants.get(granted.0 as usize);
        actions.map(|actions| actions.join(" ")).unwrap_or_default().into()
    }

    fn granted_of(&self, text: &str) -> Option<Granted> {
        let at = self.search.rules.grants.iter().position(|actions| actions.join(" ") == text)?;
        Some(Granted(u32::try_from(at).ok()?))
    }

    /// A fact in words.
    pub(super) fn text(&self, state: &State, had: &Had) -> HadText {
        let object = |id: &ObjectId| self.object(state, *id);
        match had {
            Had::Holds(principal) => HadText::ActsAs { principal: object(principal) },
            Had::Edited(edit) => {
                let (edit, of) = self.edit_text(state, *edit);
                HadText::Edited { edit: edit.into(), of }
            }
            Had::MayJoin(group) => HadText::MayJoin { group: object(group) },
            Had::Delegated(delegation) => HadText::Delegated {
                role: object(&delegation.role),
                actions: delegation.mandate.actions.clone(),
                except: delegation.mandate.except.clone(),
                answers: delegation.mandate.answers.clone(),
                via: delegation.mandate.via.clone(),
                through: delegation.through.clone(),
                resources: delegation.resources.clone(),
            },
            Had::Exists(made) => HadText::Exists { object: object(made) },
            Had::Administers(domain) => HadText::Administers { domain: object(domain) },
            Had::IdentityProvider(account) => {
                HadText::IdentityProvider { account: self.account(*account) }
            }
            Had::Administrator(account) => {
                HadText::Administrator { account: self.account(*account) }
            }
            Had::Called => HadText::Called,
        }
    }

    fn edit_text(&self, state: &State, edit: Edit) -> (&'static str, Vec<Arc<str>>) {
        let id = |id: ObjectId| self.object(state, id);
        let key = |key| -> Arc<str> {
            self.search.ground.tag_keys().name(key).unwrap_or_default().into()
        };
        match edit {
            Edit::InlinePolicy(of) => ("inline-policy", vec![id(of)]),
            Edit::PolicyText(of) => ("policy-text", vec![id(of)]),
            Edit::DefaultVersion(of, at) => {
                ("default-version", vec![id(of), at.to_string().into()])
            }
            Edit::Attached(of, policy) => ("attached-policy", vec![id(of), id(policy)]),
            Edit::Member(user, group) => ("membership", vec![id(user), id(group)]),
            Edit::Left(user, group) => ("left-group", vec![id(user), id(group)]),
            Edit::TrustPolicy(of) => ("trust-policy", vec![id(of)]),
            Edit::NoBoundary(of) => ("no-boundary", vec![id(of)]),
            Edit::Detached(of, policy) => ("detached-policy", vec![id(of), id(policy)]),
            Edit::ResourcePolicy(of) => ("resource-policy", vec![id(of)]),
            Edit::NoResourcePolicy(of) => ("no-resource-policy", vec![id(of)]),
            Edit::ResourceGrant(of, actions) => {
                ("resource-grant", vec![id(of), self.granted(actions)])
            }
            Edit::Tag(of, of_key) => ("tag", vec![id(of), key(of_key)]),
            Edit::NoTag(of, of_key) => ("no-tag", vec![id(of), key(of_key)]),
            Edit::SessionTag(of, of_key) => ("session-tag", vec![id(of), key(of_key)]),
            Edit::MfaDevice(of) => ("mfa-device", vec![id(of)]),
            Edit::NoMfaDevice(of) => ("no-mfa-device", vec![id(of)]),
            Edit::Organization(edit) => match edit {
                OrganizationEdit::PolicyText(of) => ("control-policy-text", vec![id(of)]),
                OrganizationEdit::PolicyDetached(target, policy) => {
                    ("detached-control-policy", vec![id(target), id(policy)])
                }
                OrganizationEdit::PolicyAttached(target, policy) => {
                    let of = std::iter::once(target).chain(policy);
                    ("attached-control-policy", of.map(id).collect())
                }
                OrganizationEdit::PoliciesOff(kind) => {
                    ("control-policies-off", vec![kind.name().into()])
                }
                OrganizationEdit::Left(account) => {
                    ("left-organization", vec![self.account(account)])
                }
                OrganizationEdit::Moved(account, parent) => {
                    ("moved-account", vec![id(account), id(parent)])
                }
            },
        }
    }

    /// The fact that words stand for; `None` if they name nothing of this snapshot.
    pub(super) fn had(&self, state: &State, text: &HadText) -> Option<Had> {
        let id = |text: &Arc<str>| self.id(state, text);
        Some(match text {
            HadText::ActsAs { principal } => Had::Holds(id(principal)?),
            HadText::Edited { edit, of } => Had::Edited(self.edit(state, edit, of)?),
            HadText::MayJoin { group } => Had::MayJoin(id(group)?),
            HadText::Delegated { role, actions, except, answers, via, through, resources } => {
                Had::Delegated(Delegation {
                    role: id(role)?,
                    mandate: Mandate {
                        actions: actions.clone(),
                        except: except.clone(),
                        answers: answers.clone(),
                        via: via.clone(),
                    },
                    through: through.clone(),
                    resources: resources.clone(),
                })
            }
            HadText::Exists { object } => Had::Exists(id(object)?),
            HadText::Administers { domain } => Had::Administers(id(domain)?),
            HadText::IdentityProvider { account } => {
                Had::IdentityProvider(self.account_index(account)?)
            }
            HadText::Administrator { account } => Had::Administrator(self.account_index(account)?),
            HadText::Called => Had::Called,
        })
    }

    fn edit(&self, state: &State, edit: &str, of: &[Arc<str>]) -> Option<Edit> {
        let first = of.first()?;
        let second = of.get(1);
        let id = || self.id(state, first);
        let other = || self.id(state, second?);
        let key = || self.search.ground.tag_keys().find(second?);
        Some(match edit {
            "inline-policy" => Edit::InlinePolicy(id()?),
            "policy-text" => Edit::PolicyText(id()?),
            "default-version" => Edit::DefaultVersion(id()?, second?.parse().ok()?),
            "attached-policy" => Edit::Attached(id()?, other()?),
            "membership" => Edit::Member(id()?, other()?),
            "left-group" => Edit::Left(id()?, other()?),
            "trust-policy" => Edit::TrustPolicy(id()?),
            "no-boundary" => Edit::NoBoundary(id()?),
            "detached-policy" => Edit::Detached(id()?, other()?),
            "resource-policy" => Edit::ResourcePolicy(id()?),
            "no-resource-policy" => Edit::NoResourcePolicy(id()?),
            "resource-grant" => Edit::ResourceGrant(id()?, self.granted_of(second?)?),
            "tag" => Edit::Tag(id()?, key()?),
            "no-tag" => Edit::NoTag(id()?, key()?),
            "session-tag" => Edit::SessionTag(id()?, key()?),
            "mfa-device" => Edit::MfaDevice(id()?),
            "no-mfa-device" => Edit::NoMfaDevice(id()?),
            "control-policy-text" => Edit::Organization(OrganizationEdit::PolicyText(id()?)),
            "detached-control-policy" => {
                Edit::Organization(OrganizationEdit::PolicyDetached(id()?, other()?))
            }
            "attached-control-policy" => {
                let policy = match second {
                    Some(_) => Some(other()?),
                    None => None,
                };
                Edit::Organization(OrganizationEdit::PolicyAttached(id()?, policy))
            }
            "control-policies-off" => {
                let kinds = [
                    ControlPolicyKind::ServiceControlPolicy,
                    ControlPolicyKind::ResourceControlPolicy,
                ];
                let kind = kinds.into_iter().find(|kind| *kind.name() == **first)?;
                Edit::Organization(OrganizationEdit::PoliciesOff(kind))
            }
            "left-organization" => {
                Edit::Organization(OrganizationEdit::Left(self.account_index(first)?))
            }
            "moved-account" => Edit::Organization(OrganizationEdit::Moved(id()?, other()?)),
            _ => return None,
        })
    }

    /// An object that the attacker makes, in words.
    pub(super) fn made_text(&self, object: &Object) -> MadeText {
        MadeText {
            kind: object.kind.clone(),
            arn: object.arn.clone(),
            account: self.account(object.account),
            region: object.region.clone(),
            attributes: object
                .attributes
                .iter()
                .map(|(name, values)| (name.clone(), values.clone().unwrap_or_default()))
                .collect(),
        }
    }

    /// The object that words describe; `None` if its account is not in the snapshot.
    pub(super) fn made(&self, text: &MadeText) -> Option<Object> {
        let account = self.account_index(&text.account)?;
        if text.kind.starts_with("symbolic:") {
            return None;
        }
        if matches!(&*text.kind, "iam:user" | "iam:role") {
            let find = |arn: &Arc<str>| self.search.ground.world.by_arn.get(arn).copied();
            let new_as = NewAs::read(&text.attributes, find)?;
            return Some(new_principal(&text.kind, text.arn.clone(), account, new_as));
        }
        Some(Object {
            kind: text.kind.clone(),
            arn: text.arn.clone(),
            name: "escalade".into(),
            account,
            region: text.region.clone(),
            attributes: text
                .attributes
                .iter()
                .map(|(name, values)| (name.clone(), Ok(values.clone())))
                .collect(),
            tags: Vec::new(),
            policy: OwnPolicy::Absent,
            detail: Detail::Other,
        })
    }
}
