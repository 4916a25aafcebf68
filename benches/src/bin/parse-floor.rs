//! Reads every file of a snapshot as the parse floor does, for whole-process measurements.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Parser;
use escalade_benches::parse_floor::{self, Documents};

/// Reads every file of a snapshot into typed structs, and nothing else.
#[derive(Debug, Parser)]
struct Arguments {
    /// Folder of the snapshot.
    snapshot: PathBuf,
    /// Read policy documents into structs too, instead of keeping their text.
    #[arg(long)]
    documents: bool,
}

fn main() -> io::Result<()> {
    let arguments = Arguments::parse();
    let documents = if arguments.documents { Documents::Typed } else { Documents::Raw };
    let floor = parse_floor::read(&arguments.snapshot, documents)?;
    writeln!(
        io::stdout(),
        "{} files, {} bytes, {} principals, {} documents, {} statements read",
        floor.files,
        floor.bytes,
        floor.principals,
        floor.documents,
        floor.statements
    )
}
