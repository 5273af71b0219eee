use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use hygge_plugins::{Digest, Sealed};

use super::with_context;
use crate::args::Global;
use crate::complaint::{Complaint, Exit};
use crate::console::Console;
use crate::verb::Ended;

const EXAMPLES: &str = "\
Examples:
  hygge plugin seal crm.wasm              Write its description into it
  hygge plugin seal build/crm.wasm --out plugins/crm.wasm

Runs the plugin's `describe` once, with nothing granted, 128 MiB of memory and ten seconds.
Plugins made with the Rust SDK are sealed when they are built.";

/// Write into a file what its plugin says of itself
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct SealArgs {
    /// A .wasm file
    file: PathBuf,
    /// Where to write it [default: over the file]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(super) fn run(args: &SealArgs, _: &Global, console: &Arc<Console>) -> Ended {
    if !args.file.is_file() {
        let shown = args.file.display();
        return Err(Complaint::usage(format!("there is no file {shown}")));
    }
    let sealed = with_context(console, async |cx| Sealed::read(&args.file, true, cx).await)?;
    let to = args.out.as_ref().unwrap_or(&args.file);
    if to.exists() && !is_wasm(to) {
        let shown = to.display();
        return Err(
            Complaint::usage(format!("{shown} is there, and is no plugin"))
                .advise("choose another --out, or move it away"),
        );
    }
    if sealed.asked || to != &args.file {
        sealed.write(to)?;
    }
    let how = match sealed.asked {
        true => "is sealed",
        false => "was sealed already",
    };
    let description = &sealed.description;
    console.out(&format!(
        "{} {how}: {} {}\n  {}\n",
        to.display(),
        description.name,
        description.version,
        Digest::of(&sealed.bytes)
    ));
    Ok(Exit::Well)
}

/// Whether it may be written over: anything else is somebody's.
fn is_wasm(file: &Path) -> bool {
    let mut magic = [0; 4];
    let read = std::fs::File::open(file).and_then(|mut file| file.read_exact(&mut magic));
    read.is_ok() && magic == *b"\0asm"
}
