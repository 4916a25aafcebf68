//! Short names for ARNs of the account that a question is about.

use std::borrow::Cow;

use super::visible;

/// Names as a question's reader needs them: short within the question's own account.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Names<'a> {
    home: Option<&'a str>,
}

impl<'a> Names<'a> {
    /// Names for a question that starts at `from`; where that is in no account, all names are full.
    pub(crate) fn of_start(from: &'a str) -> Self {
        Self { home: account(from) }
    }

    /// The question's account.
    pub(crate) fn home(self) -> Option<&'a str> {
        self.home
    }

    /// `role/admin` for an ARN of the question's account, anything else in full. What is no ARN
    /// stays as it is.
    pub(crate) fn short<'t>(self, text: &'t str) -> Cow<'t, str> {
        let mut parts = text.splitn(6, ':');
        let short = match (parts.next(), parts.nth(3), parts.next()) {
            // Without its kind a name alone would not say what it is (an SNS topic's ARN).
            (Some("arn"), Some(account), Some(resource))
                if Some(account) == self.home && resource.contains(['/', ':']) =>
            {
                resource
            }
            _ => text,
        };
        visible(short)
    }

    /// A statement of a policy, with its Sid where it has one.
    pub(crate) fn statement(self, policy: &str, statement: usize, sid: Option<&str>) -> String {
        let policy = self.short(policy);
        match sid {
            None | Some("") => format!("{policy} statement {statement}"),
            Some(sid) => format!("{policy} statement {statement} ({})", visible(sid)),
        }
    }
}

/// The account of a start: an ARN, `account:ID`, `opensearch:ACCOUNT/...`, `federated:ARN`.
fn account(from: &str) -> Option<&str> {
    let account = match from.split_once(':')? {
        ("arn", _) => from.split(':').nth(4)?,
        ("account", id) => id,
        ("opensearch", rest) => rest.split('/').next()?,
        ("federated", provider) => return account_of_arn(provider),
        _ => return None,
    };
    (!account.is_empty()).then_some(account)
}

fn account_of_arn(arn: &str) -> Option<&str> {
    let account = arn.strip_prefix("arn:")?.split(':').nth(3)?;
    (!account.is_empty()).then_some(account)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_named_by_its_sid_where_it_has_one() {
        let statement = |sid| Names::default().statement("own", 2, sid);
        assert_eq!(statement(Some("Apply")), "own statement 2 (Apply)");
        assert_eq!(statement(Some("")), "own statement 2");
        assert_eq!(statement(None), "own statement 2");
    }

    fn check(from: &str, text: &str, expected: &str) {
        assert_eq!(Names::of_start(from).short(text), expected);
    }

    const ALICE: &str = "arn:aws:iam::111111111111:user/alice";

    #[test]
    fn names_of_the_own_account_are_short() {
        check(ALICE, "arn:aws:iam::111111111111:role/team/admin", "role/team/admin");
        check(ALICE, "arn:aws:lambda:us-east-1:111111111111:function:x", "function:x");
        check("account:111111111111", ALICE, "user/alice");
        check("opensearch:111111111111/us-east-1/logs/bob", ALICE, "user/alice");
        check("federated:arn:aws:iam::111111111111:saml-provider/okta", ALICE, "user/alice");
    }

    #[test]
    fn other_names_are_full() {
        for name in [
            "arn:aws:iam::222222222222:role/admin",
            "arn:aws:iam::aws:policy/AdministratorAccess",
            "arn:aws:s3:::bucket/key",
            "arn:aws:sns:us-east-1:111111111111:topic",
            "*",
        ] {
            check(ALICE, name, name);
        }
        check("anyone", ALICE, ALICE);
    }

    #[test]
    fn names_cannot_write_on_the_terminal() {
        check(ALICE, "arn:aws:iam::111111111111:role/\u{1b}[1m", r"role/\u{1b}[1m");
    }
}
