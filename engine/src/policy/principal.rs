//! The `Principal` and `NotPrincipal` elements: whom a statement of a resource policy names.
//!
//! Implements <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html>.

use std::fmt;

use super::error::PolicyError;
use super::json::{Kind, Reader};

/// One principal as an element names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Principal {
    /// `*` or `{"AWS": "*"}`: everyone, unsigned requests included.
    Everyone,
    /// An account, by id: `111122223333` or `arn:aws:iam::111122223333:root`.
    Account(Box<str>),
    /// An IAM user, by ARN.
    User(Box<str>),
    /// An IAM role, by ARN.
    Role(Box<str>),
    /// A role session, by ARN.
    RoleSession(Box<str>),
    /// A `GetFederationToken` session, by ARN.
    FederatedUser(Box<str>),
    /// An AWS service, by service principal.
    Service(Box<str>),
    /// An identity provider, by ARN or name.
    Federated(Box<str>),
    /// An account or CloudFront identity, by the id that only S3 uses.
    CanonicalUser(Box<str>),
    /// Anything else under `AWS`, which matches nobody: the unique id of a principal that was
    /// deleted (`AIDA...`, `AROA...`), or an ARN with a wildcard in it.
    Nobody(Box<str>),
}

impl Principal {
    /// Reads a value that stands under `AWS`.
    pub fn aws(text: &str) -> Self {
        if text == "*" {
            return Self::Everyone;
        }
        if is_account(text) {
            return Self::Account(text.into());
        }
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        if let ["arn", _, service, "", account, resource] = parts.as_slice()
            && !text.contains(['*', '?'])
        {
            let (kind, name) = resource.split_once('/').unwrap_or((resource, ""));
            return match (*service, kind, name) {
                ("iam", "root", "") if is_account(account) => Self::Account((*account).into()),
                ("iam", "user", _) => Self::User(text.into()),
                ("iam", "role", _) => Self::Role(text.into()),
                ("sts", "assumed-role", _) => Self::RoleSession(text.into()),
                ("sts", "federated-user", _) => Self::FederatedUser(text.into()),
                _ => Self::Nobody(text.into()),
            };
        }
        Self::Nobody(text.into())
    }

    /// Whether it names one caller, rather than an account, a service or everyone.
    pub fn names_individual(&self) -> bool {
        match self {
            Self::Everyone | Self::Account(_) | Self::Service(_) | Self::Nobody(_) => false,
            Self::User(_)
            | Self::Role(_)
            | Self::RoleSession(_)
            | Self::FederatedUser(_)
            | Self::Federated(_)
            | Self::CanonicalUser(_) => true,
        }
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Everyone => "*",
            Self::Account(text)
            | Self::User(text)
            | Self::Role(text)
            | Self::RoleSession(text)
            | Self::FederatedUser(text)
            | Self::Service(text)
            | Self::Federated(text)
            | Self::CanonicalUser(text)
            | Self::Nobody(text) => text,
        })
    }
}

/// The `Principal` or `NotPrincipal` element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principals {
    /// Whether it is `NotPrincipal`.
    pub negated: bool,
    /// Whom it names, at least one.
    pub named: Box<[Principal]>,
}

impl Principals {
    /// Whether it is `Principal` and names nobody but everyone.
    pub fn is_everyone(&self) -> bool {
        !self.negated && self.named.iter().all(|named| *named == Principal::Everyone)
    }

    /// Whether it is about principals of AWS accounts, some or all: not only about services, identity
    /// providers and the like.
    pub fn is_about_accounts(&self) -> bool {
        let of_accounts = |principal: &Principal| match principal {
            Principal::Everyone
            | Principal::Account(_)
            | Principal::User(_)
            | Principal::Role(_)
            | Principal::RoleSession(_)
            | Principal::FederatedUser(_) => true,
            Principal::Service(_)
            | Principal::Federated(_)
            | Principal::CanonicalUser(_)
            | Principal::Nobody(_) => false,
        };
        self.negated || self.named.iter().any(of_accounts)
    }

    /// Reads `"*"` or an object of principals by type.
    pub(super) fn read(reader: &mut Reader<'_>, negated: bool) -> Result<Self, PolicyError> {
        const EXPECTED: &str = "\"*\" or an object of principals by type";
        let mut named = Vec::new();
        if reader.kind() == Kind::String {
            let text = reader.string(EXPECTED)?;
            if text != "*" {
                return Err(PolicyError::new(EXPECTED, &text));
            }
            named.push(Principal::Everyone);
        } else {
            reader.object(EXPECTED, |reader, kind| {
                let principal: fn(&str) -> Principal = match kind {
                    "AWS" => Principal::aws,
                    "Service" => |text| Principal::Service(text.into()),
                    "Federated" => |text| Principal::Federated(text.into()),
                    "CanonicalUser" => |text| Principal::CanonicalUser(text.into()),
                    other => {
                        return Err(PolicyError::new(
                            "AWS, Service, Federated or CanonicalUser",
                            other,
                        ));
                    }
                };
                reader.one_or_many("a principal or a list of them", |reader| {
                    // Account ids are sometimes written as numbers.
                    let number = kind == "AWS" && reader.kind() == Kind::Number;
                    let text = match number {
                        true => reader.scalar("a principal")?,
                        false => reader.string("a principal")?,
                    };
                    if number && !is_account(&text) {
                        return Err(PolicyError::new("a principal", &text));
                    }
                    named.push(principal(&text));
                    Ok(())
                })
            })?;
        }
        if named.is_empty() {
            return Err(PolicyError::new("at least one principal", "none"));
        }
        Ok(Self { negated, named: named.into() })
    }
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_under_aws_is_told_apart() {
        let boxed = Box::<str>::from;
        for (text, expected) in [
            ("*", Principal::Everyone),
            ("111122223333", Principal::Account(boxed("111122223333"))),
            ("arn:aws:iam::111122223333:root", Principal::Account(boxed("111122223333"))),
            (
                "arn:aws:iam::111122223333:user/p/a",
                Principal::User(boxed("arn:aws:iam::111122223333:user/p/a")),
            ),
            (
                "arn:aws:sts::111122223333:assumed-role/a/s",
                Principal::RoleSession(boxed("arn:aws:sts::111122223333:assumed-role/a/s")),
            ),
            ("AROAEXAMPLE", Principal::Nobody(boxed("AROAEXAMPLE"))),
            (
                "arn:aws:iam::111122223333:role/*",
                Principal::Nobody(boxed("arn:aws:iam::111122223333:role/*")),
            ),
            ("1111", Principal::Nobody(boxed("1111"))),
        ] {
            assert_eq!(Principal::aws(text), expected, "{text}");
        }
    }
}
