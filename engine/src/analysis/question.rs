//! Questions in the user's words, resolved against the world.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::Models;
use super::selection::Selection;
use crate::answer::AuditQuestion;
use crate::reachability::Goal;
use crate::simulation::called;
use crate::snapshot::{AccountIndex, ObjectId, World};
use crate::technique::GoalCall;

/// Whether all steps of a path share one environment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Environment {
    /// The attacker's network place is the same at every step.
    #[default]
    One,
    /// Each step may have its own.
    PerStep,
}

/// Which of the paths is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Prefer {
    /// The one with the strongest verdict: a longer one without assumptions before a shorter one
    /// with.
    #[default]
    Verdict,
    /// The shortest, whatever it assumes.
    Steps,
}

/// What a question may ask besides its start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// `admin`, `admin@ACCOUNT`, a principal, `ACTION@RESOURCE`, `ACTION@tag:KEY=VALUE`, or
    /// `tag:KEY=VALUE`.
    pub goal: Arc<str>,
    /// Only paths that use each of these actions or techniques.
    pub via: Vec<Arc<str>>,
    /// Only paths that use none of these actions or techniques.
    pub avoid: Vec<Arc<str>>,
    /// Condition keys that are pinned, by name as given; `None` means absent.
    pub assume: BTreeMap<Arc<str>, Option<Arc<str>>>,
    /// Only paths that hold in every environment.
    pub no_assumptions: bool,
    /// Whether all steps share one environment.
    pub environment: Environment,
    /// The most techniques a path may use.
    pub max_steps: Option<usize>,
    /// Whether an audit also asks about starts from outside: `anyone`, and the outside accounts and
    /// identity providers that policies of the snapshot let in.
    pub external: bool,
    /// Which path is shown.
    pub prefer: Prefer,
    /// Which principals an audit is about.
    pub selection: Selection,
}

impl Options {
    /// What an audit with these options asks about every principal.
    pub fn asked(&self) -> AuditQuestion {
        AuditQuestion {
            to: self.goal.clone(),
            via: self.via.clone(),
            avoid: self.avoid.clone(),
            assume: self.assume.clone(),
            no_assumptions: self.no_assumptions,
            environment: match self.environment {
                Environment::One => "one".into(),
                Environment::PerStep => "per-step".into(),
            },
            max_steps: self.max_steps,
            accounts: self.selection.accounts.clone(),
            from_tags: self.selection.tags.iter().cloned().collect(),
            external: self.external,
        }
    }

    /// Whether the way on which a start is first found to get to the goal may be none of those asked
    /// for.
    pub(super) fn asks_for_certain_ways(&self) -> bool {
        !self.via.is_empty() || self.max_steps.is_some() || self.prefer != Prefer::Verdict
    }
}

/// Why a question could not be asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuestionError {
    /// No principal of the snapshot is meant.
    #[error("no principal {0:?} in the snapshot")]
    NoPrincipal(String),
    /// More than one principal is meant.
    #[error("{who:?} could be {first} or {second}: give the ARN")]
    Ambiguous {
        /// As given.
        who: String,
        /// One that fits.
        first: String,
        /// Another.
        second: String,
    },
    /// Neither a principal nor a policy is meant.
    #[error(
        "no principal and no policy {0:?} in the snapshot or among those of AWS that are known"
    )]
    NoSide(String),
    /// No account of the snapshot is meant.
    #[error("no account {0:?} in the snapshot")]
    NoAccount(String),
    /// The accounts that were asked for have no principals.
    #[error("no user or role in the accounts {0}")]
    NobodyThere(String),
    /// No principal has the tags that were asked for.
    #[error("no principal has the tag {0}")]
    NoTagged(String),
    /// No resource has the tag that the goal asks for.
    #[error("no resource that {action} can be about has the tag {tag}")]
    NoTaggedResource {
        /// The action of the goal.
        action: String,
        /// The tag, `KEY=VALUE`.
        tag: String,
    },
    /// The goal is of no form that is known.
    #[error(
        "{0:?} is no goal: give admin, admin@ACCOUNT, a principal's ARN, ACTION@RESOURCE, \
         ACTION@tag:KEY=VALUE, or tag:KEY=VALUE"
    )]
    NoGoal(String),
    /// What begins as an ARN lacks parts of one.
    #[error(
        "{0:?} is no ARN: expected arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE, of which region \
         and account may be empty"
    )]
    NoArn(String),
    /// Not one action.
    #[error("{0:?} is no action: give one, such as iam:PassRole")]
    NoAction(String),
    /// A key cannot be taken to have this value.
    #[error("{key:?} cannot be assumed: {problem}")]
    NotAssumed {
        /// The key, as given.
        key: String,
        /// Why not.
        problem: String,
    },
    /// Two keys cannot be taken to have these values together.
    #[error("{one:?} and {other:?} cannot be assumed together: no request has both as given")]
    NotTogether {
        /// The key, as given.
        one: String,
        /// The other.
        other: String,
    },
    /// No resource of the snapshot is meant.
    #[error("no resource {0:?} in the snapshot: give an ARN, or * for an action that takes none")]
    NoResource(String),
    /// A request is about one resource.
    #[error(
        "{0:?} is a pattern: a request names one resource (`reach --to ACTION@RESOURCE` asks \
         whether some resource would do)"
    )]
    ResourcePattern(String),
    /// A start that stands for many, where one principal is asked for.
    #[error("{0:?} stands for many: give one principal")]
    SymbolicStart(String),
    /// Not an account's id.
    #[error("{0:?}: an account's id has twelve digits")]
    NoAccountId(String),
    /// No identity provider is meant.
    #[error(
        "{0:?}: give an identity provider's ARN, arn:aws:iam::ACCOUNT:oidc-provider/HOST or \
         arn:aws:iam::ACCOUNT:saml-provider/NAME, or the name of one that a role trusts"
    )]
    NoProvider(String),
    /// An action or technique that no technique of the catalogue uses.
    #[error("{0:?} is neither a technique of the catalogue nor an action that one uses")]
    NoTechnique(String),
    /// The catalogue could not be used.
    #[error("{0}")]
    Catalogue(String),
}

/// The principal that `who` means: an ARN, or the end of one principal's ARN (`user/alice`).
/// The kind of the users of IAM Identity Center.
const DIRECTORY_USER: &str = "identitystore:user";

pub(crate) fn principal(world: &World, who: &str) -> Result<ObjectId, QuestionError> {
    if let Some(id) = world.by_arn.get(who)
        && is_principal(world, *id)
    {
        return Ok(*id);
    }
    if who == "anyone" || who.starts_with("federated:") || who.starts_with("account:") {
        return Err(QuestionError::SymbolicStart(who.to_owned()));
    }
    if who.starts_with("arn:") {
        return Err(QuestionError::NoPrincipal(who.to_owned()));
    }
    let mut found: Option<ObjectId> = None;
    for kind in ["iam:user", "iam:role", "opensearch:internal-user"] {
        for id in world.of_kind(kind) {
            let Some(object) = world.objects.get(id.0 as usize) else { continue };
            let whole = object.arn.strip_suffix(who).is_some_and(|rest| rest.ends_with([':', '/']));
            // `user/alice` also means `user/team/alice`.
            let named = who.split_once('/').is_some_and(|(kind, name)| {
                object.arn.contains(&format!(":{kind}/")) && *object.name == *name
            });
            if !whole && !named {
                continue;
            }
            if let Some(first) = found.and_then(|id| world.objects.get(id.0 as usize)) {
                return Err(QuestionError::Ambiguous {
                    who: who.to_owned(),
                    first: first.arn.to_string(),
                    second: object.arn.to_string(),
                });
            }
            found = Some(*id);
        }
    }
    if found.is_none() {
        // What people call a user of IAM Identity Center; its ARN has only an id.
        let name = who.strip_prefix("user/").unwrap_or(who);
        found = world.of_kind(DIRECTORY_USER).iter().copied().find(|id| {
            world.objects.get(id.0 as usize).is_some_and(|object| *object.name == *name)
        });
    }
    found.ok_or_else(|| QuestionError::NoPrincipal(who.to_owned()))
}

fn is_principal(world: &World, id: ObjectId) -> bool {
    world.objects.get(id.0 as usize).is_some_and(|object| {
        matches!(
            &*object.kind,
            "iam:user" | "iam:role" | "opensearch:internal-user" | DIRECTORY_USER
        )
    })
}

/// The goal that `text` means.
///
/// - `models`: show what many actions are about.
pub(crate) fn goal(world: &World, models: &Models, text: &str) -> Result<Goal, QuestionError> {
    if text == "admin" {
        return Ok(Goal::OwnAdministrator);
    }
    if let Some(account) = text.strip_prefix("admin@") {
        let at = world.accounts.iter().position(|known| *known.id == *account);
        let at = at.ok_or_else(|| QuestionError::NoAccount(account.to_owned()))?;
        return Ok(Goal::Administrator(AccountIndex(u32::try_from(at).unwrap_or(u32::MAX))));
    }
    if let Some((key, value)) = tag(text) {
        let call = GoalCall::hold_of_tagged(world, key, value);
        return call.map(Goal::Call).ok_or_else(|| QuestionError::NoTaggedResource {
            action: "a question".to_owned(),
            tag: format!("{key}={value}"),
        });
    }
    if let Some((action, resource)) = text.split_once('@')
        && action.split_once(':').is_some_and(|(service, name)| {
            !service.is_empty() && !name.is_empty() && !action.contains(['/', ' '])
        })
        && !text.starts_with("arn:")
        && !text.starts_with("tag:")
        && !resource.is_empty()
    {
        check_action(action)?;
        if let Some((key, value)) = tag(resource) {
            let call = GoalCall::on_tagged(world, action, key, value);
            return call.map(Goal::Call).ok_or_else(|| QuestionError::NoTaggedResource {
                action: action.to_owned(),
                tag: format!("{key}={value}"),
            });
        }
        let resource = &*resource_called(world, resource)?;
        let rules = models.rules()?;
        return Ok(Goal::Call(GoalCall::new(world, models.kinds(), rules, action, resource)));
    }
    match principal(world, text) {
        Ok(principal) => Ok(Goal::Holds(principal)),
        Err(QuestionError::NoPrincipal(_)) if !text.starts_with("arn:") && !text.contains('/') => {
            Err(QuestionError::NoGoal(text.to_owned()))
        }
        Err(error) => Err(error),
    }
}

/// What a goal's resource means: an ARN, or a pattern of ARNs, stands for itself, and the end of an ARN
/// of the snapshot for that.
fn resource_called<'t>(world: &World, text: &'t str) -> Result<Cow<'t, str>, QuestionError> {
    let start = text.split(['*', '?']).next().unwrap_or_default();
    if start.starts_with("arn:") && !may_be_arn(text) {
        return Err(QuestionError::NoArn(text.to_owned()));
    }
    if start.starts_with("arn:") || (start.len() < text.len() && "arn:".starts_with(start)) {
        return Ok(text.into());
    }
    if start.len() < text.len() {
        return Err(QuestionError::NoResource(text.to_owned()));
    }
    match called(world, text)? {
        Some((_, object)) => Ok(object.arn.to_string().into()),
        None => Err(QuestionError::NoResource(text.to_owned())),
    }
}

/// Whether a text that begins as an ARN has its six parts, or may have them where its first wildcard
/// stands.
///
/// Implements <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html>.
fn may_be_arn(text: &str) -> bool {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let open = parts.last().and_then(|last| last.split_once(['*', '?']));
    let of_word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    parts.len() == 6 || open.is_some_and(|(before, _)| before.bytes().all(of_word))
}

/// That a text is one action, by its full name: no call is of a pattern of actions.
pub(crate) fn check_action(action: &str) -> Result<(), QuestionError> {
    let named = action.split_once(':').is_some_and(|(service, name)| {
        !service.is_empty()
            && !name.is_empty()
            && action.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b':' | b'-' | b'_'))
            && !name.contains(':')
    });
    if named { Ok(()) } else { Err(QuestionError::NoAction(action.to_owned())) }
}

/// Key and value of `tag:KEY=VALUE`. A key may hold no sign of equality here, a value may.
fn tag(text: &str) -> Option<(&str, &str)> {
    text.strip_prefix("tag:")?.split_once('=').filter(|(key, _)| !key.is_empty())
}
