//! Killed anywhere, nothing is lost and nothing is there twice: after the next run the
//! destination equals the truth, and whoever reads it meanwhile sees the old or the new.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use hygge_core::failpoint::POINTS;
use rustix::process::Signal;

use crate::harness::{Chance, Command, Content, Order, Orders, Project, Watcher, pause, say};

/// The ways a run changes a destination, and the first run, which has none to change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    First,
    Full,
    Append,
    Files,
    Merge,
    /// A merge in which rows move from one partition to another.
    Partitions,
}

impl Way {
    const ALL: [Self; 6] = [
        Self::First,
        Self::Full,
        Self::Append,
        Self::Files,
        Self::Merge,
        Self::Partitions,
    ];

    fn merges(self) -> bool {
        matches!(self, Self::Merge | Self::Partitions)
    }
}

/// What moves rows to their destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Into {
    /// Files, as hygge writes them itself.
    Files,
    /// A plugin that writes files, in its sandbox.
    Plugin,
}

/// A project whose source grows step by step, and what its destination must hold.
struct Scene {
    project: Project,
    way: Way,
    into: Into,
    source: Orders,
    step: i64,
}

/// How many rows each file of the source has: more than a row group, so that there are several
/// splits and batches.
const FILE: i64 = 2_500;

impl Scene {
    fn new(way: Way, into: Into) -> Self {
        let project = Project::new();
        let store = match into {
            Into::Files => "type: parquet\n  path: lake/orders\n  file_size: 64KiB",
            Into::Plugin => {
                crate::plugins::add_ndjson(&project, "{write: [lake]}");
                std::fs::create_dir(project.path("lake")).unwrap();
                "type: ndjson-wasm\n  path: lake/orders"
            }
        };
        let incremental = match way {
            Way::First | Way::Full => "",
            Way::Append => "  incremental: {column: updated_at, strategy: append}\n",
            Way::Files => "  incremental: {strategy: files}\n",
            Way::Merge | Way::Partitions => {
                "  incremental: {column: updated_at, strategy: merge, key: [id]}\n"
            }
        };
        let mode = match incremental {
            "" => "full",
            _ => "incremental",
        };
        let partitions = match way {
            Way::Partitions => "  partition_by: [version]\n",
            _ => "",
        };
        project.flow(
            "sales",
            &format!(
                "mode: {mode}\n\
                 home:\n  type: parquet\n  path: data/orders\n{incremental}\
                 store:\n  {store}\n{partitions}"
            ),
        );
        let mut scene = Self {
            project,
            way,
            into,
            source: Orders::default(),
            step: 0,
        };
        scene.grow();
        scene.grow();
        if way != Way::First {
            scene.start().succeed();
            scene.check();
            scene.grow();
        }
        scene
    }

    /// One whose last run has ended, a step on: a few times, since each run is longer than the one
    /// before; else a new one.
    fn after(last: Option<Self>, way: Way, into: Into) -> Self {
        match last {
            Some(mut scene) if way != Way::First && scene.step < 6 => {
                scene.grow();
                scene
            }
            _ => Self::new(way, into),
        }
    }

    /// The source changes the way it does between two runs.
    fn grow(&mut self) {
        let begin = self.step * FILE;
        let mut file = Orders::new(begin..begin + FILE);
        if self.way.merges() && self.step > 0 {
            // Every hundredth of the earlier keys is updated, later than all that was there.
            for (k, id) in (0..begin).step_by(100).enumerate() {
                file.0.push(Order {
                    id,
                    version: self.step + 1,
                    updated: Some(begin + FILE - 1 - k as i64 % 10),
                });
            }
        }
        self.project
            .orders(&format!("data/orders/{:03}.parquet", self.step), &file);
        self.source = std::mem::take(&mut self.source).and(&file);
        self.step += 1;
    }

    fn start(&self) -> Command {
        crate::plugins::hygge(&self.project, "start")
    }

    /// What the destination holds.
    fn content(&self) -> Content {
        match self.into {
            Into::Files => self.project.content("lake/orders"),
            Into::Plugin => Orders::of_ndjson(&self.project.path("lake/orders")).content(),
        }
    }

    /// What the destination must hold once a run has ended well.
    fn truth(&self) -> Content {
        match self.way.merges() {
            true => self.source.latest().content(),
            false => self.source.content(),
        }
    }

    fn check(&self) {
        assert_eq!(self.content(), self.truth());
        let lake: Vec<_> = self
            .project
            .tree()
            .into_iter()
            .filter(|path| path.starts_with("lake/") && !path.starts_with("lake/orders/"))
            .collect();
        assert_eq!(lake, ["lake/"], "something was left beside the data");
    }

    /// Whoever reads while rows are replaced or merged never sees a mix; an append shows one
    /// finished file after the other, partitions are listed one after the other, and a sandbox has
    /// no call that swaps folders, as documented.
    fn watcher(&self, before: Option<Content>) -> Option<Watcher> {
        let whole =
            matches!(self.way, Way::First | Way::Full | Way::Merge) && self.into == Into::Files;
        whole.then(|| {
            let allowed = before.into_iter().chain([self.truth()]).collect();
            Watcher::new(&self.project.path("lake/orders"), allowed)
        })
    }
}

/// What stood before the scene's last step.
fn before(scene: &Scene) -> Option<Content> {
    let there = scene.project.path("lake/orders").exists();
    there.then(|| scene.content())
}

/// Kills a run at the `nth` pass of a point, lets the next one recover; says whether the point
/// was reached.
fn killed_at(scene: &Scene, point: &str, nth: u32) -> bool {
    let (way, into) = (scene.way, scene.into);
    let watcher = scene.watcher(before(scene));
    let killed = scene
        .start()
        .failpoints(&format!("{point}=kill@{nth}"))
        .run();
    assert!(
        killed.was_killed() || killed.code == Some(0),
        "{way:?} {into:?} {point}: {killed}"
    );
    let reached = killed.was_killed();
    let recovering = scene.start().run();
    assert_eq!(
        recovering.code,
        Some(0),
        "{way:?} {into:?} {point}@{nth}: {recovering}"
    );
    if let Some(watcher) = watcher {
        watcher.finish();
    }
    say(&format!(
        "{way:?} {into:?} {point}@{nth}: reached {reached}"
    ));
    scene.check();
    reached
}

/// Goes through all points in all of these ways, and gives those that were reached.
fn killed_at_every_point<const N: usize>(ways: [Way; N], into: Into) -> BTreeSet<&'static str> {
    std::thread::scope(|scope| {
        let ways = ways.map(|way| {
            scope.spawn(move || {
                let passes = Scene::new(way, into).start().passes();
                let mut reached = BTreeSet::new();
                let mut last = None;
                for point in POINTS {
                    let passes = passes.get(*point).copied().unwrap_or_default();
                    // Later passes matter where a point is passed once a split or file.
                    for nth in [1, 2, 5].into_iter().take_while(|nth| *nth <= passes) {
                        let scene = Scene::after(last, way, into);
                        if killed_at(&scene, point, nth) {
                            reached.insert(*point);
                        }
                        last = Some(scene);
                    }
                }
                reached
            })
        });
        ways.into_iter()
            .flat_map(|way| way.join().unwrap_or_else(|p| std::panic::resume_unwind(p)))
            .collect()
    })
}

#[test]
fn killed_at_every_point_of_the_protocol() {
    let reached = killed_at_every_point(Way::ALL, Into::Files);
    let missed: Vec<_> = POINTS.iter().filter(|p| !reached.contains(*p)).collect();
    assert!(missed.is_empty(), "no scene reaches {missed:?}");
}

/// With a Store in a sandbox in place of the built-in one: its commit has no points of the
/// host's, and is killed at random instants below.
#[test]
fn a_sandboxed_store_is_as_safe() {
    let reached = killed_at_every_point([Way::First, Way::Full, Way::Append], Into::Plugin);
    let points = POINTS.iter().filter(|point| !point.starts_with("commit."));
    let missed: Vec<_> = points.filter(|point| !reached.contains(*point)).collect();
    assert!(missed.is_empty(), "no scene reaches {missed:?}");
}

/// Kills runs at random instants, sometimes those that recover as well.
fn killed_at_random(way: Way, into: Into, kills: u32, seed: u64) {
    let mut chance = Chance::new(seed, &format!("{way:?} {into:?}"));
    let mut scene = Scene::new(way, into);
    let began = Instant::now();
    scene.start().succeed();
    let whole = began.elapsed();
    let (mut hit, mut done) = (0, 0);
    while done < kills {
        // A source that only grows makes every run longer than the one before.
        if scene.step > 12 {
            scene = Scene::new(way, into);
            scene.start().succeed();
        }
        let old = before(&scene);
        scene.grow();
        let watcher = scene.watcher(old);
        loop {
            let mut running = scene.start().spawn();
            pause(Duration::from_micros(
                chance.below(u64::try_from(whole.as_micros()).unwrap()),
            ));
            running.signal(Signal::KILL);
            let outcome = running.wait();
            assert!(outcome.was_killed() || outcome.code == Some(0), "{outcome}");
            hit += u32::from(outcome.was_killed());
            done += 1;
            if chance.below(4) > 0 {
                break;
            }
        }
        if chance.below(4) == 0 {
            // The source goes on while the run is dead: a commit that was decided on shows first.
            scene.grow();
            if let Some(watcher) = &watcher {
                watcher.allow(scene.truth());
            }
        }
        let recovering = scene.start().run();
        assert_eq!(recovering.code, Some(0), "{way:?} {into:?}: {recovering}");
        if let Some(watcher) = watcher {
            watcher.finish();
        }
        scene.check();
    }
    say(&format!(
        "{way:?} {into:?}: {hit} of {done} kills hit a run"
    ));
    assert!(hit > done / 4, "most kills came too late to test anything");
}

#[test]
fn killed_at_random_instants() {
    let seed = Chance::seed("killed_at_random_instants");
    std::thread::scope(|scope| {
        let ways = [
            (Way::Full, Into::Files, 60),
            (Way::Append, Into::Files, 50),
            (Way::Files, Into::Files, 20),
            (Way::Merge, Into::Files, 50),
            (Way::Partitions, Into::Files, 20),
            (Way::Full, Into::Plugin, 20),
            (Way::Append, Into::Plugin, 20),
        ];
        for (way, into, kills) in ways {
            scope.spawn(move || killed_at_random(way, into, kills, seed));
        }
    });
}
