//! What is known about AWS, read and checked once for all questions.

use std::sync::OnceLock;

use escalade_models::{Catalogue, CatalogueError, ContextKeys, ResourceKinds, ResourceTableError};

use super::QuestionError;
use crate::technique::{RuleError, Rules};

/// Techniques, condition keys and kinds of resource.
#[derive(Debug)]
pub struct Models {
    catalogue: Catalogue,
    keys: ContextKeys,
    kinds: ResourceKinds,
    rules: OnceLock<Result<Rules, RuleError>>,
}

/// Why the facts that come with the program could not be used: a broken build.
#[derive(Debug, thiserror::Error)]
pub enum ModelsError {
    /// The techniques.
    #[error(transparent)]
    Catalogue(#[from] CatalogueError),
    /// The condition keys.
    #[error("the table of condition keys: {0}")]
    Keys(#[from] serde_json::Error),
    /// The kinds of resource.
    #[error(transparent)]
    Kinds(#[from] ResourceTableError),
}

impl Models {
    /// With these techniques, condition keys and kinds of resource.
    pub fn new(catalogue: Catalogue, keys: ContextKeys, kinds: ResourceKinds) -> Self {
        Self { catalogue, keys, kinds, rules: OnceLock::new() }
    }

    /// What comes with the program.
    ///
    /// Fails if that is not as it should be, which a test keeps from happening.
    pub fn builtin() -> Result<Self, ModelsError> {
        Self::with_catalogue(Catalogue::builtin()?)
    }

    /// What comes with the program, but for the techniques.
    ///
    /// Fails as [`Self::builtin`] does.
    pub fn with_catalogue(catalogue: Catalogue) -> Result<Self, ModelsError> {
        Ok(Self::new(catalogue, ContextKeys::builtin()?, ResourceKinds::builtin()?))
    }

    /// The techniques.
    pub fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    /// The condition keys.
    pub fn keys(&self) -> &ContextKeys {
        &self.keys
    }

    /// The kinds of resource.
    pub fn kinds(&self) -> &ResourceKinds {
        &self.kinds
    }

    /// The techniques as rules, made when they are first asked for.
    ///
    /// Fails if the catalogue has a technique that cannot be used.
    pub(crate) fn rules(&self) -> Result<&Rules, QuestionError> {
        let rules = self.rules.get_or_init(|| Rules::of(self.catalogue.techniques(), &self.keys));
        rules.as_ref().map_err(|error| QuestionError::Catalogue(error.to_string()))
    }
}
