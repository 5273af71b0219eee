use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use hygge_core::{
    Action, BuildContext, Context, EntityId, Fault, Home, Problem, Registry, Settings, Store,
    Transform,
};
use hygge_engine::{FirstRows, Pour, StopSignal, first_rows, pour};
use hygge_plugins::{Plugin, Shelf, Trial};
use serde_json::json;

use super::tried::{Part, Tried};
use super::until_stopped;
use crate::args::{Global, OutputArgs};
use crate::complaint::{Complaint, Exit};
use crate::console::Console;
use crate::registry::{cache, registry};
use crate::scratch::Scratch;
use crate::verb::Ended;
use crate::{new_run, rows, units};

const EXAMPLES: &str = "\
Examples:
  hygge plugin run crm.wasm --config url=https://api.example.com/deals \\
      --grant-http https://api.example.com          The first rows of a home
  hygge plugin run mask.wasm --config-file mask.yml --input people.parquet
  hygge plugin run mask.wasm --config-file mask.yml --input people.parquet --output-file out.parquet
  hygge plugin run ndjson.wasm --config path=out/people --grant-write out --input people.parquet

It needs no project and leaves nothing behind but what a store or --output-file writes. Nothing is
granted but what stands on the command line. ${NAME} in a setting is filled in as in a flow.";

/// Run one plugin alone: show a home's rows, put a file through a transform or into a store
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct RunArgs {
    #[command(flatten)]
    tried: Tried,
    /// The rows for a transform or a store: a Parquet file, or one that ends in .csv or .ndjson
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,
    /// Write all rows of a home or transform there as Parquet, instead of showing some
    #[arg(long, value_name = "FILE")]
    output_file: Option<PathBuf>,
    /// How many rows are shown
    #[arg(long, value_name = "N", default_value_t = 20)]
    rows: usize,
    #[command(flatten)]
    output: OutputArgs,
}

pub(super) fn run(args: &RunArgs, global: &Global, console: &Arc<Console>) -> Ended {
    let file = args.tried.path(global)?;
    let written = args.tried.config()?;
    let granted = args.tried.granted()?;
    let here = std::env::current_dir()
        .map_err(|error| Complaint::usage(format!("the current folder is gone: {error}")))?;
    until_stopped(console, async |signal, cx| {
        let env = |name: &str| std::env::var(name).ok();
        let trial = Trial {
            file: &file,
            granted: &granted,
            root: &here,
            scratch: &here,
            env: &env,
            cache: cache(),
        };
        let plugin = signal.or_stopped(trial.plugin(cx)).await?;
        args.tried.enough(&plugin.description, &granted)?;
        let settings = (args.tried).settings(&written, &plugin.description, console)?;
        let bench = Bench::new(&plugin, settings, here.clone(), signal.clone())?;
        let ended = match part(&plugin, args.tried.part)? {
            Part::Home => args.home(&bench, console, cx).await,
            Part::Transform => args.transform(&bench, console, cx).await,
            Part::Store => args.store(&bench, console, cx).await,
        };
        ended.map_err(|complaint| here_not_there(complaint, &plugin))
    })
}

/// What a plugin lacks is granted here by flags: advice about hygge.yml would lead astray.
fn here_not_there(complaint: Complaint, plugin: &Plugin) -> Complaint {
    let advice = complaint.advice.clone().unwrap_or_default();
    if !advice.contains("hygge.yml") {
        return complaint;
    }
    let flags = [
        ("secrets", "--grant-secret NAME=HOST"),
        ("write", "--grant-write DIR"),
        ("read", "--grant-read DIR"),
        ("env", "--grant-env NAME"),
        ("http", "--grant-http ORIGIN"),
    ];
    // `{secrets: {…` and the like: the word that would stand there.
    let written =
        |word: &str| advice.contains(&format!("{word}:")) || advice.contains(&format!("`{word}`"));
    match flags.iter().find(|(word, _)| written(word)) {
        Some((_, flag)) => complaint.advise(format!("if {} may: {flag}", plugin.name)),
        None => complaint,
    }
}

/// Which of the things that it is.
fn part(plugin: &Plugin, wanted: Option<Part>) -> Result<Part, Complaint> {
    let description = &plugin.description;
    let all = [
        (Part::Home, "home", description.home.is_some()),
        (Part::Store, "store", description.store.is_some()),
        (
            Part::Transform,
            "transform",
            description.transform.is_some(),
        ),
    ];
    let is: Vec<_> = all.iter().filter(|(.., is)| *is).collect();
    let names: Vec<&str> = is.iter().map(|(_, name, _)| *name).collect();
    match (wanted, &is[..]) {
        (Some(wanted), is) if is.iter().any(|(part, ..)| *part == wanted) => Ok(wanted),
        (None, [(part, ..)]) => Ok(*part),
        (Some(wanted), _) => Err(Complaint::usage(format!(
            "{} is a {}, not a {}",
            plugin.name,
            names.join(" and "),
            all.iter()
                .find(|(part, ..)| *part == wanted)
                .map_or("", |(_, name, _)| name)
        ))),
        (None, _) => Err(Complaint::usage(format!(
            "{} is a {}: say as which it is run",
            plugin.name,
            names.join(" and ")
        ))
        .advise(format!("add --as {}", names.first().unwrap_or(&"home")))),
    }
}

/// A plugin on its own, with settings.
struct Bench {
    types: Registry,
    name: String,
    key: String,
    settings: Settings,
    place: BuildContext,
    signal: StopSignal,
    /// Goes away with it.
    _work: Scratch,
}

impl Bench {
    fn new(
        plugin: &Arc<Plugin>,
        settings: Settings,
        root: PathBuf,
        signal: StopSignal,
    ) -> Result<Self, Complaint> {
        let mut shelf = Shelf::default();
        shelf.plugins.push(Arc::clone(plugin));
        let mut types = Registry::default();
        shelf.register(&mut types);
        let work = Scratch::new("hygge-run-")?;
        let place = BuildContext {
            root,
            work: work.path().to_owned(),
            entity: Some(EntityId::new("run", &plugin.key)),
            run: None,
        };
        Ok(Self {
            types,
            name: plugin.name.clone(),
            key: plugin.key.clone(),
            settings,
            place,
            signal,
            _work: work,
        })
    }

    fn home(&self) -> Result<Arc<dyn Home>, Complaint> {
        let kind = self.types.home(&self.name).ok_or_else(unknown)?;
        kind.plan(&self.settings, &self.place).map_err(wrong)?;
        Ok(kind.build(&self.settings, &self.place)?)
    }

    fn transform(&self) -> Result<Arc<dyn Transform>, Complaint> {
        let kind = self.types.transform(&self.name).ok_or_else(unknown)?;
        kind.plan(&self.settings, &self.place).map_err(wrong)?;
        Ok(kind.build(&self.settings, &self.place)?)
    }

    fn store(&self) -> Result<(Arc<dyn Store>, Action), Complaint> {
        let kind = self.types.store(&self.name).ok_or_else(unknown)?;
        let able = kind.plan(&self.settings, &self.place).map_err(wrong)?;
        let action = match able.capabilities.replace {
            true => Action::Replace,
            false => Action::Append,
        };
        Ok((kind.build(&self.settings, &self.place)?, action))
    }

    /// A file as a Home.
    fn input(&self, file: Option<&Path>) -> Result<Arc<dyn Home>, Complaint> {
        let Some(file) = file else {
            return Err(
                Complaint::usage(format!("{} needs rows to work on", self.name))
                    .advise("name a file: --input FILE.parquet"),
            );
        };
        input(file, &self.place)
    }

    /// A Parquet file as a Store.
    fn output(&self, file: &Path) -> Result<Arc<dyn Store>, Complaint> {
        let built_in = registry();
        let kind = built_in.store("parquet").ok_or_else(unknown)?;
        let settings = Settings::new(json!({"path": file}), []);
        kind.plan(&settings, &self.place).map_err(wrong)?;
        Ok(kind.build(&settings, &self.place)?)
    }

    async fn pour(
        &self,
        home: &dyn Home,
        transform: Option<&dyn Transform>,
        (store, action): (&dyn Store, Action),
        cx: &Context,
    ) -> Result<(u64, hygge_core::Settled), Fault> {
        let into = Pour {
            store,
            kind: &self.name,
            action,
            entity: EntityId::new("run", &self.key),
            run: new_run::id(jiff::Timestamp::now()),
        };
        pour(home, transform, &into, &self.signal, cx).await
    }
}

/// A file of rows as a Home.
pub(crate) fn input(file: &Path, place: &BuildContext) -> Result<Arc<dyn Home>, Complaint> {
    let built_in = registry();
    let kind = built_in.home("files").ok_or_else(unknown)?;
    let settings = Settings::new(json!({"path": file}), []);
    kind.plan(&settings, place).map_err(wrong)?;
    Ok(kind.build(&settings, place)?)
}

fn unknown() -> Complaint {
    Complaint::failed("a type is gone that was there a moment ago".to_owned())
}

/// What is wrong with settings.
fn wrong(problems: Vec<Problem>) -> Complaint {
    let mut advice = None;
    let mut lines = Vec::new();
    for problem in problems {
        let place = problem.pointer.trim_start_matches('/').replace('/', ".");
        lines.push(match place.is_empty() {
            true => problem.message,
            false => format!("{place}: {}", problem.message),
        });
        advice = advice.or(problem.advice);
    }
    let complaint = Complaint::usage(lines.join("\n       "));
    match advice {
        Some(advice) => complaint.advise(advice),
        None => complaint.advise("`hygge plugin inspect FILE` shows the settings"),
    }
}

impl RunArgs {
    async fn home(&self, bench: &Bench, console: &Console, cx: &Context) -> Ended {
        if self.input.is_some() {
            return Err(Complaint::usage(format!(
                "{} is a home: its rows come from itself, not from --input",
                bench.name
            )));
        }
        let home = bench.home()?;
        self.given(bench, home.as_ref(), None, console, cx).await
    }

    async fn transform(&self, bench: &Bench, console: &Console, cx: &Context) -> Ended {
        let home = bench.input(self.input.as_deref())?;
        let transform = bench.transform()?;
        self.given(bench, home.as_ref(), Some(transform.as_ref()), console, cx)
            .await
    }

    /// Shows rows, or writes them into a file.
    async fn given(
        &self,
        bench: &Bench,
        home: &dyn Home,
        transform: Option<&dyn Transform>,
        console: &Console,
        cx: &Context,
    ) -> Ended {
        if let Some(file) = &self.output_file {
            let store = bench.output(file)?;
            let into = (store.as_ref(), Action::Replace);
            let (rows, settled) = bench.pour(home, transform, into, cx).await?;
            self.settled(rows, &settled, console);
            return Ok(Exit::Well);
        }
        let first = first_rows(home, transform, self.rows, cx);
        let first = bench.signal.or_stopped(first).await?;
        self.show(&first, console)
    }

    fn show(&self, first: &FirstRows, console: &Console) -> Ended {
        let unshown =
            |error: arrow_schema::ArrowError| Complaint::failed(format!("can't be shown: {error}"));
        for warning in &first.warnings {
            let word = console.paint_err().warn("warning:");
            console.err(&format!("{word} {warning}\n"));
        }
        if self.output.json() {
            console.out(&rows::json(&first.batches).map_err(unshown)?);
            return Ok(Exit::Well);
        }
        let many = first.batches.iter().map(|batch| batch.num_rows() as u64);
        let many = units::rows(many.sum());
        console.out(&rows::table(&first.schema, &first.batches).map_err(unshown)?);
        console.out(&match first.more {
            true => format!("\nThe first {many}; --rows N shows more.\n"),
            false => format!("\n{many}.\n"),
        });
        Ok(Exit::Well)
    }

    async fn store(&self, bench: &Bench, console: &Console, cx: &Context) -> Ended {
        if self.output_file.is_some() {
            return Err(Complaint::usage(format!(
                "{} is a store: where it writes is a setting of its own, not --output-file",
                bench.name
            )));
        }
        let home = bench.input(self.input.as_deref())?;
        let (store, action) = bench.store()?;
        let into = (store.as_ref(), action);
        let (rows, settled) = bench.pour(home.as_ref(), None, into, cx).await?;
        self.settled(rows, &settled, console);
        Ok(Exit::Well)
    }

    fn settled(&self, rows: u64, settled: &hygge_core::Settled, console: &Console) {
        let location = &settled.location;
        if self.output.json() {
            let line = json!({"rows": rows, "location": location, "parts": settled.parts});
            console.out(&format!("{line}\n"));
        } else {
            console.out(&format!("{} settled in {location}.\n", units::rows(rows)));
        }
    }
}
