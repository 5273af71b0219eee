use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::ArgValueCompleter;
use hygge_project::Selection;

use crate::{complete, verb};

const EXAMPLES: &str = "\
Examples:
  hygge init my-project --start      Write a project with real data, and move it
  hygge start                        Move everything in this project
  hygge start --flow sales           Move one flow
  hygge debug                        Look whether everything is reachable

Exit codes: 0 all well, 1 a flow failed, 2 wrong usage or configuration, 130 interrupted.";

/// Moves data from where it lives to where it settles, entity by entity.
#[derive(Debug, Parser)]
#[command(
    name = "hygge",
    bin_name = "hygge",
    version,
    after_help = EXAMPLES,
    arg_required_else_help = true,
    max_term_width = 100
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// What every verb understands.
#[derive(Debug, Args)]
pub(crate) struct Global {
    /// The project's folder, or any folder in it [default: the current one]
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        help_heading = "Global options"
    )]
    pub(crate) project: Option<PathBuf>,
    /// Say more: also what otherwise only the run's log has
    #[arg(long, short, global = true, help_heading = "Global options")]
    pub(crate) verbose: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    Init(verb::init::InitArgs),
    #[command(visible_alias = "go")]
    Start(verb::start::StartArgs),
    Debug(verb::debug::DebugArgs),
    List(verb::list::ListArgs),
    Peek(verb::peek::PeekArgs),
    Schema(verb::schema::SchemaArgs),
    Generate(verb::generate::GenerateArgs),
    Apply(verb::apply::ApplyArgs),
    Plugin(verb::plugin::PluginArgs),
    State(verb::state::StateArgs),
    Runs(verb::runs::RunsArgs),
    Completions(verb::completions::CompletionsArgs),
}

/// In which form the answer is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// For people
    Text,
    /// For programs: JSON
    Json,
}

/// `--output`, for the verbs that have it.
#[derive(Debug, Args)]
pub(crate) struct OutputArgs {
    /// Print for people or for programs
    #[arg(long, value_enum, default_value_t = Output::Text, value_name = "FORM")]
    pub(crate) output: Output,
}

impl OutputArgs {
    pub(crate) fn json(&self) -> bool {
        self.output == Output::Json
    }
}

/// Changes to the configuration for this one command.
#[derive(Debug, Args)]
pub(crate) struct VarArgs {
    /// Set a value of the configuration: flow.NAME.PATH=VALUE (repeatable); a list as [A, B], a
    /// map as {KEY: VALUE}
    #[arg(long = "var", value_name = "flow.NAME.PATH=VALUE")]
    pub(crate) vars: Vec<String>,
}

/// Which entities.
#[derive(Debug, Default, Args)]
pub(crate) struct SelectArgs {
    /// Only these flows (repeatable, comma-separated, * and ? as wildcards)
    #[arg(long = "flow", value_name = "FLOW", add = ArgValueCompleter::new(complete::flows))]
    pub(crate) flows: Vec<String>,
    /// Only these entities, beside those of `--flow`, as FLOW.ENTITY (repeatable, comma-separated,
    /// wildcards)
    #[arg(long = "entity", value_name = "FLOW.ENTITY", add = ArgValueCompleter::new(complete::entities))]
    pub(crate) entities: Vec<String>,
}

impl SelectArgs {
    pub(crate) fn selection(&self) -> Selection {
        Selection {
            flows: self.flows.clone(),
            entities: self.entities.clone(),
        }
    }
}
