use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use hygge_core::{Fault, code};
use hygge_plugins::{Digest, Sealed, download, shown_url};
use serde_json::Value;
use tempfile::TempDir;

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
  hygge plugin add https://example.com/crm.wasm --digest blake3:0f3a…

The file is copied into plugins/, and sealed if it isn't. Nothing is granted to it. A URL is fetched
over https, or over http from this machine; redirects are followed.";

/// Copy a plugin into this project
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct AddArgs {
    /// A .wasm file, or the URL of one
    #[arg(value_name = "FILE|URL")]
    file: String,
    /// What it is called in plugins/, hygge.yml and hygge.lock [default: the file's name]
    #[arg(long)]
    name: Option<String>,
    /// Put it in the place of one of that name
    #[arg(long)]
    replace: bool,
    /// Refuse any other file than the one with this digest, as `inspect` shows it
    #[arg(long)]
    digest: Option<String>,
}

pub(super) fn run(args: &AddArgs, global: &Global, console: &Arc<Console>) -> Ended {
    let here = Here::find(global)?;
    let fetched = match args.file.contains("://") {
        true => Some(Fetched::from(&args.file, console)?),
        false => None,
    };
    let from = fetched
        .as_ref()
        .map_or(Path::new(&args.file), |fetched| &fetched.file);
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
    let shown = match fetched {
        Some(_) => shown_url(&args.file),
        None => args.file.clone(),
    };
    let digest = digest(from, args, &shown)?;
    let sealed = with_context(console, async |cx| Sealed::read(from, false, cx).await)
        .map_err(|complaint| named(complaint, from, &shown))?;
    if let Some((why, advice)) = given::taken(&here, &key, &sealed.description) {
        let complaint = Complaint::failed(format!("{shown} can't be added: {why}"));
        return Err(complaint.advise(advice));
    }
    let folder = here.folder();
    std::fs::create_dir_all(&folder)
        .map_err(|error| Fault::io(code::DESTINATION_IO, "can't create", &folder, &error))?;
    sealed.write(&to)?;
    if let Err(complaint) = schema_files::write(&here.root) {
        tracing::info!("no schemas for editors: {}", complaint.message);
    }
    console.out(&said(&here, &key, &sealed));
    if fetched.is_some() {
        console.out(&format!("  {digest}\n"));
    }
    Ok(Exit::Well)
}

/// A file that was fetched, in a folder that goes away with it.
struct Fetched {
    file: PathBuf,
    _folder: TempDir,
}

impl Fetched {
    fn from(url: &str, console: &Arc<Console>) -> Result<Self, Complaint> {
        let unkept = |error: std::io::Error| {
            Complaint::failed(format!("what was downloaded can't be kept: {error}"))
        };
        let bytes = with_context(console, async |_| download(url).await)?;
        let folder = TempDir::with_prefix("hygge-add-").map_err(unkept)?;
        let path = url.split(['?', '#']).next().unwrap_or_default();
        let name = path.rsplit('/').next().unwrap_or_default();
        let stem = name.strip_suffix(".wasm").unwrap_or(name);
        let file = folder.path().join(match check_name(stem) {
            Ok(()) => format!("{stem}.wasm"),
            // Then --name must say it.
            Err(_) => "_.wasm".to_owned(),
        });
        std::fs::write(&file, bytes).map_err(unkept)?;
        Ok(Self {
            file,
            _folder: folder,
        })
    }
}

/// The digest of the file, which is the one that was asked for if one was.
fn digest(from: &Path, args: &AddArgs, shown: &str) -> Result<Digest, Complaint> {
    let bytes = std::fs::read(from)
        .map_err(|error| Complaint::failed(format!("can't read {shown}: {error}")))?;
    let found = Digest::of(&bytes);
    match &args.digest {
        Some(wanted) if !same(wanted, &found) => Err(Complaint::failed(format!(
            "{shown} isn't the file that was asked for"
        ))
        .advise(format!("its digest is {found}"))),
        _ => Ok(found),
    }
}

/// The digits alone mean the same, in either case.
fn same(wanted: &str, found: &Digest) -> bool {
    let digits = |digest: &str| {
        let digits = digest.strip_prefix("blake3:").unwrap_or(digest);
        digits.to_ascii_lowercase()
    };
    digits(wanted) == digits(found.as_str())
}

/// A complaint about what was fetched names the URL, not where it was kept for a moment.
fn named(mut complaint: Complaint, from: &Path, written: &str) -> Complaint {
    complaint.message = complaint
        .message
        .replace(&from.display().to_string(), written);
    complaint
}

/// The name stands in YAML, in file names and in messages.
fn check_name(key: &str) -> Result<(), Complaint> {
    let fits = key.starts_with(|c: char| c.is_ascii_alphanumeric())
        && key.len() <= 64
        && !key.ends_with(".wasm")
        && key
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    match fits {
        true => Ok(()),
        false => Err(
            Complaint::usage(format!("{key:?} can't be the name of a plugin")).advise(
                "choose one of letters, digits, `-`, `_` and `.`, without `.wasm`: --name crm",
            ),
        ),
    }
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
        Compared::Missing(missing) => said.push_str(&format!(
            "It {}; {}\nand trust this file: hygge plugin trust {key}\n",
            missing.what(),
            missing.advice()
        )),
        Compared::Enough | Compared::Wrong(_)
            if granted.is_null() && !here.lock.plugins.contains_key(key) =>
        {
            said.push_str(&format!("Use it in a flow: `type: {}`\n", description.name));
        }
        Compared::Enough | Compared::Wrong(_) => {
            said.push_str(&format!("Next: hygge plugin trust {key}\n"));
        }
    }
    said
}
