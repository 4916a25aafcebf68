//! What objects are like in the edited world: their attributes and tags.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::edits::{TagEdit, tag_variable};
use super::tag_keys::SOURCE_IDENTITY;
use super::view::View;
use super::{Input, TagKey};
use crate::policy::{Effect, Policy, Principal};
use crate::residual::Gap;
use crate::snapshot::{
    Attached, Detail, Known, Object, ObjectId, PolicySource, Role, TAGS_NOT_KNOWN,
};

impl View<'_, '_> {
    /// The values of an attribute, empty if the object has none: what a loader took from the
    /// responses, the name, and for IAM's own kinds what they are connected with.
    pub fn attribute(&self, object: &Object, name: &str) -> Known<Vec<Arc<str>>> {
        let arn = |id: &ObjectId| self.object(*id).map(|object| object.arn.clone());
        let managed = |policies: &[Attached]| -> Vec<Arc<str>> {
            policies
                .iter()
                .filter_map(|attached| match &attached.source {
                    PolicySource::Managed(policy) => arn(policy),
                    PolicySource::Missing(arn) => Some(arn.clone()),
                    PolicySource::Inline(_) => None,
                })
                .collect()
        };
        let boundary = |boundary: &Option<PolicySource>| -> Vec<Arc<str>> {
            match boundary {
                Some(PolicySource::Managed(policy)) => arn(policy).into_iter().collect(),
                Some(PolicySource::Missing(arn)) => vec![arn.clone()],
                Some(PolicySource::Inline(_)) | None => Vec::new(),
            }
        };
        Ok(match (name, &object.detail) {
            ("policies", Detail::User(user)) => managed(&user.policies),
            ("policies", Detail::Role(role)) => managed(&role.policies),
            ("policies", Detail::Group(policies)) => managed(policies),
            ("groups", Detail::User(user)) => user.groups.iter().filter_map(arn).collect(),
            ("boundary", Detail::User(user)) => boundary(&user.boundary),
            ("boundary", Detail::Role(role)) => boundary(&role.boundary),
            ("administrator" | "asked-as-boundary", Detail::Policy(_)) => {
                let world = self.ground.world;
                let is_so = |id: &ObjectId| match name {
                    "administrator" => {
                        world.managed_policy(*id, None).is_some_and(Policy::is_administrator)
                    }
                    _ => self.ground.asked_boundaries.contains(id),
                };
                let found = world.by_arn.get(&object.arn).filter(|id| is_so(id));
                found.map(|_| "true".into()).into_iter().collect()
            }
            ("denies", Detail::Group(policies)) => {
                let denies = policies.iter().any(|attached| {
                    let in_force = match (&attached.source, attached.inline) {
                        (PolicySource::Inline(_), Some(document)) => self.document(document).ok(),
                        (source, _) => self.source_policy(source),
                    };
                    in_force.is_some_and(Policy::has_deny)
                });
                if denies { vec!["true".into()] } else { Vec::new() }
            }
            ("mfa", Detail::User(_))
                if !self.edits.no_mfa.is_empty()
                    && self
                        .ground
                        .world
                        .by_arn
                        .get(&object.arn)
                        .is_some_and(|id| self.edits.no_mfa.contains(id)) =>
            {
                Vec::new()
            }
            ("inline-policies", Detail::Role(role)) => {
                let inline = |attached: &Attached| match &attached.source {
                    PolicySource::Inline(name) => Some(name.clone()),
                    PolicySource::Managed(_) | PolicySource::Missing(_) => None,
                };
                role.policies.iter().filter_map(inline).collect()
            }
            ("profiles", Detail::Role(role)) => role.profiles.iter().filter_map(arn).collect(),
            ("absent-saml-provider", Detail::Role(role)) => {
                return self.absent_saml_providers(object, role);
            }
            ("oidc-providers", Detail::Role(role)) => return self.oidc_providers(object, role),
            ("arn", _) => vec![object.arn.clone()],
            ("account", _) => self.account_of(object).map(Arc::from).into_iter().collect(),
            _ => return object.attribute(name),
        })
    }

    /// The identity providers of its own account that a role trusts, of one kind.
    fn trusted_providers(
        &self,
        object: &Object,
        role: &Role,
        kind: &str,
    ) -> Known<BTreeSet<Arc<str>>> {
        let trust = self.document(*role.trust.as_ref().map_err(Gap::clone)?).map_err(Gap::clone)?;
        let of_account = format!(":iam::{}:{kind}/", self.account_of(object).unwrap_or(""));
        Ok(trust
            .statements()
            .iter()
            .filter_map(|statement| statement.principals())
            .flat_map(|principals| principals.named.iter())
            .filter_map(|principal| match principal {
                Principal::Federated(arn) if arn.contains(&of_account) => Some(Arc::from(&**arn)),
                _ => None,
            })
            .collect())
    }

    /// What is missing if objects of a kind of IAM's were not listed in an object's account.
    fn not_listed(&self, object: &Object, kind: &str) -> Option<&Gap> {
        let account = self.ground.world.accounts.get(object.account.0 as usize)?;
        account.uncollected.get(&(kind.into(), "global".into()))
    }

    /// The SAML providers that a role trusts and that are not there.
    fn absent_saml_providers(&self, object: &Object, role: &Role) -> Known<Vec<Arc<str>>> {
        let mut absent = self.trusted_providers(object, role, "saml-provider")?;
        absent.retain(|arn| !self.ground.world.by_arn.contains_key(arn));
        match self.not_listed(object, "iam:saml-provider") {
            Some(gap) if !absent.is_empty() => Err(gap.clone()),
            _ => Ok(absent.into_iter().collect()),
        }
    }

    /// The OpenID Connect providers that a role trusts, without those that are known not to be
    /// there.
    fn oidc_providers(&self, object: &Object, role: &Role) -> Known<Vec<Arc<str>>> {
        let mut there = self.trusted_providers(object, role, "oidc-provider")?;
        if self.not_listed(object, "iam:oidc-provider").is_none() {
            there.retain(|arn| self.ground.world.by_arn.contains_key(arn));
        }
        Ok(there.into_iter().collect())
    }

    /// Whether a role trusts an identity provider whose ARN begins so.
    pub fn trusts_provider(&self, role: ObjectId, start: &str) -> bool {
        let Some(object) = self.object(role) else { return false };
        let Detail::Role(detail) = &object.detail else { return false };
        ["saml-provider", "oidc-provider"].into_iter().any(|kind| {
            self.trusted_providers(object, detail, kind)
                .is_ok_and(|providers| providers.iter().any(|arn| arn.starts_with(start)))
        })
    }

    /// Whether a role's trust policy, as it is in the snapshot, allows an action, in lower case, to
    /// somebody; one that is not known may.
    ///
    /// Implements "Permissions required" of
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_session-tags.html> and of
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_temp_control-access_monitor.html>.
    pub fn lets_in_for(&self, role: &Object, action: &str) -> bool {
        let Detail::Role(detail) = &role.detail else { return false };
        let trust = detail.trust.as_ref().ok().and_then(|at| self.document(*at).ok());
        trust.is_none_or(|trust| {
            trust.statements().iter().any(|statement| {
                statement.effect() == Effect::Allow && statement.matches_action(action)
            })
        })
    }

    /// Whether a role's trust policy, as it is in the snapshot, lets in some identity provider.
    pub fn lets_in_providers(&self, role: &Object) -> bool {
        let Detail::Role(detail) = &role.detail else { return false };
        let trust = detail.trust.as_ref().ok().and_then(|at| self.document(*at).ok());
        let named = trust.into_iter().flat_map(Policy::statements).filter_map(|statement| {
            statement.principals().filter(|_| statement.effect() == Effect::Allow)
        });
        named
            .flat_map(|element| &element.named)
            .any(|principal| matches!(principal, Principal::Federated(_)))
    }

    /// The value of an object's tag as it now stands; unknown where its tags were not collected.
    ///
    /// - `key`: in lower case; tag keys in condition keys are compared without regard to case.
    pub fn tag(&self, id: ObjectId, object: &Object, key: &str) -> Input {
        if let Some(at) = self.ground.tag_keys.find(key) {
            match self.edits.tags.get(&(id, at)) {
                Some(TagEdit::Chosen) => return self.chosen_tag(object, at, false),
                Some(TagEdit::Gone) => return Input::Absent,
                None => {}
            }
        }
        let mut tags = object.tags.iter();
        let known =
            tags.find(|(own, _)| own.eq_ignore_ascii_case(key) || own.to_lowercase() == key);
        match (known, object.attributes.get(TAGS_NOT_KNOWN)) {
            (Some((_, value)), _) => Input::One(value.clone()),
            (None, Some(Err(gap))) => Input::Unknown(gap.clone()),
            (None, _) => Input::Absent,
        }
    }

    /// The value of a tag of a principal: what its session was given comes before its own.
    pub fn principal_tag(&self, id: ObjectId, object: &Object, key: &str) -> Input {
        match self.ground.tag_keys.find(key) {
            Some(at) if self.edits.session_tags.contains(&(id, at)) => {
                self.chosen_tag(object, at, true)
            }
            _ => self.tag(id, object, key),
        }
    }

    /// The source identity of a principal's session.
    ///
    /// Implements <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_temp_control-access_monitor.html>.
    pub fn source_identity(&self, id: ObjectId, object: &Object) -> Input {
        match self.ground.tag_keys.find(SOURCE_IDENTITY) {
            Some(at) if self.edits.session_tags.contains(&(id, at)) => {
                self.chosen_tag(object, at, true)
            }
            _ => Input::Absent,
        }
    }

    fn chosen_tag(&self, object: &Object, key: TagKey, session: bool) -> Input {
        let name = self.ground.tag_keys.name(key).unwrap_or_default();
        let variable = tag_variable(&object.arn, name, session);
        Input::Free { variable, certain: true }
    }
}
