//! IAM policy documents, parsed and compiled once.
//!
//! Reading is strict: an element, an effect or a version that AWS does not document is an error
//! with its place. What the grammar leaves open (an operator's name, a value's type, what stands
//! in `${...}`) compiles to something that evaluates to unknown, with the reason.
//!
//! Implements <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html>.

mod action;
pub(crate) mod binary;
mod caller_keys;
mod condition;
mod error;
pub(crate) mod json;
mod principal;
mod statement;
mod template;

pub use action::{ActionPattern, Actions};
pub use caller_keys::{
    depends_on_caller, is_of_account, is_of_forwarding, is_of_mfa, is_of_session,
    tells_callers_apart,
};
pub use condition::{Condition, Operation, SetOperator, ValueTest};
pub use error::PolicyError;
pub use principal::{Principal, Principals};
pub use statement::{Effect, Resources, Statement};
pub use template::{Part, PolicyVariable, Template, Wildcards};

use json::{Kind, Reader};

use crate::pattern::Pattern;

/// The version of the policy language that a document is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// `2008-10-17`, also what a document without version is written in: no policy variables.
    V2008,
    /// `2012-10-17`
    V2012,
}

/// A compiled policy document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    version: Version,
    id: Option<Box<str>>,
    statements: Box<[Statement]>,
    has_deny: bool,
    mentions_caller: bool,
}

impl Policy {
    /// Parses and compiles a document from JSON text.
    ///
    /// Fails, with the place, if the text is not JSON, has a member twice in one object, or is
    /// not a policy. Any depth and size is read in linear time without recursion.
    pub fn parse(json: &str) -> Result<Self, PolicyError> {
        let mut reader = Reader::new(json);
        let policy = Self::read(&mut reader)?;
        reader.finish()?;
        Ok(policy)
    }

    /// Reads a document from the middle of JSON text.
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, PolicyError> {
        // Whether variables are read depends on the version, which may stand behind.
        let (start, mut version) = (reader.clone(), None);
        let mut policy = Self::read_as(reader, &mut version, true)?;
        if version != Some(Version::V2012) && policy.has_variables() {
            *reader = start;
            policy = Self::read_as(reader, &mut version, false)?;
        }
        policy.version = version.unwrap_or(Version::V2008);
        Ok(policy)
    }

    fn read_as(
        reader: &mut Reader<'_>,
        version: &mut Option<Version>,
        variables: bool,
    ) -> Result<Self, PolicyError> {
        let mut id = None;
        let mut statements = None;
        reader.object("a policy document", |reader, element| {
            match element {
                "Version" => *version = Some(read_version(reader)?),
                "Id" => id = Some(Box::from(&*reader.string("a string")?)),
                "Statement" => {
                    let mut out = Vec::new();
                    if reader.kind() == Kind::Array {
                        reader.array("a list of statements", |reader, _| {
                            out.push(Statement::read(reader, variables)?);
                            Ok(())
                        })?;
                    } else {
                        out.push(Statement::read(reader, variables)?);
                    }
                    statements = Some(out);
                }
                other => return Err(PolicyError::new("an element of a policy", other)),
            }
            Ok(())
        })?;
        let statements = statements.ok_or_else(|| PolicyError::new("a Statement", "none"))?;
        let has_deny = statements.iter().any(|statement| statement.effect() == Effect::Deny);
        let mentions_caller = statements.iter().any(mentions_caller);
        Ok(Self {
            version: Version::V2008,
            id,
            statements: statements.into(),
            has_deny,
            mentions_caller,
        })
    }

    /// The version of the language it is written in.
    pub fn version(&self) -> Version {
        self.version
    }

    /// Its `Id`.
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// Its statements, in document order.
    pub fn statements(&self) -> &[Statement] {
        &self.statements
    }

    /// Whether some statement denies.
    pub fn has_deny(&self) -> bool {
        self.has_deny
    }

    /// Whether it says what AdministratorAccess says: it allows everything and denies nothing.
    pub fn is_administrator(&self) -> bool {
        self.allows_everything() && !self.has_deny
    }

    /// Whether some statement allows everything, whatever the context.
    pub fn allows_everything(&self) -> bool {
        self.statements.iter().any(|statement| {
            statement.effect() == Effect::Allow
                && statement.conditions().is_empty()
                && !statement.actions().negated
                && statement.actions().patterns.iter().any(|pattern| pattern.text() == "*")
                && !statement.resources_negated()
                && statement.resources().iter().any(|t| t.fixed().is_some_and(Pattern::is_any))
        })
    }

    /// Whether what it says can differ between two principals of one account: a condition key or
    /// policy variable depends on the caller, or a principal element names more than accounts,
    /// services and everyone.
    pub fn mentions_caller(&self) -> bool {
        self.mentions_caller
    }

    /// Whether a condition key or policy variable, in lower case, is one of those wanted.
    pub fn asks_for(&self, wanted: impl Fn(&str) -> bool) -> bool {
        self.statements.iter().any(|statement| statement.asks_for(&wanted))
    }

    /// Whether reading `${` as plain text would make a difference.
    fn has_variables(&self) -> bool {
        self.statements
            .iter()
            .flat_map(Statement::templates)
            .any(|template| template.text().contains("${"))
    }
}

fn mentions_caller(statement: &Statement) -> bool {
    let principals = statement.principals();
    principals.is_some_and(|element| {
        element.negated || element.named.iter().any(Principal::names_individual)
    }) || statement.asks_for(depends_on_caller)
}

fn read_version(reader: &mut Reader<'_>) -> Result<Version, PolicyError> {
    const EXPECTED: &str = "2012-10-17 or 2008-10-17";
    match &*reader.string(EXPECTED)? {
        "2012-10-17" => Ok(Version::V2012),
        "2008-10-17" => Ok(Version::V2008),
        other => Err(PolicyError::new(EXPECTED, other)),
    }
}

#[cfg(test)]
mod tests;
