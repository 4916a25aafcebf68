//! What a call that is asked for needs besides: that the caller may use the key with which its
//! resource is encrypted.

use std::collections::BTreeMap;
use std::sync::Arc;

use escalade_models::KeyUse;

use super::actor::Actor;
use super::check::{Check, input_of};
use super::goal::GoalTarget;
use super::search::Search;
use crate::authorization::{Edits, Input, Resource, View};
use crate::residual::{Gap, Residual};
use crate::snapshot::{Known, Object, ObjectId};

/// What the key of a resource asks of a caller.
pub enum OfKey {
    /// Nothing: there is none that the caller has to be allowed to use.
    Nothing,
    /// To be of the account that owns the resource: the key is the service's own there.
    OwnAccount(Arc<str>),
    /// This permission.
    Permission(Arc<str>, Box<Check>),
    /// Something that the snapshot does not show.
    Unknown(Gap),
}

impl Search<'_> {
    /// What the key of a goal's resource asks of who makes the call.
    ///
    /// Implements <https://docs.aws.amazon.com/secretsmanager/latest/userguide/security-encryption.html>
    /// and <https://docs.aws.amazon.com/secretsmanager/latest/userguide/auth-and-access_examples_cross.html>;
    /// the table of keys names the page for each action.
    pub fn key_of(&self, view: &View<'_, '_>, target: &GoalTarget) -> OfKey {
        let Some(key_use) = self.keys.key_use(&target.action_lowercase) else {
            return OfKey::Nothing;
        };
        let Some(object) = target.object.and_then(|id| view.object(id)) else {
            return OfKey::Nothing;
        };
        let account: Arc<str> = target.account.clone().unwrap_or_default();
        let named = match view.attribute(object, &key_use.named_by) {
            Ok(values) => values.first().cloned(),
            Err(gap) => return OfKey::Unknown(gap),
        };
        let Some(named) = named.filter(|named| !named.contains("alias/aws/")) else {
            return OfKey::OwnAccount(account);
        };
        let found = match found_key(view, object, key_use) {
            Ok(found) => found,
            Err(gap) => return OfKey::Unknown(gap),
        };
        let Some((id, key)) = found.and_then(|id| Some((id, view.object(id)?))) else {
            return OfKey::Unknown(Gap(format!("the key policy of {named} is not known").into()));
        };
        let of_service = view.attribute(key, "manager").unwrap_or_default();
        if of_service.iter().any(|manager| **manager == *"AWS") {
            return OfKey::OwnAccount(account);
        }
        let check = check(key_use, view, target, object, (id, key));
        OfKey::Permission(key_use.permission.as_str().into(), Box::new(check))
    }

    /// The objects whose own policies decide a goal's call: its resource, and the key of that.
    pub fn decisive(&self, target: &GoalTarget) -> impl Iterator<Item = ObjectId> + use<> {
        let edits = Edits::default();
        let view = self.view(&edits, &[]);
        let key = || {
            let key_use = self.keys.key_use(&target.action_lowercase)?;
            found_key(&view, view.object(target.object?)?, key_use).ok()?
        };
        target.object.into_iter().chain(key())
    }

    /// When the caller may use the key of a goal's resource.
    pub(super) fn may_use_key(
        &self,
        actor: &Actor<'_, '_>,
        view: &View<'_, '_>,
        target: &GoalTarget,
    ) -> Residual {
        match self.key_of(view, target) {
            OfKey::Nothing => Residual::True,
            OfKey::OwnAccount(account) => {
                Residual::constant(actor.caller.account() == Some(&*account))
            }
            OfKey::Permission(action, check) => {
                actor.decide(&action, &action.to_lowercase(), &check).authorized()
            }
            OfKey::Unknown(gap) => Residual::Unknown(gap),
        }
    }
}

/// The key of a resource, if the snapshot shows it.
fn found_key(view: &View<'_, '_>, resource: &Object, key_use: &KeyUse) -> Known<Option<ObjectId>> {
    let arns = view.attribute(resource, &key_use.key)?;
    Ok(arns.first().and_then(|arn| view.ground.world.by_arn.get(arn)).copied())
}

/// The check on the key, as the service makes it with the caller's permissions.
fn check(
    key_use: &KeyUse,
    view: &View<'_, '_>,
    target: &GoalTarget,
    object: &Object,
    (id, key): (ObjectId, &Object),
) -> Check {
    let region = key.region.clone().unwrap_or_else(|| "us-east-1".into());
    let service: Arc<str> = key_use.by.as_str().into();
    let via: Arc<str> = match service.split_once('.') {
        Some((name, rest)) => format!("{name}.{region}.{rest}").into(),
        None => service.clone(),
    };
    let mut determined: BTreeMap<Arc<str>, Input> = BTreeMap::from([
        ("kms:viaservice".into(), Input::One(via)),
        ("aws:viaawsservice".into(), Input::One("true".into())),
        ("aws:calledvia".into(), Input::Many(vec![service.clone()])),
        ("aws:calledviafirst".into(), Input::One(service.clone())),
        ("aws:calledvialast".into(), Input::One(service)),
    ]);
    let whole = match &target.resource {
        Resource::Literal(_) => input_of(&target.resource),
        Resource::Template { .. } => Input::One(object.arn.clone()),
    };
    for context in &key_use.encryption_context {
        let name = format!("kms:encryptioncontext:{}", context.to_lowercase());
        determined.insert(name.into(), whole.clone());
    }
    Check {
        resource: Resource::Literal(key.arn.clone()),
        object: Some(id),
        account: view.account_of(key).map(Arc::from),
        region,
        determined: Arc::new(determined),
        ..Check::of_nothing()
    }
}
