use std::env;
use std::process::ExitCode;

use clap::{Args, CommandFactory};
use clap_complete::env::Shells;
use clap_complete::{CompleteEnv, Shell};

use super::Ended;
use crate::args::Cli;
use crate::complaint::{Complaint, Exit};
use crate::console::Console;

const EXAMPLES: &str = "\
Examples:
  echo 'source <(hygge completions bash)' >> ~/.bashrc
  echo 'source <(hygge completions zsh)' >> ~/.zshrc
  echo 'hygge completions fish | source' > ~/.config/fish/completions/hygge.fish

Options and values are completed, and the names of a project's flows and entities that need no
quotes: the script asks the `hygge` on the PATH for them, so fetch it anew when that is another
version, as these do.";

/// Print the completion script of a shell
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

/// Says which shell asks.
const ASKED: &str = "HYGGE_COMPLETE";

pub(crate) fn run(args: &CompletionsArgs, console: &Console) -> Ended {
    let shell = args.shell.to_string();
    let shells = Shells::builtins();
    let shell = shells
        .completer(&shell)
        .ok_or_else(|| Complaint::failed(format!("{shell} can't be completed for")))?;
    let mut script = Vec::new();
    shell
        .write_registration(ASKED, "hygge", "hygge", "hygge", &mut script)
        .map_err(|error| Complaint::failed(format!("can't write the script: {error}")))?;
    console.out(&String::from_utf8_lossy(&script));
    Ok(Exit::Well)
}

/// What the script asked, if that is why this process runs.
pub(crate) fn answer() -> Option<ExitCode> {
    env::var_os(ASKED)?;
    let here = env::current_dir().ok();
    let answers = CompleteEnv::with_factory(Cli::command).var(ASKED);
    match answers.try_complete(env::args_os(), here.as_deref()) {
        Ok(true) => Some(ExitCode::SUCCESS),
        Ok(false) => None,
        Err(_) => Some(ExitCode::FAILURE),
    }
}
