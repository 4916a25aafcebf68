//! Snapshots: folders of AWS CLI responses, read into a [`World`].

mod world;

pub use world::{
    Account, AccountIndex, Attached, Detail, Document, DocumentId, Known, ManagedPolicy, Object,
    ObjectId, OwnPolicy, PolicySource, Role, User, World,
};
