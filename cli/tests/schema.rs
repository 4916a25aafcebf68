//! The published JSON Schema is what the types say, and what the command writes is valid by it.
//!
//! With `UPDATE_SCHEMA=1` in the environment, the file is written anew.
#![allow(clippy::unwrap_used, reason = "the functions around the tests are tests as well")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use escalade_engine::answer::{Answer, Audit};
use escalade_engine::diff::Diff;
use escalade_engine::fix::Fix;
use escalade_engine::gate::Gate;
use escalade_engine::simulation::WhoCan;
use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

/// What the types say: one definition for each, and any of the outputs as a whole.
fn generated() -> Value {
    let mut generator = SchemaSettings::draft2020_12().for_serialize().into_generator();
    let outputs = [
        generator.subschema_for::<Audit>(),
        generator.subschema_for::<Answer>(),
        generator.subschema_for::<Diff>(),
        generator.subschema_for::<Fix>(),
        generator.subschema_for::<Gate>(),
        generator.subschema_for::<WhoCan>(),
    ];
    let definitions = json!(generator.take_definitions(true)).to_string();
    // Links of the Rust documentation lead nowhere here.
    let definitions = definitions.replace("[`", "`").replace("`]", "`");
    let definitions: Value = serde_json::from_str(&definitions).unwrap();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "escalade/1",
        "description": "What escalade writes with --format json: audit, reach, diff, fix, check and who-can. Later versions may add members.",
        "anyOf": outputs,
        "$defs": definitions,
    })
}

fn published() -> Value {
    let text = fs::read_to_string(folder().join("schema/escalade-1.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

#[test]
fn the_published_schema_is_that_of_the_types() {
    let text = serde_json::to_string_pretty(&generated()).unwrap() + "\n";
    let file = folder().join("schema/escalade-1.json");
    if env::var_os("UPDATE_SCHEMA").is_some() {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, &text).unwrap();
    }
    let published = fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(published, text, "run the test with UPDATE_SCHEMA=1 to write the schema anew");
}

/// Checks what a command writes against one definition; its exit status may be 0 or 1.
fn check(definition: &str, line: &str) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_escalade"))
        .args(line.split_whitespace())
        .args(["--format", "json"])
        .current_dir(folder().parent().unwrap())
        .output()
        .unwrap();
    assert!(output.status.code().is_some_and(|code| code < 2), "{line}: {output:?}");
    let value: Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut schema = published();
    let only = json!([{ "$ref": format!("#/$defs/{definition}") }]);
    schema.as_object_mut().unwrap().insert("anyOf".to_owned(), only);
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> = validator
        .iter_errors(&value)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{line}: {errors:#?}");
    // As any output as well.
    assert!(jsonschema::validator_for(&published()).unwrap().is_valid(&value), "{line}");
    value
}

#[test]
fn what_is_written_is_valid() {
    const DEMO: &str = "corpus/demo/snapshot";
    let audit = check("Audit", &format!("audit {DEMO}"));
    assert!(!audit["findings"].as_array().unwrap().is_empty());
    check("Audit", &format!("audit {DEMO} --to s3:GetObject@arn:aws:s3:::hazelwood-payroll/*"));
    check("Answer", &format!("reach {DEMO} --from user/kira.tanaka --to admin"));
    check("Answer", &format!("reach {DEMO} --from user/ben.osei --to admin"));
    check("WhoCan", &format!("who-can {DEMO} iam:PassRole --on role/lambda-account-janitor"));
    let story = "corpus/pull-request";
    let diff = check("Diff", &format!("diff {story}/yesterday {story}/today"));
    assert!(!diff["opened"].as_array().unwrap().is_empty());
    let fix = check("Fix", &format!("fix {story}/today --all"));
    assert!(!fix["edits"].as_array().unwrap().is_empty());
    let gate = check(
        "Gate",
        &format!(
            "check {story}/today --baseline {story}/baseline.json --accepted \
             {story}/accepted.toml --invariants {story}/invariants.toml --date 2026-12-01"
        ),
    );
    assert_eq!(gate["passed"], false);
}

#[test]
fn what_is_not_of_the_shape_is_not_valid() {
    let validator = jsonschema::validator_for(&published()).unwrap();
    for wrong in [
        json!({}),
        json!({ "schema": "escalade/1" }),
        json!({ "schema": "escalade/1", "question": {}, "verdict": "maybe", "unknown": [] }),
    ] {
        assert!(!validator.is_valid(&wrong), "{wrong}");
    }
}
