//! What opens the most paths: the statements of policies and trusts that findings rest on, with how
//! many principals each serves.

use std::collections::{BTreeMap, BTreeSet};

use escalade_engine::answer::{AllowedBy, Answer, Call};

/// A statement that allows calls of some paths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Opening<'a> {
    /// The account of the policy, by id; empty where it is of none.
    pub(crate) account: &'a str,
    /// The policy, as people call it.
    pub(crate) policy: &'a str,
    /// Position of the statement in it.
    pub(crate) statement: usize,
    /// The statement's Sid.
    pub(crate) sid: Option<&'a str>,
}

impl<'a> Opening<'a> {
    fn of(call: &'a Call, by: &'a AllowedBy) -> Self {
        // Whose identity policies allow a call, and whose resource lets it in.
        let arn = if &*by.kind == "identity" { &call.actor } else { &call.resource };
        let account = match by.policy.strip_prefix("arn:") {
            Some(_) => "",
            None => arn.split(':').nth(4).unwrap_or_default(),
        };
        Self { account, policy: &by.policy, statement: by.statement, sid: by.sid.as_deref() }
    }
}

/// The statements that more than one finding rests on, with how many do, the most first.
pub(crate) fn openings<'a>(
    findings: impl IntoIterator<Item = &'a Answer>,
) -> Vec<(Opening<'a>, usize)> {
    let mut counts = BTreeMap::<Opening<'_>, usize>::new();
    for path in findings.into_iter().filter_map(|finding| finding.path.as_ref()) {
        let calls = path.steps.iter().flat_map(|step| &step.calls);
        let of_path: BTreeSet<Opening<'_>> = calls
            .flat_map(|call| call.allowed_by.iter().map(move |by| Opening::of(call, by)))
            .collect();
        for opening in of_path {
            *counts.entry(opening).or_default() += 1;
        }
    }
    let mut counts: Vec<_> = counts.into_iter().filter(|(_, count)| *count > 1).collect();
    counts.sort_by(|(_, a), (_, b)| b.cmp(a));
    counts
}
