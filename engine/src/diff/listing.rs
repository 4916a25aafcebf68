//! An audit as it is compared: where every principal stands, from the audit itself or from a file
//! that one was written to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Deserialize;

use crate::answer::{Answer, Audit, AuditQuestion, Gain, Path, Question, SCHEMA, Verdict};

/// How a principal gets to the goal: the techniques, each with what it gains. `$start` stands for
/// the principal itself.
pub type Way = Vec<(Arc<str>, Vec<Arc<str>>)>;

/// Where a principal stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is at the goal from the start.
    AtGoal,
    /// It is a finding: verdict, way and the whole answer.
    Finding(Verdict, Way, Box<Answer>),
}

impl Standing {
    /// The verdict; being there from the start is the strongest.
    pub fn verdict(&self) -> Verdict {
        match self {
            Self::AtGoal => Verdict::Reachable,
            Self::Finding(verdict, ..) => *verdict,
        }
    }

    /// How bad it is, the worst last: not known, with assumptions, without, there already.
    pub(super) fn rank(&self) -> u8 {
        match self {
            Self::AtGoal => 3,
            Self::Finding(Verdict::Reachable, ..) => 2,
            Self::Finding(Verdict::ReachableUnderAssumptions, ..) => 1,
            Self::Finding(..) => 0,
        }
    }

    /// The finding.
    pub fn answer(&self) -> Option<&Answer> {
        match self {
            Self::AtGoal => None,
            Self::Finding(_, _, answer) => Some(answer),
        }
    }

    pub(super) fn way(&self) -> Option<&Way> {
        match self {
            Self::AtGoal => None,
            Self::Finding(_, way, _) => Some(way),
        }
    }
}

/// An audit as it is compared.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    /// What every principal was asked.
    pub question: AuditQuestion,
    /// Where principals stand, by ARN; who is not here cannot get to the goal.
    pub standings: BTreeMap<Arc<str>, Standing>,
    /// Unique ids by ARN.
    pub(super) unique_ids: BTreeMap<Arc<str>, Arc<str>>,
    /// All principals that were asked about, if that is known.
    pub(super) principals: Option<BTreeSet<Arc<str>>>,
    /// Starts that stand for principals who were not listed, each with what is missing.
    pub(crate) not_listed: Vec<(Arc<str>, Arc<str>)>,
    /// What was missing or skipped.
    pub unknown: Vec<Arc<str>>,
}

impl Listing {
    /// The listing of an audit.
    pub fn of(audit: &Audit) -> Self {
        let outside = audit.outside.iter().flat_map(|outside| &outside.findings);
        Self::new(
            audit.question.clone(),
            audit.findings.iter().chain(outside).cloned().collect(),
            audit.administrators.clone(),
            audit.unique_ids.clone(),
            audit.unknown.clone(),
        )
    }

    /// Reads what `audit --format json` wrote. Fails, with the place, if it is nothing of the kind.
    pub fn read(text: &str) -> Result<Self, ListingError> {
        let file: AuditFile = serde_json::from_str(text)
            .map_err(|error| ListingError::NotAnAudit(error.to_string()))?;
        if file.schema != SCHEMA {
            return Err(ListingError::Schema(file.schema));
        }
        let external = file.question.external || file.outside.is_some();
        let question = AuditQuestion { external, ..file.question };
        let outside = file.outside.into_iter().flat_map(|outside| outside.findings);
        let findings = file
            .findings
            .into_iter()
            .chain(outside)
            .map(|finding| Answer {
                schema: SCHEMA,
                question: finding.question,
                verdict: finding.verdict,
                path: finding.path,
                unknown: finding.unknown,
                id: finding.id,
            })
            .collect();
        Ok(Self::new(question, findings, file.administrators, file.unique_ids, file.unknown))
    }

    fn new(
        question: AuditQuestion,
        findings: Vec<Answer>,
        administrators: Vec<Arc<str>>,
        unique_ids: BTreeMap<Arc<str>, Arc<str>>,
        unknown: Vec<Arc<str>>,
    ) -> Self {
        let at_goal = administrators.into_iter().map(|arn| (arn, Standing::AtGoal));
        let found = findings.into_iter().map(|answer| {
            let standing =
                Standing::Finding(answer.verdict, way(&answer), Box::new(answer.clone()));
            (answer.question.from.clone(), standing)
        });
        let standings = at_goal.chain(found).collect();
        Self { question, standings, unique_ids, principals: None, not_listed: Vec::new(), unknown }
    }

    /// Notes who was asked about, so that who is gone can be told from who cannot get there.
    pub fn with_principals(mut self, principals: BTreeSet<Arc<str>>) -> Self {
        self.principals = Some(principals);
        self
    }

    /// Notes starts that stand for principals who were not listed, each with what is missing.
    pub fn with_not_listed(mut self, not_listed: Vec<(Arc<str>, Arc<str>)>) -> Self {
        self.not_listed = not_listed;
        self
    }

    /// The unique id of a principal that stands somewhere.
    pub fn unique_id(&self, arn: &str) -> Option<&str> {
        self.unique_ids.get(arn).map(|id| &**id)
    }

    /// Whether a principal is known not to exist (any more, or yet).
    pub(super) fn lacks(&self, arn: &str) -> bool {
        self.leaves_out(arn) && !self.may_have(arn)
    }

    /// Whether nobody was asked about a principal because it was not listed, though it may be there.
    pub(super) fn may_have(&self, arn: &str) -> bool {
        let account = arn.split(':').nth(4).unwrap_or_default();
        let of_account = |start: &str| start.strip_prefix("account:") == Some(account);
        self.leaves_out(arn) && self.not_listed.iter().any(|(start, _)| of_account(start))
    }

    fn leaves_out(&self, arn: &str) -> bool {
        // Starts from outside, which are no ARNs, are never listed, and neither come nor go.
        let is_principal = arn.starts_with("arn:");
        let principals = self.principals.as_ref().filter(|_| is_principal);
        principals.is_some_and(|principals| !principals.contains(arn))
    }
}

/// Why a file is no audit that can be compared with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ListingError {
    /// Its content has another shape.
    #[error("expected what `escalade audit --format json` writes: {0}")]
    NotAnAudit(String),
    /// It was written by a version with another schema.
    #[error("expected the schema {SCHEMA:?}, found {0:?}")]
    Schema(String),
}

/// The members of an audit file that are compared. Others are left alone: a later version may
/// write more.
#[derive(Deserialize)]
struct AuditFile {
    schema: String,
    findings: Vec<FindingInFile>,
    administrators: Vec<Arc<str>>,
    outside: Option<OutsideInFile>,
    #[serde(default)]
    unknown: Vec<Arc<str>>,
    question: AuditQuestion,
    #[serde(default)]
    unique_ids: BTreeMap<Arc<str>, Arc<str>>,
}

#[derive(Deserialize)]
struct OutsideInFile {
    findings: Vec<FindingInFile>,
}

#[derive(Deserialize)]
struct FindingInFile {
    question: Question,
    verdict: Verdict,
    path: Option<Path>,
    #[serde(default)]
    unknown: Vec<Arc<str>>,
    id: Option<Arc<str>>,
}

fn way(answer: &Answer) -> Way {
    let from = &*answer.question.from;
    let named = |text: &Arc<str>| if **text == *from { "$start".into() } else { text.clone() };
    let gained = |gain: &Gain| match gain {
        Gain::Credentials { of } | Gain::Policy { of, .. } | Gain::Delegation { of, .. } => {
            Some(named(of))
        }
        Gain::Resource { .. } | Gain::Goal { .. } => None,
    };
    let steps = answer.path.as_ref().map(|path| &*path.steps).unwrap_or_default();
    steps
        .iter()
        .map(|step| (step.technique.clone(), step.gains.iter().filter_map(gained).collect()))
        .collect()
}
