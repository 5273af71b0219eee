use std::path::{Path, PathBuf};

use clap::Args;
use hygge_plugins::{Description, Digest, inspect};
use serde_json::{Value, json};

use super::given::{self, Compared};
use super::{Here, is_a};
use crate::args::{Global, OutputArgs};
use crate::complaint::Exit;
use crate::console::Console;
use crate::registry;
use crate::table::Table;
use crate::verb::Ended;

const EXAMPLES: &str = "\
Examples:
  hygge plugin list                       What is in plugins/, and whether it can be used
  hygge plugin list --output json         ... one JSON object a line

States: ready (it can be used), trusted (this very file stands in hygge.lock, so it gets what
hygge.yml grants it), wants grants (flows that use it are refused until it has them), not used.";

/// List the plugins of this project; runs none of them
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ListArgs {
    #[command(flatten)]
    output: OutputArgs,
}

/// One file of plugins/.
struct Listed {
    key: String,
    file: PathBuf,
    digest: Option<Digest>,
    description: Option<Description>,
    given: Value,
    state: &'static str,
    /// Why it can't be used, and the way out.
    problem: Option<(String, Option<String>)>,
}

pub(super) fn run(args: &ListArgs, global: &Global, console: &Console) -> Ended {
    let here = Here::find(global)?;
    let all = listed(&here);
    for ghost in registry::ghosts(&here.root) {
        let word = console.paint_err().warn("warning:");
        console.err(&format!("{word} {ghost}\n"));
    }
    if args.output.json() {
        for each in &all {
            console.out(&format!("{}\n", each.json()));
        }
    } else if all.is_empty() {
        console.out("There is no plugin in plugins/. Next: hygge plugin add FILE\n");
    } else {
        console.out(&table(&all));
        for each in &all {
            if let Some((message, advice)) = &each.problem {
                console.out(&format!("\n{message}\n"));
                if let Some(advice) = advice {
                    let next = console.paint().strong("next:");
                    console.out(&format!("  {next} {advice}\n"));
                }
            }
        }
    }
    Ok(Exit::Well)
}

fn listed(here: &Here) -> Vec<Listed> {
    let (_, shelf) = here.shelf();
    let mut all = Vec::new();
    for plugin in shelf.plugins {
        let key = plugin.key.clone();
        let granted = here.granted.get(&key);
        let locked = here.lock.plugins.contains_key(&key);
        let root = &here.root;
        let (state, problem) = match given::compare(
            &plugin.description,
            &key,
            granted.unwrap_or(&Value::Null),
            root,
        ) {
            Compared::Missing(missing) => (
                "wants grants",
                Some((
                    format!("{} {}", plugin.name, missing.what()),
                    Some(missing.advice()),
                )),
            ),
            _ if locked => ("trusted", None),
            _ => ("ready", None),
        };
        all.push(Listed {
            file: plugin.file.clone(),
            digest: Some(plugin.digest.clone()),
            description: Some(plugin.description.clone()),
            given: given::beyond_limits(granted),
            key,
            state,
            problem,
        });
    }
    for quarantined in shelf.quarantined {
        let key = key_of(&quarantined.file);
        let (digest, description) = look(&quarantined.file);
        all.push(Listed {
            digest,
            description,
            given: given::beyond_limits(here.granted.get(&key)),
            key,
            file: quarantined.file,
            state: "not used",
            problem: Some((quarantined.message, quarantined.advice)),
        });
    }
    all.sort_by(|a, b| a.file.cmp(&b.file));
    all
}

fn key_of(file: &Path) -> String {
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    // A file's name can hold anything, also what moves a terminal's cursor.
    stem.chars()
        .map(|c| if c.is_control() { '?' } else { c })
        .collect()
}

/// What can be known of a file that isn't used.
fn look(file: &Path) -> (Option<Digest>, Option<Description>) {
    const READ: u64 = 64 << 20;
    let small = std::fs::metadata(file).is_ok_and(|meta| meta.is_file() && meta.len() <= READ);
    let Some(bytes) = small.then(|| std::fs::read(file).ok()).flatten() else {
        return (None, None);
    };
    let description = inspect(&bytes).ok().and_then(|found| found.description);
    (Some(Digest::of(&bytes)), description)
}

fn table(all: &[Listed]) -> String {
    let mut table = Table::new(&[
        "PLUGIN", "TYPE", "VERSION", "IS", "WANTS", "GIVEN", "DIGEST", "STATE",
    ]);
    for each in all {
        let of = |show: fn(&Description) -> String| {
            each.description.as_ref().map_or("-".to_owned(), show)
        };
        table.row(vec![
            each.key.clone().into(),
            of(|d| d.name.clone()).into(),
            of(|d| d.version.clone()).into(),
            of(|d| parts(d).join(", ")).into(),
            of(|d| given::wanted_kinds(&d.grants)).into(),
            given::kinds(&each.given).into(),
            each.digest.as_ref().map_or("-".to_owned(), short).into(),
            each.state.into(),
        ]);
    }
    table.show()
}

fn parts(description: &Description) -> Vec<&'static str> {
    is_a(
        description.home.is_some(),
        description.store.is_some(),
        description.transform.is_some(),
    )
}

/// The first twelve digits, enough to compare by eye; `inspect` shows all.
fn short(digest: &Digest) -> String {
    let hex = digest.as_str().trim_start_matches("blake3:");
    hex.chars().take(12).collect()
}

impl Listed {
    fn json(&self) -> Value {
        let description = self.description.as_ref();
        json!({
            "plugin": self.key,
            "file": self.file,
            "type": description.map(|d| &d.name),
            "version": description.map(|d| &d.version),
            "summary": description.map(|d| &d.summary),
            "is": description.map(parts),
            "digest": self.digest.as_ref().map(Digest::as_str),
            "wants": description.map(|d| &d.grants),
            "given": self.given,
            "state": self.state,
            "problem": self.problem.as_ref().map(|(message, _)| message),
            "advice": self.problem.as_ref().and_then(|(_, advice)| advice.as_ref()),
        })
    }
}
