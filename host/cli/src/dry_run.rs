use std::sync::Arc;

use hygge_core::{Action, InlineWorkers, Mode, Strategy, quoted};
use hygge_engine::{KnownFrom, Preview};
use hygge_state::LocalState;
use serde_json::Value;

use crate::complaint::{Complaint, Exit};
use crate::console::{Console, Paint, on_one_line};
use crate::project::Project;
use crate::table::Table;
use crate::verb::Ended;
use crate::{runtime, units};

/// Says what a run would do, from the configuration, what is remembered and, where transforms
/// change its columns, those of the source. Creates nothing.
pub(crate) fn show(project: &Project, as_json: bool, console: &Arc<Console>) -> Ended {
    let (plan, registry) = (&project.plan, &project.registry);
    let state = LocalState::open(&plan.place.work, Arc::new(InlineWorkers));
    let (runtime, threads) = runtime::whole()?;
    let cx = runtime::context(&threads, console);
    let previews = runtime.block_on(hygge_engine::preview(plan, registry, &state, &cx));
    let exit = match previews.iter().any(|preview| preview.fault.is_some()) {
        true => Exit::Failed,
        false => Exit::Well,
    };
    if as_json {
        for preview in &previews {
            console.out(&line(preview)?);
        }
        return Ok(exit);
    }
    project.warn(console);
    let (width, paint) = (console.width(), console.paint());
    console.out(&text(&previews, project.asked(), width, paint));
    Ok(exit)
}

fn line(preview: &Preview) -> Result<String, Complaint> {
    let failed = |error: serde_json::Error| {
        Complaint::failed(format!("can't print {}: {error}", preview.id))
    };
    let mut value = serde_json::to_value(preview).map_err(failed)?;
    if let Value::Object(fields) = &mut value {
        fields.insert("event".to_owned(), "would_run".into());
    }
    Ok(format!("{value}\n"))
}

fn text(previews: &[Preview], asked: bool, width: Option<usize>, paint: Paint) -> String {
    let mut table = Table::new(&["WOULD", "ENTITY", "FROM", "TO", "TAKING"]);
    for preview in previews {
        table.row(vec![
            preview
                .action
                .map_or("fail".to_owned(), |action| action.to_string())
                .into(),
            preview.id.to_string().into(),
            preview.from.clone().into(),
            preview.to.clone().into(),
            taking(preview).into(),
        ]);
    }
    let mut text = table.within(width);
    for preview in previews {
        let mut notes = Vec::new();
        if preview.recovers {
            notes.push("finishes the commit of an earlier run first".to_owned());
        }
        if !preview.transforms.is_empty() {
            let each = preview.transforms.join(", then ");
            // Where the source can't say them here, it can't there either.
            let shown = match preview.columns_unknown {
                None => {
                    let id = quoted(&preview.id.to_string());
                    format!(" (`hygge schema {id}` shows the columns after each)")
                }
                Some(_) => String::new(),
            };
            notes.push(format!("{each}{shown}"));
            notes.extend(columns(preview));
        }
        if !preview.checks.is_empty() {
            notes.push(format!("checks {}", preview.checks.join(", ")));
        }
        if preview.staged > 0 {
            notes.push(format!(
                "{} staged by an interrupted run {} not read again, unless the source or the \
                 configuration changed since",
                units::many(preview.staged, "split", "splits"),
                if preview.staged == 1 { "is" } else { "are" },
            ));
        }
        if !preview.after.is_empty() {
            notes.push(format!("waits for {}", preview.after.join(", ")));
        }
        for note in notes {
            text.push_str(&format!("\n{}: {note}", preview.id));
        }
        for warning in &preview.warnings {
            let word = paint.warn("warning:");
            text.push_str(&format!("\n{word} {}: {warning}", preview.id));
        }
        if let Some(fault) = &preview.fault {
            let word = paint.bad("error:");
            text.push_str(&format!("\n{word} {}: {fault}", preview.id));
            if let Some(advice) = &fault.advice {
                text.push_str(&format!("\n{} {advice}", paint.strong("next:")));
            }
        }
    }
    if !text.ends_with('\n') {
        text.push('\n');
    }
    let would = previews.iter().filter(|p| p.fault.is_none()).count() as u64;
    let n = units::many(would, "entity", "entities");
    let opened = asked || previews.iter().any(|each| !each.transforms.is_empty());
    let untouched = match opened {
        true => "written",
        false => "opened or written",
    };
    text.push_str(&format!("\n{n} would run. Nothing was {untouched}.\n"));
    text
}

/// The columns that the transforms give, and why they aren't known.
fn columns(preview: &Preview) -> Vec<String> {
    const MOST: usize = 8;
    let columns = &preview.columns.0;
    let mut each: Vec<String> = columns
        .iter()
        .take(MOST)
        .map(|(name, kind)| format!("{} {kind}", on_one_line(name)))
        .collect();
    let more = columns.len().saturating_sub(MOST) as u64;
    if more > 0 {
        each.push(format!("and {more} more"));
    }
    let unknown = preview.columns_unknown.as_ref();
    let unknown = unknown.map(|why| format!("its columns aren't known: {why}"));
    let known = preview.columns_from.map(|from| {
        let whose = match from {
            KnownFrom::Source => "its rows would have",
            KnownFrom::LastRun => "the last run's rows had",
        };
        format!("{whose} {}", each.join(", "))
    });
    unknown.into_iter().chain(known).collect()
}

fn taking(preview: &Preview) -> String {
    if preview.fault.is_some() {
        return "nothing: it would be refused".to_owned();
    }
    let text = match (&preview.watermark, preview.mode, preview.strategy) {
        (Some(mark), _, _) => return format!("what is new since {} {}", mark.column, mark.value),
        (None, Mode::Full, _) => "everything",
        (None, Mode::Incremental, _) if preview.action == Some(Action::Replace) => {
            "everything, as nothing is remembered yet"
        }
        (None, Mode::Incremental, Some(Strategy::ChangeTracking)) => {
            "what changed since the last run"
        }
        (None, Mode::Incremental, Some(Strategy::Files)) => "files that are new",
        (None, Mode::Incremental, _) => "everything, as no watermark is known yet",
    };
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use hygge_core::{EntityId, Fault, Watermark, WatermarkType};
    use hygge_state::Columns;

    fn preview(entity: &str, mode: Mode, action: Action) -> Preview {
        Preview {
            id: EntityId::new("nyc", entity),
            from: format!("parquet files data/landing/{entity}"),
            to: format!("parquet files data/lake/{entity}"),
            mode,
            strategy: Some(Strategy::Files),
            transforms: Vec::new(),
            columns: Columns::default(),
            columns_from: None,
            columns_unknown: None,
            checks: Vec::new(),
            action: Some(action),
            watermark: None,
            recovers: false,
            staged: 0,
            after: Vec::new(),
            fault: None,
            warnings: Vec::new(),
        }
    }

    #[test]
    fn says_what_would_happen_and_why() {
        let mut flights = preview("flights", Mode::Incremental, Action::Append);
        flights.watermark = Some(Watermark {
            column: "id".into(),
            value: "42".into(),
            kind: WatermarkType::Integer,
        });
        flights.recovers = true;
        flights.staged = 3;
        flights.warnings = vec!["the watermark lies in the future".into()];
        flights.transforms = vec!["mask email".into(), "rename id to key".into()];
        let known = (0..10).map(|n| (format!("c{n}"), "int64".to_owned()));
        flights.columns = Columns(known.collect());
        flights.columns_from = Some(KnownFrom::Source);
        let mut tracked = preview("tracked", Mode::Incremental, Action::Upsert);
        tracked.strategy = Some(Strategy::ChangeTracking);
        let mut logs = preview("logs", Mode::Incremental, Action::Append);
        logs.after = vec!["crm".into()];
        let mut moved = preview("moved", Mode::Incremental, Action::Append);
        moved.action = None;
        moved.fault = Some(Fault::new("state.elsewhere", "it settled elsewhere").advise("go back"));
        let mut away = preview("away", Mode::Full, Action::Replace);
        away.transforms = vec!["select id".into()];
        away.columns = Columns([("id".to_owned(), "int64".to_owned())].into());
        away.columns_from = Some(KnownFrom::LastRun);
        away.columns_unknown = Some("db:1433 can't be reached".into());
        let all = [
            moved,
            away,
            preview("airlines", Mode::Full, Action::Replace),
            flights,
            tracked,
            logs,
            preview("weather", Mode::Incremental, Action::Replace),
        ];
        insta::assert_snapshot!(text(&all, false, None, Paint::plain()));
    }
}
