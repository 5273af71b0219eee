use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::args::Cli;
use crate::complaint::Exit;
use crate::console::Console;

const EXAMPLES: &str = "\
Examples:
  hygge completions bash > ~/.local/share/bash-completion/completions/hygge
  hygge completions zsh > ~/.zfunc/_hygge
  hygge completions fish > ~/.config/fish/completions/hygge.fish";

/// Print the completion script of a shell
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

pub(crate) fn run(args: &CompletionsArgs, console: &Console) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "hygge", &mut script);
    console.out(&String::from_utf8_lossy(&script));
    Exit::Well
}
