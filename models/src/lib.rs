//! Technique catalogue and AWS reference facts: data, and the thin crate that reads it.
#![warn(missing_docs)]

mod catalogue;
mod check;
mod context_key;
mod kind;
mod technique;

pub use catalogue::{Catalogue, CatalogueError};
pub use context_key::{Availability, ContextKey, ContextKeys, KeyKind, Presence, ValueType};
pub use kind::Kinds;
pub use technique::{
    Alternative, Call, CallOrChoice, Category, Choice, Comparison, ContextValue, Gain, Matcher,
    NewObject, ObjectPattern, Permission, Resources, Technique,
};
