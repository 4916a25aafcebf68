//! Values of the wrong type, and parts that AWS always gives and that are missing: each a gap, and
//! unknown what it would have said.

use super::*;

const FUNCTION: &str = "arn:aws:lambda:us-east-1:111111111111:function:f";

/// What is known of an attribute of the function, or of another object, of a listing.
fn check(file: &str, content: Value, arn: &str, name: &str, expected: &str) {
    let world = load_resources(&[(file, content.clone())]);
    assert_eq!(attribute(&world, arn, name), expected, "{content}");
    // Whatever is unknown is said.
    if let Some(why) = expected.strip_prefix("unknown: ") {
        assert!(has_gap(&world, why), "{why}");
    }
}

fn function(role: Value) -> Value {
    json!({"Functions": [{"FunctionName": "f", "FunctionArn": FUNCTION, "Role": role}]})
}

fn instance(with: Value) -> Value {
    let mut instance = json!({"InstanceId": "i-1"});
    instance.as_object_mut().unwrap().extend(with.as_object().unwrap().clone());
    json!({"Reservations": [{"Instances": [instance]}]})
}

#[test]
fn a_role_of_another_type_is_not_no_role() {
    let list = "lambda/list-functions";
    check(list, function(json!(iam("role/app"))), FUNCTION, "role", &iam("role/app"));
    let place = format!("accounts/{ACCOUNT}/us-east-1/lambda/list-functions.json at /Functions/0");
    for (wrong, found) in [
        (json!(0), "a text, found 0"),
        (json!(true), "a text, found true"),
        (json!({}), "a text, found an object"),
        (json!([]), "a text, found a list"),
        (json!(null), "a value, found none"),
        (json!(""), "a value, found none"),
    ] {
        let expected = format!("unknown: {place}/Role: expected {found}");
        check(list, function(wrong), FUNCTION, "role", &expected);
    }
    let nothing = json!({"Functions": [{"FunctionName": "f", "FunctionArn": FUNCTION}]});
    let expected = format!("unknown: {place}/Role: expected a value, found none");
    check(list, nothing, FUNCTION, "role", &expected);
}

#[test]
fn an_instance_may_have_no_profile_but_none_of_another_type() {
    let arn = format!("arn:aws:ec2:us-east-1:{ACCOUNT}:instance/i-1");
    let list = "ec2/describe-instances";
    let check = |with: Value, name: &str, expected: &str| {
        check(list, instance(with), &arn, name, expected);
    };
    check(json!({}), "profile", "");
    check(json!({"IamInstanceProfile": null}), "profile", "");
    check(json!({"IamInstanceProfile": {"Arn": iam("instance-profile/prof")}}), "role", &{
        iam("role/app")
    });
    let place = format!("unknown: accounts/{ACCOUNT}/us-east-1/ec2/describe-instances.json at ");
    let at = format!("{place}/Reservations/0/Instances/0");
    for (wrong, found) in [(json!(5), "5"), (json!("p"), "\"p\""), (json!([]), "a list")] {
        let expected = format!("{at}/IamInstanceProfile: expected an object, found {found}");
        check(json!({"IamInstanceProfile": wrong}), "profile", &expected);
        check(json!({"IamInstanceProfile": wrong}), "role", &expected);
    }
    check(json!({"EbsOptimized": true}), "ebs-optimized", "true");
    let expected = format!("{at}/EbsOptimized: expected true or false, found 1");
    check(json!({"EbsOptimized": 1}), "ebs-optimized", &expected);
}

#[test]
fn a_list_inside_a_list_must_be_one() {
    let check = |content: Value, expected: Option<&str>| {
        let world = load_resources(&[("ec2/describe-instances", content)]);
        let found = uncollected(&world, "ec2:instance", "us-east-1");
        let found = found.as_deref().and_then(|why| why.split_once(".json at "));
        assert_eq!(found.map(|(_, why)| why), expected);
    };
    check(json!({"Reservations": []}), None);
    check(json!({"Reservations": [{"Instances": []}]}), None);
    let list = Some("/Reservations/0/Instances: expected a list, found an object");
    check(json!({"Reservations": [{"Instances": {}}]}), list);
    let nothing = Some("/Reservations/0/Instances: expected a list, found nothing");
    check(json!({"Reservations": [{}]}), nothing);
    check(
        json!({"Reservations": [{"Instances": [null]}]}),
        Some("/Reservations/0/Instances/0: expected a name or ARN, left out"),
    );
    check(instance(json!({"State": {"Name": "terminated"}})), None);
    let state = "/Reservations/0/Instances/0/State: expected an object, found 5";
    check(instance(json!({"State": 5})), Some(state));
}

#[test]
fn what_holds_the_values_of_names_must_be_an_object() {
    let with = |environment: Value| {
        let mut list = function(json!(iam("role/app")));
        list["Functions"][0]["Environment"] = environment;
        list
    };
    let list = "lambda/list-functions";
    check(list, with(json!({"Variables": {"A": "x"}})), FUNCTION, "credentials", "");
    check(list, with(json!(null)), FUNCTION, "credentials", "");
    let place = format!("unknown: accounts/{ACCOUNT}/us-east-1/{list}.json at /Functions/0");
    let expected = format!("{place}/Environment/Variables: expected an object, found a list");
    check(list, with(json!({"Variables": []})), FUNCTION, "credentials", &expected);
    let expected = format!("{place}/Environment/Variables/A: expected a text, found 5");
    check(list, with(json!({"Variables": {"A": 5}})), FUNCTION, "credentials", &expected);
}

#[test]
fn a_response_about_a_policy_always_holds_one() {
    let check = |said: Value, known: bool| {
        let world = load_resources(&[
            ("lambda/list-functions", function(json!(iam("role/app")))),
            ("lambda/get-policy/f", said.clone()),
        ]);
        let policy = &object(&world, FUNCTION).policy;
        assert_eq!(matches!(policy, OwnPolicy::Present(_)), known, "{said}: {policy:?}");
        if !known {
            assert!(matches!(policy, OwnPolicy::Unknown(_)), "{said}: {policy:?}");
            assert!(has_gap(&world, "lambda/get-policy/f.json at /Policy: expected a"), "{said}");
        }
    };
    check(json!({"Policy": let_anyone("*").to_string()}), true);
    for wrong in [json!(null), json!(""), json!(5), json!(true), json!([])] {
        check(json!({"Policy": wrong}), false);
    }
    check(json!({"RevisionId": "1"}), false);
    // A queue need not have one.
    let queue = |attributes: Value| {
        let world = load_resources(&[
            ("sqs/list-queues", json!({"QueueUrls": ["https://sqs/1/q"]})),
            ("sqs/get-queue-attributes/q", json!({"Attributes": attributes})),
        ]);
        object(&world, &format!("arn:aws:sqs:us-east-1:{ACCOUNT}:q")).policy.clone()
    };
    assert_eq!(queue(json!({"QueueArn": "q"})), OwnPolicy::Absent);
    for wrong in [json!(5), json!({"Policy": 5}), json!([])] {
        assert!(matches!(queue(wrong), OwnPolicy::Unknown(_)));
    }
}

#[test]
fn tags_that_cannot_be_read_are_not_known() {
    let check = |tags: Value, expected: &str, known: bool| {
        let world = load_resources(&[("ec2/describe-instances", instance(json!({"Tags": tags})))]);
        let instance = object(&world, &format!("arn:aws:ec2:us-east-1:{ACCOUNT}:instance/i-1"));
        let tags: Vec<String> = instance.tags.iter().map(|(k, v)| format!("{k}={v}")).collect();
        assert_eq!(tags.join(","), expected);
        assert_eq!(!instance.attributes.contains_key(TAGS_NOT_KNOWN), known);
    };
    check(json!([{"Key": "a", "Value": "b"}, {"Key": "c"}]), "a=b,c=", true);
    for wrong in [
        json!([{"Key": "a", "Value": 5}]),
        json!([{"Key": 5}]),
        json!([{}]),
        json!([7]),
        json!("x"),
    ] {
        check(wrong, "", false);
    }
}

#[test]
fn silence_elsewhere_does_not_make_empty_what_cannot_be_read() {
    // A task's own role wins over that of its definition, which the table names second.
    let definition = "arn:aws:ecs:us-east-1:111111111111:task-definition/d:1";
    let task = "arn:aws:ecs:us-east-1:111111111111:task/c/t";
    let check = |overrides: Value, expected: &str| {
        let world = load_resources(&[
            (
                "ecs/list-clusters",
                json!({"clusterArns":
                ["arn:aws:ecs:us-east-1:111111111111:cluster/c"]}),
            ),
            (
                "ecs/describe-tasks/c",
                json!({"tasks": [{"taskArn": task,
                "clusterArn": "arn:aws:ecs:us-east-1:111111111111:cluster/c",
                "taskDefinitionArn": definition, "overrides": overrides}]}),
            ),
            (
                "ecs/describe-task-definition/d%3A1",
                json!({"taskDefinition": {
                "taskDefinitionArn": definition, "taskRoleArn": iam("role/app")}}),
            ),
        ]);
        let found = attribute(&world, task, "role");
        let found = found.split_once(".json at ").map_or(&*found, |(_, why)| why);
        assert_eq!(found, expected);
    };
    check(json!({}), &iam("role/app"));
    check(json!({"taskRoleArn": iam("role/linked")}), &iam("role/linked"));
    check(json!({"taskRoleArn": 5}), "/tasks/0/overrides/taskRoleArn: expected a text, found 5");
}

#[test]
fn one_page_about_many_objects_leaves_the_others_unknown() {
    let check = |more: Value, expected: &str| {
        let mut said = json!({"InstanceInformationList": [{"InstanceId": "i-2"}]});
        said.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let world = load_resources(&[
            ("ec2/describe-instances", instance(json!({}))),
            ("ssm/describe-instance-information", said),
        ]);
        let arn = format!("arn:aws:ec2:us-east-1:{ACCOUNT}:instance/i-1");
        let found = attribute(&world, &arn, "ssm");
        let found = found.split_once(".json").map_or(&*found, |(_, why)| why);
        assert_eq!(found, expected);
    };
    check(json!({}), "");
    check(json!({"NextToken": ""}), "");
    check(json!({"NextToken": "x"}), ": one page of several, the others are missing");
    check(json!({"NextToken": 5}), ": one page of several, the others are missing");
    check(
        json!({"InstanceInformationList": [{"InstanceId": 5}]}),
        " at /InstanceInformationList/0: expected a text at /InstanceId, left out",
    );
}
