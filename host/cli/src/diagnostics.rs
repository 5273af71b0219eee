use std::fmt;
use std::sync::Arc;

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::{Layer, Registry};

use crate::complaint::Complaint;
use crate::console::Console;
use crate::run_log::{RunLog, stamped};

/// Sends what the crates trace to stderr (with `HYGGE_LOG` or `--verbose`) and to the run's log
/// (always, from `debug` for hygge's own crates and `info` for others).
pub(crate) fn begin(
    verbose: bool,
    console: &Arc<Console>,
    log: Option<&Arc<RunLog>>,
) -> Result<(), Complaint> {
    let asked = std::env::var("HYGGE_LOG").unwrap_or_default();
    let to_stderr = match asked.trim() {
        "" if verbose => Some(ours(Level::DEBUG, LevelFilter::WARN)),
        "" => None,
        text => Some(parse(text)?),
    };
    if to_stderr.is_none() && log.is_none() {
        return Ok(());
    }
    let stderr = to_stderr.map(|filter| {
        Stderr {
            console: Arc::clone(console),
        }
        .with_filter(filter)
    });
    let log = log.map(|log| {
        ToLog {
            log: Arc::clone(log),
        }
        .with_filter(ours(Level::DEBUG, LevelFilter::INFO))
    });
    // Only fails when something in this process was first; then that one goes on.
    drop(tracing::subscriber::set_global_default(
        Registry::default().with(stderr).with(log),
    ));
    Ok(())
}

fn ours(level: Level, others: LevelFilter) -> Targets {
    Targets::new()
        .with_target("hygge", level)
        // The drivers of SQL Server tell of every row and token.
        .with_target("mssql_tds", others.min(LevelFilter::WARN))
        .with_target("tiberius", others.min(LevelFilter::WARN))
        .with_default(others)
}

/// `debug`, or `hygge_engine=trace,hygge_files=debug`.
fn parse(text: &str) -> Result<Targets, Complaint> {
    if let Ok(level) = text.parse::<Level>() {
        return Ok(ours(level, LevelFilter::WARN));
    }
    // A word alone would be taken for a crate that nobody has.
    let known = |part: &str| {
        let part = part.trim();
        part.contains('=') || part.parse::<LevelFilter>().is_ok()
    };
    let parsed = text.split(',').all(known).then(|| text.parse().ok());
    parsed.flatten().ok_or_else(|| {
        Complaint::usage(format!("HYGGE_LOG={text} can't be understood"))
            .advise("use error, warn, info, debug or trace, or crate=level pairs with commas")
    })
}

struct Stderr {
    console: Arc<Console>,
}

impl<S: Subscriber> Layer<S> for Stderr {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let meta = event.metadata();
        let mut line = format!("{:<5} {}:", meta.level(), meta.target());
        if let Some(Value::String(message)) = fields.0.remove("message") {
            line.push_str(&format!(" {message}"));
        }
        for (name, value) in &fields.0 {
            line.push_str(&format!(" {name}={value}"));
        }
        line.push('\n');
        self.console.err(&line);
    }
}

struct ToLog {
    log: Arc<RunLog>,
}

impl<S: Subscriber> Layer<S> for ToLog {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let meta = event.metadata();
        let level = meta.level().as_str().to_ascii_lowercase();
        fields.0.insert("event".into(), "log".into());
        fields.0.insert("level".into(), level.into());
        fields.0.insert("target".into(), meta.target().into());
        self.log.line(&stamped(fields.0, jiff::Timestamp::now()));
    }
}

/// The fields of a record as JSON.
#[derive(Default)]
struct Fields(Map<String, Value>);

impl Visit for Fields {
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.insert(field.name().into(), value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.insert(field.name().into(), value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.insert(field.name().into(), value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.0.insert(field.name().into(), value.into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().into(), value.into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0
            .insert(field.name().into(), format!("{value:?}").into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hygge_core::{RunId, Veil};

    #[test]
    fn records_land_in_the_log_with_their_fields() {
        let folder = tempfile::tempdir().unwrap();
        let log =
            RunLog::begin(folder.path(), &RunId::parse("r").unwrap(), Veil::default()).unwrap();
        let log = Arc::new(log);
        let layer = ToLog {
            log: Arc::clone(&log),
        };
        tracing::subscriber::with_default(Registry::default().with(layer), || {
            tracing::info!(rows = 3_u64, file = ?"a", "copied as it is");
        });
        log.flush();
        let text = std::fs::read_to_string(folder.path().join("runs/r/log.jsonl")).unwrap();
        let line: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(line["event"], "log");
        assert_eq!(line["level"], "info");
        assert_eq!(line["message"], "copied as it is");
        assert_eq!(line["rows"], 3);
        assert_eq!(line["file"], "\"a\"");
    }

    #[test]
    fn what_to_log_is_understood_or_refused() {
        assert!(parse("trace").is_ok());
        assert!(parse("hygge_engine=trace,hygge_files=debug").is_ok());
        assert!(parse("off").is_ok() && parse("warn,hygge_files=debug").is_ok());
        assert!(parse("garbage").is_err());
        let refused = parse("hygge_engine=loud").unwrap_err();
        assert!(refused.message.contains("HYGGE_LOG"), "{refused:?}");
    }
}
