//! Responses of an organization, and of users' credentials, that hold what cannot be read.

use super::*;

/// The levels of service control policies above the account, `?` for one that is not known.
fn levels(file: &str, content: Value) -> String {
    let world = organization(&[
        (
            &format!("organization/list-policies-for-target/{ACCOUNT}.json"),
            json!({"Policies": [{"Id": "p-FullAWSAccess", "Type": "SERVICE_CONTROL_POLICY"}]}),
        ),
        (&format!("organization/{file}.json"), content),
    ]);
    let known = |id: &DocumentId| world.documents[id.0 as usize].policy.is_ok();
    let level = |level: Vec<DocumentId>| match level.iter().all(known) {
        true => level.len().to_string(),
        false => "?".to_owned(),
    };
    let organization = world.organization.as_ref().unwrap();
    let levels: Vec<String> =
        organization.service_control_levels(ACCOUNT).into_iter().map(level).collect();
    let gap = has_gap(&world, &format!("organization/{file}.json at /"));
    format!("{} {}", levels.join(","), if gap { "gap" } else { "" })
}

#[test]
fn control_policies_that_cannot_be_read_are_not_none() {
    let file = "list-policies-for-target/ou-1";
    let full = json!({"Id": "p-FullAWSAccess", "Type": "SERVICE_CONTROL_POLICY"});
    assert_eq!(levels(file, json!({"Policies": [full]})), "1,1,1 ");
    assert_eq!(
        levels(file, json!({"Policies": [full, {"Id": "p-9", "Type": "TAG_POLICY"}]})),
        "1,1,1 "
    );
    for wrong in [
        json!({"Policies": {}}),
        json!({"Policies": null}),
        json!({"Policies": [full, {"Id": "p-1"}]}),
        json!({"Policies": [full, {"Id": 1, "Type": "SERVICE_CONTROL_POLICY"}]}),
        json!({"Policies": [full, 7]}),
    ] {
        assert_eq!(levels(file, wrong.clone()), "1,?,1 gap", "{wrong}");
    }
    for wrong in [json!(null), json!(5), json!([])] {
        let policy = json!({"Policy": {"Content": wrong}});
        assert_eq!(levels("describe-policy/p-1", policy), "1,?,1 gap", "{wrong}");
    }
}

#[test]
fn where_an_account_stands_is_not_known_from_what_cannot_be_read() {
    let file = "list-accounts-for-parent/ou-1";
    assert_eq!(levels(file, json!({"Accounts": [{"Id": ACCOUNT}]})), "1,2,1 ");
    for wrong in [json!({}), json!([{"Id": 5}]), json!([{"Id": ACCOUNT}, {}]), json!(null)] {
        assert_eq!(levels(file, json!({"Accounts": wrong})), "? gap", "{wrong}");
    }
    for wrong in [json!({}), json!([{"Id": 5}]), json!([{}]), json!(5)] {
        assert_eq!(levels("list-roots", json!({"Roots": wrong})), "? gap", "{wrong}");
        // Who is in the organization is told by the tree as well.
        assert_eq!(levels("list-accounts", json!({"Accounts": wrong})), "1,2,1 gap", "{wrong}");
    }
}

#[test]
fn who_is_a_delegated_administrator_is_not_known_from_what_cannot_be_read() {
    let check = |said: Value, known: bool| {
        let file = "organization/list-delegated-administrators/sso.amazonaws.com.json";
        let world = organization(&[(file, said.clone())]);
        let why = uncollected(&world, "organizations:administration", "global");
        assert_eq!(why.is_none(), known, "{said}");
    };
    check(json!({"DelegatedAdministrators": []}), true);
    check(json!({"DelegatedAdministrators": [{"Id": ACCOUNT}]}), true);
    for wrong in [json!({}), json!(null), json!([{"Id": 5}]), json!([{}])] {
        check(json!({"DelegatedAdministrators": wrong}), false);
    }
    check(json!({"Error": {"Code": "AccessDenied"}}), false);
}

#[test]
fn access_keys_that_do_not_say_which_they_are_may_be_any() {
    let check = |keys: Value, expected: Option<&str>| {
        let world = load_resources(&[(
            "iam/list-access-keys/alice",
            json!({
            "AccessKeyMetadata": keys}),
        )]);
        let ids = &object(&world, &iam("user/alice")).attributes["access-key-ids"];
        let ids = ids.as_ref().ok().map(|ids| ids.join(","));
        assert_eq!(ids.as_deref(), expected, "{keys}");
    };
    check(json!([]), Some(""));
    check(json!([{"AccessKeyId": "AKIA1", "Status": "Active"}]), Some("AKIA1"));
    check(json!([{"AccessKeyId": "AKIA1", "Status": "Inactive"}]), Some(""));
    for wrong in
        [json!([{"AccessKeyId": "AKIA1", "Status": 5}]), json!([{"AccessKeyId": 5}]), json!([7])]
    {
        check(wrong, None);
    }
}
