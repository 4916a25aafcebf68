//! Starts and goals in words.

use std::borrow::Cow;

use super::names::Names;
use super::visible;

/// A start as the subject of a sentence.
pub(crate) fn subject<'a>(names: Names<'_>, from: &'a str) -> Cow<'a, str> {
    match from.split_once(':') {
        Some(("account", id)) => format!("any principal of account {}", visible(id)).into(),
        Some(("federated", provider)) => format!("a subject of {}", names.short(provider)).into(),
        Some(("opensearch", user)) => format!("OpenSearch user {}", visible(user)).into(),
        _ => names.short(from),
    }
}

/// The goal `admin` for a start that is in no account of the snapshot.
pub(super) const SOME_ADMINISTRATOR: &str = "become administrator of an account of the snapshot";

/// A goal as what somebody can do: `become administrator of 111111111111`.
pub(crate) fn predicate(names: Names<'_>, goal: &str) -> String {
    if let Some(tag) = goal.strip_prefix("tag:") {
        return format!("get hold of something tagged {}", visible(tag));
    }
    match goal.split_once('@') {
        None if goal == "admin" => match names.home() {
            Some(home) => format!("become administrator of {}", visible(home)),
            None => SOME_ADMINISTRATOR.to_owned(),
        },
        Some(("admin", account)) => format!("become administrator of {}", visible(account)),
        // An ARN may hold an @, but not before its first colon, and an action holds no second.
        Some((action, resource)) if action.matches(':').count() == 1 => {
            if let Some(tag) = resource.strip_prefix("tag:") {
                return format!("get {} on something tagged {}", visible(action), visible(tag));
            }
            format!("get {} on {}", visible(action), names.short(resource))
        }
        _ => format!("act as {}", names.short(goal)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(from: &str, goal: &str, expected: &str) {
        let names = Names::of_start(from);
        let sentence = format!("{} can {}", subject(names, from), predicate(names, goal));
        assert_eq!(sentence, expected);
    }

    const ALICE: &str = "arn:aws:iam::111111111111:user/alice";

    #[test]
    fn every_kind_of_goal_has_words() {
        check(ALICE, "admin", "user/alice can become administrator of 111111111111");
        check(ALICE, "admin@222222222222", "user/alice can become administrator of 222222222222");
        check(ALICE, "arn:aws:iam::111111111111:user/a@b", "user/alice can act as user/a@b");
        check(
            ALICE,
            "s3:GetObject@arn:aws:s3:::pay/*",
            "user/alice can get s3:GetObject on arn:aws:s3:::pay/*",
        );
        check(
            ALICE,
            "s3:GetObject@tag:data=secret",
            "user/alice can get s3:GetObject on something tagged data=secret",
        );
        check(ALICE, "tag:data=a@b", "user/alice can get hold of something tagged data=a@b");
    }

    #[test]
    fn every_kind_of_start_has_words() {
        check("anyone", "admin@1", "anyone can become administrator of 1");
        check("anyone", "admin", "anyone can become administrator of an account of the snapshot");
        check("account:1", "admin", "any principal of account 1 can become administrator of 1");
        check(
            "opensearch:1/us-east-1/logs/bob",
            "admin",
            "OpenSearch user 1/us-east-1/logs/bob can become administrator of 1",
        );
        check(
            "federated:arn:aws:iam::1:saml-provider/okta",
            "admin",
            "a subject of saml-provider/okta can become administrator of 1",
        );
    }
}
