//! Technique catalogue and AWS reference facts: data, and the thin crate that reads it.
#![warn(missing_docs)]

mod catalogue;
mod check;
mod context_key;
mod kind;
mod managed_policy;
mod resource;
mod technique;

pub use catalogue::{Catalogue, CatalogueError};
pub use context_key::{Availability, ContextKey, ContextKeys, KeyKind, Presence, ValueType};
pub use kind::Kinds;
pub use managed_policy::{AwsManagedPolicy, aws_managed_policies};
pub use resource::{
    AttributeForm, DetailSource, FullAttribute, Link, NameForm, OneOrMany, ResourceKind,
    ResourceKinds, ResourceTableError, Source, fill, parent_of,
};
pub use technique::{
    Alternative, Call, CallOrChoice, CallersAccount, Category, Choice, Comparison, ContextValue,
    ControlPolicyType, Gain, Matcher, NewObject, ObjectPattern, Permission, Resources, Severity,
    TagChange, TagInCall, Technique,
};
