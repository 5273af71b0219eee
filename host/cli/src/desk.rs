use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use hygge_core::EntityId;
use hygge_engine::{Event, Events};

use crate::console::Console;
use crate::render::Renderer;
use crate::run_log::{RunLog, event_line};

/// Takes events from the run and shows them on a thread of its own, so that a slow terminal or
/// a full pipe never holds up data. Progress is only remembered, the latest an entity, so what
/// waits here doesn't grow with the rows.
#[derive(Debug)]
pub(crate) struct Desk {
    inbox: Mutex<Option<Sender<Event>>>,
    progress: Arc<Mutex<BTreeMap<EntityId, Event>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// How often progress is shown.
const TICK: Duration = Duration::from_millis(100);
/// How often progress of an entity is worth a line in a log.
const LOGGED: Duration = Duration::from_secs(1);

impl Desk {
    pub(crate) fn open(
        renderer: Box<dyn Renderer>,
        console: Arc<Console>,
        log: Arc<RunLog>,
        draw_progress: bool,
    ) -> Self {
        let (inbox, events) = channel();
        let progress: Arc<Mutex<BTreeMap<EntityId, Event>>> = Arc::default();
        let worker = Worker {
            events,
            progress: Arc::clone(&progress),
            renderer,
            console,
            log,
            draw_progress,
            began: Instant::now(),
            logged: BTreeMap::new(),
            latest: BTreeMap::new(),
        };
        let thread = std::thread::spawn(move || worker.work());
        Self {
            inbox: Mutex::new(Some(inbox)),
            progress,
            thread: Mutex::new(Some(thread)),
        }
    }

    /// Waits until everything was shown.
    pub(crate) fn close(&self) {
        drop(lock(&self.inbox).take());
        if let Some(thread) = lock(&self.thread).take() {
            // A panic there was told by the panic itself; the run isn't worse for it.
            drop(thread.join());
        }
    }
}

impl Events for Desk {
    fn event(&self, event: &Event) {
        if let Event::Progress { id, .. } = event {
            lock(&self.progress).insert(id.clone(), event.clone());
            return;
        }
        if let Some(inbox) = lock(&self.inbox).as_ref() {
            // The other end only goes away when it panicked.
            drop(inbox.send(event.clone()));
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Worker {
    events: Receiver<Event>,
    progress: Arc<Mutex<BTreeMap<EntityId, Event>>>,
    renderer: Box<dyn Renderer>,
    console: Arc<Console>,
    log: Arc<RunLog>,
    /// Whether every tick's progress is drawn, not one a second.
    draw_progress: bool,
    began: Instant,
    logged: BTreeMap<EntityId, Instant>,
    /// Progress that wasn't due yet when it came.
    latest: BTreeMap<EntityId, Event>,
}

impl Worker {
    fn work(mut self) {
        let mut ticked = Instant::now();
        loop {
            match self
                .events
                .recv_timeout(TICK.saturating_sub(ticked.elapsed()))
            {
                Ok(event) => self.take(&event),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if ticked.elapsed() >= TICK {
                ticked = Instant::now();
                self.tick();
            }
        }
        self.log.flush();
    }

    fn take(&mut self, event: &Event) {
        if let Event::Committing { id } = event {
            // How far it came is said before, never after.
            let last = lock(&self.progress).remove(id);
            if let Some(last) = last.or_else(|| self.latest.remove(id)) {
                self.show(&last);
            }
        }
        if let Event::EntityFinished { id, .. } = event {
            // What it had moved on the way is old news now.
            lock(&self.progress).remove(id);
            self.latest.remove(id);
            self.logged.remove(id);
        }
        self.show(event);
    }

    fn show(&mut self, event: &Event) {
        self.log.line(&event_line(event, jiff::Timestamp::now()));
        let text = self.renderer.event(event, self.began.elapsed());
        self.renderer.print(&text, &self.console);
    }

    fn tick(&mut self) {
        let now = Instant::now();
        let waiting = std::mem::take(&mut *lock(&self.progress));
        for (id, event) in waiting {
            self.latest.insert(id.clone(), event.clone());
            let due = self
                .logged
                .get(&id)
                .is_none_or(|last| now.duration_since(*last) >= LOGGED);
            if due {
                self.latest.remove(&id);
                self.log.line(&event_line(&event, jiff::Timestamp::now()));
                self.logged.insert(id, now);
            }
            if due || self.draw_progress {
                let text = self.renderer.event(&event, self.began.elapsed());
                self.renderer.print(&text, &self.console);
            }
        }
        let text = self.renderer.tick(self.began.elapsed());
        self.renderer.print(&text, &self.console);
        self.log.flush();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::Console;
    use crate::render::Json;
    use hygge_core::{RunId, Veil};

    #[test]
    fn progress_of_what_has_ended_is_not_told() {
        let folder = tempfile::tempdir().unwrap();
        let log =
            RunLog::begin(folder.path(), &RunId::parse("r").unwrap(), Veil::default()).unwrap();
        let log = Arc::new(log);
        let console = Arc::new(Console::of_this_process());
        let desk = Desk::open(Box::new(Json::new(true)), console, Arc::clone(&log), false);
        let id = EntityId::new("nyc", "flights");
        for rows in 0..1_000 {
            desk.event(&Event::Progress {
                id: id.clone(),
                rows,
                bytes: 0,
                read: None,
                splits_done: 0,
            });
        }
        assert!(lock(&desk.progress).len() <= 1);
        desk.event(&Event::Committing { id });
        desk.close();
        desk.close();
        let text = std::fs::read_to_string(folder.path().join("runs/r/log.jsonl")).unwrap();
        assert_eq!(text.matches("committing").count(), 1, "{text}");
        let last = text.find("progress").unwrap();
        assert!(last < text.find("committing").unwrap(), "{text}");
    }

    #[test]
    fn progress_that_came_too_early_is_told_before_the_commit() {
        let folder = tempfile::tempdir().unwrap();
        let log =
            RunLog::begin(folder.path(), &RunId::parse("r").unwrap(), Veil::default()).unwrap();
        let log = Arc::new(log);
        let console = Arc::new(Console::of_this_process());
        let (_, events) = channel();
        let mut worker = Worker {
            events,
            progress: Arc::default(),
            renderer: Box::new(Json::new(true)),
            console,
            log: Arc::clone(&log),
            draw_progress: false,
            began: Instant::now(),
            logged: BTreeMap::new(),
            latest: BTreeMap::new(),
        };
        let id = EntityId::new("nyc", "flights");
        // The second isn't due, and the third hasn't ticked yet.
        for (rows, told, ticks) in [(1, true, true), (2, false, true), (3, false, false)] {
            let (id, bytes, splits_done) = (id.clone(), 0, 0);
            let event = Event::Progress {
                id: id.clone(),
                rows,
                bytes,
                read: None,
                splits_done,
            };
            lock(&worker.progress).insert(id.clone(), event);
            if !told {
                worker.logged.insert(id, Instant::now());
            }
            if ticks {
                worker.tick();
            }
            if rows > 1 {
                worker.take(&Event::Committing {
                    id: EntityId::new("nyc", "flights"),
                });
            }
        }
        log.flush();
        let text = std::fs::read_to_string(folder.path().join("runs/r/log.jsonl")).unwrap();
        let told: Vec<_> = text
            .lines()
            .map(|line| match line.split_once("\"rows\":") {
                Some((_, rows)) => &rows[..1],
                None => "committing",
            })
            .collect();
        assert_eq!(told, ["1", "2", "committing", "3", "committing"]);
    }
}
