//! Self-contained cases: one JSON object with a request and every policy that applies to it.
//!
//! The context of a case is complete: a key that is not in it is not in the request.

mod reading;

use std::collections::BTreeSet;

use super::{Applicable, Decision, InForce, Origin, Request, ResourcePolicy, authorize};
use crate::policy::Policy;
use crate::residual::Residual;
pub(super) use reading::Case;

/// The answer to a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// The request succeeds.
    Allowed,
    /// Some policy denies it.
    ExplicitlyDenied,
    /// Nothing denies it, but an allow that it needs is missing.
    ImplicitlyDenied,
}

impl Verdict {
    /// The verdict as the output of `simulate --cases` has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Allowed => "Allowed",
            Self::ExplicitlyDenied => "ExplicitlyDenied",
            Self::ImplicitlyDenied => "ImplicitlyDenied",
        }
    }
}

/// A case's id and the answer, or what kept it from being answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseVerdict {
    /// The case's id, if the line has one.
    pub id: Option<String>,
    /// The verdict, or why there is none.
    pub verdict: Result<Verdict, String>,
    /// Members of the line that no case has, in order: they were passed over.
    pub passed_over: Vec<String>,
}

/// Reads one line and decides it. Never fails as a whole: a line that is no case, or whose
/// decision hangs on something AWS does not document, has an error for a verdict.
pub fn decide_case(line: &str) -> CaseVerdict {
    match Case::read(line) {
        Ok(case) => {
            CaseVerdict { verdict: decide(&case), id: Some(case.id), passed_over: case.passed_over }
        }
        Err(error) => CaseVerdict {
            id: reading::id_of(line),
            verdict: Err(error.to_string()),
            passed_over: Vec::new(),
        },
    }
}

fn decide(case: &Case) -> Result<Verdict, String> {
    let request = Request {
        caller: &case.caller,
        action: &case.action,
        resource: &case.resource,
        resource_account: case.resource_account.as_deref(),
        context: &case.context,
    };
    verdict_of(&authorize(&request, &case.policies()))
}

impl Case {
    /// The policies that bind: control policies do not in the management account.
    pub(super) fn policies(&self) -> Applicable<'_> {
        fn in_force(policy: &Policy) -> InForce<'_> {
            InForce { policy: Ok(policy), name: "", origin: Origin::Elsewhere }
        }
        fn levels(levels: &[Vec<Policy>], bind: bool) -> Vec<Vec<InForce<'_>>> {
            let levels = if bind { levels } else { &[] };
            levels.iter().map(|level| level.iter().map(in_force).collect()).collect()
        }
        Applicable {
            identity: self.identity.iter().map(in_force).collect(),
            boundary: self.boundary.as_ref().map(in_force),
            session: self.session.as_ref().map(in_force),
            service_control: levels(&self.service_control, !self.principal_in_management_account),
            resource_control: levels(&self.resource_control, !self.resource_in_management_account),
            resource: match &self.resource_policy {
                Some(policy) => ResourcePolicy::Present(in_force(policy)),
                None => ResourcePolicy::Absent,
            },
            endpoints: &[],
        }
    }
}

fn verdict_of(decision: &Decision) -> Result<Verdict, String> {
    match (&decision.denied, &decision.allowed) {
        (Residual::True, _) => Ok(Verdict::ExplicitlyDenied),
        (Residual::False, Residual::True) => Ok(Verdict::Allowed),
        (Residual::False, Residual::False) => Ok(Verdict::ImplicitlyDenied),
        (denied, allowed) => {
            let gaps = [denied, allowed].into_iter().flat_map(Residual::gaps);
            let gaps: BTreeSet<String> = gaps.map(|gap| gap.to_string()).collect();
            let gaps: Vec<String> = gaps.into_iter().collect();
            Err(format!("undecided: {}", gaps.join("; ")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALLOW_ALL: &str = r#"{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}"#;

    fn case(principal: &str, rest: &str) -> String {
        format!(
            r#"{{"id": "x", "request": {{"principal": {principal}, "action": "s3:GetObject",
            "resource": "arn:aws:s3:::b/k", "resource_account": "111122223333",
            "context": {{"aws:TagKeys": ["a", "b"]}}}}, {rest}}}"#
        )
        .replace('\n', " ")
    }

    fn check(principal: &str, rest: &str, expected: Result<Verdict, &str>) {
        let answer = decide_case(&case(principal, rest));
        assert_eq!(answer.id.as_deref(), Some("x"));
        assert_eq!(answer.verdict, expected.map_err(str::to_owned), "{rest}");
    }

    const ALICE: &str = r#""arn:aws:iam::111122223333:user/alice""#;

    #[test]
    fn a_case_is_decided() {
        let allowed = format!(r#""identity_policies": [{ALLOW_ALL}], "boundary": null"#);
        check(ALICE, &allowed, Ok(Verdict::Allowed));
        check(ALICE, r#""identity_policies": []"#, Ok(Verdict::ImplicitlyDenied));
        let denied = allowed.replace("Allow", "Deny");
        check(ALICE, &denied, Ok(Verdict::ExplicitlyDenied));
        check(r#"{"Service": "sns.amazonaws.com"}"#, &allowed, Ok(Verdict::ImplicitlyDenied));
    }

    #[test]
    fn what_cannot_be_read_or_decided_says_why() {
        check(
            ALICE,
            r#""boundary": {"Statement": {"Effect": "Permit"}}"#,
            Err(r#"at "/boundary/Statement/Effect": expected Allow or Deny, found "Permit""#),
        );
        check(
            "\"somebody\"",
            r#""boundary": null"#,
            Err(r#"at "/request/principal": expected a principal, found "somebody""#),
        );
        let condition = r#""identity_policies": [{"Statement": {"Effect": "Allow", "Action": "*",
            "Condition": {"StringMatches": {"aws:TagKeys": "a"}}}}]"#;
        check(
            ALICE,
            &condition.replace('\n', " "),
            Err(r#"undecided: condition operator "StringMatches" is not known"#),
        );
        assert_eq!(decide_case("{").id, None);
    }
}
