//! `hygge plugin`: one file a verb.

mod add;
mod given;
mod inspect;
mod list;
mod new;
mod remove;
mod run;
mod seal;
mod test;
mod tried;
mod trust;

pub(crate) use self::run::input;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, Subcommand};
use hygge_core::{Context, Fault, Registry};
use hygge_engine::StopSignal;
use hygge_plugins::{Lock, Shelf};
use serde_json::Value;

use super::Ended;
use crate::args::Global;
use crate::complaint::{Complaint, Exit};
use crate::console::Console;
use crate::{diagnostics, project, registry, runtime, signals};

const EXAMPLES: &str = "\
Examples:
  hygge plugin list                       What is in plugins/, and whether it can be used
  hygge plugin inspect crm.wasm           What a file says of itself; runs none of it
  hygge plugin add crm.wasm               Copy it into plugins/
  hygge plugin trust crm                  Let it have what hygge.yml grants it
  hygge plugin new --kind home crm        Begin to write one
  hygge plugin run crm.wasm               Try one alone
  hygge plugin test crm.wasm              Whether one keeps the contract, for who writes it

A plugin is a WebAssembly component in plugins/. It runs in a sandbox with nothing granted, until
`plugins:` in hygge.yml says what it may do and `trust` says that it is this very file.";

/// Show, add and trust plugins
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct PluginArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    List(list::ListArgs),
    Inspect(inspect::InspectArgs),
    Add(add::AddArgs),
    Remove(remove::RemoveArgs),
    Trust(trust::TrustArgs),
    Seal(seal::SealArgs),
    New(new::NewArgs),
    Run(run::RunArgs),
    Test(test::TestArgs),
}

pub(crate) fn run(args: &PluginArgs, global: &Global, console: &Arc<Console>) -> Ended {
    diagnostics::begin(global.verbose, console, None)?;
    match &args.what {
        What::List(args) => list::run(args, global, console),
        What::Inspect(args) => inspect::run(args, global, console),
        What::Add(args) => add::run(args, global, console),
        What::Remove(args) => remove::run(args, global, console),
        What::Trust(args) => trust::run(args, global, console),
        What::Seal(args) => seal::run(args, global, console),
        What::New(args) => new::run(args, global, console),
        What::Run(args) => run::run(args, global, console),
        What::Test(args) => test::run(args, global, console),
    }
}

/// A project, seen from its plugins.
struct Here {
    root: PathBuf,
    /// `plugins:` of hygge.yml.
    granted: BTreeMap<String, Value>,
    lock: Lock,
}

impl Here {
    fn find(global: &Global) -> Result<Self, Complaint> {
        let root = project::root(global)?;
        hygge_project::readable(&root)?;
        let lock = Lock::read(&root).map_err(|why| {
            Complaint::failed(why).advise("mend it, or remove it and trust the plugins again")
        })?;
        Ok(Self {
            granted: registry::granted(&root),
            lock,
            root,
        })
    }

    /// What is there to be used, and the types it brings.
    fn shelf(&self) -> (Registry, Shelf) {
        registry::with_plugins(&self.root)
    }

    fn folder(&self) -> PathBuf {
        self.root.join("plugins")
    }

    /// The plugin that `crm`, `crm.wasm` and `plugins/crm.wasm` mean: its name and its file.
    fn plugin(&self, named: &str) -> Result<(String, PathBuf), Complaint> {
        let path = Path::new(named);
        let key = match path.extension().is_some_and(|ending| ending == "wasm") {
            true => path.file_stem().unwrap_or_default().to_string_lossy(),
            false => named.into(),
        };
        let file = self.folder().join(format!("{key}.wasm"));
        let elsewhere = path.parent().is_some_and(|parent| {
            !parent.as_os_str().is_empty()
                && parent != Path::new("plugins")
                && parent.canonicalize().ok() != self.folder().canonicalize().ok()
        });
        if elsewhere {
            return Err(Complaint::usage(format!("{named} isn't in plugins/"))
                .advise(format!("hygge plugin add {named}")));
        }
        if !file.is_file() {
            return Err(Complaint::usage(format!(
                "there is no plugins/{key}.wasm in this project"
            ))
            .advise("`hygge plugin list` shows what there is"));
        }
        Ok((key.into_owned(), file))
    }
}

/// Calls something that may run a guest.
fn with_context<T>(
    console: &Arc<Console>,
    call: impl AsyncFnOnce(&Context) -> hygge_core::Result<T>,
) -> Result<T, Complaint> {
    let (runtime, threads) = runtime::whole()?;
    let cx = runtime::context(&threads, console);
    Ok(runtime.block_on(call(&cx))?)
}

/// As [`with_context`], for what a person may have to wait for: Ctrl-C ends it, and what it had
/// in hand goes away with it.
fn until_stopped(
    console: &Arc<Console>,
    call: impl AsyncFnOnce(&StopSignal, &Context) -> Ended,
) -> Ended {
    let (runtime, threads) = runtime::whole()?;
    let signal = StopSignal::default();
    let cx = Context {
        stop: signal.stop(),
        ..runtime::context(&threads, console)
    };
    let ended = runtime.block_on(async {
        let at_once = "what it had staged may be left";
        signals::listen(signal.clone(), Arc::clone(console), at_once)?;
        call(&signal, &cx).await
    });
    match ended {
        // Nothing is wrong, and the person knows why it ended.
        Err(complaint) if signal.is_set() && complaint.message == Fault::stopped().message => {
            Ok(Exit::Interrupted)
        }
        ended => ended,
    }
}

/// `a home and a transform`.
fn is_a(home: bool, store: bool, transform: bool) -> Vec<&'static str> {
    [(home, "home"), (store, "store"), (transform, "transform")]
        .into_iter()
        .filter_map(|(is, what)| is.then_some(what))
        .collect()
}
