//! The `escalade` command.

mod simulate;

use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let ["simulate", "--cases", file] = arguments.as_slice() else {
        let _ = writeln!(io::stderr(), "usage: escalade simulate --cases FILE.jsonl");
        return ExitCode::from(2);
    };
    let mut out = BufWriter::new(io::stdout().lock());
    let decided = simulate::cases(Path::new(file), &mut out)
        .and_then(|decided| out.flush().map(|()| decided));
    match decided {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(2),
        Err(error) => {
            let _ = writeln!(io::stderr(), "{file:?}: {error}");
            ExitCode::from(2)
        }
    }
}
