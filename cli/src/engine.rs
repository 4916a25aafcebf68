//! Stand-ins for the engine's entry points, replaced by the real ones.
//!
//! They answer one toy question: a user whose own inline policy allows `iam:PutUserPolicy` can
//! become administrator. Enough to run the command line end to end.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use escalade_engine::answer::{
    AllowedBy, Answer, Audit, Call, Gain, Question, SCHEMA, Statistics, Step, Verdict,
};
use escalade_models::Technique;

pub(crate) struct LoadOptions {
    #[expect(dead_code, reason = "the stand-in reads one file")]
    pub(crate) threads: Option<usize>,
}

/// How far loading has come.
pub(crate) struct Progress {
    pub(crate) done: usize,
    pub(crate) total: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Environment {
    #[default]
    One,
    PerStep,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    pub(crate) goal: Arc<str>,
    pub(crate) via: Vec<Arc<str>>,
    pub(crate) avoid: Vec<Arc<str>>,
    pub(crate) assume: BTreeMap<Arc<str>, Option<Arc<str>>>,
    pub(crate) no_assumptions: bool,
    pub(crate) environment: Environment,
    pub(crate) max_steps: Option<usize>,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum SnapshotError {
    #[error("{file:?}: {source}")]
    Read { file: PathBuf, source: std::io::Error },
    #[error("{file:?}: {source}")]
    Json { file: PathBuf, source: serde_json::Error },
    #[error("{file:?}: no account authorization details")]
    Empty { file: PathBuf },
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum QuestionError {
    #[error("no principal {0:?} in the snapshot")]
    NoSuchPrincipal(String),
}

#[derive(Debug, thiserror::Error)]
#[error("{file:?}: {source}")]
pub(crate) struct CatalogueError {
    file: String,
    source: serde_json::Error,
}

#[derive(Clone)]
pub(crate) struct Catalogue {
    techniques: Vec<Technique>,
}

const BUILTIN: &str = r#"[{
  "id": "iam-put-user-policy", "title": "Put an inline policy on a user",
  "category": "self-escalation",
  "objects": [{ "name": "$user", "kind": "iam:user" }],
  "calls": [{ "action": "iam:PutUserPolicy", "resource": "$user" }],
  "gains": [{ "inline-policy": "$user" }],
  "references": ["https://docs.aws.amazon.com/IAM/latest/APIReference/API_PutUserPolicy.html"]
}]"#;

impl Catalogue {
    pub(crate) fn builtin() -> Result<Self, CatalogueError> {
        Self { techniques: Vec::new() }.with(BUILTIN, "built in")
    }

    pub(crate) fn with(&self, extra: &str, file: &str) -> Result<Self, CatalogueError> {
        let more: Vec<Technique> = serde_json::from_str(extra)
            .map_err(|source| CatalogueError { file: file.to_owned(), source })?;
        let mut catalogue = self.clone();
        catalogue.techniques.extend(more);
        Ok(catalogue)
    }

    pub(crate) fn techniques(&self) -> &[Technique] {
        &self.techniques
    }
}

/// Users by ARN: whether they can put policies.
pub(crate) struct World(BTreeMap<String, bool>);

impl World {
    pub(crate) fn load(
        path: &Path,
        _options: &LoadOptions,
        progress: &(dyn Fn(Progress) + Sync),
    ) -> Result<Self, SnapshotError> {
        let read = |source| SnapshotError::Read { file: path.to_owned(), source };
        if fs::metadata(path).map_err(read)?.is_dir() {
            return Err(SnapshotError::Empty { file: path.to_owned() });
        }
        let text = fs::read_to_string(path).map_err(read)?;
        let json: serde_json::Value = serde_json::from_str(&text)
            .map_err(|source| SnapshotError::Json { file: path.to_owned(), source })?;
        let users = json.get("UserDetailList").and_then(|list| list.as_array());
        let Some(users) = users else {
            return Err(SnapshotError::Empty { file: path.to_owned() });
        };
        progress(Progress { done: 1, total: 1 });
        Ok(Self(
            users
                .iter()
                .filter_map(|user| Some((user.get("Arn")?.as_str()?.to_owned(), user)))
                .map(|(arn, user)| (arn, user.to_string().contains("iam:PutUserPolicy")))
                .collect(),
        ))
    }
}

pub(crate) fn reach(
    world: &World,
    _catalogue: &Catalogue,
    question: &Question,
    _options: &Options,
) -> Result<Answer, QuestionError> {
    let found = world.0.iter().find(|(arn, _)| arn.ends_with(&*question.from));
    let Some((arn, &can)) = found else {
        return Err(QuestionError::NoSuchPrincipal(question.from.to_string()));
    };
    let arn: Arc<str> = arn.as_str().into();
    let step = || Step {
        technique: "iam-put-user-policy".into(),
        title: "Put an inline policy on a user".into(),
        calls: vec![Call {
            actor: arn.clone(),
            action: "iam:PutUserPolicy".into(),
            resource: arn.clone(),
            context: BTreeMap::new(),
            allowed_by: vec![AllowedBy {
                policy: "inline policy".into(),
                kind: "identity".into(),
                statement: 0,
                sid: None,
            }],
        }],
        gains: vec![Gain::Policy { of: arn.clone(), effect: "any inline policy".into() }],
    };
    Ok(Answer {
        schema: SCHEMA,
        question: Question { from: arn.clone(), ..question.clone() },
        verdict: if can { Verdict::Reachable } else { Verdict::Unreachable },
        path: can.then(|| escalade_engine::answer::Path {
            assumptions: Vec::new(),
            steps: vec![step()],
        }),
        unknown: Vec::new(),
    })
}

pub(crate) fn audit(
    world: &World,
    catalogue: &Catalogue,
    options: &Options,
) -> Result<Audit, QuestionError> {
    let mut findings = Vec::new();
    for (arn, _) in world.0.iter().filter(|(_, can)| **can) {
        let question =
            Question { from: arn.as_str().into(), to: options.goal.clone(), ..Question::default() };
        findings.push(reach(world, catalogue, &question, options)?);
    }
    Ok(Audit {
        schema: SCHEMA,
        findings,
        administrators: Vec::new(),
        principals: world.0.len(),
        accounts: 1,
        unknown: Vec::new(),
        statistics: Statistics::default(),
    })
}
