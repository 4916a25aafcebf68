//! Technique catalogue and AWS reference facts: data, and the thin crate that reads it.
#![warn(missing_docs)]

mod technique;

pub use technique::{
    Alternative, Call, CallOrChoice, Category, Choice, Comparison, ContextValue, Gain, Matcher,
    NewObject, ObjectPattern, Permission, Resources, Technique,
};
