//! Writes the snapshot of a synthetic account or organization.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use escalade_benches::{Account, NearMiss, Organization, Planted, Shape};

/// Writes the snapshot of a synthetic account or organization, and beside it what is to be found in it.
#[derive(Debug, Parser)]
struct Arguments {
    /// The same seed, number and shape make the same bytes.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// An organization of so many accounts, three at least, instead of one account.
    #[arg(long, conflicts_with = "shape", value_parser = clap::value_parser!(u32).range(3..))]
    accounts: Option<u32>,
    /// Users and roles together, in each account.
    #[arg(long, default_value_t = 1_000)]
    principals: usize,
    #[arg(long, value_enum, default_value_t = Form::Realistic)]
    shape: Form,
    /// Folder of the snapshot; made if it is not there.
    #[arg(long)]
    out: PathBuf,
    /// File for the truth, one line each: `reached`, `reached-under-assumptions`, `not-reached` or
    /// `administrator`, principal, goal, technique, separated by tabs.
    #[arg(long)]
    truth: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Form {
    /// Like real accounts.
    Realistic,
    /// The same with every kind of planted path and near-miss once.
    EveryKind,
    /// Every role may assume every role, one of them an administrator.
    EveryRole,
    /// Every role may assume every role, none of them an administrator.
    EveryRoleInVain,
}

fn main() -> io::Result<()> {
    let arguments = Arguments::parse();
    if let Some(accounts) = arguments.accounts {
        return organization(&arguments, accounts);
    }
    let shape = match arguments.shape {
        Form::Realistic => Shape::Realistic,
        Form::EveryKind => Shape::EveryKind,
        Form::EveryRole => Shape::EveryRoleAssumesEveryRole,
        Form::EveryRoleInVain => Shape::EveryRoleAssumesEveryRoleInVain,
    };
    let account = Account::with_shape(arguments.seed, arguments.principals, shape);
    account.write_to(&arguments.out)?;
    if let Some(file) = arguments.truth {
        let text = truth(account.truth(), account.near_misses(), account.administrators());
        std::fs::write(file, text)?;
    }
    writeln!(
        io::stdout(),
        "account {}: {} principals, {} files, {} bytes, {} planted paths, {} near-misses",
        account.id(),
        account.principals(),
        account.files().len(),
        account.bytes(),
        account.truth().len(),
        account.near_misses().len()
    )
}

fn organization(arguments: &Arguments, accounts: u32) -> io::Result<()> {
    let accounts = usize::try_from(accounts).unwrap_or(usize::MAX);
    let organization = Organization::new(arguments.seed, accounts, arguments.principals);
    let written = organization.write_to(&arguments.out)?;
    if let Some(file) = &arguments.truth {
        let text = truth(&written.truth, &written.near_misses, &written.administrators);
        std::fs::write(file, text)?;
    }
    writeln!(
        io::stdout(),
        "{accounts} accounts: {} principals, {} files, {} bytes, {} who reach a goal, {} near-misses",
        written.principals,
        written.files,
        written.bytes,
        written.truth.len(),
        written.near_misses.len()
    )
}

fn truth(truth: &[Planted], near_misses: &[NearMiss], administrators: &[String]) -> String {
    let mut text = String::new();
    let mut line = |verdict: &str, fields: [&str; 3]| {
        text.push_str(verdict);
        for field in fields {
            text.push('\t');
            text.push_str(field);
        }
        text.push('\n');
    };
    for planted in truth {
        let verdict =
            if planted.under_assumptions { "reached-under-assumptions" } else { "reached" };
        line(verdict, [&planted.from, &planted.to, planted.technique]);
    }
    for missed in near_misses {
        line("not-reached", [&missed.from, &missed.to, missed.technique]);
    }
    for administrator in administrators {
        line("administrator", [administrator, "admin", "-"]);
    }
    text
}
