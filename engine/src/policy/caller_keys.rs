//! Which condition keys depend on the individual caller, rather than on its account, the request
//! or the resource.
//!
//! Implements <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html>.

use super::statement::Statement;

/// Keys about the principal that are the same for every principal of an account, the last two
/// because none is an AWS service.
const OF_THE_ACCOUNT: [&str; 6] = [
    "kms:calleraccount",
    "aws:principalaccount",
    "aws:principalorgid",
    "aws:principalorgpaths",
    "aws:principalisawsservice",
    "aws:principalservicename",
];

/// Beginnings of the keys that tell one caller, or one caller's session, from another.
const OF_THE_CALLER: [&str; 21] = [
    "aws:principal",
    "aws:user",
    "aws:sourceidentity",
    "aws:tokenissuetime",
    "aws:multifactorauth",
    "aws:federatedprovider",
    "aws:assumedroot",
    "aws:rolesessionname",
    "aws:ec2instance",
    "aws:signinsessionarn",
    "ec2:roledelivery",
    "ec2:sourceinstancearn",
    "lambda:sourcefunctionarn",
    "glue:credentialissuingservice",
    "glue:roleassumedby",
    "codebuild:buildarn",
    "codebuild:projectarn",
    "ssm:sourceinstancearn",
    "saml:",
    "identitystore:",
    "sso:",
];

/// Whether the value of the key, given in lower case, can differ between two callers of one
/// account that make the same request from the same place.
///
/// A key of an OpenID Connect provider (`token.actions.githubusercontent.com:sub`) does: it is
/// recognised by the dot before the colon, which no service prefix has.
pub fn depends_on_caller(key: &str) -> bool {
    let of_provider = key.split_once(':').is_some_and(|(prefix, _)| prefix.contains('.'));
    of_provider
        || (OF_THE_CALLER.iter().any(|start| key.starts_with(start))
            && !OF_THE_ACCOUNT.contains(&key)
            && key != "aws:useragent")
}

/// Whether the key, given in lower case, is one of the caller's session rather than of the caller:
/// whether and when it has signed in with MFA, and since when it is there.
pub fn is_of_session(key: &str) -> bool {
    is_of_mfa(key) || key == "aws:tokenissuetime"
}

/// Whether the key, given in lower case, says whether and when the caller has signed in with MFA.
pub fn is_of_mfa(key: &str) -> bool {
    key.starts_with("aws:multifactorauth")
}

/// Whether the key, given in lower case, says whether a service makes the call with the caller's
/// permissions, and which.
///
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/access_forward_access_sessions.html>
pub fn is_of_forwarding(key: &str) -> bool {
    matches!(
        key,
        "aws:viaawsservice" | "aws:calledvia" | "aws:calledviafirst" | "aws:calledvialast"
    )
}

/// Whether the key, given in lower case, is one of the caller's account: the same for all its
/// principals.
pub fn is_of_account(key: &str) -> bool {
    OF_THE_ACCOUNT.contains(&key)
}

/// Whether what a statement says can differ between callers other than by naming them. Keys of a
/// session (MFA) stay open for all alike, so they do not tell principals apart.
pub fn tells_callers_apart(statement: &Statement) -> bool {
    statement.asks_for(|key| depends_on_caller(key) && !is_of_session(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_the_caller_are_told_from_those_of_its_account() {
        for (key, expected) in [
            ("aws:principalarn", true),
            ("aws:principaltag/team", true),
            ("aws:principaltype", true),
            ("aws:username", true),
            ("aws:userid", true),
            ("aws:multifactorauthage", true),
            ("token.actions.githubusercontent.com:sub", true),
            ("aws:useragent", false),
            ("aws:principalaccount", false),
            ("kms:calleraccount", false),
            ("aws:principalorgid", false),
            ("aws:principalisawsservice", false),
            ("aws:sourceip", false),
            ("iam:passedtoservice", false),
            ("aws:resourcetag/owner", false),
        ] {
            assert_eq!(depends_on_caller(key), expected, "{key}");
        }
    }
}
