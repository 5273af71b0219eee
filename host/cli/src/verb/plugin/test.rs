use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use hygge_core::{BuildContext, Context};
use hygge_plugins::{Aspect, Check, Exam, Outcome, Report, Sealed, Trial, examine};
use serde_json::{Value, json};

use super::run::input;
use super::tried::{Part, Tried};
use super::until_stopped;
use crate::args::{Global, OutputArgs};
use crate::complaint::{Complaint, Exit};
use crate::console::{Console, Paint};
use crate::registry;
use crate::scratch::Scratch;
use crate::verb::Ended;

const EXAMPLES: &str = "\
Examples:
  hygge plugin test crm.wasm --config url=http://127.0.0.1:8080/deals \\
      --grant-http http://127.0.0.1:8080            A home, against a server of your own
  hygge plugin test mask.wasm --config columns.text.how=redact
  hygge plugin test mask.wasm --config columns.email.how=redact --input people.parquet
  hygge plugin test ndjson.wasm --config path=out/table --grant-write out
  hygge plugin test crm.wasm --output json          For CI; the exit code says it too

Works on any component, in whatever language it is written. A transform or store is given a table
with the columns id, text, number and moment, or the rows of --input. Folders of --grant-write are
made in a temporary folder and go away with it. Exit codes: 0 all laws hold or were skipped, 1 one
doesn't.";

/// Check whether a plugin keeps the contract
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct TestArgs {
    #[command(flatten)]
    tried: Tried,
    /// Rows for a transform or a store: a Parquet file, or one that ends in .csv or .ndjson
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,
    #[command(flatten)]
    output: OutputArgs,
}

/// Rows of --input that are used.
const ROWS: usize = 10_000;

pub(super) fn run(args: &TestArgs, global: &Global, console: &Arc<Console>) -> Ended {
    let file = args.tried.path(global)?;
    let written = args.tried.config()?;
    let granted = args.tried.granted()?;
    if let Some(whole) = absolute(&granted) {
        return Err(
            Complaint::usage(format!("{whole} can't be written by a test")).advise(
                "grant a relative folder: it is made in a temporary one, so that nothing of yours is \
                 touched",
            ),
        );
    }
    let here = std::env::current_dir()
        .map_err(|error| Complaint::usage(format!("the current folder is gone: {error}")))?;
    let scratch = Scratch::new("hygge-test-")?;
    until_stopped(console, async |signal, cx| {
        let env = |name: &str| std::env::var(name).ok();
        let sealed = signal.or_stopped(Sealed::read(&file, false, cx)).await?;
        let settings = (args.tried).settings(&written, &sealed.description, console)?;
        let exam = Exam {
            trial: Trial {
                file: &file,
                granted: &granted,
                root: &here,
                scratch: scratch.path(),
                env: &env,
                cache: registry::cache(),
            },
            config: settings.expose(),
            aspects: match args.tried.part {
                None => &[],
                Some(Part::Home) => &[Aspect::Home],
                Some(Part::Store) => &[Aspect::Store],
                Some(Part::Transform) => &[Aspect::Transform],
            },
            input: match &args.input {
                Some(file) => Some(read(file, &here, &scratch, cx).await?),
                None => None,
            },
        };
        let report = signal.or_stopped(examine(&exam, cx)).await?;
        if args.output.json() {
            console.out(&format!("{}\n", in_json(&report)));
        } else {
            console.out(&text(&report, &console.paint()));
        }
        Ok(match report.counts()[1] {
            0 => Exit::Well,
            _ => Exit::Failed,
        })
    })
}

/// A folder that is written with its whole path.
fn absolute(granted: &Value) -> Option<&str> {
    let folders = granted["write"].as_array()?;
    let mut folders = folders.iter().filter_map(Value::as_str);
    folders.find(|folder| folder.starts_with('/'))
}

async fn read(
    file: &std::path::Path,
    here: &std::path::Path,
    scratch: &Scratch,
    cx: &Context,
) -> Result<Vec<arrow_array::RecordBatch>, Complaint> {
    let place = BuildContext {
        root: here.to_owned(),
        work: scratch.path().to_owned(),
        entity: None,
        run: None,
    };
    let home = input(file, &place)?;
    let first = hygge_engine::first_rows(home.as_ref(), None, ROWS, cx).await?;
    match first.batches.iter().any(|batch| batch.num_rows() > 0) {
        true => Ok(first.batches),
        false => Err(Complaint::usage(format!("{} has no rows", file.display()))),
    }
}

fn text(report: &Report, paint: &Paint) -> String {
    let mut text = format!("{} {}\n", report.plugin, report.version);
    let mut aspect = None;
    for Check {
        aspect: of,
        law,
        outcome,
    } in &report.checks
    {
        if aspect != Some(*of) {
            aspect = Some(*of);
            let heading = match of {
                Aspect::Plugin => "plugin",
                Aspect::Home => "home",
                Aspect::Store => "store",
                Aspect::Transform => "transform",
            };
            text.push_str(&format!("\n{}\n", paint.strong(heading)));
        }
        let (word, why) = match outcome {
            Outcome::Passed(note) => (paint.good("pass"), note.as_ref()),
            Outcome::Failed(why) => (paint.bad("FAIL"), Some(why)),
            Outcome::Skipped(why) => (paint.faint("skip"), Some(why)),
        };
        text.push_str(&format!("  {word}  {law}\n"));
        if let Some(why) = why {
            text.push_str(&format!("        {why}\n"));
        }
    }
    let [passed, failed, skipped] = report.counts();
    text.push_str(&format!(
        "\n{passed} passed, {failed} failed, {skipped} skipped.\n"
    ));
    text
}

fn in_json(report: &Report) -> Value {
    let [passed, failed, skipped] = report.counts();
    let mut all = json!(report);
    all["passed"] = passed.into();
    all["failed"] = failed.into();
    all["skipped"] = skipped.into();
    all
}
