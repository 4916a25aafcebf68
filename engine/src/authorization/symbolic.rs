//! The condition keys of symbolic callers: what is open about them is the attacker's choice, the same
//! wherever one of them calls.
//!
//! A principal of an account stands for all that its administrator could make there: any name and
//! path, any tags, with MFA or without. What others own, its name cannot reach: an account's id, an
//! organization's and a principal's unique id are given out by AWS.
//!
//! Implements "Properties of the principal" of
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html> and
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_iam-condition-keys.html>.

use std::sync::Arc;

use super::call_context::CallContext;
use super::{Caller, Ground, Input};
use crate::pattern::{Pattern, Token};
use crate::residual::{Atom, Gap, Grammar, Residual, Test, Variable, VariableKind};
use crate::snapshot::{Object, PrincipalKind, Symbolic};

/// How the scope of a variable begins that belongs to a symbolic caller.
pub const IDENTITY_SCOPE: &str = "identity ";

/// Organization, unique ids: of nobody, in the form that AWS gives them.
const OWN_ORGANIZATION: &str = "o-escalade00";
const OWN_ORGANIZATION_PATH: &str = "o-escalade00/r-esca/";
const OWN_USER_ID: &str = "AIDAESCALADE0EXAMPLE0";
const OWN_ROLE_ID: &str = "AROAESCALADE0EXAMPLE0";

/// Services that take unsigned requests where a resource's own policy lets everyone in.
///
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/example-bucket-policies.html>,
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-basic-examples-of-sqs-policies.html>,
/// <https://docs.aws.amazon.com/opensearch-service/latest/developerguide/ac.html>,
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-resource-policies.html>.
const UNSIGNED_SERVICES: [&str; 4] = ["es", "execute-api", "s3", "sqs"];

/// Whether a call of this action, in lower case, can be made unsigned.
pub fn takes_unsigned(action: &str) -> bool {
    let service = action.split(':').next().unwrap_or_default();
    // <https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html>
    UNSIGNED_SERVICES.contains(&service) || action == "lambda:invokefunctionurl"
}

/// Whether a call of this action, in lower case, is made with a token or an assertion of an identity
/// provider in place of a signature.
///
/// <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html>,
/// <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithSAML.html>.
pub fn is_token_call(action: &str) -> bool {
    matches!(action, "sts:assumerolewithwebidentity" | "sts:assumerolewithsaml")
}

/// Who calls when a symbolic caller does.
pub(super) fn symbolic_caller(symbolic: &Symbolic, arn: &Arc<str>) -> Caller {
    match symbolic {
        Symbolic::Unsigned => Caller::Anonymous,
        Symbolic::Token { provider, .. } => Caller::Federated(provider.clone()),
        Symbolic::Principal { kind, .. } => match kind {
            PrincipalKind::User | PrincipalKind::UserWithPath => Caller::User(arn.clone()),
            PrincipalKind::Role => Caller::Role(arn.clone()),
            PrincipalKind::Root => Caller::Root(arn.clone()),
            PrincipalKind::Session => match role_of(arn) {
                Some(role) => Caller::RoleSession { session: arn.clone(), role: Some(role.into()) },
                None => Caller::FederatedUser(arn.clone()),
            },
        },
    }
}

/// The role of a session's ARN, its path taken as `/`. `None` for a `GetFederationToken` session.
fn role_of(session: &str) -> Option<String> {
    let (start, rest) = session.split_once(":assumed-role/")?;
    let role = rest.split('/').next().unwrap_or_default();
    Some(format!("{}:role/{role}", start.replacen(":sts:", ":iam:", 1)))
}

/// The variable that stands for the open name of a symbolic principal, path included.
pub fn name_of(object: &Object) -> Option<Variable> {
    object.before_open_name()?;
    let Some(Symbolic::Principal { kind, .. }) = object.symbolic() else { return None };
    // <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>
    let alphabet: &[(char, char)] = match kind {
        PrincipalKind::User => {
            &[('+', '.'), ('0', '9'), ('=', '='), ('@', 'Z'), ('_', '_'), ('a', 'z')]
        }
        _ => &[('+', '9'), ('=', '='), ('@', 'Z'), ('_', '_'), ('a', 'z')],
    };
    let length = if *kind == PrincipalKind::User { (1, 64) } else { (1, 512) };
    let grammar = Grammar::new(alphabet, length);
    Some(Variable { grammar, ..of_identity(object, "$principal") })
}

/// A variable of a symbolic caller's own: whatever it likes.
fn of_identity(object: &Object, name: &str) -> Variable {
    Variable {
        name: name.into(),
        scope: format!("{IDENTITY_SCOPE}{}", object.arn).into(),
        kind: VariableKind::Chosen,
        multivalued: false,
        grammar: Grammar { length: (1, 1024), ..Grammar::any() },
    }
}

/// An identity provider as its tokens' condition keys name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Issuer<'p>(&'p str);

impl<'p> Issuer<'p> {
    /// Of a provider's ARN, or the name of one that needs none.
    pub fn of(provider: &'p str) -> Self {
        Self(provider)
    }

    /// What stands before the colon of its keys: an OIDC issuer's host and path, or `saml`.
    pub fn prefix(self) -> String {
        if self.0.contains(":saml-provider/") {
            return "saml".to_owned();
        }
        let host = self.0.split_once(":oidc-provider/").map_or(self.0, |(_, host)| host);
        host.to_lowercase()
    }

    /// The key of the subject, in lower case.
    pub fn subject_key(self) -> String {
        let claim = match self.0 {
            "www.amazon.com" => "user_id",
            "graph.facebook.com" => "id",
            _ => "sub",
        };
        format!("{}:{claim}", self.prefix())
    }

    /// A subject as the issuer writes it, where any will do.
    pub fn example(self) -> Option<&'static str> {
        (self.prefix() == GITHUB).then_some("repo:escalade/escalade:ref:refs/heads/main")
    }
}

/// GitHub Actions: a subject that begins with `repo:` goes on with owner, repository and context.
///
/// <https://docs.github.com/en/actions/reference/security/oidc>
const GITHUB: &str = "token.actions.githubusercontent.com";
const GITHUB_REPOSITORY: &str = "repo:?*/?*:?*";

/// What must be true of the open parts of a symbolic caller for it to be one: as far as the formula
/// asks about them.
pub fn well_formed(residual: &Residual, object: &Object, ground: &Ground<'_>) -> Residual {
    if object.symbolic().is_none() || matches!(residual, Residual::True | Residual::False) {
        return Residual::True;
    }
    let like = |variable: &Variable, text: &str| {
        let test = Test::Like(Pattern::glob(text, false));
        Residual::atom(Atom::Passes(variable.clone(), test))
    };
    Residual::all(residual.variables().iter().filter(|v| v.scope.starts_with(IDENTITY_SCOPE)).map(
        |variable| match object.symbolic() {
            Some(Symbolic::Principal { kind, .. }) if &*variable.name == "$principal" => match kind
            {
                PrincipalKind::User => Residual::True,
                _ => {
                    let mut parts = vec![
                        like(variable, "*//*").negate(),
                        like(variable, "/*").negate(),
                        like(variable, "*/").negate(),
                    ];
                    if *kind == PrincipalKind::UserWithPath {
                        parts.push(like(variable, "*/*"));
                    }
                    Residual::all(parts)
                }
            },
            Some(Symbolic::Principal { account, .. })
                if let Some(form) = issued_for(&variable.name.to_lowercase(), account) =>
            {
                let absent = Residual::atom(Atom::Present(variable.clone())).negate();
                absent.or(Residual::atom(Atom::Passes(variable.clone(), Test::Like(form))))
            }
            Some(Symbolic::Token { provider, .. }) => {
                let issuer = Issuer::of(provider);
                let key = variable.name.to_lowercase();
                if key == format!("{GITHUB}:sub") {
                    like(variable, "repo:*").negate().or(like(variable, GITHUB_REPOSITORY))
                } else if key == format!("{}:aud", issuer.prefix())
                    && let Some(audiences) = audiences(ground, provider)
                {
                    Residual::any(audiences.iter().map(|audience| {
                        let test = Test::Like(Pattern::literal(audience, false));
                        Residual::atom(Atom::Passes(variable.clone(), test))
                    }))
                } else {
                    Residual::True
                }
            }
            _ => Residual::True,
        },
    ))
}

/// The audiences that an OIDC provider accepts, where the snapshot says.
pub fn audiences(ground: &Ground<'_>, provider: &str) -> Option<Vec<Arc<str>>> {
    let object = ground.world.find(provider).and_then(|id| ground.world.object(id))?;
    object.attribute("client-ids").ok().filter(|audiences| !audiences.is_empty())
}

/// What services say of sessions that they began for something, by key in lower case, and how its
/// ARN is written: it is of the caller's account.
///
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html>
const ISSUED_FOR: [(&str, &str); 4] = [
    ("codebuild:buildarn", "arn:*:codebuild:*:{account}:build/?*"),
    ("ec2:sourceinstancearn", "arn:*:ec2:*:{account}:instance/?*"),
    ("lambda:sourcefunctionarn", "arn:*:lambda:*:{account}:function:?*"),
    ("ssm:sourceinstancearn", "arn:*:ec2:*:{account}:instance/?*"),
];

/// The values of such a key: a wildcard of its form stays within a segment of the ARN.
fn issued_for(key: &str, account: &str) -> Option<Pattern> {
    let (_, form) = ISSUED_FOR.iter().find(|(known, _)| *known == key)?;
    let tokens = form.replace("{account}", account);
    let tokens = tokens.chars().map(|c| match c {
        '*' => Token::AnyRunInSegment,
        '?' => Token::AnyCharacterInSegment,
        c => Token::Literal(c),
    });
    Some(Pattern::new(tokens, false))
}

impl CallContext<'_> {
    /// Keys that follow from a symbolic caller. `None`: not such a key, or as for any other caller.
    pub(super) fn of_symbolic(&self, key: &str) -> Option<Input> {
        let object = self.principal.and_then(|id| self.view.object(id))?;
        match object.symbolic()? {
            Symbolic::Unsigned => None,
            Symbolic::Token { provider, subject } => {
                self.of_token(key, object, Issuer::of(provider), subject.as_ref())
            }
            Symbolic::Principal { kind, own, .. } => {
                self.of_any_principal(key, object, *kind, *own)
            }
        }
    }

    fn of_any_principal(
        &self,
        key: &str,
        object: &Object,
        kind: PrincipalKind,
        own: bool,
    ) -> Option<Input> {
        let variable = |name: &str| of_identity(object, name);
        let at_will = |name: &str| Input::Free { variable: variable(name), certain: false };
        let user = matches!(kind, PrincipalKind::User | PrincipalKind::UserWithPath);
        match key {
            "aws:principalarn" => {
                let (Some(prefix), Some(variable)) = (object.before_open_name(), name_of(object))
                else {
                    return None;
                };
                Some(Input::Template { prefix: prefix.into(), variable, suffix: "".into() })
            }
            "aws:username" => match (kind, name_of(object)) {
                (PrincipalKind::User, Some(variable)) => {
                    Some(Input::Template { prefix: "".into(), variable, suffix: "".into() })
                }
                (PrincipalKind::UserWithPath, Some(_)) => Some(Input::Unknown(Gap(
                    "the name of a user whose path is open is not told from its path".into(),
                ))),
                _ if user => object.arn.rsplit('/').next().map(|name| Input::One(name.into())),
                _ => None,
            },
            "aws:userid" => match kind {
                PrincipalKind::Root => None,
                _ if !own => Some(Input::Free { variable: variable("aws:userid"), certain: true }),
                _ if user => Some(Input::One(OWN_USER_ID.into())),
                PrincipalKind::Role => Some(Input::Template {
                    prefix: format!("{OWN_ROLE_ID}:").into(),
                    variable: variable("sts:RoleSessionName"),
                    suffix: "".into(),
                }),
                _ => None,
            },
            // Whoever has an account can make an organization of it.
            "aws:principalorgid" | "aws:principalorgpaths" if own => {
                let value = match key {
                    "aws:principalorgid" => Input::One(OWN_ORGANIZATION.into()),
                    _ => Input::Many(vec![OWN_ORGANIZATION_PATH.into()]),
                };
                let variable = variable("aws:PrincipalOrgID");
                Some(Input::IfPresent { variable, value: Box::new(value) })
            }
            "aws:multifactorauthpresent" if user => Some(at_will("aws:MultiFactorAuthPresent")),
            "aws:multifactorauthage" if user => Some(at_will("aws:MultiFactorAuthAge")),
            "aws:sourceidentity" if kind == PrincipalKind::Role => {
                Some(at_will("aws:SourceIdentity"))
            }
            // [`well_formed`] says of which account it is.
            _ if issued_for(key, "").is_some() => match kind {
                PrincipalKind::Role => Some(at_will(&self.spelling(key))),
                _ => Some(Input::Absent),
            },
            _ if key.starts_with("aws:principaltag/") => match kind {
                PrincipalKind::Root => Some(Input::Absent),
                _ => Some(at_will(&self.spelling(key))),
            },
            _ => None,
        }
    }

    /// Keys of a token or an assertion. What it says is up to whoever is its subject, and of which
    /// provider it is, is not.
    pub(super) fn of_token(
        &self,
        key: &str,
        object: &Object,
        issuer: Issuer<'_>,
        subject: Option<&Arc<str>>,
    ) -> Option<Input> {
        if key.starts_with("aws:") {
            return None;
        }
        let prefix = issuer.prefix();
        let (of, claim) = key.rsplit_once(':')?;
        if of != prefix {
            // What the request itself says; nothing of other providers.
            return if of == "sts" { Some(self.as_tabled(key)) } else { Some(Input::Absent) };
        }
        if key == issuer.subject_key()
            && let Some(subject) = subject
        {
            return Some(Input::One(subject.clone()));
        }
        if of == "saml" && claim == "doc" {
            let (start, name) = issuer.0.split_once(":saml-provider/")?;
            let account = start.rsplit(':').next().unwrap_or_default();
            return Some(Input::One(format!("{account}/{name}").into()));
        }
        let known = self.keys.get(self.action, key);
        let multivalued = known.is_some_and(|known| known.multivalued) || claim == "amr";
        let certain = key == issuer.subject_key() || claim == "aud";
        let grammar = Grammar::new(&[('!', '~')], (1, 255));
        let name = self.spelling(key);
        let variable = Variable { multivalued, grammar, ..of_identity(object, &name) };
        Some(Input::Free { variable, certain })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(provider: &str, prefix: &str, subject: &str) {
        let issuer = Issuer::of(provider);
        assert_eq!((&*issuer.prefix(), &*issuer.subject_key()), (prefix, subject));
    }

    #[test]
    fn keys_of_a_provider_begin_with_its_issuer() {
        check("arn:aws:iam::111122223333:saml-provider/okta", "saml", "saml:sub");
        check(
            "arn:aws:iam::111122223333:oidc-provider/oidc.example.com/id/AB",
            "oidc.example.com/id/ab",
            "oidc.example.com/id/ab:sub",
        );
        check("www.amazon.com", "www.amazon.com", "www.amazon.com:user_id");
    }

    #[test]
    fn few_services_take_unsigned_requests() {
        for (action, expected) in [
            ("s3:getobject", true),
            ("lambda:invokefunctionurl", true),
            ("lambda:invokefunction", false),
            ("sts:assumerole", false),
            ("kms:decrypt", false),
        ] {
            assert_eq!(takes_unsigned(action), expected, "{action}");
        }
    }

    #[test]
    fn a_session_is_of_its_role() {
        let arn: Arc<str> = "arn:aws:sts::111122223333:assumed-role/deploy/s".into();
        let symbolic = Symbolic::Principal {
            kind: PrincipalKind::Session,
            account: "111122223333".into(),
            own: false,
        };
        let role = Some("arn:aws:iam::111122223333:role/deploy".into());
        let expected = Caller::RoleSession { session: arn.clone(), role };
        assert_eq!(symbolic_caller(&symbolic, &arn), expected);
        let federated: Arc<str> = "arn:aws:sts::111122223333:federated-user/bob".into();
        let expected = Caller::FederatedUser(federated.clone());
        assert_eq!(symbolic_caller(&symbolic, &federated), expected);
    }
}
