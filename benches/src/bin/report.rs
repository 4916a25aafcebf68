//! Measures whole audits of organizations of growing size, and writes the report about it.

use std::error::Error;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use clap::Parser;
use escalade_benches::parse_floor::{self, Documents};
use escalade_benches::{Models, Organization, audit, load};
use serde::{Deserialize, Serialize};

/// Makes organizations of growing size, measures the parse floor and every part of an audit of each,
/// and writes benches/REPORT.md.
#[derive(Debug, Parser)]
struct Arguments {
    /// How many accounts the organizations have.
    #[arg(long, value_delimiter = ',', default_values_t = [10, 40, 160, 400, 1000])]
    accounts: Vec<usize>,
    /// Users and roles in each account.
    #[arg(long, default_value_t = 100)]
    principals: usize,
    /// Where the report goes.
    #[arg(long, default_value = "benches/REPORT.md")]
    out: PathBuf,
    /// Where the organizations are made; removed afterwards.
    #[arg(long)]
    scratch: Option<PathBuf>,
    /// Measures this snapshot and writes the figures to standard output: what is run for each size,
    /// in a process of its own, since a process cannot lower its peak.
    #[arg(long, hide = true)]
    measure: Option<PathBuf>,
}

/// Seconds, and kilobytes of memory.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Figures {
    floor: f64,
    load: f64,
    audit: f64,
    report: f64,
    peak: f64,
    findings: usize,
}

impl Figures {
    fn whole(self) -> f64 {
        self.load + self.audit + self.report
    }
}

struct Row {
    accounts: usize,
    principals: usize,
    bytes: usize,
    figures: Figures,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    if let Some(snapshot) = &arguments.measure {
        let figures = measure(snapshot)?;
        return Ok(writeln!(io::stdout(), "{}", serde_json::to_string(&figures)?)?);
    }
    let mut rows = Vec::new();
    let scratch = arguments.scratch.clone().unwrap_or_else(std::env::temp_dir);
    for accounts in arguments.accounts.iter().copied() {
        let folder = scratch.join(format!("escalade-report-{}-{accounts}", std::process::id()));
        let written = Organization::new(1, accounts, arguments.principals).write_to(&folder);
        let figures = written.map_err(Into::into).and_then(|written| {
            // Once to warm the file cache, for all parts alike.
            parse_floor::read(&folder, Documents::Raw)?;
            let output =
                Command::new(std::env::current_exe()?).arg("--measure").arg(&folder).output()?;
            if !output.status.success() {
                return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
            }
            let figures = serde_json::from_slice(&output.stdout)?;
            Ok::<_, Box<dyn Error>>((written, figures))
        });
        std::fs::remove_dir_all(&folder)?;
        let (written, figures) = figures?;
        let (principals, bytes) = (written.principals, written.bytes);
        rows.push(Row { accounts, principals, bytes, figures });
        writeln!(io::stderr(), "{accounts} accounts: {figures:?}")?;
    }
    std::fs::write(&arguments.out, report(&rows)?)?;
    Ok(())
}

fn measure(snapshot: &Path) -> Result<Figures, Box<dyn Error>> {
    let started = Instant::now();
    parse_floor::read(snapshot, Documents::Raw)?;
    let floor = started.elapsed().as_secs_f64();
    let models = Models::builtin()?;
    let started = Instant::now();
    let world = load(snapshot)?;
    let load = started.elapsed().as_secs_f64();
    let started = Instant::now();
    let answer = audit(&world, &models)?;
    let audit = started.elapsed().as_secs_f64();
    let started = Instant::now();
    serde_json::to_writer_pretty(io::sink(), &answer)?;
    let report = started.elapsed().as_secs_f64();
    Ok(Figures { floor, load, audit, report, peak: peak()?, findings: answer.findings.len() })
}

/// The most memory that this process has held, in kilobytes.
fn peak() -> io::Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    let figure = line.split_whitespace().next().and_then(|figure| figure.parse().ok());
    figure.ok_or_else(|| io::Error::other("no peak of memory in /proc/self/status"))
}

fn report(rows: &[Row]) -> Result<String, std::fmt::Error> {
    let mut out = String::from(
        "# Bench report\n\nMade by `cargo run --release -p escalade-benches --bin report`: synthetic \
         organizations with control policies on every level, hub-and-spoke trusts and planted paths. \
         The parse floor is what serde_json needs to read the same files on one thread, documents \
         kept as text; the audit is the fixpoint for every principal and goal `admin`, with a replayed \
         witness for each finding; the report is its JSON. Seconds, of one run.\n\n\
         | accounts | principals | MB | findings | parse floor | load | audit | report | whole / floor | peak MB |\n\
         | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n",
    );
    for Row { accounts, principals, bytes, figures } in rows {
        let megabytes = *bytes as f64 / 1e6;
        writeln!(
            out,
            "| {accounts} | {principals} | {megabytes:.1} | {} | {:.3} | {:.3} | {:.3} | {:.3} | {:.1} | {:.0} |",
            figures.findings,
            figures.floor,
            figures.load,
            figures.audit,
            figures.report,
            figures.whole() / figures.floor,
            figures.peak * 1024.0 / 1e6,
        )?;
    }
    let exponent = |of: &dyn Fn(&Row) -> f64| {
        slope(rows.iter().map(|row| ((row.principals as f64).ln(), of(row).ln())))
    };
    writeln!(
        out,
        "\nGrowth with the number of principals, as the exponent that fits best: load {:.2}, audit \
         {:.2}, whole {:.2}, peak memory {:.2}; parse floor {:.2}.",
        exponent(&|row| row.figures.load),
        exponent(&|row| row.figures.audit),
        exponent(&|row| row.figures.whole()),
        exponent(&|row| row.figures.peak),
        exponent(&|row| row.figures.floor),
    )?;
    Ok(out)
}

/// The slope of the line that fits the points best, by least squares.
fn slope(points: impl Iterator<Item = (f64, f64)> + Clone) -> f64 {
    let count = points.clone().count() as f64;
    let (x, y) = points.clone().fold((0.0, 0.0), |sum, point| (sum.0 + point.0, sum.1 + point.1));
    let (x, y) = (x / count, y / count);
    let (over, under) = points.fold((0.0, 0.0), |sum, point| {
        let away = point.0 - x;
        (sum.0 + away * (point.1 - y), sum.1 + away * away)
    });
    over / under
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slope_of_a_line_is_its_own() {
        let points = [1.0, 2.0, 5.0].map(|x| (x, 3.0 * x + 1.0));
        assert!((slope(points.into_iter()) - 3.0).abs() < 1e-9);
    }
}
