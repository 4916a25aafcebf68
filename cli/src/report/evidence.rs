//! The policies behind answers, and what their files are called in reports.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use escalade_engine::analysis::{Models, Options};
use escalade_engine::answer::{AllowedBy, Answer, Audit};
use escalade_engine::fix::{self, Fix, FixError};
use escalade_engine::provenance::{self, PlacedPolicy, PolicyName};
use escalade_engine::snapshot::{Place, SnapshotFiles, StatementText, World};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::arguments::PathFormat;

/// What stays as it is in a path of a URI: RFC 3986's unreserved characters, and the slash.
const PATH: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// How many bytes of snapshots are tried for the fixes on a page.
const EFFORT: usize = 100_000_000;

/// What a report needs besides the answers.
#[derive(Default)]
pub(crate) struct Evidence {
    policies: BTreeMap<PolicyName, PlacedPolicy>,
    /// The file of every principal that a finding starts from.
    principals: BTreeMap<Arc<str>, Arc<str>>,
    /// Fixes by the id of findings, as far as they were looked for.
    fixes: BTreeMap<Arc<str>, Fix>,
    /// The snapshot's folder as the user named it, if that is a path that holds elsewhere.
    folder: Option<String>,
}

impl Evidence {
    /// Looks up what a report of these answers in this format needs: nothing for text and JSON,
    /// fixes for a page. `audit` is the one that the answers are of, if they are of one. Fails if the snapshot cannot be read again for these.
    pub(crate) fn of<'a>(
        format: PathFormat,
        world: &World,
        models: &Models,
        snapshot: &Path,
        options: &Options,
        audit: Option<&Audit>,
        answers: impl Iterator<Item = &'a Answer> + Clone,
    ) -> Result<Self, FixError> {
        if matches!(format, PathFormat::Text | PathFormat::Json | PathFormat::Jsonl) {
            return Ok(Self::default());
        }
        let fixes = match format {
            PathFormat::Html if answers.clone().any(|answer| answer.path.is_some()) => {
                let files = SnapshotFiles::read(snapshot)?;
                let findings = answers.clone();
                fix::of_causes(&files, world, models, options, audit, findings, EFFORT)?
            }
            _ => BTreeMap::new(),
        };
        let principals = answers.clone().filter_map(|answer| {
            let from = &answer.question.from;
            let file = provenance::file_of_principal(world, models.kinds(), snapshot, from)?;
            Some((from.clone(), file))
        });
        Ok(Self {
            policies: provenance::policies(world, models.kinds(), snapshot, answers),
            principals: principals.collect(),
            fixes,
            folder: folder(snapshot),
        })
    }

    /// The fixes by the id of findings, as far as they were looked for.
    pub(crate) fn fixes(&self) -> &BTreeMap<Arc<str>, Fix> {
        &self.fixes
    }

    /// The policy that a statement is of.
    pub(crate) fn policy(&self, by: &AllowedBy) -> Option<&PlacedPolicy> {
        self.policies.get(&PolicyName::from(by))
    }

    /// The policies, in an order that is always the same.
    pub(crate) fn policies(&self) -> impl Iterator<Item = (&PolicyName, &PlacedPolicy)> {
        self.policies.iter()
    }

    /// A statement's file and its place there, as far as they are known.
    pub(crate) fn place(&self, by: &AllowedBy) -> Option<(&str, Option<&Place>)> {
        let policy = self.policy(by)?;
        let text = policy.text.as_ref();
        let statement = text.and_then(|text| text.statements.get(by.statement));
        let place = statement.and_then(|statement: &StatementText| statement.place.as_ref());
        Some((policy.file.as_deref()?, place.or(text.and_then(|text| text.place.as_ref()))))
    }

    /// The file that says most about a principal.
    pub(crate) fn principal(&self, arn: &str) -> Option<&str> {
        self.principals.get(arn).map(|file| &**file)
    }

    /// Whether files are named from where the command was run.
    pub(crate) fn is_relative(&self) -> bool {
        self.folder.is_some()
    }

    /// A file of the snapshot as a path from where the command was run, or else from the
    /// snapshot's folder.
    pub(crate) fn path<'f>(&self, file: &'f str) -> Cow<'f, str> {
        match &self.folder {
            Some(folder) if !folder.is_empty() => format!("{folder}/{file}").into(),
            _ => file.into(),
        }
    }

    /// The same as a relative URI.
    pub(crate) fn uri(&self, file: &str) -> String {
        utf8_percent_encode(&self.path(file), PATH).to_string()
    }
}

/// The folder with `/` between its parts; nothing if it is absolute or leads upwards, which says
/// more about a machine than about the snapshot.
fn folder(snapshot: &Path) -> Option<String> {
    let folder: PathBuf = if snapshot.is_dir() {
        snapshot.to_owned()
    } else {
        snapshot.parent().unwrap_or(Path::new("")).to_owned()
    };
    let mut parts = Vec::new();
    for part in folder.components() {
        match part {
            Component::CurDir => {}
            Component::Normal(name) => parts.push(name.to_str()?.to_owned()),
            _ => return None,
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_named_from_where_the_command_ran_where_that_says_nothing_of_the_machine() {
        let check = |snapshot: &str, expected: Option<&str>| {
            assert_eq!(folder(Path::new(snapshot)).as_deref(), expected, "{snapshot}");
        };
        check("details.json", Some(""));
        check("./a/details.json", Some("a"));
        check("../a/details.json", None);
        check("/a/details.json", None);
    }

    #[test]
    fn a_percent_sign_in_a_file_name_is_escaped_in_its_uri() {
        let evidence = Evidence { folder: Some("my snapshot".into()), ..Evidence::default() };
        assert_eq!(evidence.uri("a/b%3A.json"), "my%20snapshot/a/b%253A.json");
    }
}
