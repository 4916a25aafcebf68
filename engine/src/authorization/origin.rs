//! Which keys come with a role's session because of who has begun it: those of an identity
//! provider's token, and those with which a service gives out credentials.
//!
//! Implements <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_iam-condition-keys.html>,
//! by which the values of a token stay with the credentials that were given for it, and "Properties
//! of a role session" of
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html>.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::call_context::CallContext;
use super::conditions::condition_holds;
use super::principals::everywhere;
use super::symbolic::{IDENTITY_SCOPE, Issuer};
use super::view::View;
use super::{Caller, Input};
use crate::policy::{Condition, Effect, Policy, Principal, Statement};
use crate::residual::{Atom, Gap, Grammar, Residual, Variable, VariableKind};
use crate::snapshot::{Detail, DocumentId, Object, ObjectId, Symbolic, World};

/// The part of a key of an identity provider, in lower case, that tells which provider it is.
/// `None`: a key of something else. No service prefix has a dot.
fn issuer_of(key: &str) -> Option<&str> {
    let first = key.split(':').next()?;
    let (issuer, _) = key.rsplit_once(':')?;
    (first == "saml" || first.contains('.')).then_some(issuer)
}

/// Whether a key, in lower case, is one of an identity provider's.
pub(super) fn is_of_token(key: &str) -> bool {
    issuer_of(key).is_some()
}

/// A value of such a key, where any will do.
pub(super) fn said_for_example(key: &str) -> &'static str {
    let key = key.to_lowercase();
    let issuer = Issuer::of(issuer_of(&key).unwrap_or_default());
    match issuer.example() {
        Some(subject) if key == issuer.subject_key() => subject,
        // <https://docs.aws.amazon.com/cognitoidentity/latest/APIReference/API_GetId.html>
        _ if key == "cognito-identity.amazonaws.com:sub" => {
            "us-east-1:00000000-0000-4000-8000-000000000000"
        }
        _ => "escalade",
    }
}

/// Of which identity providers with one issuer a role's sessions can be.
struct Federation {
    /// The providers that the trust policy names.
    providers: Vec<Arc<str>>,
    /// Whether it lets in nobody else.
    alone: bool,
}

impl View<'_, '_> {
    /// A role's trust policy as it is in the snapshot. `None`: of something else than a role.
    fn trust(&self, role: &Object) -> Option<Result<&Policy, Gap>> {
        let Detail::Role(detail) = &role.detail else { return None };
        Some(match &detail.trust {
            Ok(document) => self.document(*document).map_err(Gap::clone),
            Err(gap) => Err(gap.clone()),
        })
    }

    /// Whether a service can have begun a role's sessions, as its trust policy now stands: true
    /// where that is not known.
    ///
    /// - `services`: service principals, any of them.
    fn may_be_begun_by(&self, role: ObjectId, services: &[String]) -> bool {
        if self.edits.trust.contains(&role) {
            return true;
        }
        let Some(Some(Ok(trust))) = self.object(role).map(|object| self.trust(object)) else {
            return true;
        };
        let is_such = |principal: &Principal| match principal {
            Principal::Everyone => true,
            Principal::Service(name) => {
                services.iter().any(|service| everywhere(service) == everywhere(name))
            }
            _ => false,
        };
        letting_in(trust).any(|statement| {
            statement
                .principals()
                .is_none_or(|element| element.negated || element.named.iter().any(is_such))
        })
    }

    /// The identity providers with an issuer that can have begun a role's sessions. `None`: none.
    fn federation(
        &self,
        id: ObjectId,
        role: &Object,
        issuer: &str,
    ) -> Result<Option<Federation>, Gap> {
        let Some(trust) = self.trust(role) else { return Ok(None) };
        let trust = trust?;
        let mut out = Federation { providers: Vec::new(), alone: !self.edits.trust.contains(&id) };
        let mut possible = false;
        for statement in letting_in(trust) {
            let Some(element) = statement.principals() else { continue };
            let by_token = statement.matches_action(token_call(issuer));
            possible |= element.negated && by_token;
            out.alone &= !element.negated;
            for principal in element.named.iter().filter(|_| !element.negated) {
                match principal {
                    Principal::Federated(provider) if Issuer::of(provider).prefix() == issuer => {
                        out.providers.push((&**provider).into());
                        possible |= by_token;
                    }
                    Principal::Nobody(_) => {}
                    other => {
                        possible |= *other == Principal::Everyone && by_token;
                        out.alone = false;
                    }
                }
            }
        }
        Ok(possible.then_some(out))
    }
}

/// Whether some policy other than a trust policy asks what the token of an identity provider said.
pub(super) fn asks_for_tokens(world: &World) -> bool {
    let trust = |object: &Object| match &object.detail {
        Detail::Role(role) => role.trust.as_ref().ok().copied(),
        _ => None,
    };
    let trusting: BTreeSet<DocumentId> = world.objects.iter().filter_map(trust).collect();
    world.documents.iter().enumerate().any(|(at, document)| {
        let id = DocumentId(u32::try_from(at).unwrap_or(u32::MAX));
        let Ok(policy) = &document.policy else { return false };
        !trusting.contains(&id) && policy.asks_for(|key| issuer_of(key).is_some())
    })
}

/// The statements of a trust policy that let somebody begin sessions.
fn letting_in(trust: &Policy) -> impl Iterator<Item = &Statement> {
    const CALLS: [&str; 3] =
        ["sts:assumerole", "sts:assumerolewithsaml", "sts:assumerolewithwebidentity"];
    trust.statements().iter().filter(|statement| {
        statement.effect() == Effect::Allow
            && CALLS.iter().any(|call| statement.matches_action(call))
    })
}

/// The call that is made with what such an issuer says.
fn token_call(issuer: &str) -> &'static str {
    match issuer {
        "saml" => "sts:assumerolewithsaml",
        _ => "sts:assumerolewithwebidentity",
    }
}

impl CallContext<'_> {
    /// The keys of an identity provider in the calls of signed callers: what the token said, for
    /// sessions that one can have begun. Where the attacker brings the token himself it is his to
    /// say; else it is what somebody's token says. `None`: not such a key, or not such a caller.
    pub(super) fn of_federation(&self, key: &str) -> Option<Input> {
        if self.leave_open {
            return None;
        }
        let issuer = issuer_of(key)?;
        match self.caller {
            Caller::Role(_) | Caller::RoleSession { .. } => {}
            Caller::User(_) | Caller::Root(_) | Caller::FederatedUser(_) => {
                return Some(Input::Absent);
            }
            Caller::Service(_) | Caller::Federated(_) | Caller::Anonymous => return None,
        }
        let id = self.principal?;
        let role = self.view.object(id)?;
        let federation = match self.view.federation(id, role, issuer) {
            Ok(Some(federation)) => federation,
            Ok(None) => return Some(Input::Absent),
            Err(gap) => return Some(Input::Unknown(gap)),
        };
        let said = self.said_by_attacker(key, &federation);
        let input = said.unwrap_or_else(|| self.said_by_somebody(key, issuer, &role.arn));
        Some(match input {
            Input::Free { variable, certain } => {
                Input::Free { variable, certain: certain && federation.alone }
            }
            value @ Input::One(_) if !federation.alone => Input::IfPresent {
                variable: self.of_somebody(key, &role.arn),
                value: Box::new(value),
            },
            other => other,
        })
    }

    /// What the attacker's own token says, where the path begins with one that the role trusts.
    fn said_by_attacker(&self, key: &str, federation: &Federation) -> Option<Input> {
        self.view.made.iter().find_map(|object| match object.symbolic() {
            Some(Symbolic::Token { provider, subject })
                if federation.providers.contains(provider) =>
            {
                self.of_token(key, object, Issuer::of(provider), subject.as_ref())
            }
            _ => None,
        })
    }

    fn said_by_somebody(&self, key: &str, issuer: &str, role: &Arc<str>) -> Input {
        let certain = key == Issuer::of(issuer).subject_key()
            || key.rsplit_once(':').is_some_and(|(_, claim)| claim == "aud");
        Input::Free { variable: self.of_somebody(key, role), certain }
    }

    /// The variable that stands for what the token said with which a session of a role was begun:
    /// one for all calls of the session.
    fn of_somebody(&self, key: &str, role: &Arc<str>) -> Variable {
        let multivalued =
            key.ends_with(":amr") || self.keys.named(key).iter().any(|known| known.multivalued);
        Variable {
            name: self.spelling(key),
            scope: role.clone(),
            kind: VariableKind::Environment,
            multivalued,
            grammar: Grammar::new(&[('!', '~')], (1, 255)),
        }
    }

    /// What must be true of what a session's token said, as far as the formula asks about it: the
    /// role's trust policy has let it in.
    pub fn let_in_with_token(&self, formula: &Residual) -> Residual {
        let (Some(id), Caller::Role(arn)) = (self.principal, self.caller) else {
            return Residual::True;
        };
        if !matches!(
            formula,
            Residual::Atom(_) | Residual::Not(_) | Residual::All(_) | Residual::Any(_)
        ) {
            return Residual::True;
        }
        let variables = formula.variables();
        let of_token = |variable: &&Variable| {
            (variable.scope == *arn || variable.scope.starts_with(IDENTITY_SCOPE))
                && issuer_of(&variable.name.to_lowercase()).is_some()
        };
        let Some(first) = variables.iter().find(|variable| of_token(variable)) else {
            return Residual::True;
        };
        let key = first.name.to_lowercase();
        let Some(issuer) = issuer_of(&key) else { return Residual::True };
        let Some(role) = self.view.object(id) else { return Residual::True };
        let Ok(Some(federation)) = self.view.federation(id, role, issuer) else {
            return Residual::True;
        };
        let Some(Ok(trust)) = self.view.trust(role) else { return Residual::True };
        let holds = |condition: &Condition| match condition_holds(condition, self) {
            open if open.is_decided() => open,
            _ => Residual::True,
        };
        let by_token =
            letting_in(trust).filter(|statement| statement.matches_action(token_call(issuer)));
        let trusted = Residual::any(by_token.map(|statement| {
            let conditions = statement.conditions().iter();
            let of_issuer =
                conditions.filter(|condition| issuer_of(&condition.key_lowercase) == Some(issuer));
            Residual::all(of_issuer.map(holds))
        }));
        if federation.alone {
            return trusted;
        }
        let there = variables
            .iter()
            .filter(of_token)
            .map(|variable| Residual::atom(Atom::Present(variable.clone())).negate());
        trusted.or(Residual::all(there))
    }

    /// Whether a session of the caller can have been begun by one of the services that give a key
    /// with their credentials.
    pub(super) fn may_be_issued_by(&self, services: &[String]) -> bool {
        services.is_empty()
            || self.principal.is_none_or(|role| self.view.may_be_begun_by(role, services))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_identity_providers_are_told_by_what_stands_before_the_colon() {
        for (key, expected) in [
            ("saml:sub", Some("saml")),
            ("cognito-identity.amazonaws.com:sub", Some("cognito-identity.amazonaws.com")),
            ("oidc.example.com/id/ab:aud", Some("oidc.example.com/id/ab")),
            ("kms:encryptioncontext:a.b:c", None),
            ("codebuild:environment.image", None),
            ("aws:sourceip", None),
        ] {
            assert_eq!(issuer_of(key), expected, "{key}");
        }
    }
}
