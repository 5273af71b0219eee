use std::path::{Path, PathBuf};

use clap::Args;
use hygge_plugins::{Description, Digest, Inspected, Part, inspect};
use serde_json::{Value, json};

use super::{Here, given, is_a};
use crate::args::{Global, OutputArgs};
use crate::complaint::{Complaint, Exit};
use crate::console::Console;
use crate::table::Table;
use crate::units;
use crate::verb::Ended;

const EXAMPLES: &str = "\
Examples:
  hygge plugin inspect crm.wasm           What a file says of itself
  hygge plugin inspect crm                ... one of this project
  hygge plugin inspect crm.wasm --output json

Nothing of the file is run: what it is and wants stands in its section `hygge:describe`.";

/// Show what a plugin says of itself; runs none of it
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct InspectArgs {
    /// A .wasm file, or the name of a plugin of this project
    file: String,
    #[command(flatten)]
    output: OutputArgs,
}

/// A file, and what the project it stands in says of it.
struct Found {
    file: PathBuf,
    size: u64,
    digest: Digest,
    inspected: Inspected,
    /// None for a file that isn't in a project's plugins/.
    here: Option<Standing>,
}

struct Standing {
    trusted: bool,
    /// What was trusted, when that was another file.
    before: Option<String>,
    given: Value,
    /// Why flows can't use it, and the way out.
    unused: Option<String>,
}

pub(super) fn run(args: &InspectArgs, global: &Global, console: &Console) -> Ended {
    let found = look(&args.file, global)?;
    if args.output.json() {
        console.out(&format!("{}\n", found.json()));
    } else {
        console.out(&found.text());
    }
    Ok(Exit::Well)
}

fn look(named: &str, global: &Global) -> Result<Found, Complaint> {
    // Outside of a project a file can be looked at too.
    let here = Here::find(global);
    let path = Path::new(named);
    let (file, key) = match (path.is_file(), &here) {
        (true, here) => {
            let own = here.as_ref().ok().and_then(|here| here.plugin(named).ok());
            let same = |own: &Path| path.canonicalize().ok() == own.canonicalize().ok();
            let key = own.filter(|(_, file)| same(file)).map(|(key, _)| key);
            (path.to_owned(), key)
        }
        (false, Ok(here)) => {
            let (key, file) = here.plugin(named)?;
            (file, Some(key))
        }
        (false, Err(_)) => {
            return Err(Complaint::usage(format!("there is no file {named}"))
                .advise("name a .wasm file, or a plugin while in a project"));
        }
    };
    let unread = |error: std::io::Error| Complaint::failed(format!("can't read {named}: {error}"));
    let size = std::fs::metadata(&file).map_err(unread)?.len();
    if size > 64 << 20 {
        return Err(Complaint::failed(format!(
            "{named} can't be a plugin: it is larger than 64 MiB"
        )));
    }
    let bytes = std::fs::read(&file).map_err(unread)?;
    let inspected = inspect(&bytes)
        .map_err(|why| Complaint::failed(format!("{named} can't be a plugin: {why}")))?;
    let digest = Digest::of(&bytes);
    let here = here.ok().zip(key).map(|(here, key)| {
        let locked = here.lock.plugins.get(&key);
        let description = inspected.description.as_ref();
        let (_, shelf) = here.shelf();
        let named = format!("{key}.wasm");
        let unused = shelf
            .quarantined
            .into_iter()
            .find(|each| each.file.file_name().is_some_and(|name| *name == *named))
            .map(|each| match each.advice {
                Some(advice) => format!("{}; {advice}", each.message),
                None => each.message,
            });
        let differs = locked.filter(|locked| locked.digest != digest.as_str());
        Standing {
            trusted: locked.is_some() && differs.is_none(),
            before: differs.map(|locked| {
                description
                    .and_then(|now| locked.difference(now))
                    .unwrap_or_else(|| "it says the same of itself".to_owned())
            }),
            given: given::beyond_limits(here.granted.get(&key)),
            unused,
        }
    });
    Ok(Found {
        file,
        size,
        digest,
        inspected,
        here,
    })
}

impl Found {
    fn text(&self) -> String {
        let Inspected {
            description,
            contract,
            home,
            store,
            transform,
            imports,
            ..
        } = &self.inspected;
        let is = is_a(*home, *store, *transform).join(" and ");
        let mut lines: Vec<(&str, String)> = Vec::new();
        match description {
            Some(description) => {
                lines.push(("type", format!("{}, a {is}", description.name)));
                lines.push(("version", description.version.clone()));
                if !description.summary.is_empty() {
                    lines.push(("summary", description.summary.clone()));
                }
                if let Some(delivery) = &description.delivery {
                    lines.push(("delivery", shown(delivery)));
                }
            }
            None => lines.push((
                "type",
                format!("a {is}, not sealed: `hygge plugin seal` asks it for the rest"),
            )),
        }
        lines.push(("contract", contract.clone()));
        lines.push(("digest", self.digest.to_string()));
        lines.push(("size", units::bytes(self.size)));
        if let Some(description) = description {
            several(&mut lines, "wants", description.grants.lines());
        }
        if let Some(here) = &self.here {
            several(&mut lines, "given", granted(&here.given));
            lines.push(("trusted", here.trust()));
            if let Some(why) = &here.unused {
                lines.push(("not used", why.clone()));
            }
        }
        several(
            &mut lines,
            "imports",
            imports.iter().map(|each| shown(each)).collect(),
        );
        let mut text = format!("{}\n", shown(&self.file.display().to_string()));
        for (what, value) in lines {
            text.push_str(format!("  {what:<9} {value}").trim_end());
            text.push('\n');
        }
        if let Some(description) = description {
            for (what, part) in each_part(description) {
                text.push_str(&settings(what, part));
            }
        }
        text
    }

    fn json(&self) -> Value {
        let Inspected {
            description,
            contract,
            home,
            store,
            transform,
            imports,
            ..
        } = &self.inspected;
        json!({
            "file": self.file,
            "sealed": description.is_some(),
            "is": is_a(*home, *store, *transform),
            "contract": contract,
            "digest": self.digest.as_str(),
            "bytes": self.size,
            "imports": imports,
            "describe": description,
            "trusted": self.here.as_ref().map(|here| here.trusted),
            "given": self.here.as_ref().map(|here| &here.given),
            "problem": self.here.as_ref().and_then(|here| here.unused.as_ref()),
        })
    }
}

impl Standing {
    fn trust(&self) -> String {
        match (&self.before, self.trusted) {
            (Some(before), _) => format!("no, another file was: {before}"),
            (None, true) => "yes, this file".to_owned(),
            (None, false) => "no".to_owned(),
        }
    }
}

/// A list of lines, the first beside the word; `nothing` when there are none.
fn several(lines: &mut Vec<(&str, String)>, what: &'static str, all: Vec<String>) {
    if all.is_empty() {
        lines.push((what, "nothing".to_owned()));
    }
    for (n, each) in all.into_iter().enumerate() {
        lines.push((if n == 0 { what } else { "" }, each));
    }
}

/// What hygge.yml grants, in its own words.
fn granted(given: &Value) -> Vec<String> {
    let map = given.as_object().into_iter().flatten();
    map.map(|(key, value)| shown(&format!("{key}: {value}")))
        .collect()
}

fn each_part(description: &Description) -> impl Iterator<Item = (&'static str, &Part)> {
    let parts = [
        ("home", &description.home),
        ("store", &description.store),
        ("transform", &description.transform),
    ];
    parts
        .into_iter()
        .filter_map(|(what, part)| part.as_ref().map(|part| (what, part)))
}

fn settings(what: &str, part: &Part) -> String {
    let settings = part.settings();
    if settings.is_empty() {
        return format!("\nThe {what} has no settings.\n");
    }
    let mut table = Table::new(&[&what.to_uppercase(), "TAKES", "", "MEANING"]);
    for setting in settings {
        let needed = if setting.needed { "needed" } else { "" };
        table.row(vec![
            setting.name.into(),
            setting.takes.into(),
            needed.into(),
            setting.meaning.into(),
        ]);
    }
    format!("\n{}", table.show())
}

/// What the file says, without what would steer a terminal.
fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(300).collect()
}
