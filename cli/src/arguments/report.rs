//! How a result is shown.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// How the result is shown.
#[derive(Debug, Args)]
#[command(next_help_heading = "Result")]
pub(crate) struct Report<F: ValueEnum + Default + Send + Sync + 'static> {
    /// How to show the result
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) format: F,

    /// Write the result to FILE, which is replaced when the result is complete
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,

    /// Leave nothing out of the text
    #[arg(long, short)]
    pub(crate) verbose: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    #[default]
    Text,
    /// For programs
    Json,
}

/// How what somebody has to look at is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people
    #[default]
    Text,
    /// For logs, a line for each thing to look at, after one with the whole in numbers
    Brief,
    /// For programs
    Json,
}

/// How paths are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum PathFormat {
    /// For people
    #[default]
    Text,
    /// For programs
    Json,
    /// For programs, a line for each answer as it is found; of an audit the last line is its summary
    Jsonl,
    /// A page by itself: to search, to send on, to print
    Html,
    /// For a comment on a pull request
    Markdown,
    /// For code scanning and editors, version 2.1.0
    Sarif,
    /// A flowchart for Markdown; of an audit one by last step
    Mermaid,
    /// A graph for Graphviz
    Dot,
    /// A graph for programs such as yEd, Gephi and NetworkX
    Graphml,
}
