//! Starts in the user's words: one principal, or everyone that a symbolic start stands for.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::question::{QuestionError, principal};
use crate::policy::{Effect, Policy, Principal};
use crate::reachability::Start;
use crate::residual::Gap;
use crate::snapshot::{AccountIndex, OUTSIDE, ObjectId, PrincipalKind, Symbolic, World};

/// Federated principals that are no ARNs.
///
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html>
const WELL_KNOWN: [&str; 4] = [
    "accounts.google.com",
    "cognito-identity.amazonaws.com",
    "graph.facebook.com",
    "www.amazon.com",
];

/// The start that `who` means.
///
/// - `anyone`: an unsigned caller, or any principal of an account of the attacker's own.
/// - `account:ID`: any principal that the account could have. Of an account of the snapshot also
///   those that it has; they and what it could have besides are bound by its control policies.
/// - `federated:PROVIDER`, `federated:PROVIDER/SUBJECT`: any subject of an identity provider, or one.
/// - anything else: a principal of the snapshot.
pub(crate) fn start(world: &World, who: &str) -> Result<Start, QuestionError> {
    if who == "anyone" {
        return Ok(anyone(world));
    }
    if let Some(id) = who.strip_prefix("account:") {
        return account(world, who, id);
    }
    if let Some(text) = who.strip_prefix("federated:") {
        return federated(world, who, text);
    }
    let id = match principal(world, who) {
        Err(error) => return internal_user_not_listed(world, who).ok_or(error),
        Ok(id) => id,
    };
    let object = world.object(id).ok_or_else(|| QuestionError::NoPrincipal(who.to_owned()))?;
    Ok(Start::principal(id, object))
}

/// An internal user of an OpenSearch domain whose users were not asked for, or not shown.
fn internal_user_not_listed(world: &World, who: &str) -> Option<Start> {
    let mut parts = who.strip_prefix("opensearch:")?.splitn(4, '/');
    let (account, region, name, user) =
        (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let home = world.accounts.iter().position(|known| *known.id == *account)?;
    let home = u32::try_from(home).ok().map(AccountIndex)?;
    let domains = world.of_kind_in(home, "opensearch:domain").iter();
    let domain = domains.filter_map(|id| world.object(*id)).find(|domain| {
        *domain.name == *name && domain.region.as_deref() == Some(region) && !user.is_empty()
    })?;
    let not_listed = ("opensearch:internal-user".into(), domain.arn.clone());
    let gap = world.accounts.get(home.0 as usize)?.uncollected_within.get(&not_listed)?.clone();
    Some(Start {
        name: who.into(),
        principals: Vec::new(),
        symbolic: Vec::new(),
        home: Some(home),
        gap: Some(gap),
    })
}

/// The symbolic starts that some policy of the snapshot is about: everyone, each outside account
/// that a policy lets in, each identity provider that a role trusts.
pub(super) fn from_outside(world: &World) -> Vec<Start> {
    let mut out = vec![anyone(world)];
    let mut accounts = BTreeSet::new();
    for principal in policies(world).flat_map(named) {
        if let Some(id) = account_of(principal)
            && !world.accounts.iter().any(|known| *known.id == *id)
        {
            accounts.insert(id.to_owned());
        }
    }
    for id in accounts {
        out.extend(account(world, &format!("account:{id}"), &id));
    }
    for provider in providers(world) {
        out.extend(federated(world, &format!("federated:{provider}"), &provider));
    }
    out
}

fn anyone(world: &World) -> Start {
    let account = own_account(world);
    let mut symbolic = vec![Symbolic::Unsigned.object("anonymous", OUTSIDE)];
    symbolic.extend(of_account(world, &account, OUTSIDE, true));
    Start { name: "anyone".into(), principals: Vec::new(), symbolic, home: None, gap: None }
}

/// An account that nothing in the snapshot is about.
fn own_account(world: &World) -> String {
    let taken = |id: &str| {
        world.accounts.iter().any(|account| *account.id == *id)
            || world.organization.iter().flat_map(|o| o.accounts()).any(|account| **account == *id)
            || policies(world).any(|policy| mentions(policy, id))
    };
    let candidates = (0..1000_u64).map(|less| (999_999_999_999 - less).to_string());
    candidates.into_iter().find(|id| !taken(id)).unwrap_or_else(|| "999999999999".to_owned())
}

fn mentions(policy: &Policy, id: &str) -> bool {
    policy.statements().iter().any(|statement| {
        let principals = statement.principals();
        principals.is_some_and(|all| all.named.iter().any(|one| one.to_string().contains(id)))
            || statement.templates().any(|template| template.text().contains(id))
    })
}

fn account(world: &World, who: &str, id: &str) -> Result<Start, QuestionError> {
    if id.len() != 12 || !id.bytes().all(|b| b.is_ascii_digit()) {
        return Err(QuestionError::NoAccountId(who.to_owned()));
    }
    let home = world.accounts.iter().position(|account| *account.id == *id);
    let home = home.and_then(|at| u32::try_from(at).ok()).map(AccountIndex);
    let mut symbolic = of_account(world, id, home.unwrap_or(OUTSIDE), false);
    let principals = match home {
        Some(home) => own_principals(world, home),
        None => {
            symbolic.extend(mentioned(world, id));
            Vec::new()
        }
    };
    Ok(Start { name: who.into(), principals, symbolic, home, gap: not_collected(world, id) })
}

/// Why it is not known what an account of the organization can do in it, if nothing of the account
/// was collected: it may be one from which others are administered, or leave.
fn not_collected(world: &World, id: &str) -> Option<Gap> {
    let is_member = world.organization.as_ref()?.contains(id) == Some(true);
    let is_collected = world.accounts.iter().any(|account| *account.id == *id);
    let why = format!(
        "accounts/{id} was not collected: what an account of the organization can do in it is not known"
    );
    (is_member && !is_collected).then(|| Gap(why.into()))
}

fn own_principals(world: &World, account: AccountIndex) -> Vec<ObjectId> {
    ["iam:user", "iam:role"]
        .into_iter()
        .flat_map(|kind| world.of_kind_in(account, kind))
        .copied()
        .filter(|id| world.object(*id).is_some_and(|object| !object.is_service_linked()))
        .collect()
}

/// Any principal that an account could have, name open.
fn of_account(
    world: &World,
    id: &str,
    index: AccountIndex,
    own: bool,
) -> Vec<crate::snapshot::Object> {
    let partition = world.accounts.first().map_or("aws", |account| &*account.partition);
    let open = |kind: PrincipalKind, word: &str| {
        let symbolic = Symbolic::Principal { kind, account: id.into(), own };
        symbolic.object(Symbolic::open_arn(partition, id, word), index)
    };
    let root = Symbolic::Principal { kind: PrincipalKind::Root, account: id.into(), own };
    vec![
        open(PrincipalKind::User, "user"),
        open(PrincipalKind::Role, "role"),
        open(PrincipalKind::UserWithPath, "user"),
        root.object(format!("arn:{partition}:iam::{id}:root"), index),
    ]
}

/// The principals of an outside account that policies of the snapshot name, each by itself: an open
/// name is none of these.
fn mentioned(world: &World, id: &str) -> Vec<crate::snapshot::Object> {
    let mut found: BTreeSet<(Arc<str>, PrincipalKind)> = BTreeSet::new();
    for principal in policies(world).flat_map(named) {
        if account_of(principal) != Some(id) {
            continue;
        }
        let found_one = match principal {
            Principal::User(arn) => (Arc::from(&**arn), PrincipalKind::User),
            Principal::Role(arn) => (Arc::from(&**arn), PrincipalKind::Role),
            Principal::RoleSession(arn) | Principal::FederatedUser(arn) => {
                (Arc::from(&**arn), PrincipalKind::Session)
            }
            _ => continue,
        };
        found.insert(found_one);
    }
    found
        .into_iter()
        .map(|(arn, kind)| {
            Symbolic::Principal { kind, account: id.into(), own: false }.object(arn, OUTSIDE)
        })
        .collect()
}

fn federated(world: &World, who: &str, text: &str) -> Result<Start, QuestionError> {
    let known = providers(world);
    let listed = ["iam:oidc-provider", "iam:saml-provider"]
        .into_iter()
        .flat_map(|kind| world.of_kind(kind))
        .filter_map(|id| world.object(*id))
        .filter(|object| !object.is_unlisted())
        .map(|object| object.arn.clone());
    let well_known = WELL_KNOWN.into_iter().map(Arc::from);
    // The longest that fits: an issuer may have a path, and so may a subject.
    let fitting = known.into_iter().chain(listed).chain(well_known).filter(|provider| {
        text.strip_prefix(&**provider).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    });
    let provider = match fitting.max_by_key(|provider| provider.len()) {
        Some(provider) => provider,
        // Nothing of the snapshot knows it, so nothing trusts it either.
        None if is_provider_arn(text) => text.into(),
        None => return Err(QuestionError::NoProvider(who.to_owned())),
    };
    let subject = text.get(provider.len()..).and_then(|rest| rest.strip_prefix('/'));
    let subject = subject.filter(|subject| !subject.is_empty()).map(Arc::from);
    let home = provider.split(':').nth(4).and_then(|id| {
        let at = world.accounts.iter().position(|account| *account.id == *id)?;
        Some(AccountIndex(u32::try_from(at).ok()?))
    });
    let token = Symbolic::Token { provider: provider.clone(), subject };
    let symbolic = vec![token.object(provider, OUTSIDE)];
    let principals = Vec::new();
    Ok(Start { name: who.into(), principals, symbolic, home, gap: None })
}

fn is_provider_arn(text: &str) -> bool {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let ["arn", _, "iam", "", account, resource] = *parts.as_slice() else { return false };
    let named = ["oidc-provider/", "saml-provider/"]
        .into_iter()
        .any(|kind| resource.strip_prefix(kind).is_some_and(|name| !name.is_empty()));
    named && account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit())
}

/// The identity providers that policies of the snapshot let in.
fn providers(world: &World) -> BTreeSet<Arc<str>> {
    policies(world)
        .flat_map(named)
        .filter_map(|principal| match principal {
            Principal::Federated(provider) => Some(Arc::from(&**provider)),
            _ => None,
        })
        .collect()
}

fn policies(world: &World) -> impl Iterator<Item = &Policy> {
    world.documents.iter().filter_map(|document| document.policy.as_ref().ok())
}

/// Whom the policy lets in.
fn named(policy: &Policy) -> impl Iterator<Item = &Principal> {
    policy
        .statements()
        .iter()
        .filter(|statement| statement.effect() == Effect::Allow)
        .filter_map(|statement| statement.principals())
        .filter(|principals| !principals.negated)
        .flat_map(|principals| principals.named.iter())
}

/// The account of a principal of AWS accounts.
fn account_of(principal: &Principal) -> Option<&str> {
    match principal {
        Principal::Account(id) => Some(id),
        Principal::User(arn)
        | Principal::Role(arn)
        | Principal::RoleSession(arn)
        | Principal::FederatedUser(arn) => arn.split(':').nth(4),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GITHUB: &str =
        "arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com";

    /// A world with a role that trusts GitHub.
    fn world() -> World {
        let trust = format!(
            r#"{{"Statement":[{{"Effect":"Allow","Principal":{{"Federated":"{GITHUB}","AWS":"777788889999"}},
               "Action":"sts:AssumeRoleWithWebIdentity"}}]}}"#
        );
        let policy = Ok(Policy::parse(&trust).unwrap());
        World { documents: vec![crate::snapshot::Document { policy }], ..World::default() }
    }

    fn check(text: &str, provider: &str, subject: Option<&str>) {
        let start = start(&world(), text).unwrap();
        assert_eq!(start.symbolic.len(), 1, "{text}");
        let expected =
            Symbolic::Token { provider: provider.into(), subject: subject.map(Arc::from) };
        assert_eq!(start.symbolic[0].symbolic(), Some(&expected), "{text}");
    }

    #[test]
    fn what_follows_a_provider_that_is_trusted_is_a_subject() {
        check(&format!("federated:{GITHUB}"), GITHUB, None);
        let subject = "repo:acme/web:ref:refs/heads/main";
        check(&format!("federated:{GITHUB}/{subject}"), GITHUB, Some(subject));
        check("federated:accounts.google.com/1234", "accounts.google.com", Some("1234"));
    }

    #[test]
    fn an_issuer_that_nothing_knows_may_have_a_path() {
        let provider =
            "arn:aws:iam::111122223333:oidc-provider/oidc.eks.us-east-1.amazonaws.com/id/AB";
        check(&format!("federated:{provider}"), provider, None);
    }

    #[test]
    fn the_account_of_anyone_is_one_that_nothing_names() {
        let mut world = world();
        let trust = r#"{"Statement":[{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole",
            "Condition":{"StringEquals":{"aws:PrincipalAccount":"999999999999"}}}]}"#;
        let policy = Ok(Policy::parse(trust).unwrap());
        world.documents.push(crate::snapshot::Document { policy });
        assert_eq!(own_account(&world), "999999999998");
    }

    #[test]
    fn from_outside_come_those_whom_policies_let_in() {
        let names: Vec<Arc<str>> = from_outside(&world()).into_iter().map(|s| s.name).collect();
        let provider = format!("federated:{GITHUB}");
        assert_eq!(names, ["anyone".into(), "account:777788889999".into(), Arc::from(provider)]);
    }
}
