//! What findings have in common: the last step of their paths, and what it is done to.

use std::collections::BTreeMap;

use escalade_engine::answer::{Answer, Gain, Step};

/// What the last step of a path is and what it is done to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Cause<'a> {
    /// The technique's id.
    pub(crate) technique: &'a str,
    /// `None`: the principal that the path started from.
    pub(crate) target: Option<&'a str>,
}

impl<'a> Cause<'a> {
    /// The cause of a finding; nothing where there is no step.
    pub(crate) fn of(finding: &'a Answer) -> Option<Self> {
        let step = finding.path.as_ref()?.steps.last()?;
        let target = target(step).filter(|&target| target != &*finding.question.from);
        Some(Self { technique: &step.technique, target })
    }
}

/// The causes with how many findings have each, the most frequent first.
pub(crate) fn causes<'a>(
    findings: impl IntoIterator<Item = &'a Answer>,
) -> Vec<(Cause<'a>, usize)> {
    let mut counts = BTreeMap::<Cause<'_>, usize>::new();
    for cause in findings.into_iter().filter_map(Cause::of) {
        *counts.entry(cause).or_default() += 1;
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by(|(_, a), (_, b)| b.cmp(a));
    counts
}

/// What a step is done to: whose credentials or permissions it gains, or what it calls last.
pub(crate) fn target(step: &Step) -> Option<&str> {
    let gained = step.gains.iter().find_map(|gain| match gain {
        Gain::Credentials { of } | Gain::Policy { of, .. } | Gain::Delegation { of, .. } => {
            Some(&**of)
        }
        Gain::Resource { .. } | Gain::Goal { .. } => None,
    });
    gained.or_else(|| step.calls.last().map(|call| &*call.resource))
}
