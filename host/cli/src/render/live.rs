use std::collections::BTreeMap;
use std::time::Duration;

use hygge_core::EntityId;
use hygge_engine::Event;
use hygge_state::Outcome;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{Plain, Renderer, Scene};
use crate::console::Console;
use crate::units;

/// One line an entity that moves, and a total below; for a person at a terminal. What scrolls
/// by above them is only what needs to be read; the table at the end has the rest.
#[derive(Debug)]
pub(crate) struct Live {
    plain: Plain,
    lines: MultiProgress,
    total: ProgressBar,
    width: usize,
    entities: u64,
    finished: u64,
    settled_rows: u64,
    running: BTreeMap<EntityId, Line>,
}

/// More lines than this would not fit on a terminal; the total counts them all.
const MOST_LINES: usize = 16;

#[derive(Debug)]
struct Line {
    bar: Option<ProgressBar>,
    progress: Progress,
}

#[derive(Debug, Default, Clone)]
struct Progress {
    began: Duration,
    rows: u64,
    bytes: u64,
    rows_known: Option<u64>,
    read: Option<u64>,
    bytes_known: Option<u64>,
    committing: bool,
}

impl Live {
    pub(crate) fn new(scene: Scene) -> Self {
        let lines = MultiProgress::with_draw_target(ProgressDrawTarget::stdout_with_hz(12));
        let total = lines.add(line());
        let width = scene.widest();
        Self {
            plain: Plain::new(scene),
            lines,
            total,
            width,
            entities: 0,
            finished: 0,
            settled_rows: 0,
            running: BTreeMap::new(),
        }
    }

    /// What is drawn, for the console to print above.
    pub(crate) fn lines(&self) -> &MultiProgress {
        &self.lines
    }

    fn draw(&self, at: Duration) {
        let room = room();
        let mut rows = self.settled_rows;
        let mut bytes = 0;
        for (id, line) in &self.running {
            rows += line.progress.rows;
            bytes += line.progress.bytes;
            if let Some(bar) = &line.bar {
                bar.set_message(entity(id, self.width, &line.progress, at, room));
                bar.tick();
            }
        }
        let mut on_the_way = String::new();
        if bytes > 0 {
            on_the_way = format!(", {} on the way", units::bytes(bytes));
        }
        let parts = [
            format!(
                "{} of {} done",
                units::count(self.finished),
                units::many(self.entities, "entity", "entities"),
            ),
            format!(", {}", units::rows(rows)),
            on_the_way,
            format!(", {}", units::time(at)),
        ];
        self.total.set_message(fitting(&parts, &[2, 1, 3], room));
        self.total.tick();
    }
}

fn line() -> ProgressBar {
    let bar = ProgressBar::no_length();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
        bar.set_style(style.tick_chars("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏ "));
    }
    bar
}

/// Characters that a line has beside its spinner.
fn room() -> usize {
    let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok();
    let columns = size.map_or(80, |size| usize::from(size.ws_col));
    // A terminal that doesn't know says 0.
    let columns = if columns == 0 { 80 } else { columns };
    columns.saturating_sub(2)
}

/// The parts one after the other; when there is no room for all, those in `spare` go first, in
/// that order.
fn fitting(parts: &[String], spare: &[usize], room: usize) -> String {
    let mut left: Vec<&str> = parts.iter().map(String::as_str).collect();
    for index in spare {
        let wide: usize = left.iter().map(|part| units::width(part)).sum();
        if wide <= room {
            break;
        }
        left[*index] = "";
    }
    cut(&left.concat(), room)
}

/// The beginning of a text that is too long.
fn cut(text: &str, room: usize) -> String {
    if units::width(text) <= room {
        return text.to_owned();
    }
    let start = units::beginning(text, room.saturating_sub(1));
    format!("{start}…")
}

/// The line of an entity that moves.
fn entity(id: &EntityId, width: usize, progress: &Progress, at: Duration, room: usize) -> String {
    let spent = at.saturating_sub(progress.began);
    let width = width.min((room * 2 / 5).max(12));
    let name = units::shortened(&id.to_string(), width);
    let [mut how_far, mut rate, mut left] = [const { String::new() }; 3];
    let far = units::far(
        (progress.rows, progress.rows_known),
        (progress.read, progress.bytes_known),
    );
    if let Some((done, whole)) = far {
        how_far = format!("  {}", bar(done, whole));
    }
    if spent >= Duration::from_millis(500)
        && let Some(per_second) = units::rate(progress.rows, spent.as_secs_f64())
    {
        rate = format!(", {} rows/s", units::count(per_second));
    }
    if let Some((done, whole)) = far
        && let Some(time) = units::left(done, whole, spent)
    {
        left = format!(", {} left", units::time(time));
    }
    if progress.committing {
        (rate, left) = (String::new(), ", committing".to_owned());
    }
    let parts = [
        units::padded(&name, width),
        how_far,
        format!("  {}", units::rows(progress.rows)),
        format!(", {}", units::bytes(progress.bytes)),
        rate,
        left,
    ];
    fitting(&parts, &[1, 3, 4, 5], room)
}

fn bar(done: u64, whole: u64) -> String {
    const CELLS: u64 = 20;
    let full = units::percent(done, whole) * CELLS / 100;
    (0..CELLS)
        .map(|i| if i < full { '█' } else { '░' })
        .collect()
}

impl Renderer for Live {
    fn event(&mut self, event: &Event, at: Duration) -> String {
        let text = self.plain.event(event, at);
        match event {
            Event::RunStarted { entities, .. } => {
                self.entities = *entities;
                return text;
            }
            Event::EntityStarted {
                id, rows, bytes, ..
            } => {
                let room = self.running.values().filter(|l| l.bar.is_some()).count() < MOST_LINES;
                let line = Line {
                    bar: room.then(|| self.lines.insert_before(&self.total, line())),
                    progress: Progress {
                        began: at,
                        rows_known: *rows,
                        bytes_known: *bytes,
                        ..Progress::default()
                    },
                };
                self.running.insert(id.clone(), line);
            }
            Event::Progress {
                id,
                rows,
                bytes,
                read,
                ..
            } => {
                if let Some(line) = self.running.get_mut(id) {
                    line.progress.rows = *rows;
                    line.progress.bytes = *bytes;
                    line.progress.read = *read;
                }
            }
            Event::Committing { id } => {
                if let Some(line) = self.running.get_mut(id) {
                    line.progress.committing = true;
                }
            }
            Event::EntityFinished {
                id, outcome, rows, ..
            } => {
                self.finished += 1;
                if *outcome == Outcome::Pass {
                    self.settled_rows += *rows;
                }
                if let Some(bar) = self.running.remove(id).and_then(|line| line.bar) {
                    bar.finish_and_clear();
                    self.lines.remove(&bar);
                }
                if *outcome == Outcome::Fail {
                    return text;
                }
            }
            Event::RunFinished { .. } => {
                self.total.finish_and_clear();
                drop(self.lines.clear());
                return text;
            }
            Event::Retrying { .. }
            | Event::Recovered { .. }
            | Event::Waiting { .. }
            | Event::Note { .. }
            | Event::Checked { .. }
            | Event::SchemaChanged { .. } => return text,
            _ => {}
        }
        String::new()
    }

    fn tick(&mut self, at: Duration) -> String {
        if self.entities > 0 && !self.total.is_finished() {
            self.draw(at);
        }
        String::new()
    }

    fn print(&self, text: &str, console: &Console) {
        if !text.is_empty() {
            self.lines.suspend(|| console.out(text));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_how_far_how_fast_and_how_long_yet() {
        let id = EntityId::new("nyc", "flights");
        let mut progress = Progress {
            began: Duration::from_secs(1),
            rows: 250_000,
            bytes: 5 << 20,
            rows_known: Some(1_000_000),
            read: None,
            bytes_known: Some(4 << 20),
            committing: false,
        };
        let at = Duration::from_secs(6);
        assert_eq!(
            entity(&id, 12, &progress, at, 98),
            "nyc.flights   █████░░░░░░░░░░░░░░░  250,000 rows, 5.0 MiB, 50,000 rows/s, 15.0 s left"
        );
        progress.rows_known = None;
        assert_eq!(
            entity(&id, 11, &progress, at, 98),
            "nyc.flights  250,000 rows, 5.0 MiB, 50,000 rows/s"
        );
        progress.read = Some(1 << 20);
        assert_eq!(
            entity(&id, 11, &progress, at, 98),
            "nyc.flights  █████░░░░░░░░░░░░░░░  250,000 rows, 5.0 MiB, 50,000 rows/s, 15.0 s left"
        );
        progress.read = None;
        progress.committing = true;
        assert_eq!(
            entity(&id, 11, &progress, at, 98),
            "nyc.flights  250,000 rows, 5.0 MiB, committing"
        );
    }

    #[test]
    fn a_line_says_less_where_there_is_less_room() {
        let id = EntityId::new("sales", "orders_since_the_beginning");
        let progress = Progress {
            began: Duration::from_secs(1),
            rows: 250_000,
            bytes: 5 << 20,
            rows_known: Some(1_000_000),
            read: None,
            bytes_known: None,
            committing: false,
        };
        let at = Duration::from_secs(6);
        let lines: Vec<String> = [120, 90, 70, 58, 40, 20]
            .into_iter()
            .map(|room| {
                let line = entity(&id, 32, &progress, at, room);
                assert!(line.chars().count() <= room, "{line}");
                line
            })
            .collect();
        insta::assert_snapshot!(lines.join("\n"), @r"
sales.orders_since_the_beginning  █████░░░░░░░░░░░░░░░  250,000 rows, 5.0 MiB, 50,000 rows/s, 15.0 s left
sales.orders_since_the_beginning  250,000 rows, 5.0 MiB, 50,000 rows/s, 15.0 s left
sales.orders_s…the_beginning  250,000 rows, 50,000 rows/s, 15.0 s left
sales.order…e_beginning  250,000 rows, 15.0 s left
sales.or…ginning  250,000 rows
sales.…nning  250,0…
");
    }
}
