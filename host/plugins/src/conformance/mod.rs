//! Whether a component keeps the contract, found out by calling it: the checks that whoever
//! writes a plugin, in any language, runs before others do.
//!
//! The trade-off: a check sees what a host sees, the answers to calls and, of a Store that writes
//! into a granted folder, the files. So it finds what breaks runs (rows that differ the second
//! time, a commit that can't be done again) and can't find what only the other side of a network
//! shows. What it couldn't look at it says, as skipped with the reason; it never passes that.

mod calls;
mod described;
mod faults;
mod home;
mod rows;
mod store;
mod transform;
mod tree;

use std::sync::Arc;

use arrow_array::RecordBatch;
use hygge_core::{Context, Fault, Result};
use serde::Serialize;
use serde_json::Value;

use crate::plugin::Plugin;
use crate::trial::Trial;
use calls::{Caller, Failed};

/// What a component is looked at as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Aspect {
    /// The file itself, and what is true of all plugins.
    Plugin,
    /// A Home.
    Home,
    /// A Store.
    Store,
    /// A transform.
    Transform,
}

/// How a check ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase", tag = "outcome", content = "why")]
pub enum Outcome {
    /// It holds; what was looked at, when that isn't plain.
    Passed(Option<String>),
    /// It doesn't, and why.
    Failed(String),
    /// It couldn't be looked at, and why.
    Skipped(String),
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Of what.
    pub aspect: Aspect,
    /// What must hold, as a sentence.
    pub law: &'static str,
    /// How it ended.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// What is tried with the plugin.
pub struct Exam<'a> {
    /// The file and its grants. `scratch` should be a folder for this exam alone.
    pub trial: Trial<'a>,
    /// The settings of the part that is looked at.
    pub config: &'a Value,
    /// Look at these only.
    pub aspects: &'a [Aspect],
    /// Rows to feed a transform or a Store with; without them the table described in
    /// docs/plugins/testing.md.
    pub input: Option<Vec<RecordBatch>>,
}

/// How it went.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// What the plugin calls itself.
    pub plugin: String,
    /// Its version.
    pub version: String,
    /// The file's digest.
    pub digest: String,
    /// Every check, in order.
    pub checks: Vec<Check>,
}

impl Report {
    /// How many checks ended so: passed, failed, skipped.
    pub fn counts(&self) -> [usize; 3] {
        let mut counts = [0; 3];
        for check in &self.checks {
            counts[match check.outcome {
                Outcome::Passed(_) => 0,
                Outcome::Failed(_) => 1,
                Outcome::Skipped(_) => 2,
            }] += 1;
        }
        counts
    }
}

/// Why a check didn't pass.
#[derive(Debug)]
enum Why {
    Failed(String),
    Skipped(String),
}

impl From<Failed> for Why {
    fn from(failed: Failed) -> Self {
        Self::Failed(failed.to_string())
    }
}

/// What a check comes to: a note on what was looked at, which may be empty.
type Verdict = std::result::Result<String, Why>;

fn wrong<T>(why: impl Into<String>) -> std::result::Result<T, Why> {
    Err(Why::Failed(why.into()))
}

fn unseen<T>(why: impl Into<String>) -> std::result::Result<T, Why> {
    Err(Why::Skipped(why.into()))
}

/// The checks of one aspect so far.
struct Sheet<'a> {
    aspect: Aspect,
    checks: &'a mut Vec<Check>,
}

impl Sheet<'_> {
    /// Notes how a check ended.
    fn note(&mut self, law: &'static str, verdict: Verdict) {
        let outcome = match verdict {
            Ok(note) => Outcome::Passed((!note.is_empty()).then_some(note)),
            Err(Why::Failed(why)) => Outcome::Failed(why),
            Err(Why::Skipped(why)) => Outcome::Skipped(why),
        };
        self.checks.push(Check {
            aspect: self.aspect,
            law,
            outcome,
        });
    }

    /// As [`note`](Self::note), and what the check gave for those that come after it.
    fn take<T>(
        &mut self,
        law: &'static str,
        found: std::result::Result<(T, String), Why>,
    ) -> Option<T> {
        match found {
            Ok((found, note)) => {
                self.note(law, Ok(note));
                Some(found)
            }
            Err(why) => {
                self.note(law, Err(why));
                None
            }
        }
    }
}

/// Looks at a plugin. Fails only when there is nothing to look at: no component, no grants that
/// can be given.
pub async fn examine(exam: &Exam<'_>, cx: &Context) -> Result<Report> {
    let inspected = exam.trial.inspected()?;
    let plugin = Arc::new(exam.trial.unchecked(cx).await?);
    // An instance can't be made while a folder that it may write isn't there.
    for (name, folder) in &plugin.grants.write {
        if folder.starts_with(exam.trial.scratch) {
            std::fs::create_dir_all(folder).map_err(|error| {
                let why = format!("the folder {name:?} can't be made: {error}");
                Fault::new(hygge_core::code::DESTINATION_IO, why)
            })?;
        }
    }
    let mut checks = Vec::new();
    let mut whole = Sheet {
        aspect: Aspect::Plugin,
        checks: &mut checks,
    };
    described::look(&mut whole, &plugin, &inspected, cx).await;
    let caller = Caller::new(Arc::clone(&plugin), exam.config, cx.clone());
    let wanted = |aspect| exam.aspects.is_empty() || exam.aspects.contains(&aspect);
    for aspect in [Aspect::Home, Aspect::Transform, Aspect::Store] {
        let part = match aspect {
            Aspect::Home => &plugin.description.home,
            Aspect::Transform => &plugin.description.transform,
            _ => &plugin.description.store,
        };
        let Some(part) = part.as_ref().filter(|_| wanted(aspect)) else {
            continue;
        };
        let mut sheet = Sheet {
            aspect,
            checks: &mut checks,
        };
        let settings = described::settings(part, exam.config);
        let fit = settings.is_ok();
        sheet.note("its settings fit its schema", settings);
        if !fit {
            continue;
        }
        let input = || match exam.input.as_deref() {
            Some(given @ [first, ..]) => rows::joined(&first.schema(), given),
            _ => Ok(rows::table()),
        };
        let input = match input().map_err(Why::Failed) {
            Ok(input) => input,
            Err(why) => {
                sheet.note("the rows it is given are of one schema", Err(why));
                continue;
            }
        };
        match aspect {
            Aspect::Home => home::look(&mut sheet, &caller).await,
            Aspect::Transform => transform::look(&mut sheet, &caller, &input).await,
            _ => store::look(&mut sheet, &caller, part, &input, exam.trial.scratch).await,
        }
    }
    let mut whole = Sheet {
        aspect: Aspect::Plugin,
        checks: &mut checks,
    };
    whole.note("its faults are well formed", faults::look(&caller.faults()));
    whole.note("it asked for nothing that isn't granted", denied(&plugin));
    // What a plugin found may quote a secret that it was granted.
    for check in &mut checks {
        match &mut check.outcome {
            Outcome::Passed(Some(why)) | Outcome::Failed(why) | Outcome::Skipped(why) => {
                *why = plugin.veil.over(why);
            }
            Outcome::Passed(None) => {}
        }
    }
    Ok(Report {
        plugin: plugin.name.clone(),
        version: plugin.version.clone(),
        digest: plugin.digest.to_string(),
        checks,
    })
}

fn denied(plugin: &Plugin) -> Verdict {
    match plugin.tally.usage().map_or(0, |usage| usage.denied) {
        0 => Ok(String::new()),
        many => wrong(format!(
            "{many} requests were denied: grant what it needs, or don't ask for it"
        )),
    }
}
