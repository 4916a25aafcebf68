//! Snapshots: folders of AWS CLI responses, read into a [`World`].
//!
//! `files` finds the responses and `response` reads them; `details` and `identity` make IAM's own
//! objects, `resources` makes all others by the tables of the models; `assembly` puts the accounts
//! together, and `index` answers the questions that the rules ask.

mod assembly;
mod credentials;
mod details;
mod documents;
mod draft;
mod error;
mod files;
mod identity;
mod index;
mod load;
mod organization;
mod pointer;
mod resources;
mod response;
mod world;

pub use error::{JsonPointer, SnapshotError};
pub use files::Progress;
pub use index::Index;
pub use load::LoadOptions;
pub use organization::{ControlPolicyKind, Organization};
pub use world::{
    Account, AccountIndex, Attached, Detail, Document, DocumentId, Known, ManagedPolicy, Object,
    ObjectId, OwnPolicy, PolicySource, Role, User, World,
};
