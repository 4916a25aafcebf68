//! Entries of the account authorization details that leave open what they mean.

use super::*;

fn role(trust: Value) -> Value {
    json!({"RoleName": "r", "RoleId": "AROAR", "Arn": iam("role/r"), "Path": "/",
        "AssumeRolePolicyDocument": trust})
}

fn with_roles(roles: Value) -> World {
    load(&[(
        DETAILS,
        json!({"UserDetailList": [], "GroupDetailList": [], "Policies": [],
        "RoleDetailList": roles}),
    )])
}

#[test]
fn a_role_that_is_there_twice_is_in_doubt_only_if_the_two_say_something_else() {
    let document = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow",
        "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]});
    let encoded = serde_json::to_string_pretty(&document).unwrap();
    let world = with_roles(json!([role(document.clone()), role(Value::String(encoded))]));
    assert!(has_gap(&world, "role/r\" is there twice, the first was used"));
    let other = document.to_string().replace("ec2", "lambda");
    let world = with_roles(json!([role(document), role(Value::String(other))]));
    assert!(has_gap(&world, "is there twice with different content"));
    let Detail::Role(role) = &object(&world, &iam("role/r")).detail else { panic!() };
    assert!(role.trust.is_err());
}

#[test]
fn an_entry_without_an_arn_is_a_role_that_is_not_listed() {
    let mut nameless = role(json!({"Statement": []}));
    nameless.as_object_mut().unwrap().remove("Arn");
    let world = with_roles(json!([nameless]));
    let why = uncollected(&world, "iam:role", "global").unwrap();
    assert!(why.ends_with("/RoleDetailList/0: expected an ARN at Arn, left out"), "{why}");
}
