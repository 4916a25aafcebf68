//! Calls that no resource policy can grant to another account, whatever it says.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use serde::Deserialize;

/// What one service leaves to the account that owns the resource.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Entry {
    service: String,
    /// These actions.
    actions: Option<BTreeSet<String>>,
    /// All actions but these.
    all_but: Option<BTreeSet<String>>,
    /// The AWS page that says so.
    #[cfg_attr(not(test), expect(dead_code, reason = "for people, and checked by a test"))]
    source: String,
}

/// The actions of a service, without the service and in lower case, and whether these are the ones
/// that can be granted or those that cannot.
type Kept = (BTreeSet<String>, bool);

/// By service. Empty only if the embedded file does not have the form it should have, which a test
/// rules out.
static KEPT: LazyLock<BTreeMap<String, Kept>> =
    LazyLock::new(|| entries().map(kept).unwrap_or_default());

fn entries() -> Result<Vec<Entry>, serde_json::Error> {
    serde_json::from_str(include_str!("../own-account.json"))
}

fn kept(entries: Vec<Entry>) -> BTreeMap<String, Kept> {
    let lower = |actions: BTreeSet<String>| actions.iter().map(|a| a.to_lowercase()).collect();
    let kept = |entry: Entry| match entry.all_but {
        Some(grantable) => (lower(grantable), true),
        None => (lower(entry.actions.unwrap_or_default()), false),
    };
    entries.into_iter().map(|entry| (entry.service.clone(), kept(entry))).collect()
}

/// Whether only principals of the account that owns the resource can make a call of this action,
/// given in lower case, whatever the resource's policy grants to others.
pub fn is_for_own_account(action: &str) -> bool {
    action.split_once(':').is_some_and(|(service, name)| {
        KEPT.get(service).is_some_and(|(actions, grantable)| actions.contains(name) != *grantable)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_entry_has_actions_of_one_kind_and_a_source() {
        for entry in entries().unwrap() {
            assert!(entry.actions.is_some() != entry.all_but.is_some(), "{}", entry.service);
            assert!(entry.source.starts_with("https://docs.aws.amazon.com/"), "{}", entry.source);
        }
    }

    #[test]
    fn what_is_for_the_own_account_is_told_by_action() {
        for (action, expected) in [
            ("kms:decrypt", false),
            ("kms:putkeypolicy", true),
            ("kms:listkeys", true),
            ("s3:putbucketpolicy", true),
            ("s3:getobject", false),
            ("sqs:setqueueattributes", true),
            ("sqs:sendmessage", false),
            ("sns:addpermission", false),
        ] {
            assert_eq!(is_for_own_account(action), expected, "{action}");
        }
    }
}
