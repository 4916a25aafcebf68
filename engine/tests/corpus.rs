//! Every corpus case has the answers it expects, in every detail of its witnesses.

#![expect(clippy::unwrap_used, reason = "what is missing fails the test")]

mod cases;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use cases::{Asked, corpus, questions};
use escalade_engine::analysis::{Models, Options, audit, reach, reach_on_every_way};
use escalade_engine::answer::{Answer, Verdict};
use escalade_engine::snapshot::{LoadOptions, World};
use rayon::prelude::*;

fn to_admin() -> Options {
    Options { goal: "admin".into(), ..Options::default() }
}

fn load(snapshot: &Path) -> World {
    World::load(snapshot, &LoadOptions::default()).unwrap()
}

/// An answer as a reviewer reads it.
fn shown(answer: &Answer) -> String {
    let mut out = String::new();
    let question = &answer.question;
    write!(out, "{} -> {}", question.from, question.to).unwrap();
    for via in &question.via {
        write!(out, " via {via}").unwrap();
    }
    for avoid in &question.avoid {
        write!(out, " avoiding {avoid}").unwrap();
    }
    for (key, value) in &question.assume {
        write!(out, " with {key}={}", value.as_deref().unwrap_or_default()).unwrap();
    }
    writeln!(out, "\n  {}", answer.verdict).unwrap();
    if let Some(path) = &answer.path {
        for assumption in &path.assumptions {
            writeln!(out, "  assuming {}", serde_json::to_string(assumption).unwrap()).unwrap();
        }
        for (at, step) in path.steps.iter().enumerate() {
            writeln!(out, "  {}. {}", at + 1, step.technique).unwrap();
            for call in &step.calls {
                writeln!(out, "     {} {} on {}", call.actor, call.action, call.resource).unwrap();
                for (key, value) in &call.context {
                    writeln!(out, "       {key} = {}", serde_json::to_string(value).unwrap())
                        .unwrap();
                }
                for by in &call.allowed_by {
                    let sid = by.sid.as_deref().map(|sid| format!(" ({sid})")).unwrap_or_default();
                    writeln!(out, "       by {} {:?} {}{sid}", by.kind, by.policy, by.statement)
                        .unwrap();
                }
            }
            for gain in &step.gains {
                writeln!(out, "     gains {}", serde_json::to_string(gain).unwrap()).unwrap();
            }
        }
    }
    for gap in &answer.unknown {
        writeln!(out, "  not known: {gap}").unwrap();
    }
    out
}

fn answers(case: &Path, models: &Models) -> Vec<(Asked, Answer)> {
    let world = load(&case.join("snapshot"));
    let answer = |asked: Asked| {
        let answer = reach(&world, models, &asked.from, &asked.options()).unwrap();
        (asked, answer)
    };
    questions(case).into_iter().map(answer).collect()
}

#[test]
fn every_corpus_case_has_its_expected_findings() {
    let models = Models::builtin().unwrap();
    let answered: BTreeMap<String, Vec<(Asked, Answer)>> =
        cases::cases().par_iter().map(|case| (cases::name(case), answers(case, &models))).collect();
    let mut wrong = Vec::new();
    insta::glob!("../../corpus", "*/questions.json", |questions| {
        let case = questions.parent().unwrap();
        let name = cases::name(case);
        let mut all = String::new();
        for (asked, answer) in &answered[&name] {
            all.push_str(&shown(answer));
            if answer.verdict != asked.expect {
                wrong.push(format!(
                    "{name}: {} to {}: expected {}, got {}",
                    asked.from, asked.to, asked.expect, answer.verdict
                ));
            }
            let used: Vec<&str> = answer
                .path
                .iter()
                .flat_map(|path| path.steps.iter().map(|step| &*step.technique))
                .collect();
            for technique in &asked.techniques {
                if !used.contains(&technique.as_str()) {
                    wrong
                        .push(format!("{name}: {} does without {technique}: {used:?}", asked.from));
                }
            }
        }
        insta::with_settings!({
            snapshot_path => case,
            snapshot_suffix => "",
            prepend_module_to_snapshot => false,
            omit_expression => true,
        }, { insta::assert_snapshot!("expected", all) });
    });
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// The techniques that a path was found with, and those that a twin shows closed: a folder's twin
/// asks for the same goal, a twin in the same file names what it closes.
fn proved(case: &Path) -> (BTreeSet<String>, BTreeSet<String>) {
    let asked = |case: &Path| -> Vec<Asked> {
        std::fs::read_to_string(case.join("questions.json"))
            .map(|text| serde_json::from_str(&text).unwrap())
            .unwrap_or_default()
    };
    let twins: Vec<Asked> = ["-closed", "-unknown"]
        .into_iter()
        .flat_map(|suffix| {
            let name = case.file_name().unwrap().to_string_lossy().into_owned() + suffix;
            asked(&case.with_file_name(name))
        })
        .collect();
    let (mut found, mut closed) = (BTreeSet::new(), BTreeSet::new());
    for question in asked(case) {
        if question.expect == Verdict::Unreachable {
            closed.extend(question.closes);
            continue;
        }
        if twins.iter().any(|twin| twin.to == question.to && twin.expect != question.expect) {
            closed.extend(question.techniques.iter().cloned());
        }
        found.extend(question.techniques);
    }
    (found, closed)
}

#[test]
fn every_technique_has_a_path_found_and_a_path_closed() {
    let (mut found, mut closed) = (BTreeSet::new(), BTreeSet::new());
    for entry in std::fs::read_dir(corpus()).unwrap() {
        let (more_found, more_closed) = proved(&entry.unwrap().path());
        found.extend(more_found);
        closed.extend(more_closed);
    }
    let models = Models::builtin().unwrap();
    let without: Vec<&str> = models
        .catalogue()
        .techniques()
        .iter()
        .map(|technique| technique.id.as_str())
        .filter(|id| !found.contains(*id) || !closed.contains(*id))
        .collect();
    assert!(without.is_empty(), "no pair of cases: {without:?}");
}

/// The demo account, and everything with more than one account.
fn worlds() -> Vec<(String, World)> {
    let mut out = Vec::new();
    for case in cases::cases() {
        let name = cases::name(&case);
        let accounts = std::fs::read_dir(case.join("snapshot/accounts"));
        if name == "demo" || accounts.is_ok_and(|accounts| accounts.count() > 1) {
            out.push((name, load(&case.join("snapshot"))));
        }
    }
    out
}

/// What is worked out once for all, and who stands in for others, changes no verdict: each start by
/// itself, followed on every way, gives the same.
#[test]
fn an_audit_finds_what_each_start_finds_alone() {
    let models = Models::builtin().unwrap();
    let worlds = worlds();
    assert!(worlds.len() > 30, "{}", worlds.len());
    let goals = ["admin", "iam:CreateUser@*", "s3:GetObject@*"];
    let all: Vec<_> = worlds.iter().flat_map(|of| goals.map(|goal| (of, goal))).collect();
    let wrong: Vec<String> = all
        .par_iter()
        .flat_map_iter(|((name, world), goal)| {
            let options = Options { goal: (*goal).into(), ..Options::default() };
            let audit = audit(world, &models, &options).unwrap();
            let principals = ["iam:user", "iam:role", "opensearch:internal-user"].into_iter();
            let principals = principals.flat_map(|kind| world.of_kind(kind));
            let mut wrong = Vec::new();
            for object in principals.filter_map(|id| world.object(*id)) {
                if object.is_service_linked() {
                    continue;
                }
                let alone = reach_on_every_way(world, &models, &object.arn, &options);
                let alone = alone.unwrap();
                let finding = audit.findings.iter().find(|f| f.question.from == object.arn);
                let together = match finding {
                    Some(finding) => finding.verdict,
                    None if audit.administrators.contains(&object.arn) => Verdict::Reachable,
                    None => Verdict::Unreachable,
                };
                if together != alone.verdict {
                    let arn = &object.arn;
                    wrong
                        .push(format!("{name}: {arn}: {goal} {together}, alone {}", alone.verdict));
                }
            }
            wrong
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn who_is_at_the_goal_already_is_no_finding_by_way_of_an_action() {
    let models = Models::builtin().unwrap();
    let world = load(&corpus().join("demo/snapshot"));
    let anyhow = audit(&world, &models, &to_admin()).unwrap();
    let by_passing = Options { via: vec!["iam:PassRole".into()], ..to_admin() };
    let by_passing = audit(&world, &models, &by_passing).unwrap();
    assert!(!by_passing.findings.is_empty());
    assert_eq!(by_passing.administrators, anyhow.administrators);
    let found: BTreeSet<_> = anyhow.findings.iter().map(|found| &found.question.from).collect();
    for finding in &by_passing.findings {
        assert!(found.contains(&finding.question.from), "{}", finding.question.from);
    }
}

#[test]
fn answers_are_the_same_at_every_number_of_threads() {
    let models = Models::builtin().unwrap();
    let demo = corpus().join("demo");
    let all: Vec<String> = [1, 2, 8]
        .into_iter()
        .map(|threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let world = load(&demo.join("snapshot"));
                let audit = audit(&world, &models, &to_admin()).unwrap();
                serde_json::to_string_pretty(&audit).unwrap()
            })
        })
        .collect();
    assert!(all.windows(2).all(|pair| pair[0] == pair[1]));
}

/// Objects that are not listed are called as their kind says: what is listed has to be as well, or a
/// policy that names such an object would not be about it.
#[test]
fn objects_are_called_as_their_kinds_say() {
    let models = Models::builtin().unwrap();
    let mut otherwise: BTreeMap<String, String> = BTreeMap::new();
    for case in cases::cases() {
        let world = load(&case.join("snapshot"));
        for object in &world.objects {
            let account = world.accounts.get(object.account.0 as usize);
            let Some((kind, account)) = models.kinds().get(&object.kind).zip(account) else {
                continue;
            };
            let region = object.region.as_deref().unwrap_or_default();
            let form = kind.arn_of(&account.partition, region, &account.id, "{name}");
            let Some((before, after)) = form.split_once("{name}") else { continue };
            let name = object.arn.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
            let ranges = kind.name.ranges().unwrap();
            let fits = |c: char| {
                ranges.is_empty() || ranges.iter().any(|(low, high)| (*low..=*high).contains(&c))
            };
            if let Some(name) = name
                && !name.chars().all(fits)
            {
                otherwise.insert(object.kind.to_string(), object.arn.to_string());
            }
        }
    }
    assert_eq!(otherwise, BTreeMap::new());
}
