//! Technique catalogue and AWS reference facts: data, and the thin crate that reads it.
#![warn(missing_docs)]

mod attribute;
mod catalogue;
mod check;
mod context_key;
mod form;
mod kind;
mod managed_policy;
mod resource;
mod resource_files;
mod technique;

pub use attribute::{AttributeForm, Forms, FullAttribute, OneOrMany, Written};
pub use catalogue::{Catalogue, CatalogueError};
pub use context_key::{Availability, ContextKey, ContextKeys, KeyKind, Presence, ValueType};
pub use form::fill;
pub use kind::Kinds;
pub use managed_policy::{AwsManagedPolicy, aws_managed_policies};
pub use resource::{
    DetailSource, Link, NameForm, ResourceKind, ResourceKinds, ResourceTableError, Source,
    parent_of,
};
pub use technique::{
    Alternative, Call, CallOrChoice, CallersAccount, Category, Choice, Comparison, ContextValue,
    ControlPolicyType, Gain, Matcher, NewObject, ObjectPattern, Permission, Resources, Severity,
    TagChange, TagInCall, Technique,
};
