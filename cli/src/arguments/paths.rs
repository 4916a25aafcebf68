//! Which paths count.

use std::collections::BTreeMap;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use escalade_engine::analysis::{Environment, Options, Prefer, Selection};

use super::pinned::pinned;

/// Which paths count.
#[derive(Debug, Args)]
#[command(next_help_heading = "Paths")]
pub(crate) struct Paths {
    /// Only paths that use this action or technique; repeatable, all of them are needed
    #[arg(long, value_name = "ACTION-OR-TECHNIQUE")]
    via: Vec<String>,

    /// Only paths that do not use this action or technique; repeatable
    #[arg(long, value_name = "ACTION-OR-TECHNIQUE")]
    avoid: Vec<String>,

    /// Take an environment key to have this value, or with nothing after the = to be absent; repeatable
    #[arg(long, value_name = "KEY=VALUE", value_parser = pinned)]
    pub(crate) assume: Vec<(String, Option<String>)>,

    /// Only paths that hold in every environment
    #[arg(long)]
    no_assumptions: bool,

    /// Whether the attacker's network place is the same at every step
    #[arg(long, value_enum, default_value_t, value_name = "one|per-step")]
    environment: EnvironmentArgument,

    /// Only paths of at most N steps
    #[arg(long, value_name = "N")]
    max_steps: Option<usize>,

    /// Which path to show: the one with the strongest verdict, or the shortest whatever it assumes
    #[arg(long, value_enum, default_value_t, value_name = "verdict|steps")]
    prefer: PreferArgument,
}

impl Paths {
    /// As the engine takes them. Fails if a key is pinned twice.
    pub(crate) fn options(&self, goal: &str) -> Result<Options, String> {
        let texts = |list: &[String]| list.iter().map(|text| text.as_str().into()).collect();
        let mut assume = BTreeMap::<Arc<str>, Option<Arc<str>>>::new();
        for (key, value) in &self.assume {
            // Condition keys are compared without regard to case.
            if assume.keys().any(|other| other.eq_ignore_ascii_case(key)) {
                return Err(format!("--assume is given twice for {key:?}"));
            }
            assume.insert(key.as_str().into(), value.as_deref().map(Into::into));
        }
        Ok(Options {
            goal: goal.into(),
            via: texts(&self.via),
            avoid: texts(&self.avoid),
            assume,
            no_assumptions: self.no_assumptions,
            environment: match self.environment {
                EnvironmentArgument::One => Environment::One,
                EnvironmentArgument::PerStep => Environment::PerStep,
            },
            max_steps: self.max_steps,
            external: false,
            selection: Selection::default(),
            prefer: match self.prefer {
                PreferArgument::Verdict => Prefer::Verdict,
                PreferArgument::Steps => Prefer::Steps,
            },
        })
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum PreferArgument {
    /// Without assumptions if it can be
    #[default]
    Verdict,
    /// As short as it can be
    Steps,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum EnvironmentArgument {
    /// The same at every step; time only goes forward
    #[default]
    One,
    /// May differ from step to step
    PerStep,
}
