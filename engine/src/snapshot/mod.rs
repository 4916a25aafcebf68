//! Snapshots: folders of AWS CLI responses, read into a [`World`].
//!
//! `files` finds the responses and `response` reads them. `details` and `identity` make IAM's own
//! objects; `resources`, `item`, `unlisted`, `detail_sources` and `links` make all others, by the tables of the
//! models; `organization` reads what stands above the accounts, `administration` says who works on
//! them from where, and `identity_center` whose roles they hold. `assembly` puts it together, and
//! `index` answers what the rules ask. `symbolic` are callers that stand beside a snapshot;
//! `policy_text` finds policies in the files again, for who wants to look at them.

mod administration;
mod assembly;
mod credentials;
mod detail_sources;
mod details;
mod documents;
mod draft;
mod error;
mod files;
mod identity;
mod identity_center;
mod index;
mod item;
mod json_text;
mod links;
mod load;
mod organization;
mod pointer;
mod policy_text;
mod resources;
mod response;
mod shown_keys;
mod symbolic;
#[cfg(test)]
mod tests;
mod tree;
mod unlisted;
mod world;

pub use error::{JsonPointer, SnapshotError};
pub use files::Progress;
pub use index::Index;
pub use json_text::JsonText;
pub use load::LoadOptions;
pub use organization::{Attachment, ControlPolicyKind, Organization, OrganizationChanges};
pub use policy_text::{Place, PolicyText, PolicyTexts, StatementText, Wanted};
pub(crate) use shown_keys::shows_keys;
pub use symbolic::{OUTSIDE, PrincipalKind, Symbolic};
pub use tree::SnapshotFiles;
pub use world::{
    Account, AccountIndex, Attached, Detail, Document, DocumentId, Known, ManagedPolicy, Object,
    ObjectId, OwnPolicy, PolicySource, Role, TAGS_NOT_KNOWN, User, World,
};
