//! The evaluator: one, partial by nature. `authorize` folds in everything that is known and
//! returns what is left.

mod administrator;
mod asked_boundaries;
mod attributes;
mod boundary;
mod call_context;
pub mod cases;
mod clock;
mod companion_keys;
mod conditions;
mod control_policy;
mod edits;
mod endpoint_policy;
mod explanation;
mod grant;
mod ground;
mod identity_policy;
mod knowledge;
mod layers;
mod mfa;
mod near_miss;
mod of_caller;
mod organization;
mod origin;
mod permissions;
mod principals;
mod region;
mod request;
mod resource_policy;
mod resources;
mod session;
mod session_policy;
mod statements;
mod symbolic;
mod tag_keys;
mod unlisted;
mod variables;
mod view;

pub use administrator::administrator;
pub use call_context::{
    ANY_CALL, CallContext, OPEN_TAG_SCOPE, OfObject, Pins, SESSION_SCOPE, grammar_of, tag_in_making,
};
pub use clock::fold_time;
pub use conditions::holds_for;
pub use edits::{Edit, Edits, Granted, OrganizationEdit, TAG_SCOPE, TagEdit, TagKey, tag_variable};
pub use endpoint_policy::Endpoint;
pub use explanation::{Deciding, Explanation, NearMiss, PolicyKind, explain};
pub use grant::{Element as GrantElement, Grant};
pub use ground::{Ground, GroundError};
pub use knowledge::with_knowledge;
pub use layers::{Layer, Role, Standing, layers};
pub use mfa::may_sign_in_with_mfa;
pub use near_miss::Element;
pub use of_caller::OfCaller;
pub use permissions::{ANY_REQUEST, AnyRequest, Permissions};
pub use principals::everywhere;
pub use region::{default_region, global_region, regions};
pub use request::{
    Applicable, Caller, Context, Decision, InForce, Input, Origin, Request, Resource,
    ResourcePolicy,
};
pub use session::{of_one_session, session_begun};
pub use symbolic::{
    IDENTITY_SCOPE, Issuer, audiences, is_token_call, name_of, takes_unsigned, well_formed,
};
pub use tag_keys::{SOURCE_IDENTITY, TagKeys, Tagged, stands_for_key};
pub use unlisted::{may_be, unlisted};
pub use variables::{Substitution, substitute};
pub use view::{OWN_ACCOUNT_POLICY, View, WRITTEN_POLICY, governs};

use crate::residual::Residual;
use statements::Question;

/// Decides a request under the policies that apply to it.
///
/// Never fails: what a policy leaves unclear or the snapshot does not hold is a gap in the
/// decision. With everything known the decision is constant.
///
/// Implements <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-denyallow.html>
/// and <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic-cross-account.html>.
pub fn authorize(request: &Request<'_>, policies: &Applicable<'_>) -> Decision {
    let question = Question::new(request);
    if needs_no_permission(&question) {
        return Decision { allowed: Residual::True, denied: Residual::False };
    }
    Decision { allowed: allowed(&question, policies), denied: denied(&question, policies) }
}

/// As [`authorize`], where only whether the request is authorized matters: what denies it is not
/// looked at if nothing allows it.
pub fn authorize_only(request: &Request<'_>, policies: &Applicable<'_>) -> Decision {
    let question = Question::new(request);
    if needs_no_permission(&question) {
        return Decision { allowed: Residual::True, denied: Residual::False };
    }
    let allowed = allowed(&question, policies);
    let denied = match allowed {
        Residual::False => Residual::False,
        _ => denied(&question, policies),
    };
    Decision { allowed, denied }
}

/// When some policy of any kind denies the request.
fn denied(question: &Question<'_>, policies: &Applicable<'_>) -> Residual {
    let layers: [fn(&Question<'_>, &Applicable<'_>) -> Residual; 6] = [
        identity_policy::denies,
        boundary::denies,
        session_policy::denies,
        control_policy::deny,
        resource_policy::denies,
        endpoint_policy::denies,
    ];
    Residual::any(layers.iter().map(|denies| denies(question, policies)))
}

/// When every allow that the request needs is there.
fn allowed(question: &Question<'_>, policies: &Applicable<'_>) -> Residual {
    let granted = granted(question, policies);
    if granted.is_false() {
        return granted;
    }
    let permitted = granted.and(control_policy::permit(question, policies));
    endpoint_policy::within(permitted, question, policies)
}

/// What identity and resource policies grant together, control policies left aside.
fn granted(question: &Question<'_>, policies: &Applicable<'_>) -> Residual {
    let grant = resource_policy::grants(question, policies);
    let Some(account) = question.request.caller.account() else {
        // Services, federated and unsigned callers have no identity policies.
        return grant.any().and(admissible(question));
    };
    if grant.itself.is_true() && in_same_account(question, account) {
        return admissible(question);
    }
    let limits = || {
        let boundary = boundary::permits(question, policies);
        if boundary.is_false() {
            return boundary;
        }
        boundary.and(session_policy::permits(question, policies))
    };
    let identity = || identity_policy::allows(question, policies);
    let granted = if !in_same_account(question, account) {
        // Both accounts must allow.
        let any = grant.any();
        if any.is_false() { any } else { any.and(identity()).and(limits()) }
    } else if resource_policy::must_admit(question) {
        let within = if grant.account.is_false() {
            grant.identity
        } else {
            grant.identity.or(grant.account.and(identity()))
        };
        let within = if within.is_false() { within } else { within.and(limits()) };
        grant.itself.or(within)
    } else {
        let within = grant.identity.or(identity());
        let within = if within.is_false() { within } else { within.and(limits()) };
        grant.itself.or(within)
    };
    granted.and(admissible(question))
}

fn in_same_account(question: &Question<'_>, account: &str) -> bool {
    question.request.resource_account.is_none_or(|owner| owner == account)
}

/// The calls that need no permission and that no policy can deny:
/// <https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html> for everyone,
/// and for users
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_temp_control-access_getsessiontoken.html>.
fn needs_no_permission(question: &Question<'_>) -> bool {
    let caller = question.request.caller;
    may_need_no_permission(&question.action)
        && (*question.action != *"sts:getsessiontoken"
            || matches!(caller, Caller::User(_) | Caller::Root(_)))
}

/// Whether a call of this action, in lower case, needs no permission for some callers at least.
pub fn may_need_no_permission(action: &str) -> bool {
    matches!(action, "sts:getcalleridentity" | "sts:getsessiontoken")
}

/// What no policy can grant: an account's root user cannot assume roles, nor can who does not sign,
/// <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>, a session of
/// `GetFederationToken` makes no calls of AWS STS, one of a role begins no other of these two kinds,
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_sts-comparison.html>, and a token
/// is none of an assertion's call,
/// <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithSAML.html>. That a session of
/// `GetFederationToken` makes no calls of IAM does not hold for one in the console, so it is not
/// looked at. Credentials are good in one partition,
/// <https://docs.aws.amazon.com/whitepapers/latest/aws-fault-isolation-boundaries/partitions.html>.
fn admissible(question: &Question<'_>) -> Residual {
    let action = &*question.action;
    let caller = question.request.caller;
    let by_itself = match caller {
        Caller::Root(_) | Caller::Anonymous => action != "sts:assumerole",
        Caller::FederatedUser(_) => !action.starts_with("sts:"),
        Caller::Role(_) | Caller::RoleSession { .. } => {
            !matches!(action, "sts:getsessiontoken" | "sts:getfederationtoken")
        }
        Caller::Federated(provider) => match provider.contains(":saml-provider/") {
            true => action != "sts:assumerolewithwebidentity",
            false => action != "sts:assumerolewithsaml",
        },
        _ => true,
    };
    let elsewhere = caller.partition().is_some_and(|own| {
        let resource = question.request.resource.start();
        partition_of(resource).is_some_and(|partition| partition != own)
    });
    Residual::constant(by_itself && !elsewhere)
}

/// The partition of an ARN that has more behind it.
fn partition_of(arn: &str) -> Option<&str> {
    let (partition, _) = arn.strip_prefix("arn:")?.split_once(':')?;
    (!partition.contains(['*', '?'])).then_some(partition)
}

#[cfg(test)]
mod tests;
