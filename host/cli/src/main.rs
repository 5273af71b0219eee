//! The `hygge` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    hygge::main()
}
