use std::path::Path;

use clap::Args;
use hygge_core::{Fault, code};
use hygge_plugins::{Description, Sealed};
use serde_json::Value;

use super::given::{self, Compared};
use super::{Here, is_a, with_context};
use crate::args::Global;
use crate::complaint::{Complaint, Exit};
use crate::console::Console;
use crate::schema_files;
use crate::verb::Ended;

const EXAMPLES: &str = "\
Examples:
  hygge plugin add target/wasm32-wasip2/release/crm.wasm
  hygge plugin add crm-1.1.wasm --name crm --replace

The file is copied into plugins/, and sealed if it isn't. Nothing is granted to it.";

/// Copy a plugin into this project
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct AddArgs {
    /// A .wasm file
    file: String,
    /// What it is called in plugins/, hygge.yml and hygge.lock [default: the file's name]
    #[arg(long)]
    name: Option<String>,
    /// Put it in the place of one of that name
    #[arg(long)]
    replace: bool,
}

pub(super) fn run(args: &AddArgs, global: &Global, console: &Console) -> Ended {
    let here = Here::find(global)?;
    let from = Path::new(&args.file);
    if args.file.contains("://") {
        return Err(
            Complaint::usage("hygge doesn't download plugins".to_owned()).advise(
                "download it, look at it with `hygge plugin inspect FILE`, then add the file",
            ),
        );
    }
    if !from.is_file() {
        return Err(Complaint::usage(format!("there is no file {}", args.file)));
    }
    let key = match &args.name {
        Some(name) => name.clone(),
        None => from
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned(),
    };
    check_name(&key)?;
    let to = here.folder().join(format!("{key}.wasm"));
    if from.canonicalize().ok() == to.canonicalize().ok() {
        return Err(
            Complaint::usage(format!("plugins/{key}.wasm is there already"))
                .advise("`hygge plugin list` shows whether it can be used"),
        );
    }
    if to.exists() && !args.replace {
        return Err(
            Complaint::usage(format!("there is a plugins/{key}.wasm already"))
                .advise("put the new one in its place with --replace, or choose another --name"),
        );
    }
    let sealed = with_context(async |cx| Sealed::read(from, false, cx).await)?;
    if let Some(by) = taken(&here, &key, &sealed.description) {
        let name = &sealed.description.name;
        return Err(
            Complaint::failed(format!("{} can't be added: it is a {}", args.file, by)).advise(
                format!("two can't have the type `{name}`; remove the other first"),
            ),
        );
    }
    let folder = here.folder();
    std::fs::create_dir_all(&folder)
        .map_err(|error| Fault::io(code::DESTINATION_IO, "can't create", &folder, &error))?;
    sealed.write(&to)?;
    if let Err(complaint) = schema_files::write(&here.root) {
        tracing::info!("no schemas for editors: {}", complaint.message);
    }
    console.out(&said(&here, &key, &sealed));
    Ok(Exit::Well)
}

/// The name stands in YAML, in file names and in messages.
fn check_name(key: &str) -> Result<(), Complaint> {
    let fits = key.starts_with(|c: char| c.is_ascii_alphanumeric())
        && key.len() <= 64
        && key
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    match fits {
        true => Ok(()),
        false => Err(
            Complaint::usage(format!("{key:?} can't be the name of a plugin"))
                .advise("choose one of letters, digits, `-`, `_` and `.`: --name crm"),
        ),
    }
}

/// What else has one of its types: `home of type crm, and so is plugins/other.wasm`.
fn taken(here: &Here, key: &str, description: &Description) -> Option<String> {
    let name = &description.name;
    let built_in = crate::registry::registry();
    let (_, shelf) = here.shelf();
    let mine = |d: &Description| [d.home.is_some(), d.store.is_some(), d.transform.is_some()];
    let theirs = [
        built_in.home(name).is_some(),
        built_in.store(name).is_some(),
        built_in.transform(name).is_some(),
    ];
    let others = shelf
        .plugins
        .iter()
        .filter(|other| other.key != key && other.name == *name)
        .map(|other| {
            (
                format!("plugins/{}.wasm", other.key),
                mine(&other.description),
            )
        });
    let all = std::iter::once(("hygge itself".to_owned(), theirs)).chain(others);
    let wants = mine(description);
    for (by, has) in all {
        for (n, what) in ["home", "store", "transform"].into_iter().enumerate() {
            if wants[n] && has[n] {
                return Some(format!("{what} of type `{name}`, and so is {by}"));
            }
        }
    }
    None
}

fn said(here: &Here, key: &str, sealed: &Sealed) -> String {
    let description = &sealed.description;
    let is = is_a(
        description.home.is_some(),
        description.store.is_some(),
        description.transform.is_some(),
    );
    let mut said = format!(
        "plugins/{key}.wasm is there: {} {}, a {}{}\n",
        description.name,
        description.version,
        is.join(" and "),
        if sealed.asked { "; sealed now" } else { "" },
    );
    let granted = here.granted.get(key).unwrap_or(&Value::Null);
    match given::compare(description, key, granted, &here.root) {
        Compared::Missing(lines) => said.push_str(&format!(
            "It wants more than it is granted. If it may, add to hygge.yml:\n{lines}\n\
             and trust this file: hygge plugin trust {key}\n"
        )),
        Compared::Enough | Compared::Wrong(_) if granted.is_null() => {
            said.push_str(&format!("Use it in a flow: `type: {}`\n", description.name));
        }
        Compared::Enough | Compared::Wrong(_) => {
            said.push_str(&format!("Next: hygge plugin trust {key}\n"));
        }
    }
    said
}
