//! The `hygge` command, as a library so that whole-program tests can build the same program
//! with failpoints.
//!
//! The trade-off: a front end is where everything meets, so it is tempting to let logic settle
//! here. It doesn't: this crate parses arguments, fills the [registry], and turns events into
//! words. What another front end would want as well belongs to the project or engine crate.
//!
//! One file a verb under `verb`, one a way of showing a run under `render`, and exactly one
//! place that prints: `console`.
//!
//! [registry]: hygge_core::Registry

mod args;
mod complaint;
mod complete;
mod console;
mod database;
mod desk;
mod diagnostics;
mod discover;
mod dry_run;
mod folders;
mod new_run;
mod project;
mod recover;
mod registry;
mod render;
mod rows;
mod run_log;
mod runtime;
mod schema_files;
mod scratch;
mod signals;
mod table;
mod template;
mod units;
mod unknown;
mod verb;
mod waiting;
mod wildcard;

use std::io::ErrorKind;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{ArgMatches, CommandFactory, FromArgMatches};

use args::{Cli, Output};
use complaint::Exit;
use console::Console;

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    if let Some(compiled) = hygge_plugins::compiler() {
        return compiled;
    }
    if let Some(answered) = verb::completions::answer() {
        return answered;
    }
    let matches = Cli::command().try_get_matches();
    let json = matches.as_ref().is_ok_and(asks_json);
    let cli = match matches.and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are "errors" of code 0. A reader that went away is no failure.
            let exit = match error.print() {
                Err(print) if print.kind() != ErrorKind::BrokenPipe => 1,
                _ => error.exit_code(),
            };
            return ExitCode::from(u8::try_from(exit).unwrap_or(2));
        }
    };
    let console = Arc::new(Console::of_this_process());
    let exit = match verb::run(cli, &console) {
        Ok(exit) => exit,
        Err(complaint) => {
            if json {
                console.out(&complaint.line(jiff::Timestamp::now()));
            }
            console.err(&complaint.show(&console.paint_err()));
            complaint.exit
        }
    };
    if console.lost_output() && exit == Exit::Well {
        return Exit::Failed.into();
    }
    exit.into()
}

/// Whether the verb, whichever it is, was asked for JSON.
fn asks_json(matches: &ArgMatches) -> bool {
    matches!(
        matches.try_get_one::<Output>("output"),
        Ok(Some(Output::Json))
    ) || matches
        .subcommand()
        .is_some_and(|(_, matches)| asks_json(matches))
}

/// The command line as clap knows it, for generated references.
pub fn command() -> clap::Command {
    Cli::command()
}

pub use registry::registry;
