//! The HTML report in a real browser: Chromium without a window, where one is installed. Without
//! one the tests are reported as ignored.
#![allow(clippy::unwrap_used, reason = "everything here is a test")]

mod hostile;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use hostile::hostile_details;
use libtest_mimic::{Arguments, Failed, Trial};
use tempfile::TempDir;

fn main() {
    let chromium = chromium();
    let ignored = chromium.is_none();
    let chromium = chromium.unwrap_or_default();
    let trial = |name: &str, test: fn(&Path) -> Result<(), Failed>| {
        let chromium = chromium.clone();
        Trial::test(name, move || test(&chromium)).with_ignored_flag(ignored)
    };
    let trials = vec![
        trial("an_audit_lists_its_findings", an_audit_lists_its_findings),
        trial("a_path_is_drawn_with_what_allows_it", a_path_is_drawn_with_what_allows_it),
        trial("a_fix_stands_beside_the_statement", a_fix_stands_beside_the_statement),
        trial("names_with_script_in_them_are_text", names_with_script_in_them_are_text),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

fn chromium() -> Option<PathBuf> {
    let folders = env::var_os("PATH")?;
    env::split_paths(&folders)
        .flat_map(|folder| ["chromium", "chromium-browser"].map(|name| folder.join(name)))
        .find(|file| file.is_file())
}

/// The page that a command line writes, as the browser has it once its script has run.
fn page(chromium: &Path, snapshot: &Path, line: &str) -> String {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("report.html");
    let mut words = line.split_whitespace();
    let status = Command::new(env!("CARGO_BIN_EXE_escalade"))
        .arg(words.next().unwrap())
        .arg(snapshot)
        .args(words)
        .args(["--format", "html", "--output"])
        .arg(&file)
        .status()
        .unwrap();
    assert!(status.success());
    let output = Command::new(chromium)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
        .arg(format!("--user-data-dir={}", folder.path().join("profile").display()))
        .args(["--virtual-time-budget=5000", "--dump-dom"])
        .arg(format!("file://{}", file.display()))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let dom = String::from_utf8(output.stdout).unwrap();
    assert!(dom.contains("id=\"list\""), "{dom}");
    // The scripts are the page's own text, not what they made of it.
    dom.split("<script").next().unwrap().to_owned()
}

fn demo() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("corpus/demo/snapshot")
}

fn an_audit_lists_its_findings(chromium: &Path) -> Result<(), Failed> {
    let page = page(chromium, &demo(), "audit");
    let rows = page.matches("<details class=\"finding\">").count();
    assert!(rows > 5, "{rows} findings");
    assert!(page.contains(&format!("{rows} findings</p>")), "the count is there");
    assert!(page.contains("data-filter=\"cause\""), "causes are there to choose from");
    Ok(())
}

fn a_path_is_drawn_with_what_allows_it(chromium: &Path) -> Result<(), Failed> {
    let line = "reach --from user/carla.mendes --to admin --via iam:PassRole";
    let page = page(chromium, &demo(), line);
    for part in ["<details class=\"finding\" open", "iam:PassRole</code>", "What allows it"] {
        assert!(page.contains(part), "no {part} in {page}");
    }
    let marks: Vec<_> =
        page.split("<mark>").skip(1).filter_map(|rest| rest.split("</mark>").next()).collect();
    assert!(marks.iter().any(|mark| mark.contains("PassFunctionRoles")), "{marks:?}");
    Ok(())
}

fn a_fix_stands_beside_the_statement(chromium: &Path) -> Result<(), Failed> {
    let snapshot = demo().join("../../pull-request/today");
    let page = page(chromium, &snapshot, "reach --from user/ben --to admin");
    let figure = page.split("<figure").find(|part| part.contains("<mark>")).unwrap();
    let figure = figure.split("</figure>").next().unwrap();
    for part in ["<mark>", "Fix: </span>narrow jobs", "<del>", "<ins>", "role/report-job"] {
        assert!(figure.contains(part), "no {part} in {figure}");
    }
    assert!(page.contains("With 1 edit no path of user/ben is left; fewer do not do."), "{page}");
    Ok(())
}

fn names_with_script_in_them_are_text(chromium: &Path) -> Result<(), Failed> {
    let folder = TempDir::new()?;
    let snapshot = folder.path().join("details.json");
    fs::write(&snapshot, hostile_details().to_string())?;
    let page = page(chromium, &snapshot, "audit");
    assert!(page.contains("<code>user/&lt;script&gt;alert(1)&lt;/script&gt;"), "{page}");
    assert!(page.contains("--&gt;&lt;img src=x onerror=alert(2)&gt;"), "{page}");
    assert!(!page.contains("<img") && !page.contains("<b>"), "{page}");
    Ok(())
}
