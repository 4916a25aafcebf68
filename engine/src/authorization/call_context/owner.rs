//! Condition keys that say whose the resource of a call is.

use super::CallContext;
use crate::authorization::{Input, Resource};
use crate::residual::{Gap, VariableKind};

/// Whose a resource is whose ARN has no account.
enum Owner<'c> {
    Account(&'c str),
    /// Whoever the caller picks one of: images and snapshots are shared among accounts.
    Picked,
    Unknown,
    /// There is neither an owner nor an account of the caller.
    Nobody,
}

impl CallContext<'_> {
    /// The account of the resource's owner, which is in the context of nearly all requests. An ARN
    /// without an account is mostly one of the caller's own account; a bucket that the snapshot does
    /// not have may be anybody's.
    ///
    /// Implements "aws:ResourceAccount" of
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html>.
    pub(super) fn owner(&self) -> Input {
        match self.whose() {
            Owner::Account(account) => Input::One(account.into()),
            Owner::Picked => self.picked("aws:ResourceAccount", false),
            Owner::Unknown => Input::Unknown(self.nobody_knows()),
            Owner::Nobody => Input::Absent,
        }
    }

    /// `aws:ResourceOrgID` and `aws:ResourceOrgPaths`, of the same owner.
    pub(super) fn organization_of_owner(&self, key: &str) -> Input {
        match self.whose() {
            Owner::Account(account) => self.view.organization_key(key, Some(account)),
            Owner::Picked if key.ends_with("paths") => self.picked("aws:ResourceOrgPaths", true),
            Owner::Picked => self.picked("aws:ResourceOrgID", false),
            Owner::Unknown => Input::Unknown(self.nobody_knows()),
            Owner::Nobody => Input::Absent,
        }
    }

    fn whose(&self) -> Owner<'_> {
        if let Some(account) = self.resource_account {
            return Owner::Account(account);
        }
        // Of a request that stands for no call in particular nothing else is known.
        let Some(own) = self.caller.account().filter(|_| !self.leave_open) else {
            return Owner::Nobody;
        };
        let mut fields = self.resource_text().splitn(6, ':').skip(2);
        let service = fields.next().unwrap_or_default();
        let account = fields.nth(1).unwrap_or_default();
        let name = fields.next().unwrap_or_default();
        match service {
            _ if account.len() == 12 => Owner::Account(account),
            "ec2" if name.starts_with("image/") || name.starts_with("snapshot/") => Owner::Picked,
            "s3" => Owner::Unknown,
            _ => Owner::Account(own),
        }
    }

    fn picked(&self, name: &str, multivalued: bool) -> Input {
        let mut variable = self.variable(name, VariableKind::Environment, multivalued);
        variable.scope = self.resource_text().into();
        Input::Free { variable, certain: false }
    }

    fn nobody_knows(&self) -> Gap {
        Gap(format!("the owner of {} is not known", self.resource_text()).into())
    }

    /// The resource, up to what is open about it.
    fn resource_text(&self) -> &str {
        let (Resource::Literal(text) | Resource::Template { prefix: text, .. }) = self.resource;
        text
    }
}
