//! Whom a principal element names, seen from one caller: the caller itself, the role or user
//! behind its session, or only its account.
//!
//! Implements <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html>
//! and <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_notprincipal.html>.

use std::borrow::Cow;

use super::request::{Caller, Context, Input};
use crate::pattern::Pattern;
use crate::policy::{Effect, Principal, Principals};
use crate::residual::{Atom, Gap, Residual, Test};

/// How closely a statement names the caller. Later ones grant more.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Naming {
    /// Not at all.
    Not,
    /// Perhaps, as its account.
    Unknown(Gap),
    /// Its account, which leaves the decision to the account's identity policies.
    Account,
    /// The role of its session, or the user who called `GetFederationToken`: a grant becomes part
    /// of what boundary and session policy limit.
    Identity,
    /// The caller itself: nothing but an explicit deny limits the grant.
    Itself,
}

/// How closely the element of a statement with this effect names the caller.
///
/// - `bounded`: whether the caller has a permissions boundary. `NotPrincipal` with `Deny` then
///   names it whoever is listed.
pub(super) fn named(
    element: &Principals,
    effect: Effect,
    caller: &Caller,
    bounded: bool,
) -> Naming {
    let closest = element.named.iter().map(|principal| naming(principal, caller)).max();
    let closest = closest.unwrap_or(Naming::Not);
    if !element.negated {
        return closest;
    }
    let spared = match effect {
        // Not supported any more; who is listed in any way was never allowed by it.
        Effect::Allow => closest != Naming::Not,
        Effect::Deny => !bounded && spared(&element.named, &closest, caller),
    };
    if spared { Naming::Not } else { Naming::Itself }
}

/// Whether an element with nothing but this principal would name the caller, in any way.
pub(super) fn names(principal: &Principal, caller: &Caller) -> bool {
    naming(principal, caller) != Naming::Not || session_named(principal, caller).is_some()
}

/// Whether what the element says of the caller depends on the name of its session, which is not
/// known.
pub(super) fn names_some_session(element: &Principals, effect: Effect, caller: &Caller) -> bool {
    by_session(element, effect)
        && element.named.iter().any(|principal| session_named(principal, caller).is_some())
}

/// When the caller's session has the name of one that the element names, or for `NotPrincipal` of
/// none that it spares: it is then named itself.
///
/// The name is that of `aws:userid`, so that whatever asks for one of them asks for the same.
/// `NotPrincipal` does not spare a session by its own name alone.
pub(super) fn named_by_session(
    element: &Principals,
    effect: Effect,
    caller: &Caller,
    context: &dyn Context,
) -> Residual {
    if !names_some_session(element, effect, caller) {
        return Residual::False;
    }
    let names = element.named.iter().filter_map(|principal| session_named(principal, caller));
    let listed = Residual::any(names.map(|name| match context.get("aws:userid") {
        Input::Template { prefix, variable, suffix }
            if prefix.ends_with(':') && suffix.is_empty() && variable.grammar.accepts(name) =>
        {
            Residual::atom(Atom::Passes(variable, Test::Like(Pattern::literal(name, false))))
        }
        Input::One(id) => {
            Residual::constant(id.split_once(':').is_some_and(|(_, own)| own == name))
        }
        Input::Unknown(gap) => Residual::Unknown(gap),
        _ => Residual::False,
    }));
    if element.negated { listed.negate() } else { listed }
}

/// Whether an element can name a session by its name: `NotPrincipal` does so with `Deny`, unless it
/// lists everyone.
fn by_session(element: &Principals, effect: Effect) -> bool {
    !element.negated || (effect == Effect::Deny && !element.named.contains(&Principal::Everyone))
}

/// The name that a session of the caller's role has to have for the principal to be it.
fn session_named<'p>(principal: &'p Principal, caller: &Caller) -> Option<&'p str> {
    let (Principal::RoleSession(session), Caller::Role(role)) = (principal, caller) else {
        return None;
    };
    let mut parts = session.split('/').skip(1);
    let (of, name) = (parts.next(), parts.next()?);
    (account_and_name(role) == (account_of(session), of)).then_some(name)
}

/// Whether `NotPrincipal` with `Deny` spares the caller: it does those who are listed together
/// with their account. AWS looks at the account first, then at the role, then at the session: a
/// session is spared when its role is listed, and where sessions of the role are listed with it,
/// when it is one of them. That of a session whose name is not known is left to
/// [`named_by_session`].
fn spared(listed: &[Principal], closest: &Naming, caller: &Caller) -> bool {
    let account_listed =
        || listed.iter().any(|principal| naming(principal, caller) == Naming::Account);
    let role_listed =
        || listed.iter().any(|principal| naming(principal, caller) == Naming::Identity);
    if listed.contains(&Principal::Everyone) {
        return true;
    }
    match caller {
        Caller::User(_) => *closest == Naming::Itself && account_listed(),
        Caller::Role(_) => role_listed() && account_listed(),
        Caller::RoleSession { session, .. } => {
            let is_of_role = |principal: &Principal| {
                let Principal::RoleSession(other) = principal else { return false };
                other.rsplit_once('/').map(|(role, _)| role)
                    == session.rsplit_once('/').map(|(role, _)| role)
            };
            role_listed()
                && account_listed()
                && (*closest == Naming::Itself || !listed.iter().any(is_of_role))
        }
        Caller::FederatedUser(_) => *closest >= Naming::Identity && account_listed(),
        Caller::Root(_) => account_listed(),
        Caller::Service(_) | Caller::Federated(_) => *closest == Naming::Itself,
        Caller::Anonymous => false,
    }
}

fn naming(principal: &Principal, caller: &Caller) -> Naming {
    let when = |holds: bool, naming: Naming| if holds { naming } else { Naming::Not };
    match principal {
        Principal::Everyone => Naming::Itself,
        Principal::Nobody(_) => Naming::Not,
        Principal::Account(id) => when(caller.account() == Some(id), Naming::Account),
        Principal::User(arn) => match caller {
            Caller::User(user) => when(**user == **arn, Naming::Itself),
            Caller::FederatedUser(session) => {
                let user = session.split_once("/").map(|(_, name)| name);
                when(account_and_name(arn) == (account_of(session), user), Naming::Identity)
            }
            _ => Naming::Not,
        },
        Principal::Role(arn) => match caller {
            Caller::Role(role) => when(**role == **arn, Naming::Identity),
            Caller::RoleSession { role: Some(role), .. } => when(**role == **arn, Naming::Identity),
            // A session's ARN has the role's name without its path; names are unique anyway.
            Caller::RoleSession { session, role: None } => {
                let role = session.split('/').nth(1);
                when(account_and_name(arn) == (account_of(session), role), Naming::Identity)
            }
            _ => Naming::Not,
        },
        Principal::RoleSession(arn) => match caller {
            Caller::RoleSession { session, .. } => when(**session == **arn, Naming::Itself),
            _ => Naming::Not,
        },
        Principal::FederatedUser(arn) => match caller {
            Caller::FederatedUser(session) => when(**session == **arn, Naming::Itself),
            _ => Naming::Not,
        },
        Principal::Service(name) => match caller {
            Caller::Service(service) => {
                when(everywhere(service) == everywhere(name), Naming::Itself)
            }
            _ => Naming::Not,
        },
        Principal::Federated(name) => match caller {
            Caller::Federated(provider) => when(**provider == **name, Naming::Itself),
            _ => Naming::Not,
        },
        Principal::CanonicalUser(id) => match caller.account() {
            Some(account) => {
                let reason = format!("whether canonical user {id:?} is account {account:?}");
                Naming::Unknown(Gap(reason.into()))
            }
            None => Naming::Not,
        },
    }
}

fn account_of(arn: &str) -> Option<&str> {
    arn.split(':').nth(4)
}

/// The account and the name, without path, of a user or role.
fn account_and_name(arn: &str) -> (Option<&str>, Option<&str>) {
    (account_of(arn), arn.rsplit('/').next())
}

/// A service principal as it is called in most Regions: some have the Region in their name, or end
/// otherwise in China. IAM takes a policy only with names that are some service's.
///
/// Implements "AWS service principals" of
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html> and
/// <https://docs.amazonaws.cn/en_us/aws/latest/userguide/iam.html>.
pub fn everywhere(service: &str) -> Cow<'_, str> {
    let service = service.strip_suffix(".cn").unwrap_or(service);
    let Some((name, suffix)) =
        service.strip_suffix(".amazonaws.com").map(|s| (s, ".amazonaws.com"))
    else {
        return service.into();
    };
    match name.rsplit_once('.') {
        Some((name, last)) if is_region(last) => format!("{name}{suffix}").into(),
        _ => service.into(),
    }
}

/// Whether a text is a Region's name by its form: `eu-central-1`, `us-gov-west-1`.
fn is_region(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let letters = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase());
    match parts.as_slice() {
        [first, middle @ .., last] => {
            first.len() == 2
                && letters(first)
                && !middle.is_empty()
                && middle.iter().all(letters)
                && !last.is_empty()
                && last.bytes().all(|b| b.is_ascii_digit())
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SESSION: &str = "arn:aws:sts::111122223333:assumed-role/deploy/s";

    fn check(
        principals: &[&str],
        negated: bool,
        caller: &Caller,
        bounded: bool,
        expected: &Naming,
    ) {
        let named: Vec<_> = principals.iter().map(|text| Principal::aws(text)).collect();
        let element = Principals { negated, named: named.into() };
        assert_eq!(
            super::named(&element, Effect::Deny, caller, bounded),
            *expected,
            "{principals:?} {caller:?}"
        );
    }

    #[test]
    fn a_session_is_named_by_itself_its_role_or_its_account() {
        let caller = Caller::RoleSession { session: SESSION.into(), role: None };
        for (principal, expected) in [
            ("*", Naming::Itself),
            (SESSION, Naming::Itself),
            ("arn:aws:sts::111122223333:assumed-role/deploy/other", Naming::Not),
            ("arn:aws:iam::111122223333:role/a/path/deploy", Naming::Identity),
            ("arn:aws:iam::444455556666:role/deploy", Naming::Not),
            ("arn:aws:iam::111122223333:user/deploy", Naming::Not),
            ("arn:aws:iam::111122223333:root", Naming::Account),
            ("111122223333", Naming::Account),
            ("AROAEXAMPLE", Naming::Not),
        ] {
            check(&[principal], false, &caller, false, &expected);
        }
    }

    #[test]
    fn a_role_whose_path_is_known_is_named_by_its_whole_arn() {
        let role = "arn:aws:iam::111122223333:role/a/deploy";
        let caller = Caller::RoleSession { session: SESSION.into(), role: Some(role.into()) };
        check(&[role], false, &caller, false, &Naming::Identity);
        check(&["arn:aws:iam::111122223333:role/deploy"], false, &caller, false, &Naming::Not);
    }

    #[test]
    fn not_principal_spares_whom_it_lists_with_its_account() {
        let user = "arn:aws:iam::111122223333:user/a";
        let caller = Caller::User(user.into());
        check(&[user, "111122223333"], true, &caller, false, &Naming::Not);
        check(&[user], true, &caller, false, &Naming::Itself);
        check(&["111122223333"], true, &caller, false, &Naming::Itself);
        check(&[user, "111122223333"], true, &caller, true, &Naming::Itself);
        check(&[user, "111122223333"], true, &Caller::Anonymous, false, &Naming::Itself);
    }

    #[test]
    fn not_principal_spares_a_session_by_its_role() {
        let role = "arn:aws:iam::111122223333:role/deploy";
        let caller = Caller::RoleSession { session: SESSION.into(), role: None };
        check(&[role, "111122223333"], true, &caller, false, &Naming::Not);
        check(&[SESSION, role, "111122223333"], true, &caller, false, &Naming::Not);
        let other = "arn:aws:sts::111122223333:assumed-role/deploy/other";
        check(&[other, role, "111122223333"], true, &caller, false, &Naming::Itself);
        check(&[other, SESSION, role, "111122223333"], true, &caller, false, &Naming::Not);
        let other = "arn:aws:sts::111122223333:assumed-role/audit/other";
        check(&[other, role, "111122223333"], true, &caller, false, &Naming::Not);
        check(&[SESSION, "111122223333"], true, &caller, false, &Naming::Itself);
        check(&[SESSION, role], true, &caller, false, &Naming::Itself);
    }

    #[test]
    fn service_principals_of_a_region_and_of_china_are_those_of_the_service() {
        for (named, expected) in [
            ("lambda.amazonaws.com", "lambda.amazonaws.com"),
            ("ec2.amazonaws.com.cn", "ec2.amazonaws.com"),
            ("states.us-east-1.amazonaws.com", "states.amazonaws.com"),
            ("logs.us-gov-west-1.amazonaws.com", "logs.amazonaws.com"),
            ("logs.cn-north-1.amazonaws.com.cn", "logs.amazonaws.com"),
            ("replication.dynamodb.amazonaws.com", "replication.dynamodb.amazonaws.com"),
            ("elasticmapreduce-2.amazonaws.com", "elasticmapreduce-2.amazonaws.com"),
            ("us-east-1.amazonaws.com", "us-east-1.amazonaws.com"),
        ] {
            assert_eq!(everywhere(named), expected);
        }
    }
}
