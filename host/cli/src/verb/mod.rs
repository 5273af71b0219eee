//! One file a verb.

pub(crate) mod apply;
pub(crate) mod completions;
pub(crate) mod debug;
pub(crate) mod generate;
pub(crate) mod init;
pub(crate) mod list;
pub(crate) mod peek;
pub(crate) mod plugin;
pub(crate) mod runs;
pub(crate) mod schema;
mod schema_diff;
pub(crate) mod start;
pub(crate) mod state;

use crate::args::{Cli, Verb};
use crate::complaint::{Complaint, Exit};
use crate::console::Console;

/// How a verb ends.
pub(crate) type Ended = Result<Exit, Complaint>;

/// Runs the verb that was asked for.
pub(crate) fn run(cli: Cli, console: &std::sync::Arc<Console>) -> Ended {
    let global = cli.global;
    match cli.verb {
        Verb::Init(args) => init::run(&args, &global, console),
        Verb::Start(args) => start::run(&args, &global, console),
        Verb::Debug(args) => debug::run(&args, &global, console),
        Verb::List(args) => list::run(&args, &global, console),
        Verb::Peek(args) => peek::run(&args, &global, console),
        Verb::Schema(args) => schema::run(&args, &global, console),
        Verb::Generate(args) => generate::run(&args, &global, console),
        Verb::Apply(args) => apply::run(&args, &global, console),
        Verb::Plugin(args) => plugin::run(&args, &global, console),
        Verb::State(args) => state::run(&args, &global, console),
        Verb::Runs(args) => runs::run(&args, &global, console),
        Verb::Completions(args) => completions::run(&args, console),
    }
}
