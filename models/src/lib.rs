//! Technique catalogue and AWS reference facts: data, and the thin crate that reads it.
#![warn(missing_docs)]

mod attribute;
mod catalogue;
mod check;
mod context_key;
mod form;
mod gain;
mod kind;
mod managed_policy;
mod own_account;
mod passed_role;
mod resource;
mod resource_files;
mod technique;
mod technique_files;

pub use attribute::{AttributeForm, Forms, FullAttribute, OneOrMany, Written};
pub use catalogue::{Catalogue, CatalogueError};
pub use context_key::{
    Availability, Besides, ContextKey, ContextKeys, KeyKind, KeyUse, Presence, ValueType,
};
pub use form::fill;
pub use gain::{CALLER, ControlPolicyType, Gain};
pub use kind::Kinds;
pub use managed_policy::{AwsManagedPolicy, aws_managed_policies};
pub use own_account::is_for_own_account;
pub use passed_role::{PassedRole, PassedRoles};
pub use resource::{
    DetailSource, Link, NameForm, ResourceKind, ResourceKinds, ResourceTableError, Source,
    parent_of, plain_pointer,
};
pub use technique::{
    Alternative, Call, CallOrChoice, Category, Choice, Comparison, ContextValue, Matcher,
    NewObject, ObjectPattern, Permission, Resources, Session, Severity, TagChange, TagInCall,
    Technique,
};
