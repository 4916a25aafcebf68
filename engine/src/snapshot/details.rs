//! The shape of `iam get-account-authorization-details`, borrowed from the text it is read from.
//!
//! Implements <https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccountAuthorizationDetails.html>.
//! Every member may be missing or null: what that means is decided where it is used.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::Deref;

use serde::Deserialize;
use serde_json::value::RawValue;

/// Text that is copied only if it has escapes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub(super) struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Details<'a> {
    #[serde(borrow)]
    pub(super) user_detail_list: Option<Vec<UserDetail<'a>>>,
    #[serde(borrow)]
    pub(super) group_detail_list: Option<Vec<GroupDetail<'a>>>,
    #[serde(borrow)]
    pub(super) role_detail_list: Option<Vec<RoleDetail<'a>>>,
    #[serde(borrow)]
    pub(super) policies: Option<Vec<PolicyDetail<'a>>>,
    pub(super) is_truncated: Option<bool>,
    #[serde(borrow)]
    pub(super) marker: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) next_token: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) error: Option<AwsError<'a>>,
}

/// An error as AWS returns it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct AwsError<'a> {
    #[serde(borrow)]
    pub(super) code: Option<Text<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UserDetail<'a> {
    #[serde(borrow)]
    pub(super) create_date: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) path: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) user_name: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) user_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) arn: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) user_policy_list: Option<Vec<InlinePolicy<'a>>>,
    #[serde(borrow)]
    pub(super) group_list: Option<Vec<Text<'a>>>,
    #[serde(borrow)]
    pub(super) attached_managed_policies: Option<Vec<AttachedPolicy<'a>>>,
    #[serde(borrow)]
    pub(super) permissions_boundary: Option<PermissionsBoundary<'a>>,
    #[serde(borrow)]
    pub(super) tags: Option<Vec<Tag<'a>>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GroupDetail<'a> {
    #[serde(borrow)]
    pub(super) path: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) group_name: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) arn: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) group_policy_list: Option<Vec<InlinePolicy<'a>>>,
    #[serde(borrow)]
    pub(super) attached_managed_policies: Option<Vec<AttachedPolicy<'a>>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RoleDetail<'a> {
    #[serde(borrow)]
    pub(super) create_date: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) path: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) role_name: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) role_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) arn: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) assume_role_policy_document: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) instance_profile_list: Option<Vec<InstanceProfile<'a>>>,
    #[serde(borrow)]
    pub(super) role_policy_list: Option<Vec<InlinePolicy<'a>>>,
    #[serde(borrow)]
    pub(super) attached_managed_policies: Option<Vec<AttachedPolicy<'a>>>,
    #[serde(borrow)]
    pub(super) permissions_boundary: Option<PermissionsBoundary<'a>>,
    #[serde(borrow)]
    pub(super) tags: Option<Vec<Tag<'a>>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct InlinePolicy<'a> {
    #[serde(borrow)]
    pub(super) policy_name: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) policy_document: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct AttachedPolicy<'a> {
    #[serde(borrow)]
    pub(super) policy_arn: Option<Text<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PermissionsBoundary<'a> {
    #[serde(borrow)]
    pub(super) permissions_boundary_arn: Option<Text<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Tag<'a> {
    #[serde(borrow)]
    pub(super) key: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) value: Option<Text<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct InstanceProfile<'a> {
    #[serde(borrow)]
    pub(super) instance_profile_name: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) arn: Option<Text<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PolicyDetail<'a> {
    #[serde(borrow)]
    pub(super) policy_name: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) arn: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) path: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) default_version_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) policy_version_list: Option<Vec<PolicyVersion<'a>>>,
    #[serde(borrow)]
    pub(super) tags: Option<Vec<Tag<'a>>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PolicyVersion<'a> {
    #[serde(borrow)]
    pub(super) document: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) version_id: Option<Text<'a>>,
    pub(super) is_default_version: Option<bool>,
}

impl Details<'_> {
    /// The accounts that the ARNs are in: one, unless several responses were put together.
    pub(super) fn accounts(&self) -> BTreeSet<&str> {
        self.arns().filter_map(account_of).collect()
    }

    /// The partition that the ARNs are in.
    pub(super) fn partition(&self) -> Option<&str> {
        self.arns().find_map(|arn| arn.split(':').nth(1).filter(|text| text.starts_with("aws")))
    }

    /// Whether there is more to ask for: IAM says so with `IsTruncated` and `Marker`, the AWS CLI
    /// with `NextToken`.
    pub(super) fn is_one_page(&self) -> bool {
        let more = |token: &Option<Text<'_>>| token.as_ref().is_some_and(|t| !t.is_empty());
        self.is_truncated == Some(true) || more(&self.marker) || more(&self.next_token)
    }

    fn arns(&self) -> impl Iterator<Item = &str> {
        let roles = self.role_detail_list.iter().flatten().filter_map(|role| role.arn.as_deref());
        let users = self.user_detail_list.iter().flatten().filter_map(|user| user.arn.as_deref());
        let groups =
            self.group_detail_list.iter().flatten().filter_map(|group| group.arn.as_deref());
        let policies = self.policies.iter().flatten().filter_map(|policy| policy.arn.as_deref());
        roles.chain(users).chain(groups).chain(policies)
    }
}

/// The account in an ARN, if it is twelve digits.
pub(super) fn account_of(arn: &str) -> Option<&str> {
    arn.split(':').nth(4).filter(|text| is_account_id(text))
}

/// Whether a text is twelve digits.
pub(super) fn is_account_id(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str, accounts: &[&str], partition: Option<&str>) {
        let details: Details<'_> = serde_json::from_str(json).unwrap();
        let found: Vec<&str> = details.accounts().into_iter().collect();
        assert_eq!((found.as_slice(), details.partition()), (accounts, partition));
    }

    #[test]
    fn the_accounts_are_read_from_the_arns() {
        check(
            r#"{"UserDetailList": [{"Arn": "arn:aws-cn:iam::aws:user/u"}],
                "GroupDetailList": [{"Arn": "arn:aws-cn:iam::123456789012:group/g"}]}"#,
            &["123456789012"],
            Some("aws-cn"),
        );
        check(
            r#"{"RoleDetailList": [{"Arn": "arn:aws:iam::222222222222:role/foreign"}],
                "Policies": [{"Arn": "arn:aws:iam::111111111111:policy/a"},
                             {"Arn": "arn:aws:iam::111111111111:policy/b"}]}"#,
            &["111111111111", "222222222222"],
            Some("aws"),
        );
        check("{}", &[], None);
    }

    #[test]
    fn null_is_read_as_missing() {
        check(
            r#"{"UserDetailList": null, "RoleDetailList": [{"Arn": null, "RolePolicyList": null,
                "AssumeRolePolicyDocument": null}]}"#,
            &[],
            None,
        );
    }

    #[test]
    fn text_without_escapes_is_borrowed() {
        let details: Details<'_> = serde_json::from_str(
            r#"{"UserDetailList": [{"UserName": "plain"}, {"UserName": "esc\u0061ped"}]}"#,
        )
        .unwrap();
        let users = details.user_detail_list.unwrap();
        assert!(matches!(&users[0].user_name, Some(Text(Cow::Borrowed("plain")))));
        assert_eq!(users[1].user_name.as_deref(), Some("escaped"));
    }
}
