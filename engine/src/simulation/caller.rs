//! Who calls, from the words of the question.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::analysis::QuestionError;
use crate::analysis::principal;
use crate::authorization::{Caller, Input};
use crate::residual::Gap;
use crate::snapshot::{Detail, ObjectId, World};

/// A caller and what the snapshot has of it.
#[derive(Clone, Debug)]
pub(super) struct Who {
    pub(super) caller: Caller,
    /// As the answer names it.
    pub(super) name: Arc<str>,
    /// The user or role behind it, if the snapshot has it.
    pub(super) object: Option<ObjectId>,
    /// Keys that follow from how the question names it, in lower case.
    pub(super) keys: BTreeMap<Arc<str>, Input>,
    /// Why its identity policies are not known, if they are not.
    pub(super) gap: Option<Gap>,
}

impl Who {
    fn new(caller: Caller, name: &str, object: Option<ObjectId>) -> Self {
        Self { caller, name: name.into(), object, keys: BTreeMap::new(), gap: None }
    }

    /// Whom `text` means. Fails if it is of no form that is known, or of an account of the
    /// snapshot that does not have it.
    pub(super) fn find(world: &World, text: &str) -> Result<Self, QuestionError> {
        if matches!(text, "anonymous" | "anyone") {
            return Ok(Self::new(Caller::Anonymous, "anonymous", None));
        }
        if let Some(provider) = text.strip_prefix("federated:") {
            return Ok(Self::new(Caller::Federated(provider.into()), provider, None));
        }
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        let ["arn", _, service, _, account, resource] = *parts.as_slice() else {
            if !text.contains('/') && text.contains(".amazonaws.com") {
                return Ok(Self::new(Caller::Service(text.into()), text, None));
            }
            return Self::of_object(world, principal(world, text)?);
        };
        let (kind, name) = resource.split_once('/').unwrap_or((resource, ""));
        match (service, kind) {
            ("iam", "root") => Ok(Self::new(Caller::Root(text.into()), text, None)),
            ("iam", "saml-provider" | "oidc-provider") => {
                Ok(Self::new(Caller::Federated(text.into()), text, None))
            }
            ("sts", "assumed-role") => Self::session(world, text, account, name),
            ("sts", "federated-user") => {
                let user = named(world, "iam:user", account, name);
                let mut who = Self::new(Caller::FederatedUser(text.into()), text, user);
                if user.is_none() {
                    who.elsewhere(world, account)?;
                }
                Ok(who)
            }
            ("iam", "user" | "role") => match world.find(text) {
                Some(id) => Self::of_object(world, id),
                None => {
                    let caller = match kind {
                        "user" => Caller::User(text.into()),
                        _ => Caller::Role(text.into()),
                    };
                    let mut who = Self::new(caller, text, None);
                    who.elsewhere(world, account)?;
                    Ok(who)
                }
            },
            // An internal user of an OpenSearch domain.
            _ => Self::of_object(world, principal(world, text)?),
        }
    }

    fn of_object(world: &World, id: ObjectId) -> Result<Self, QuestionError> {
        let object = world.object(id);
        let missing = || QuestionError::NoPrincipal(String::new());
        let object = object.ok_or_else(missing)?;
        let arn = object.arn.clone();
        let caller = match &*object.kind {
            "iam:user" => Caller::User(arn.clone()),
            "iam:role" => Caller::Role(arn.clone()),
            "opensearch:internal-user" => Caller::Anonymous,
            _ => return Err(QuestionError::NoPrincipal(arn.to_string())),
        };
        Ok(Self::new(caller, &arn, Some(id)))
    }

    /// A role session, `ROLE/SESSION`. The session's name is part of `aws:userid`.
    fn session(world: &World, arn: &str, account: &str, name: &str) -> Result<Self, QuestionError> {
        let Some((role, session)) = name.split_once('/').filter(|(role, session)| {
            !role.is_empty() && !session.is_empty() && !session.contains('/')
        }) else {
            return Err(QuestionError::NoPrincipal(arn.to_owned()));
        };
        let id = named(world, "iam:role", account, role);
        let object = id.and_then(|id| world.object(id));
        let of = object.map(|object| object.arn.clone());
        let caller = Caller::RoleSession { session: arn.into(), role: of };
        let mut who = Self::new(caller, arn, id);
        match object.map(|object| &object.detail) {
            Some(Detail::Role(role)) => {
                let user_id = format!("{}:{session}", role.unique_id);
                who.keys.insert("aws:userid".into(), Input::One(user_id.into()));
            }
            _ => who.elsewhere(world, account)?,
        }
        Ok(who)
    }

    /// A principal of an account that the snapshot does not have; in one that it has there is none
    /// of this name.
    fn elsewhere(&mut self, world: &World, account: &str) -> Result<(), QuestionError> {
        if world.accounts.iter().any(|known| *known.id == *account) {
            return Err(QuestionError::NoPrincipal(self.name.to_string()));
        }
        let reason = format!(
            "account {account:?} is not in the snapshot: the policies of {:?} are not known",
            self.name
        );
        let gap = Gap(reason.into());
        for key in ["aws:userid", "aws:principalorgid", "aws:principalorgpaths"] {
            self.keys.insert(key.into(), Input::Unknown(gap.clone()));
        }
        if matches!(self.caller, Caller::User(_)) {
            let name = self.name.rsplit('/').next().unwrap_or_default();
            self.keys.insert("aws:username".into(), Input::One(name.into()));
        }
        self.gap = Some(gap);
        Ok(())
    }
}

/// The user or role of this name in the account. Names are unique there, whatever the path.
fn named(world: &World, kind: &str, account: &str, name: &str) -> Option<ObjectId> {
    let prefix = format!(":{account}:");
    world.of_kind(kind).iter().copied().find(|id| {
        world
            .object(*id)
            .is_some_and(|object| *object.name == *name && object.arn.contains(&prefix))
    })
}
