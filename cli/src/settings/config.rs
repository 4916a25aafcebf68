//! `escalade.toml`: what is the same every time. The command line goes before it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::arguments::{Arguments, Command, Models, Paths};

/// Where settings are looked for unless they are given.
const USUAL: &str = "escalade.toml";

/// Settings. Paths are relative to the file that they are in.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// Additional techniques.
    #[serde(default)]
    models: Vec<PathBuf>,
    /// What principals are asked about.
    #[serde(default)]
    goals: Vec<String>,
    /// Environment keys that are pinned; an empty value means that the key is absent.
    #[serde(default)]
    assume: BTreeMap<String, String>,
    /// Audits whose paths are known.
    #[serde(default)]
    baseline: Vec<PathBuf>,
    /// Findings that were reviewed and are accepted.
    accepted: Option<PathBuf>,
    /// What must hold.
    invariants: Option<PathBuf>,
}

impl Config {
    /// Reads the settings that a command line names, or those of the current folder, or none.
    pub(crate) fn of(arguments: &Arguments) -> Result<Self, String> {
        let usual = Path::new(USUAL);
        let file = match &arguments.config {
            Some(file) => file,
            None if !arguments.no_config && usual.is_file() => usual,
            None => return Ok(Self::default()),
        };
        let mut config: Self = super::read(file)?;
        let folder = file.parent().unwrap_or(Path::new(""));
        let paths = config.models.iter_mut().chain(&mut config.baseline);
        for path in paths.chain(&mut config.accepted).chain(&mut config.invariants) {
            *path = folder.join(&path);
        }
        Ok(config)
    }

    /// Gives a command what its line leaves out. Fails if the settings have several goals where
    /// only one can be asked about.
    pub(crate) fn complete(&self, command: &mut Command) -> Result<(), String> {
        match command {
            Command::Audit(audit) => {
                self.goal(&mut audit.to)?;
                self.paths(&mut audit.paths);
                self.models(&mut audit.run.models);
            }
            Command::Reach(reach) => {
                self.paths(&mut reach.paths);
                self.models(&mut reach.run.models);
            }
            Command::Diff(diff) => {
                self.goal(&mut diff.to)?;
                self.paths(&mut diff.paths);
                self.models(&mut diff.run.models);
            }
            Command::Fix(fix) => {
                self.goal(&mut fix.to)?;
                self.paths(&mut fix.paths);
                self.models(&mut fix.run.models);
            }
            Command::Explain(explain) => {
                self.goal(&mut explain.to)?;
                self.paths(&mut explain.paths);
                self.models(&mut explain.run.models);
            }
            Command::WhoCan(who_can) => {
                self.paths(&mut who_can.paths);
                self.models(&mut who_can.run.models);
            }
            Command::Check(check) => {
                if check.to.is_empty() {
                    check.to.clone_from(&self.goals);
                }
                if check.baseline.is_empty() {
                    check.baseline.clone_from(&self.baseline);
                }
                if check.accepted.is_none() {
                    check.accepted.clone_from(&self.accepted);
                }
                if check.invariants.is_none() {
                    check.invariants.clone_from(&self.invariants);
                }
                self.paths(&mut check.paths);
                self.models(&mut check.run.models);
            }
            Command::WhyNot(why_not) => {
                self.paths(&mut why_not.paths);
                self.models(&mut why_not.run.models);
            }
            Command::Verify(verify) => self.models(&mut verify.run.models),
            Command::Compare(compare) => self.models(&mut compare.run.models),
            Command::Completions(_) | Command::Man(_) => {}
            Command::Techniques(techniques) => self.models(&mut techniques.models),
            Command::Simulate(_) => {}
        }
        Ok(())
    }

    fn goal(&self, to: &mut Option<String>) -> Result<(), String> {
        match (&to, self.goals.as_slice()) {
            (Some(_), _) | (None, []) => Ok(()),
            (None, [goal]) => {
                *to = Some(goal.clone());
                Ok(())
            }
            (None, goals) => {
                Err(format!("the settings have several goals: give one of {goals:?} with --to"))
            }
        }
    }

    fn paths(&self, paths: &mut Paths) {
        for (key, value) in &self.assume {
            // Condition keys are compared without regard to case.
            if !paths.assume.iter().any(|(given, _)| given.eq_ignore_ascii_case(key)) {
                let value = (!value.is_empty()).then(|| value.clone());
                paths.assume.push((key.clone(), value));
            }
        }
    }

    fn models(&self, models: &mut Models) {
        if models.paths.is_empty() {
            models.paths.clone_from(&self.models);
        }
    }
}
