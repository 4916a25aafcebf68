//! Whose sessions can have been begun with MFA.
//!
//! Implements "MFA support" of
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_sts-comparison.html> and
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_mfa_configure-api-require.html>:
//! only `AssumeRole` and `GetSessionToken` take the number and the code of a device. What a service
//! or an identity provider begins a session with has none.

use super::call_context::CallContext;
use super::view::View;
use super::{Caller, Input};
use crate::policy::{Effect, Policy, Principals, Statement};
use crate::residual::VariableKind;
use crate::snapshot::{Detail, Object, ObjectId, World};

/// Whether a principal's sessions can have been begun with MFA, as it is in the snapshot: a user has
/// a device, a role's trust policy lets in principals of accounts, or that is not known.
///
/// A device is the user's own: `SerialNumber` of
/// <https://docs.aws.amazon.com/STS/latest/APIReference/API_GetSessionToken.html>.
pub fn may_sign_in_with_mfa(world: &World, principal: &Object) -> bool {
    match &principal.detail {
        Detail::User(_) => principal.attribute("mfa").map_or(true, |devices| !devices.is_empty()),
        Detail::Role(role) => {
            let trust = role.trust.as_ref().ok().and_then(|document| world.policy(*document));
            trust.is_none_or(lets_in_principals)
        }
        _ => true,
    }
}

/// Whether a trust policy lets in principals of AWS accounts.
fn lets_in_principals(trust: &Policy) -> bool {
    let lets_in = |statement: &Statement| {
        statement.effect() == Effect::Allow
            && statement.matches_action("sts:assumerole")
            && statement.principals().is_none_or(Principals::is_about_accounts)
    };
    trust.statements().iter().any(lets_in)
}

impl View<'_, '_> {
    /// Whether a principal's sessions can have been begun with MFA, as its trust policy now stands and
    /// with the devices that it now has. Who is made can be given one.
    pub fn may_have_mfa(&self, principal: ObjectId) -> bool {
        self.edits.trust.contains(&principal)
            || self.edits.mfa.contains(&principal)
            || self
                .ground
                .world
                .object(principal)
                .is_none_or(|object| may_sign_in_with_mfa(self.ground.world, object))
    }
}

impl CallContext<'_> {
    /// The keys of a session that cannot have been begun with MFA. AWS does not document whether it
    /// then is told to be false or not told at all. `None`: not such a key, or not such a session.
    pub(super) fn without_mfa(&self, key: &str) -> Option<Input> {
        let present = match key {
            "aws:multifactorauthpresent" => true,
            "aws:multifactorauthage" => false,
            _ => return None,
        };
        let may = match self.caller {
            Caller::FederatedUser(_) => false,
            Caller::User(_) | Caller::Role(_) | Caller::RoleSession { .. } => {
                self.principal.is_none_or(|principal| self.view.may_have_mfa(principal))
            }
            _ => true,
        };
        match (may, present) {
            (true, _) => None,
            (false, false) => Some(Input::Absent),
            (false, true) => Some(Input::IfPresent {
                variable: self.variable(
                    "aws:MultiFactorAuthPresent",
                    VariableKind::Environment,
                    false,
                ),
                value: Box::new(Input::One("false".into())),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(statement: &str, expected: bool) {
        let text = format!(r#"{{"Version":"2012-10-17","Statement":[{statement}]}}"#);
        let found = lets_in_principals(&Policy::parse(&text).unwrap());
        assert_eq!(found, expected, "{statement}");
    }

    #[test]
    fn services_and_identity_providers_begin_sessions_without_mfa() {
        let of = |effect: &str, principal: &str, action: &str| {
            format!(r#"{{"Effect":"{effect}","Principal":{principal},"Action":"{action}"}}"#)
        };
        let service = r#"{"Service":"lambda.amazonaws.com"}"#;
        let user = r#"{"AWS":"arn:aws:iam::111122223333:user/a"}"#;
        let provider = r#"{"Federated":"arn:aws:iam::111122223333:saml-provider/okta"}"#;
        check(&of("Allow", service, "sts:AssumeRole"), false);
        check(&of("Allow", provider, "sts:AssumeRoleWithSAML"), false);
        check(&of("Allow", user, "sts:AssumeRole"), true);
        check(&of("Allow", r#""*""#, "sts:*"), true);
        check(&of("Allow", user, "sts:TagSession"), false);
        check(&of("Deny", user, "sts:AssumeRole"), false);
    }
}
