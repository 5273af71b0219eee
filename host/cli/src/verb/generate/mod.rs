//! Files that a person looks over before they are used.

mod ddl;
mod entities;
mod kept;
mod named;
mod taken;

use std::sync::Arc;

use clap::{Args, Subcommand};

use super::Ended;
use crate::args::Global;
use crate::console::Console;

const EXAMPLES: &str = "\
Examples:
  hygge generate ddl --input data/users.parquet --table dbo.Users
  hygge generate ddl --flow sales --output schema --profile
  hygge generate entities --connection erp --tables 'dbo.*' --flow erp";

/// Write files for you to look over: CREATE TABLE statements, entities
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct GenerateArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Ddl(ddl::DdlArgs),
    Entities(entities::EntitiesArgs),
}

pub(crate) fn run(args: &GenerateArgs, global: &Global, console: &Arc<Console>) -> Ended {
    match &args.what {
        What::Ddl(args) => ddl::run(args, global, console),
        What::Entities(args) => entities::run(args, global, console),
    }
}
