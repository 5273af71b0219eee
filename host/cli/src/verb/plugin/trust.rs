use std::path::Path;
use std::sync::Arc;

use clap::Args;
use hygge_plugins::{Digest, Locked, Sealed};
use serde_json::Value;

use super::given::{self, Compared};
use super::{Here, with_context};
use crate::args::Global;
use crate::complaint::{Complaint, Exit};
use crate::console::Console;
use crate::verb::Ended;

const EXAMPLES: &str = "\
Examples:
  hygge plugin trust crm                  Pin plugins/crm.wasm in hygge.lock
  hygge plugin trust crm mask             ... several

What hygge.yml grants goes to a file whose digest stands in hygge.lock, and to no other. When the
file changes, nothing uses it until it is trusted again; `hygge plugin inspect` shows what changed.
Keep hygge.lock in version control.";

/// Pin plugins in hygge.lock, so that they get what hygge.yml grants
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct TrustArgs {
    /// Plugins of this project, by the name of their file
    #[arg(required = true)]
    plugins: Vec<String>,
}

pub(super) fn run(args: &TrustArgs, global: &Global, console: &Arc<Console>) -> Ended {
    let mut here = Here::find(global)?;
    for named in &args.plugins {
        let (key, file) = here.plugin(named)?;
        let said = trust(&mut here, &key, &file, console)?;
        here.lock.write(&here.root)?;
        console.out(&said);
    }
    Ok(Exit::Well)
}

/// Puts one into the lock, and says what that means.
fn trust(
    here: &mut Here,
    key: &str,
    file: &Path,
    console: &Arc<Console>,
) -> Result<String, Complaint> {
    let sealed = with_context(console, async |cx| Sealed::read(file, false, cx).await)?;
    if let Some((why, advice)) = given::taken(here, key, &sealed.description) {
        let complaint = Complaint::failed(format!("plugins/{key}.wasm can't be trusted: {why}"));
        return Err(complaint.advise(advice));
    }
    let mut said = String::new();
    if sealed.asked {
        sealed.write(file)?;
        said.push_str(&format!("plugins/{key}.wasm is sealed now.\n"));
    }
    let digest = Digest::of(&sealed.bytes);
    let now = Locked::of(&sealed.description, &digest);
    let before = here.lock.plugins.insert(key.to_owned(), now);
    let version = &sealed.description.version;
    match before {
        Some(before) if before.digest == digest.as_str() => {
            said.push_str(&format!("{key} {version} was trusted already.\n"));
        }
        Some(before) => {
            let difference = before.difference(&sealed.description);
            let difference = difference.unwrap_or_else(|| "it says the same of itself".to_owned());
            said.push_str(&format!("{key} {version} is trusted: {difference}.\n"));
        }
        None => said.push_str(&format!("{key} {version} is trusted.\n")),
    }
    said.push_str(&format!("  {digest}\n"));
    let granted = here.granted.get(key).unwrap_or(&Value::Null);
    match given::compare(&sealed.description, key, granted, &here.root) {
        Compared::Enough => {}
        Compared::Missing(missing) => {
            said.push_str(&format!("It {}; {}\n", missing.what(), missing.advice()));
        }
        Compared::Wrong(why) => {
            said.push_str(&format!("What hygge.yml grants can't be read: {why}\n"));
        }
    }
    Ok(said)
}
