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
    if let Some(key) = gone(&here, &args.plugin) {
        here.lock.plugins.remove(&key);
        here.lock.write(&here.root)?;
        console.out(&format!(
            "plugins/{key}.wasm was gone already; hygge.lock has forgotten it.\n"
        ));
        return Ok(Exit::Well);
    }
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

/// A plugin that was trusted once and whose file isn't there: its type is kept until somebody
/// says that it is gone for good.
fn gone(here: &Here, named: &str) -> Option<String> {
    let key = named.strip_prefix("plugins/").unwrap_or(named);
    let key = key.strip_suffix(".wasm").unwrap_or(key);
    let there = here.folder().join(format!("{key}.wasm")).exists();
    (!there && here.lock.plugins.contains_key(key)).then(|| key.to_owned())
}
