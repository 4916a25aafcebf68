//! What is compared: a principal of the snapshot, or a policy.

use std::sync::Arc;

use escalade_models::aws_managed_policies;

use crate::analysis::{Models, QuestionError, principal};
use crate::authorization::{
    CallContext, Context, Edits, Ground, InForce, Origin, Permissions, Pins, View,
};
use crate::policy::Policy;
use crate::residual::Gap;
use crate::snapshot::{Detail, ObjectId, World};
use crate::technique::Check;

/// One side of a comparison.
pub(super) struct Side {
    /// Its ARN.
    pub(super) name: Arc<str>,
    what: What,
}

enum What {
    Principal(ObjectId),
    /// A managed policy of the snapshot.
    Policy(ObjectId),
    /// One that AWS manages and that the snapshot does not list.
    Managed(Result<Policy, Gap>),
}

impl Side {
    /// What `text` means.
    pub(super) fn find(world: &World, text: &str) -> Result<Self, QuestionError> {
        let is_policy = |id: &ObjectId| {
            world
                .objects
                .get(id.0 as usize)
                .is_some_and(|object| matches!(object.detail, Detail::Policy(_)))
        };
        let named: Vec<ObjectId> = match world.by_arn.get(text) {
            Some(id) => vec![*id],
            None => world
                .of_kind("iam:policy")
                .iter()
                .copied()
                .filter(|id| {
                    world.objects.get(id.0 as usize).is_some_and(|object| {
                        *object.name == *text || object.arn.ends_with(&format!(":{text}"))
                    })
                })
                .collect(),
        };
        let named: Vec<ObjectId> = named.into_iter().filter(is_policy).collect();
        let arn = |id: &ObjectId| {
            world.objects.get(id.0 as usize).map_or("".into(), |object| object.arn.clone())
        };
        match named.as_slice() {
            [id] => return Ok(Self { name: arn(id), what: What::Policy(*id) }),
            [one, two, ..] => {
                return Err(QuestionError::Ambiguous {
                    who: text.to_owned(),
                    first: arn(one).to_string(),
                    second: arn(two).to_string(),
                });
            }
            [] => {}
        }
        if let Ok(managed) = aws_managed_policies()
            && let Some(policy) = managed.iter().find(|policy| {
                let arn = policy.arn("aws");
                arn == text || arn.rsplit('/').next() == Some(text)
            })
        {
            let document =
                Policy::parse(policy.document()).map_err(|error| Gap(error.to_string().into()));
            return Ok(Self { name: policy.arn("aws").into(), what: What::Managed(document) });
        }
        match principal(world, text) {
            Ok(id) => Ok(Self { name: arn(&id), what: What::Principal(id) }),
            Err(QuestionError::NoPrincipal(_)) => Err(QuestionError::NoSide(text.to_owned())),
            Err(error) => Err(error),
        }
    }

    /// Its policies.
    pub(super) fn permissions<'a>(
        &'a self,
        ground: &'a Ground<'_>,
        edits: &'a Edits,
    ) -> Permissions<'a> {
        let view = View { ground, made: &[], edits };
        match &self.what {
            What::Principal(id) => {
                Permissions { identity: view.identity(*id), boundary: view.boundary(*id) }
            }
            What::Policy(id) => Permissions {
                identity: view.managed(*id, *id).into_iter().collect(),
                boundary: None,
            },
            What::Managed(policy) => {
                let in_force = InForce {
                    policy: policy.as_ref(),
                    name: &self.name,
                    origin: Origin::Elsewhere,
                };
                Permissions { identity: vec![in_force], boundary: None }
            }
        }
    }

    /// Calls `then` with the condition keys that follow from the principal: of this side, or of the
    /// other where this one is a policy.
    pub(super) fn with_caller<T>(
        &self,
        ground: &Ground<'_>,
        models: &Models,
        edits: &Edits,
        other: &Side,
        then: impl FnOnce(Option<&dyn Context>) -> T,
    ) -> T {
        let view = View { ground, made: &[], edits };
        let principal = match (&self.what, &other.what) {
            (What::Principal(id), _) | (_, What::Principal(id)) => *id,
            _ => return then(None),
        };
        let Some(caller) = view.object(principal).and_then(|object| view.caller(object)) else {
            return then(None);
        };
        let check = Check::of_nothing();
        let pins = Pins::default();
        let context = CallContext {
            keys: models.keys(),
            view,
            action: "*",
            request: "*",
            made_by: None,
            is_there: false,
            caller: &caller,
            principal: Some(principal),
            resource: &check.resource,
            object: None,
            resource_account: None,
            region: &check.region,
            determined: &check.determined,
            pins: &pins,
            of_object: None,
            via: None,
            leave_open: false,
        };
        then(Some(&context))
    }
}
