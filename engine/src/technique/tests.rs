//! What is looked up instead of decided must agree with deciding everything: over a small world with
//! everything that tells objects apart, for every principal, call and object.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::Arc;

use escalade_models::{Catalogue, ContextKeys, ResourceKinds};
use roaring::RoaringBitmap;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::rule::Part;
use super::{Actor, Binding, Rules, Search, Select, candidates};
use crate::authorization::{Edit, Edits, Ground, View};
use crate::reachability::Variant;
use crate::residual::Residual;
use crate::snapshot::{LoadOptions, ObjectId, World};
use crate::solver::Solver;

const ONE: &str = "111122223333";
const OTHER: &str = "444455556666";

fn policy(name: &str, statements: &Value) -> Value {
    json!({"PolicyName": name, "PolicyDocument": {"Version": "2012-10-17", "Statement": statements}})
}

fn user(name: &str, path: &str, tags: &Value, statements: &Value) -> Value {
    json!({
        "UserName": name, "Path": path, "UserId": format!("AIDA{name}"),
        "Arn": format!("arn:aws:iam::{ONE}:user{path}{name}"), "CreateDate": "2026-01-01T00:00:00Z",
        "UserPolicyList": [policy("own", statements)], "GroupList": [], "Tags": tags,
        "AttachedManagedPolicies": [],
    })
}

fn role(account: &str, name: &str, tags: &Value, trust: &Value) -> Value {
    json!({
        "RoleName": name, "Path": "/", "RoleId": format!("AROA{account}{name}"),
        "Arn": format!("arn:aws:iam::{account}:role/{name}"), "CreateDate": "2026-01-01T00:00:00Z",
        "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": trust}, "Tags": tags,
        "RolePolicyList": [], "AttachedManagedPolicies": [], "InstanceProfileList": [],
    })
}

/// Users whose policies tell objects apart in every way, and roles in two accounts to tell apart.
fn details() -> Value {
    let tag = |value: &str| json!([{"Key": "team", "Value": value}]);
    let none = json!([]);
    let all = |element: &Value| json!({"Effect": "Allow", "Action": "*", "Resource": element});
    let statement = |more: Value| {
        let mut out = all(&json!("*"));
        out.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        out
    };
    let users = [
        user("everything", "/", &none, &json!([all(&json!("*"))])),
        user("nothing", "/", &none, &json!([])),
        user(
            "by-name",
            "/",
            &none,
            &json!([all(&json!([
                format!("arn:aws:iam::{ONE}:role/app-*"),
                "arn:aws:iam::*:user/*/${aws:username}",
            ]))]),
        ),
        user("by-account", "/", &none, &json!([all(&json!("arn:aws:iam::*:role/app-?"))])),
        user(
            "but-not",
            "/",
            &none,
            &json!([
                {"Effect": "Allow", "Action": "*", "NotResource": [format!("arn:aws:iam::{ONE}:role/app-a")]},
                {"Effect": "Deny", "Action": ["iam:*", "sts:*"], "Resource": "arn:aws:iam::*:role/app-b"},
            ]),
        ),
        user(
            "by-tag",
            "/team/",
            &tag("red"),
            &json!([statement(json!({"Condition": {
            "StringEquals": {"aws:ResourceTag/team": "${aws:PrincipalTag/team}"}}}))]),
        ),
        user(
            "not-tagged",
            "/",
            &none,
            &json!([statement(json!({"Condition": {
            "Null": {"iam:ResourceTag/team": "true"}}}))]),
        ),
        user(
            "in-words",
            "/",
            &none,
            &json!([all(&json!("arn:aws:iam::*:role/${aws:ResourceTag/team}-*"))]),
        ),
        user(
            "with-mfa",
            "/",
            &none,
            &json!([statement(json!({"Condition": {
            "Bool": {"aws:MultiFactorAuthPresent": "true"}}}))]),
        ),
        user(
            "denied",
            "/",
            &none,
            &json!([all(&json!("*")), {
            "Effect": "Deny", "NotAction": ["iam:Get*", "sts:AssumeRole"], "Resource": "*"}]),
        ),
        user("trusted-alone", "/", &none, &json!([])),
    ];
    let trusts = |principal: Value| json!([{"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}]);
    let root = trusts(json!({"AWS": format!("arn:aws:iam::{ONE}:root")}));
    let alone = trusts(json!({"AWS": format!("arn:aws:iam::{ONE}:user/trusted-alone")}));
    let everyone = json!([{"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"aws:PrincipalTag/team": "red"}}}]);
    let external = json!([{"Effect": "Allow", "Principal": {"AWS": ONE}, "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"sts:ExternalId": "x"}}}]);
    let service = trusts(json!({"Service": "ec2.amazonaws.com"}));
    let mut roles = Vec::new();
    for account in [ONE, OTHER] {
        for (name, tags, trust) in [
            ("app-a", tag("red"), &root),
            ("app-b", tag("blue"), &root),
            ("app-c", none.clone(), &service),
            ("red-d", tag("red"), &external),
            ("red-e", tag("red"), &alone),
            ("other-f", none.clone(), &everyone),
            ("other-g", none.clone(), &alone),
        ] {
            roles.push(role(account, name, &tags, trust));
        }
    }
    json!({"UserDetailList": users, "GroupDetailList": [], "RoleDetailList": roles, "Policies": []})
}

/// Calls `check` with each principal, each call of a rule that is about one slot alone, and the
/// objects of the slot's kind for which something is left of the call when each is decided alone.
fn each(
    edits: impl Fn(&World) -> Edits,
    mut check: impl FnMut(
        &Actor<'_, '_>,
        &super::Rule,
        &super::RuleCall,
        usize,
        &mut Binding,
        &BTreeMap<u32, Residual>,
    ),
) {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("details.json");
    fs::write(&file, details().to_string()).unwrap();
    let world = World::load(&file, &LoadOptions::default()).unwrap();
    let (keys, kinds) = (ContextKeys::builtin().unwrap(), ResourceKinds::builtin().unwrap());
    let catalogue = Catalogue::builtin().unwrap();
    let rules = Rules::of(catalogue.techniques(), &keys).unwrap();
    let ground = Ground::new(&world, &kinds).unwrap();
    let search = Search::new(ground, rules, &keys, &kinds, BTreeMap::new(), Solver::default());
    let edits = edits(&world);
    let view = View { ground: &search.ground, made: &[], edits: &edits };
    let mut decided = 0;
    for user in world.of_kind("iam:user") {
        let actor = Actor::new(&search, view, *user).unwrap();
        let account = view.object(*user).unwrap().account;
        let mut seen = BTreeSet::new();
        for rule in search.rules.rules.iter() {
            for call in rule.calls_of(0) {
                let &[slot] = call.mentioned.as_slice() else { continue };
                let kind = &rule.slots[slot].kind;
                let of_kind = world.of_kind(kind);
                if of_kind.is_empty() || !seen.insert((slot, kind, format!("{call:?}"))) {
                    continue;
                }
                let mut place = Binding {
                    objects: Vec::new(),
                    account,
                    region: "us-east-1".into(),
                    name: None,
                };
                place.objects.resize(slot, ObjectId(u32::MAX));
                let mut left = BTreeMap::new();
                for id in of_kind {
                    place.objects.push(*id);
                    let residual = actor.call(rule, call, &place);
                    place.objects.pop();
                    if !residual.is_false() {
                        left.insert(id.0, residual);
                    }
                }
                decided += left.len();
                check(&actor, rule, call, slot, &mut place, &left);
            }
        }
    }
    assert!(decided > 100, "{decided}");
}

fn nothing(_: &World) -> Edits {
    Edits::default()
}

/// Every role's tag is the attacker's to choose, and the first one's trust policy is written anew.
fn changed(world: &World) -> Edits {
    let kinds = ResourceKinds::builtin().unwrap();
    let ground = Ground::new(world, &kinds).unwrap();
    let team = ground.tag_keys().find("team").unwrap();
    let roles = world.of_kind("iam:role");
    let tags = roles.iter().step_by(2).map(|role| Edit::Tag(*role, team));
    Edits::of(tags.chain([Edit::TrustPolicy(roles[1])]))
}

fn classes_agree(edits: impl Fn(&World) -> Edits) {
    each(edits, |actor, rule, call, slot, place, left| {
        let kind = &rule.slots[slot].kind;
        let all: RoaringBitmap =
            actor.search.ground.world.of_kind(kind).iter().map(|id| id.0).collect();
        place.objects.push(ObjectId(u32::MAX));
        let classes = actor.decide_classes(rule, call, slot, place, &all);
        let found: BTreeMap<u32, Residual> = classes
            .iter()
            .flat_map(|(ids, residual)| ids.iter().map(|id| (id, residual.clone())))
            .collect();
        assert_eq!(found, *left, "{:?} {} {}", actor.caller, rule.id, call.action);
    });
}

#[test]
fn deciding_by_classes_is_deciding_each_object() {
    classes_agree(nothing);
}

#[test]
fn deciding_by_classes_sees_what_the_attacker_has_changed() {
    classes_agree(changed);
}

#[test]
fn what_may_be_allowed_is_a_candidate() {
    each(nothing, |actor, rule, call, slot, _, left| {
        let whole =
            call.resources.iter().any(|text| matches!(text.0[..], [Part::Object(s)] if s == slot));
        if !whole {
            return;
        }
        let listed = candidates::listed(actor, rule, slot);
        for id in left.keys() {
            let arn: Arc<str> = actor.view.object(ObjectId(*id)).unwrap().arn.clone();
            assert!(listed.contains(*id), "{:?} {} {} {arn}", actor.caller, rule.id, call.action);
        }
    });
}

#[test]
fn what_may_be_allowed_is_among_the_actions_that_may_be() {
    each(nothing, |actor, rule, call, _, _, left| {
        let actions = actor.search.actions_of(actor);
        let able = call.federated.is_some() || actions.contains(call.action_bit);
        assert!(able || left.is_empty(), "{:?} {} {}", actor.caller, rule.id, call.action);
    });
}

/// Users who are told apart by other things than the statements that are about a call: each has a
/// policy of its own that says the same as those of others, and what else is said differs.
fn alike() -> TempDir {
    let none = json!([]);
    let twice = |name: &str, statement: &Value| {
        [name.to_owned(), format!("{name}-too")].map(|name| {
            let unrelated =
                json!({"Sid": name, "Effect": "Allow", "Action": "polly:*", "Resource": "*"});
            user(&name, "/", &none, &json!([statement, unrelated]))
        })
    };
    let allow = |more: Value| {
        let mut out = json!({"Effect": "Allow", "Action": "*", "Resource": "*"});
        out.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        out
    };
    let condition = |operator: &str, key: &str, value: &str| {
        allow(json!({"Condition": {operator: {key: value}}}))
    };
    let mut users: Vec<Value> = [
        ("everything", allow(json!({}))),
        (
            "one-role",
            allow(
                json!({"Resource": [format!("arn:aws:iam::{ONE}:role/app-a"), "arn:aws:lambda:*"]}),
            ),
        ),
        (
            "own-name",
            allow(json!({"Resource": format!("arn:aws:iam::{ONE}:user/${{aws:username}}")})),
        ),
        ("of-users", condition("StringLike", "aws:PrincipalArn", "*-too")),
        ("with-mfa", condition("Bool", "aws:MultiFactorAuthPresent", "true")),
        ("by-tag", condition("StringEquals", "aws:ResourceTag/team", "red")),
        ("by-service", condition("StringEquals", "iam:PassedToService", "lambda.amazonaws.com")),
    ]
    .iter()
    .flat_map(|(name, statement)| twice(name, statement))
    .collect();
    // One of two is held within a boundary that says nothing.
    for user in users.iter_mut().filter(|user| user["UserName"] == "everything-too") {
        user["PermissionsBoundary"] = json!({
            "PermissionsBoundaryType": "Policy",
            "PermissionsBoundaryArn": format!("arn:aws:iam::{ONE}:policy/bound"),
        });
    }
    let bound = json!({
        "PolicyName": "bound", "PolicyId": "ANPABOUND", "Path": "/", "DefaultVersionId": "v1",
        "Arn": format!("arn:aws:iam::{ONE}:policy/bound"),
        "PolicyVersionList": [{"VersionId": "v1", "IsDefaultVersion": true, "Document": {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": "lambda:*", "Resource": "*"}]}}],
    });
    let lambda = json!([{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"},
        "Action": "sts:AssumeRole"}]);
    let root = json!([{"Effect": "Allow", "Principal": {"AWS": format!("arn:aws:iam::{ONE}:root")},
        "Action": "sts:AssumeRole"}]);
    let named = json!([{"Effect": "Allow", "Action": "sts:AssumeRole",
        "Principal": {"AWS": format!("arn:aws:iam::{ONE}:user/one-role-too")}}]);
    let red = json!([{"Key": "team", "Value": "red"}]);
    let roles = [
        role(ONE, "app-a", &red, &lambda),
        role(ONE, "app-b", &none, &root),
        role(ONE, "app-c", &none, &named),
    ];
    let function = format!("arn:aws:lambda:us-east-1:{ONE}:function:report");
    let denied = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Deny", "Action": "lambda:*", "Resource": function,
        "Principal": {"AWS": format!("arn:aws:iam::{ONE}:user/everything")}}]});
    let files = [
        (
            "global/iam/get-account-authorization-details",
            json!({
            "UserDetailList": users, "GroupDetailList": [], "RoleDetailList": roles,
            "Policies": [bound]}),
        ),
        (
            "us-east-1/lambda/list-functions",
            json!({"Functions": [{
            "FunctionName": "report", "FunctionArn": function, "Runtime": "python3.13",
            "Role": format!("arn:aws:iam::{ONE}:role/app-a")}]}),
        ),
        ("us-east-1/lambda/get-policy/report", json!({"Policy": denied.to_string()})),
    ];
    let folder = TempDir::new().unwrap();
    for (file, content) in files {
        let file = folder.path().join(format!("accounts/{ONE}/{file}.json"));
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, content.to_string()).unwrap();
    }
    folder
}

#[test]
fn what_is_worked_out_for_others_is_what_is_worked_out_alone() {
    let folder = alike();
    let world = World::load(folder.path(), &LoadOptions::default()).unwrap();
    let (keys, kinds) = (ContextKeys::builtin().unwrap(), ResourceKinds::builtin().unwrap());
    let catalogue = Catalogue::builtin().unwrap();
    let search = || {
        let rules = Rules::of(catalogue.techniques(), &keys).unwrap();
        let ground = Ground::new(&world, &kinds).unwrap();
        Search::new(ground, rules, &keys, &kinds, BTreeMap::new(), Solver::default())
    };
    let together = search();
    let mut found = BTreeSet::new();
    for user in world.of_kind("iam:user") {
        let variant = Variant {
            principal: *user,
            edits: Edits::default(),
            shared: false,
            special: false,
            newly: None,
            mandated: None,
        };
        let (_, alone) = search().outcomes(&variant, &[], Select::All);
        let (_, shared) = together.outcomes(&variant, &[], Select::All);
        assert_eq!(shared, alone, "{}", world.object(*user).unwrap().arn);
        found.insert(alone.len());
    }
    assert!(found.len() > 4, "{found:?}");
}

/// Checks whether two users with these statements are of one class.
fn check_alike(one: &Value, other: &Value, expected: bool) {
    let none = json!([]);
    let users = [user("one", "/", &none, one), user("other", "/", &none, other)];
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("details.json");
    let details = json!({"UserDetailList": users, "GroupDetailList": [], "RoleDetailList": [],
        "Policies": []});
    fs::write(&file, details.to_string()).unwrap();
    let world = World::load(&file, &LoadOptions::default()).unwrap();
    let (keys, kinds) = (ContextKeys::builtin().unwrap(), ResourceKinds::builtin().unwrap());
    let rules = Rules::of(Catalogue::builtin().unwrap().techniques(), &keys).unwrap();
    let ground = Ground::new(&world, &kinds).unwrap();
    let search = Search::new(ground, rules, &keys, &kinds, BTreeMap::new(), Solver::default());
    let [one_id, other_id] = *world.of_kind("iam:user") else { panic!("two users") };
    let same = search.class_of(one_id) == search.class_of(other_id);
    assert_eq!(same, expected, "{one} {other}");
}

#[test]
fn principals_are_alike_by_what_techniques_can_depend_on() {
    let allow = |action: &str, resource: &str| json!({"Effect": "Allow", "Action": action, "Resource": resource});
    let deny = json!({"Effect": "Deny", "Action": "polly:*", "Resource": "*"});
    let put = allow("iam:PutUserPolicy", "*");
    let run = allow("ec2:RunInstances", "*");
    let speak = allow("polly:SynthesizeSpeech", "*");
    let own = "arn:aws:iam::*:user/${aws:username}";
    for (one, other, expected) in [
        (json!([put, run]), json!([run, speak, put]), true),
        (json!([put]), json!([allow("iam:PutUserPolicy", "arn:aws:iam::*:user/a*")]), false),
        (json!([put]), json!([put, run]), false),
        // What asks for the caller's name tells callers apart, where it counts.
        (json!([allow("iam:PutUserPolicy", own)]), json!([allow("iam:PutUserPolicy", own)]), false),
        (json!([put, allow("polly:*", own)]), json!([put, allow("polly:*", own)]), true),
        // A deny of anything at all keeps an administrator from being one.
        (json!([allow("*", "*")]), json!([allow("*", "*"), deny]), false),
        (json!([put]), json!([put, deny]), true),
    ] {
        check_alike(&one, &other, expected);
    }
}
