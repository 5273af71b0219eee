use std::sync::Arc;

use clap::Args;
use hygge_core::{EntityId, Finding, InlineWorkers};
use hygge_engine::Checked;
use hygge_state::LocalState;
use serde_json::json;

use super::Ended;
use crate::args::{Global, OutputArgs, SelectArgs, VarArgs};
use crate::complaint::{Complaint, Exit};
use crate::console::{Console, Paint};
use crate::project::{self, Changes, Project};
use crate::waiting::Orphans;
use crate::{diagnostics, folders, runtime, units};

const EXAMPLES: &str = "\
Examples:
  hygge debug                        Look at everything
  hygge debug --flow sales           ... at one flow

Exits 1 when anything it looks at is wrong, 2 when the configuration can't be used, and says how to
mend it. What a flow that goes first is yet to write isn't wrong. Nothing is moved.";

/// Check the configuration, and whether every home and store can be reached
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct DebugArgs {
    #[command(flatten)]
    select: SelectArgs,
    #[command(flatten)]
    vars: VarArgs,
    #[command(flatten)]
    output: OutputArgs,
}

pub(crate) fn run(args: &DebugArgs, global: &Global, console: &Arc<Console>) -> Ended {
    diagnostics::begin(global.verbose, console, None)?;
    let changes = Changes {
        vars: args.vars.vars.clone(),
        selection: args.select.selection(),
        ..Changes::default()
    };
    let project = project::load_found(global, &changes, console)?;
    folders::look(&project.plan.place)?;
    let (runtime, threads) = runtime::whole()?;
    let cx = runtime::context(&threads, console);
    let state = LocalState::open(&project.plan.place.work, Arc::new(InlineWorkers));
    let (plan, registry) = (&project.plan, &project.registry);
    let checked = runtime.block_on(hygge_engine::check(plan, registry, &state, &cx));
    let mut orphans = runtime.block_on(Orphans::of(plan, &state))?;
    let selection = args.select.selection();
    let taken = |id: &EntityId| selection.takes(&id.flow, &id.entity);
    orphans.commits.retain(|commit| taken(&commit.id));
    let orphans: Vec<Complaint> = orphans.complaints().collect();
    if args.output.json() {
        for each in &checked {
            for line in json_lines(each) {
                console.out(&format!("{line}\n"));
            }
        }
        for orphan in &orphans {
            console.out(&format!("{}\n", orphan_line(orphan)));
        }
    } else {
        console.out(&head(&project));
        project.warn(console);
        console.out(&text(&checked, &orphans, &project, console.paint()));
    }
    Ok(if checked.iter().all(Checked::ok) && orphans.is_empty() {
        Exit::Well
    } else {
        Exit::Failed
    })
}

fn head(project: &Project) -> String {
    let plan = &project.plan;
    format!(
        "hygge {}, project {} in {}: {}, {}\n",
        env!("CARGO_PKG_VERSION"),
        plan.name,
        plan.place.root.display(),
        units::many(plan.flows.len() as u64, "flow", "flows"),
        units::many(plan.entities().count() as u64, "entity", "entities"),
    )
}

fn text(checked: &[Checked], orphans: &[Complaint], project: &Project, paint: Paint) -> String {
    let mut text = String::new();
    for each in checked {
        let origin = project
            .plan
            .entities()
            .find(|entity| entity.id == each.id)
            .map(|entity| paint.faint(&format!(" ({})", entity.origin)))
            .unwrap_or_default();
        text.push_str(&format!("\n{}{origin}\n", each.id));
        let ends = [
            ("home ", &each.home),
            ("flow ", &each.between),
            ("store", &each.store),
        ];
        for (end, findings) in ends {
            for finding in findings {
                let waits = each.waits.is_some() && end == "home ";
                text.push_str(&line(end, finding, waits, paint));
            }
        }
    }
    if !orphans.is_empty() {
        text.push_str("\nNot in the project any more\n");
    }
    for orphan in orphans {
        let finding = Finding::bad(&*orphan.message, orphan.advice.clone().unwrap_or_default());
        text.push_str(&line("state", &finding, false, paint));
    }
    let wrong = checked.iter().filter(|each| !each.ok()).count() as u64;
    let wrong = wrong + orphans.len() as u64;
    text.push('\n');
    text.push_str(&if wrong == 0 {
        format!("{} Next: hygge start\n", paint.good("All well."))
    } else {
        let n = units::many(wrong, "entity needs", "entities need");
        format!(
            "{} Mend what is marked BAD, then look again.\n",
            paint.bad(&format!("{n} attention."))
        )
    });
    text
}

fn line(end: &str, finding: &Finding, waits: bool, paint: Paint) -> String {
    let word = if waits {
        paint.faint("wait")
    } else if finding.ok {
        paint.good("ok ")
    } else {
        paint.bad("BAD")
    };
    let gap = if waits { " " } else { "  " };
    let mut text = format!("  {word}{gap}{end}  {}\n", finding.message);
    if let Some(advice) = finding
        .advice
        .as_deref()
        .filter(|advice| !advice.is_empty())
    {
        text.push_str(&format!(
            "              {} {advice}\n",
            paint.strong("next:")
        ));
    }
    text
}

/// What is left of an entity that the project doesn't have.
fn orphan_line(orphan: &Complaint) -> serde_json::Value {
    json!({
        "flow": null, "entity": null, "end": "state",
        "ok": false, "message": orphan.message, "advice": orphan.advice, "waits": null,
    })
}

fn json_lines(checked: &Checked) -> Vec<serde_json::Value> {
    let ends = [
        ("home", &checked.home),
        ("flow", &checked.between),
        ("store", &checked.store),
    ];
    ends.iter()
        .flat_map(|(end, findings)| findings.iter().map(move |finding| (end, finding)))
        .map(|(end, finding)| {
            json!({
                "flow": checked.id.flow, "entity": checked.id.entity, "end": end,
                "ok": finding.ok, "message": finding.message, "advice": finding.advice,
                "waits": checked.waits.as_ref().filter(|_| *end == "home"),
            })
        })
        .collect()
}
