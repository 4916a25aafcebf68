//! `escalade completions` and `escalade man`: what is made from the table of arguments itself.

use clap::Args;

/// Writes what a shell needs to complete this command's arguments.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  escalade completions bash > /etc/bash_completion.d/escalade
  escalade completions zsh > \"${fpath[1]}/_escalade\"
  escalade completions fish > ~/.config/fish/completions/escalade.fish")]
pub(crate) struct Completions {
    /// The shell
    #[arg(value_enum)]
    pub(crate) shell: clap_complete::Shell,
}

/// Writes the manual page of this command, or of one of its commands.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  escalade man | man -l -
  escalade man reach > /usr/local/share/man/man1/escalade-reach.1")]
pub(crate) struct Man {
    /// Of this command: audit, reach, ...
    pub(crate) command: Option<String>,
}
