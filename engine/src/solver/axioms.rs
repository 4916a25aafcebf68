//! Condition keys that move together. A witness or a proof must not rest on a combination of keys
//! that no request can have.
//!
//! Facts from
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html>: each
//! key's "Availability".

/// Something about one key of a request, named in lower case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fact {
    /// The key is in the request.
    Present(&'static str),
    /// The Boolean key is in the request and true.
    True(&'static str),
}

/// How facts of one request depend on each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Axiom {
    /// The first fact never holds without the second.
    Implies(Fact, Fact),
    /// Both facts hold, or neither.
    Equivalent(Fact, Fact),
    /// The two facts never hold at once.
    Excludes(Fact, Fact),
}

use Axiom::{Equivalent, Excludes, Implies};
use Fact::{Present, True};

use super::{Assignment, Value, keys};
use crate::residual::Variable;

/// The axioms. Each holds for the keys of one request, and so between variables of one scope; an
/// axiom is closed under what follows through a third key, since that one need not be in the
/// formula. That aws:CurrentTime and aws:EpochTime are one time is kept by giving them one cell.
pub(super) const AXIOMS: &[Axiom] = &[
    // The age of the MFA authentication is there exactly if there was one.
    Equivalent(Present("aws:multifactorauthage"), True("aws:multifactorauthpresent")),
    // MFA keys, like the time of issue, come only with temporary credentials.
    Implies(Present("aws:multifactorauthpresent"), Present("aws:tokenissuetime")),
    Implies(Present("aws:multifactorauthage"), Present("aws:tokenissuetime")),
    // Through a VPC endpoint a request has its VPC, its endpoint and the address inside the VPC,
    // and no public source address.
    Equivalent(Present("aws:sourcevpc"), Present("aws:sourcevpce")),
    Equivalent(Present("aws:sourcevpc"), Present("aws:vpcsourceip")),
    Equivalent(Present("aws:sourcevpce"), Present("aws:vpcsourceip")),
    Excludes(Present("aws:sourceip"), Present("aws:sourcevpc")),
    Excludes(Present("aws:sourceip"), Present("aws:sourcevpce")),
    Excludes(Present("aws:sourceip"), Present("aws:vpcsourceip")),
    // The endpoint's owner is told for some services only, and never without an endpoint.
    Implies(Present("aws:vpceaccount"), Present("aws:sourcevpce")),
    Implies(Present("aws:vpceaccount"), Present("aws:sourcevpc")),
    Implies(Present("aws:vpceaccount"), Present("aws:vpcsourceip")),
    Excludes(Present("aws:vpceaccount"), Present("aws:sourceip")),
    Implies(Present("aws:vpceorgid"), Present("aws:sourcevpce")),
    Implies(Present("aws:vpceorgid"), Present("aws:sourcevpc")),
    Implies(Present("aws:vpceorgid"), Present("aws:vpcsourceip")),
    Excludes(Present("aws:vpceorgid"), Present("aws:sourceip")),
    Implies(Present("aws:vpceorgpaths"), Present("aws:sourcevpce")),
    Implies(Present("aws:vpceorgpaths"), Present("aws:sourcevpc")),
    Implies(Present("aws:vpceorgpaths"), Present("aws:vpcsourceip")),
    Excludes(Present("aws:vpceorgpaths"), Present("aws:sourceip")),
    // The chain of services that called on the caller's behalf.
    Implies(Present("aws:calledvia"), True("aws:viaawsservice")),
    Implies(Present("aws:calledviafirst"), True("aws:viaawsservice")),
    Implies(Present("aws:calledvialast"), True("aws:viaawsservice")),
    Equivalent(Present("aws:calledvia"), Present("aws:calledviafirst")),
    Equivalent(Present("aws:calledvia"), Present("aws:calledvialast")),
    Equivalent(Present("aws:calledviafirst"), Present("aws:calledvialast")),
];

/// Multivalued keys that list the members of a family of keys, by the beginning of the family's
/// names: a member is in the request exactly if what follows in its name is in the list, without
/// regard to case.
///
/// Facts from "aws:TagKeys" of
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html>,
/// <https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html#conditions-kms-encryption-context-keys>
/// and <https://docs.aws.amazon.com/AmazonS3/latest/userguide/tagging-and-policies.html>.
pub(super) const LISTS: [(&str, &str); 3] = [
    ("aws:tagkeys", "aws:requesttag/"),
    ("kms:encryptioncontextkeys", "kms:encryptioncontext:"),
    ("s3:requestobjecttagkeys", "s3:requestobjecttag/"),
];

/// Whether a value of a variable is the name of a key that is in the request, which then is listed.
pub(super) fn lists_key_of(list: &Variable, value: &str, request: &Assignment) -> bool {
    let key = keys::lower_case(list);
    let Some((_, family)) = LISTS.iter().find(|(name, _)| *name == key) else { return false };
    request.iter().any(|(member, held)| {
        let is_there = *held != Value::Absent && !member.multivalued && member.scope == list.scope;
        let key = keys::lower_case(member);
        is_there && key.strip_prefix(family).is_some_and(|name| name.eq_ignore_ascii_case(value))
    })
}
