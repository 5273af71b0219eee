use clap::Args;
use hygge_core::{Fault, code};

use super::Here;
use crate::args::Global;
use crate::complaint::Exit;
use crate::console::Console;
use crate::schema_files;
use crate::verb::Ended;

const EXAMPLES: &str = "\
Examples:
  hygge plugin remove crm                 Delete plugins/crm.wasm, and forget that it was trusted";

/// Remove a plugin from this project
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct RemoveArgs {
    /// A plugin of this project, by the name of its file
    plugin: String,
}

pub(super) fn run(args: &RemoveArgs, global: &Global, console: &Console) -> Ended {
    let mut here = Here::find(global)?;
    let (key, file) = here.plugin(&args.plugin)?;
    // The trust goes first: a file without it can do less than one with it.
    if here.lock.plugins.remove(&key).is_some() {
        here.lock.write(&here.root)?;
    }
    std::fs::remove_file(&file)
        .map_err(|error| Fault::io(code::DESTINATION_IO, "can't remove", &file, &error))?;
    if let Err(complaint) = schema_files::write(&here.root) {
        tracing::info!("no schemas for editors: {}", complaint.message);
    }
    let mut said = format!("plugins/{key}.wasm is gone.\n");
    if here.granted.contains_key(&key) {
        said.push_str(&format!(
            "hygge.yml still says what it may do: remove `{key}` below `plugins` there.\n"
        ));
    }
    console.out(&said);
    Ok(Exit::Well)
}
