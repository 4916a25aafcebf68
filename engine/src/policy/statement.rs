//! Statements: what a policy is made of.

use std::sync::Arc;

use super::action::{ActionPattern, Actions};
use super::condition::Condition;
use super::error::PolicyError;
use super::json::Reader;
use super::principal::Principals;
use super::template::Template;

/// Whether a statement allows or denies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Effect {
    /// `Allow`
    Allow,
    /// `Deny`
    Deny,
}

/// The `Resource` or `NotResource` element.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Resources {
    /// Whether it is `NotResource`.
    pub negated: bool,
    /// The patterns, at least one.
    pub patterns: Box<[Template]>,
}

/// One statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    sid: Option<Arc<str>>,
    effect: Effect,
    principals: Option<Principals>,
    actions: Actions,
    resources: Option<Resources>,
    conditions: Box<[Condition]>,
}

impl Statement {
    /// Whether a condition key or policy variable, in lower case, is one of those wanted.
    pub fn asks_for(&self, wanted: impl Fn(&str) -> bool) -> bool {
        let mut variables = self.templates().flat_map(Template::variables);
        self.conditions().iter().any(|condition| wanted(&condition.key_lowercase))
            || variables.any(|variable| wanted(&variable.key))
    }

    /// Its `Sid`.
    pub fn sid(&self) -> Option<&Arc<str>> {
        self.sid.as_ref()
    }

    /// Whether it allows or denies.
    pub fn effect(&self) -> Effect {
        self.effect
    }

    /// Whom it names; none in policies of principals.
    pub fn principals(&self) -> Option<&Principals> {
        self.principals.as_ref()
    }

    /// The actions it selects.
    pub fn actions(&self) -> &Actions {
        &self.actions
    }

    /// Whether it is about the action, whose name is given in lower case.
    pub fn matches_action(&self, action_lowercase: &str) -> bool {
        self.actions.matches(action_lowercase)
    }

    /// The patterns of its `Resource` or `NotResource`; empty in trust policies, which have none.
    pub fn resources(&self) -> &[Template] {
        self.resources.as_ref().map_or(&[], |resources| &resources.patterns)
    }

    /// Whether [`Statement::resources`] are those it is *not* about.
    pub fn resources_negated(&self) -> bool {
        self.resources.as_ref().is_some_and(|resources| resources.negated)
    }

    /// The `Resource` or `NotResource` element, if it has one.
    pub fn resource_element(&self) -> Option<&Resources> {
        self.resources.as_ref()
    }

    /// Its conditions, all of which must hold.
    pub fn conditions(&self) -> &[Condition] {
        &self.conditions
    }

    /// The texts that may hold policy variables: resources, then condition values.
    pub fn templates(&self) -> impl Iterator<Item = &Template> {
        self.resources().iter().chain(self.conditions.iter().flat_map(Condition::templates))
    }

    /// Reads one statement. `variables`: whether the document's version has policy variables.
    pub(super) fn read(reader: &mut Reader<'_>, variables: bool) -> Result<Self, PolicyError> {
        let mut sid = None;
        let mut effect = None;
        let mut principals: Option<Principals> = None;
        let mut actions: Option<Actions> = None;
        let mut resources: Option<Resources> = None;
        let mut conditions: Box<[Condition]> = Box::default();
        reader.object("a statement", |reader, element| {
            let negated = element.starts_with("Not");
            match element {
                "Sid" => sid = Some(Arc::from(&*reader.string("a string")?)),
                "Effect" => effect = Some(read_effect(reader)?),
                "Principal" | "NotPrincipal" if principals.is_some() => {
                    return Err(PolicyError::new("one of Principal and NotPrincipal", element));
                }
                "Principal" | "NotPrincipal" => {
                    principals = Some(Principals::read(reader, negated)?);
                }
                "Action" | "NotAction" if actions.is_some() => {
                    return Err(PolicyError::new("one of Action and NotAction", element));
                }
                "Action" | "NotAction" => {
                    let patterns = texts(reader, "an action", negated, ActionPattern::new)?;
                    actions = Some(Actions { negated, patterns });
                }
                "Resource" | "NotResource" if resources.is_some() => {
                    return Err(PolicyError::new("one of Resource and NotResource", element));
                }
                "Resource" | "NotResource" => {
                    let patterns = texts(reader, "a resource", negated, |text| {
                        Template::resource(text, variables)
                    })?;
                    resources = Some(Resources { negated, patterns });
                }
                "Condition" => conditions = Condition::read_all(reader, variables)?,
                other => return Err(PolicyError::new("an element of a statement", other)),
            }
            Ok(())
        })?;
        Ok(Self {
            sid,
            effect: effect.ok_or_else(|| PolicyError::new("an Effect", "none"))?,
            principals,
            actions: actions.ok_or_else(|| PolicyError::new("an Action or NotAction", "none"))?,
            resources,
            conditions,
        })
    }
}

fn read_effect(reader: &mut Reader<'_>) -> Result<Effect, PolicyError> {
    const EXPECTED: &str = "Allow or Deny";
    match &*reader.string(EXPECTED)? {
        "Allow" => Ok(Effect::Allow),
        "Deny" => Ok(Effect::Deny),
        other => Err(PolicyError::new(EXPECTED, other)),
    }
}

/// Reads a string or a list. One without members is about nothing, "The statement includes no
/// actions and does not affect the policy"; what `NotAction` and `NotResource` would then mean no
/// source says.
///
/// Implements "Suggestion - Empty array action" and "Suggestion - Empty array resource" of
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/access-analyzer-reference-policy-checks.html>.
fn texts<T>(
    reader: &mut Reader<'_>,
    expected: &'static str,
    negated: bool,
    compile: impl Fn(&str) -> T,
) -> Result<Box<[T]>, PolicyError> {
    let mut out = Vec::new();
    reader.one_or_many(expected, |reader| {
        out.push(compile(&reader.string(expected)?));
        Ok(())
    })?;
    match out.is_empty() && negated {
        true => Err(PolicyError::new(expected, "none")),
        false => Ok(out.into()),
    }
}
