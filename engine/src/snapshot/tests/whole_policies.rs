//! Policies that lack an element which every statement of their kind has.

use super::*;

#[test]
fn a_policy_of_a_resource_names_somebody() {
    let check = |policy: Value, known: bool| {
        let mut all = details();
        all["RoleDetailList"][0]["AssumeRolePolicyDocument"] = policy.clone();
        let world = load(&[
            (DETAILS, all),
            (
                &format!("accounts/{ACCOUNT}/global/s3api/get-bucket-policy/b.json"),
                json!({"Policy": policy.to_string()}),
            ),
        ]);
        let Detail::Role(role) = &object(&world, &iam("role/app")).detail else { panic!() };
        assert_eq!(role.trust.is_ok(), known, "{policy}");
        let bucket = &object(&world, "arn:aws:s3:::b").policy;
        assert_eq!(matches!(bucket, OwnPolicy::Present(_)), known, "{policy}: {bucket:?}");
        assert_eq!(has_gap(&world, "expected a Principal in statement 1, found none"), !known);
    };
    check(let_anyone("*"), true);
    check(allow("*"), false);
}

#[test]
fn a_policy_of_a_principal_names_a_resource() {
    let check = |policy: Value, known: bool| {
        let mut all = details();
        all["UserDetailList"][0]["UserPolicyList"][0]["PolicyDocument"] = policy.clone();
        let world = load(&[(DETAILS, all)]);
        let Detail::User(user) = &object(&world, &iam("user/alice")).detail else { panic!() };
        let document = user.policies.iter().find_map(|one| one.inline).unwrap();
        assert_eq!(world.documents[document.0 as usize].policy.is_ok(), known, "{policy}");
        assert_eq!(has_gap(&world, "expected a Resource in statement 1, found none"), !known);
    };
    check(deny("s3:*"), true);
    let mut policy = deny("s3:*");
    policy["Statement"][0].as_object_mut().unwrap().remove("Resource");
    check(policy, false);
}
