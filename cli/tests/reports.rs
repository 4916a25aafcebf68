//! Reports of audits and answers in every format: what they say, that they are well-formed, and
//! that names from a snapshot stay names in them.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "the functions around the tests are tests as well"
)]

mod hostile;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use hostile::{HOSTILE, hostile_details};
use pulldown_cmark::Parser;
use quick_xml::Reader;
use quick_xml::events::Event;
use serde_json::Value;
use tempfile::TempDir;

const FORMATS: [&str; 6] = ["html", "markdown", "sarif", "mermaid", "dot", "graphml"];
const CARLA: &str = "reach corpus/demo/snapshot --from user/carla.mendes --to admin";

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn answered_in(folder: &Path, line: &str) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_escalade"))
        .args(line.split_whitespace())
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn answered(line: &str) -> String {
    answered_in(&workspace(), line)
}

/// The schema of SARIF 2.1.0 that the package serde-sarif carries. It is a dependency for no
/// platform: never compiled, but known to Cargo and in its lock file.
fn sarif_schema() -> Value {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked"])
        .current_dir(workspace())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let package = packages.iter().find(|package| package["name"] == "serde-sarif").unwrap();
    let manifest = Path::new(package["manifest_path"].as_str().unwrap());
    let schema = fs::read_to_string(manifest.with_file_name("src").join("schema.json")).unwrap();
    let mut schema: Value = serde_json::from_str(&schema).unwrap();
    // The pattern of languages has a bracket too many for this regular expression engine. Nothing of
    // ours names a language.
    for of in ["run", "toolComponent"] {
        let pointer = format!("/definitions/{of}/properties/language");
        let language = schema.pointer_mut(&pointer).unwrap().as_object_mut().unwrap();
        assert!(language.remove("pattern").is_some(), "{of}");
    }
    schema
}

fn check_sarif(schema: &jsonschema::Validator, text: &str) -> Value {
    let log: Value = serde_json::from_str(text).unwrap();
    let errors: Vec<_> = schema.iter_errors(&log).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:#?}");
    log
}

#[test]
fn sarif_is_as_its_schema_says() {
    let schema = jsonschema::validator_for(&sarif_schema()).unwrap();
    let broken = serde_json::json!({ "version": "2.1.0", "runs": [{ "results": [] }] });
    assert!(!schema.is_valid(&broken), "the schema lets everything through");
    let audit = check_sarif(&schema, &answered("audit corpus/demo/snapshot --format sarif"));
    let run = &audit["runs"][0];
    let results = run["results"].as_array().unwrap();
    assert!(!results.is_empty());
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    let mut fingerprints = BTreeSet::new();
    for result in results {
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(result["ruleId"], rules[index]["id"]);
        assert!(fingerprints.insert(result["partialFingerprints"].to_string()));
    }
    check_sarif(&schema, &answered(&format!("{CARLA} --format sarif")));
    let unreachable = answered(
        "reach corpus/demo/snapshot --from user/ben.osei --to admin --via iam:PassRole --format sarif",
    );
    let log = check_sarif(&schema, &unreachable);
    assert_eq!(log["runs"][0]["results"].as_array().unwrap().len(), 0);
    // A call that is the goal has no technique, and is a result all the same.
    let public = "corpus/anyone-public-bucket/snapshot --format sarif";
    let goal = "s3:GetObject@arn:aws:s3:::public-data/*";
    let call = answered(&format!("reach {public} --from anyone --to {goal}"));
    let run = &check_sarif(&schema, &call)["runs"][0];
    assert_eq!(run["results"][0]["ruleId"], "goal");
    assert_eq!(run["tool"]["driver"]["rules"][0]["id"], "goal");
}

/// Every place that SARIF names is in the file, and is what it says: the statement with the Sid
/// that the message names.
#[test]
fn sarif_points_at_the_statements() {
    let log: Value =
        serde_json::from_str(&answered("audit corpus/demo/snapshot --format sarif")).unwrap();
    let mut seen = 0;
    for result in log["runs"][0]["results"].as_array().unwrap() {
        let primary = &result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"];
        assert!(workspace().join(primary.as_str().unwrap()).is_file(), "{primary}");
        for step in result["codeFlows"][0]["threadFlows"][0]["locations"].as_array().unwrap() {
            let location = &step["location"];
            let message = location["message"]["text"].as_str().unwrap();
            let Some(place) = location.get("physicalLocation") else { continue };
            let file = workspace().join(place["artifactLocation"]["uri"].as_str().unwrap());
            let text = fs::read_to_string(&file).unwrap();
            let line =
                |name: &str| usize::try_from(place["region"][name].as_u64().unwrap()).unwrap();
            let lines: Vec<_> = text.lines().collect();
            let lines = lines[line("startLine") - 1..line("endLine")].join("\n");
            if let Some((_, sid)) = message.rsplit_once('(').filter(|_| message.ends_with(')')) {
                let sid = sid.trim_end_matches(')');
                assert!(lines.contains(sid), "{message} is not in {lines}");
                seen += 1;
            }
            let pointer = location["logicalLocations"][0]["fullyQualifiedName"].as_str().unwrap();
            let json: Value = serde_json::from_str(&text).unwrap();
            assert!(json.pointer(pointer).is_some(), "{pointer}");
        }
    }
    assert!(seen > 10, "only {seen} statements were checked");
}

/// What a page is drawn from.
fn page_data(line: &str) -> Value {
    let page = answered(line);
    let data = page.split_once("id=\"data\"").unwrap().1;
    let data = data.split_once('>').unwrap().1.split_once("</script>").unwrap().0;
    serde_json::from_str(data).unwrap()
}

#[test]
fn a_page_has_the_fix_beside_the_statement() {
    let data = page_data("audit corpus/pull-request/today --format html");
    let at = |value: &Value| usize::try_from(value.as_u64().unwrap()).unwrap();
    let finding = data["findings"]
        .as_array()
        .unwrap()
        .iter()
        .find(|finding| finding["name"] == "user/ben")
        .unwrap();
    let edit = &data["fixes"][at(&finding["fix"])]["edits"][0];
    assert_eq!(edit["title"], "narrow jobs statement 2 (NightlyJobs)");
    let step = &data["steps"][at(&finding["steps"][0])];
    let pass = &step["calls"][0]["by"][0];
    assert_eq!((&edit["policy"], &pass[1]), (&pass[0], &2.into()));
    let lines = edit["lines"].as_array().unwrap();
    let added = lines.iter().filter(|line| line[0] == "+").map(|line| line[1].as_str().unwrap());
    assert!(added.clone().any(|line| line.contains("role/report-job")));
    // No path, no fix.
    let none =
        page_data("reach corpus/pull-request/yesterday --from user/ben --to admin --format html");
    assert_eq!(none["fixes"].as_array().unwrap().len(), 0);
}

#[test]
fn a_snapshot_elsewhere_is_not_named_by_its_place() {
    let snapshot = workspace().join("corpus/demo/snapshot");
    let line = format!("audit {} --format sarif", snapshot.display());
    let text = answered_in(&std::env::temp_dir(), &line);
    assert!(!text.contains(&*workspace().to_string_lossy()), "a path of this machine");
    let log: Value = serde_json::from_str(&text).unwrap();
    let run = &log["runs"][0];
    assert!(run["originalUriBaseIds"]["SNAPSHOT"].is_object());
    let place = &run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"];
    assert_eq!(place["uriBaseId"], "SNAPSHOT");
    assert!(place["uri"].as_str().unwrap().starts_with("accounts/444455556666/"), "{place}");
}

#[test]
fn graphml_has_an_end_for_every_edge() {
    for line in [CARLA, "audit corpus/demo/snapshot"] {
        let text = answered(&format!("{line} --format graphml"));
        let mut reader = Reader::from_str(&text);
        let (mut nodes, mut ends) = (BTreeSet::new(), Vec::new());
        loop {
            match reader.read_event().unwrap() {
                Event::Start(element) => {
                    let attribute = |name: &str| {
                        let value = element.try_get_attribute(name).unwrap().unwrap().value;
                        value.into_owned()
                    };
                    match element.name().as_ref() {
                        "node" => assert!(nodes.insert(attribute("id"))),
                        "edge" => ends.extend([attribute("source"), attribute("target")]),
                        _ => {}
                    }
                }
                Event::Eof => break,
                _ => {}
            }
        }
        assert!(nodes.len() > 3 && !ends.is_empty());
        assert!(ends.iter().all(|end| nodes.contains(end)));
    }
}

#[test]
fn one_path_is_drawn_in_order() {
    let line = "reach corpus/demo/snapshot --from user/carla.mendes --to admin --via iam:PassRole";
    insta::assert_snapshot!("mermaid", answered(&format!("{line} --format mermaid")));
    insta::assert_snapshot!("dot", answered(&format!("{line} --format dot")));
    insta::assert_snapshot!("markdown", answered(&format!("{line} --format markdown")));
}

#[test]
fn graphs_say_what_is_not_known() {
    let missing = "not known: accounts/444455556666: no organization data";
    for line in [
        "audit corpus/demo/snapshot",
        "reach corpus/demo/snapshot --from user/carla.mendes --to admin",
    ] {
        for format in ["mermaid", "dot", "graphml"] {
            let drawn = answered(&format!("{line} --format {format}"));
            assert!(drawn.contains(missing), "{format}: {drawn}");
        }
    }
}

#[test]
fn a_comment_on_a_pull_request_fits() {
    let text = answered("audit corpus/demo/snapshot --format markdown");
    assert!(text.len() < 65_536, "{} characters", text.len());
    assert!(text.starts_with("### "), "{text}");
    assert_eq!(text.matches("<details>").count(), text.matches("</details>").count());
}

#[test]
fn the_same_bytes_come_out_at_any_number_of_threads() {
    for format in FORMATS {
        let line = format!("audit corpus/demo/snapshot --format {format} --threads");
        assert_eq!(answered(&format!("{line} 1")), answered(&format!("{line} 4")), "{format}");
    }
}

#[test]
fn names_with_markup_in_them_stay_names() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("details.json"), hostile_details().to_string()).unwrap();
    let reach = format!("reach details.json --from user/{HOSTILE} --to admin");
    for (line, format) in ["audit details.json", &reach]
        .into_iter()
        .flat_map(|line| FORMATS.map(|format| (line, format)))
    {
        let text = answered_in(folder.path(), &format!("{line} --format {format}"));
        assert!(!text.contains('\u{202e}') && !text.contains('\u{2028}'), "{format}: {text}");
        // A name is shown in whatever way the format writes it; of an audit Mermaid shows no names.
        let shown = text.contains("alert") || (format == "mermaid" && line != reach);
        assert!(shown, "{line} {format}: {text}");
    }
    for format in ["html", "graphml"] {
        let text = answered_in(folder.path(), &format!("audit details.json --format {format}"));
        assert!(!text.contains("<img") && !text.contains("<b>"), "{format}: {text}");
    }
    let comment = answered_in(folder.path(), "audit details.json --format markdown");
    let markup: BTreeSet<_> = Parser::new_ext(&comment, pulldown_cmark::Options::ENABLE_TABLES)
        .filter_map(|event| match event {
            pulldown_cmark::Event::Html(html) | pulldown_cmark::Event::InlineHtml(html) => {
                Some(html.into_string())
            }
            _ => None,
        })
        .flat_map(|html| html.split('<').skip(1).map(tag).collect::<Vec<_>>())
        .collect();
    assert_eq!(
        markup,
        ["/code", "/details", "/summary", "code", "details", "summary"].map(String::from).into()
    );
    let page = answered_in(folder.path(), "audit details.json --format html");
    assert_eq!(page.matches("<script").count(), 2, "the data and our own");
    assert_eq!(page.matches("</script").count(), 2);
    let sarif = answered_in(folder.path(), "audit details.json --format sarif");
    let schema = jsonschema::validator_for(&sarif_schema()).unwrap();
    let log = check_sarif(&schema, &sarif);
    let from = log["runs"][0]["results"][0]["properties"]["from"].as_str().unwrap();
    assert!(from.contains(HOSTILE), "{from}");
}

/// The name of the tag that starts here.
fn tag(rest: &str) -> String {
    rest.chars().take_while(|c| c.is_ascii_alphabetic() || *c == '/').collect()
}

#[test]
fn shells_get_completions_and_every_command_a_manual_page() {
    for shell in ["bash", "fish", "zsh"] {
        let script = answered(&format!("completions {shell}"));
        assert!(script.contains("escalade") && script.contains("no-assumptions"), "{shell}");
        assert!(script.contains("graphml"), "{shell} knows the formats");
    }
    let page = answered("man");
    assert!(page.contains(".TH escalade 1"), "{page}");
    for command in ["audit", "reach", "simulate", "techniques", "completions", "man"] {
        let page = answered(&format!("man {command}"));
        assert!(page.contains(&format!("escalade\\-{command}")), "{page}");
    }
    let output =
        Command::new(env!("CARGO_BIN_EXE_escalade")).args(["man", "nothing"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}
