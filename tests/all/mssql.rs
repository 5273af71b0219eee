//! SQL Server as Home and Store: there and back, again, killed anywhere, and with the line cut.

use std::collections::BTreeSet;

use hygge_core::failpoint::POINTS;
use hygge_tds_server::{Effect, Fault, SqlError};

use crate::harness::{Content, Database, Order, Orders, Project, say};

/// How a run changes its table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    First,
    Full,
    Append,
    Merge,
    /// A merge by `delete_insert`.
    Replace,
    /// A merge by one MERGE.
    Statement,
    /// A full run that merges, and deletes what the source lost.
    Mirror,
    /// A full run that replaces the partitions which come.
    Parts,
    /// An append straight into the table.
    Straight,
    /// A full run straight into the table.
    StraightFull,
}

impl Way {
    const PLAIN: [Self; 5] = [
        Self::First,
        Self::Full,
        Self::Append,
        Self::Merge,
        Self::Replace,
    ];

    const ON_REQUEST: [Self; 3] = [Self::Statement, Self::Mirror, Self::Parts];

    /// Nothing is staged: what a process loaded dies with it.
    const STRAIGHT: [Self; 2] = [Self::Straight, Self::StraightFull];

    fn all() -> impl Iterator<Item = Self> {
        let staged = Self::PLAIN.into_iter().chain(Self::ON_REQUEST);
        staged.chain(Self::STRAIGHT)
    }

    fn stages(self) -> bool {
        !Self::STRAIGHT.contains(&self)
    }

    fn merges(self) -> bool {
        matches!(self, Self::Merge | Self::Replace | Self::Statement)
    }

    /// Whether the source loses rows on its way.
    fn loses(self) -> bool {
        matches!(self, Self::Mirror | Self::Parts)
    }

    fn incremental(self) -> &'static str {
        match self {
            Self::Append | Self::Straight => {
                "  incremental: {column: updated_at, strategy: append}\n"
            }
            _ if self.merges() => {
                "  incremental: {column: updated_at, strategy: merge, key: [id]}\n"
            }
            _ => "",
        }
    }

    fn settings(self) -> &'static str {
        match self {
            Self::First => "  adopt: true\n",
            Self::Full | Self::Append | Self::Merge => "",
            Self::Replace => "  write_strategy: delete_insert\n",
            Self::Statement => "  write_strategy: merge\n  merge_statement: true\n",
            Self::Mirror => "  write_strategy: merge\n  delete_missing: true\n  key: id\n",
            Self::Parts => "  write_strategy: delete_insert\n  partition_by: version\n",
            Self::Straight | Self::StraightFull => "  direct: true\n",
        }
    }

    /// The statements that make a run visible.
    fn publishes(self) -> &'static [&'static str] {
        match self {
            Self::First | Self::Full => &["TRUNCATE"],
            Self::Straight => &["INSERT BULK", "BULK LOAD"],
            Self::StraightFull => &["TRUNCATE", "INSERT BULK", "BULK LOAD"],
            Self::Append => &["INSERT INTO [dbo].[hygge_test_cut"],
            Self::Merge => &["UPDATE t", "INSERT INTO [dbo].[hygge_test_cut"],
            Self::Statement => &["MERGE"],
            Self::Mirror => &["DELETE t", "UPDATE t", "INSERT INTO [dbo].[hygge_test_cut"],
            Self::Replace | Self::Parts => &["DELETE t", "INSERT INTO [dbo].[hygge_test_cut"],
        }
    }
}

/// A project that writes orders into a table, step by step, and what the table must hold.
struct Scene {
    database: Database,
    project: Project,
    way: Way,
    source: Orders,
    /// What the table held after the first run.
    held: Orders,
    step: i64,
}

pub(crate) const FILE: i64 = 600;

/// What the rows of [`Orders`] are, for a table that must be there.
pub(crate) const COLUMNS: &str =
    "id bigint, customer nvarchar(50), amount float, version bigint, updated_at datetime2(6)";

impl Scene {
    fn new(way: Way, name: &str) -> Self {
        let database = Database::start();
        let table = format!("hygge_test_{name}_{way:?}").to_lowercase();
        database.without(&[&format!("dbo.{table}")]);
        let project = database.project(5);
        project.flow(
            "there",
            &format!(
                "home:\n  type: parquet\n  path: data/orders\n{}\
                 store:\n  connection: db\n  table: dbo.{table}\n{}{}",
                way.incremental(),
                if way.stages() {
                    "  create: if_missing\n"
                } else {
                    ""
                },
                way.settings(),
            ),
        );
        if !way.stages() {
            database.run(&format!("CREATE TABLE dbo.{table} ({COLUMNS})"));
        }
        project.flow(
            "back",
            &format!(
                "home: {{connection: db, table: dbo.{table}}}\nstore: lake/orders\nafter: [there]\n"
            ),
        );
        let mut scene = Self {
            database,
            project,
            way,
            source: Orders::default(),
            held: Orders::default(),
            step: 0,
        };
        scene.grow();
        scene.grow();
        if way != Way::First {
            scene.project.hygge("start --flow there").succeed();
            scene.check();
            scene.held = scene.source.clone();
            if way.loses() {
                scene.shrink();
            }
            scene.grow();
        }
        scene
    }

    fn grow(&mut self) {
        let begin = self.step * FILE;
        let mut file = Orders::new(begin..begin + FILE);
        if self.way == Way::Parts {
            // A file is a partition.
            file.0
                .iter_mut()
                .for_each(|order| order.version += self.step);
        }
        if self.way.merges() && self.step > 0 {
            for (k, id) in (0..begin).step_by(50).enumerate() {
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

    /// Takes the first file away, and half the rows of the second; of a mirror's, the others
    /// change.
    fn shrink(&mut self) {
        let gone = self.project.path("data/orders/000.parquet");
        std::fs::remove_file(gone).unwrap();
        let rows = &mut self.source.0;
        rows.retain(|order| order.id >= FILE && order.id % 2 == 0);
        if self.way == Way::Mirror {
            rows.iter_mut().for_each(|order| order.version = 2);
        }
        self.project.orders("data/orders/001.parquet", &self.source);
    }

    fn truth(&self) -> Content {
        match self.way {
            Way::Parts => {
                let comes = |held: &Order| self.source.0.iter().any(|o| o.version == held.version);
                let mut rows = self.held.clone();
                rows.0.retain(|held| !comes(held));
                rows.and(&self.source).content()
            }
            way if way.merges() => self.source.latest().content(),
            _ => self.source.content(),
        }
    }

    /// What the table holds, as hygge reads it, and that nothing else was left.
    fn check(&self) {
        self.project.hygge("start --flow back").succeed();
        assert_eq!(self.project.content("lake/orders"), self.truth());
        let left = self.database.run(
            "SELECT name FROM sys.objects WHERE type = 'U' AND LEFT(name, 12) = 'hygge_stage_'",
        );
        assert!(left.is_empty(), "left behind: {left:?}");
    }
}

#[test]
fn a_table_there_and_back() {
    for way in Way::all() {
        let scene = Scene::new(way, "back");
        scene.project.hygge("start --flow there").succeed();
        scene.check();
        // Again: nothing new, or all of it once more.
        scene.project.hygge("start --flow there").succeed();
        scene.check();
    }
}

/// Kills a run at the `nth` pass of a point, lets the next one recover; says whether the point
/// was reached.
fn killed_at(way: Way, point: &str, nth: u32) -> bool {
    let scene = Scene::new(way, "kill");
    let killed = scene
        .project
        .hygge("start --flow there")
        .failpoints(&format!("{point}=kill@{nth}"))
        .run();
    assert!(
        killed.was_killed() || killed.code == Some(0),
        "{way:?} {point}: {killed}"
    );
    let recovering = scene.project.hygge("start --flow there").run();
    assert_eq!(
        recovering.code,
        Some(0),
        "{way:?} {point}@{nth}: {recovering}"
    );
    scene.check();
    killed.was_killed()
}

/// The points at which a table is published, and what comes after.
fn publishing() -> &'static [&'static str] {
    let first = POINTS.iter().position(|point| *point == "store.prepared");
    &POINTS[first.unwrap()..]
}

fn killed_at_all_of(ways: &[Way], points: &[&str]) {
    let mut reached = BTreeSet::new();
    for way in ways {
        let scene = Scene::new(*way, "kill");
        let passes = scene.project.hygge("start --flow there").passes();
        for point in points {
            let passes = passes.get(*point).copied().unwrap_or_default();
            for nth in 1..=passes.min(2) {
                if killed_at(*way, point, nth) {
                    reached.insert((format!("{way:?}"), (*point).to_owned()));
                }
            }
        }
    }
    say(&format!("reached {reached:?}"));
    // Those of a table's commit; some others are of files alone.
    for way in ways {
        for needed in [
            "commit.started",
            "commit.linked",
            "commit.synced",
            "commit.swapped",
            "commit.cleaned",
        ] {
            let needed = (format!("{way:?}"), needed.to_owned());
            assert!(reached.contains(&needed), "{needed:?} was never reached");
        }
    }
}

#[test]
fn killed_at_every_point_a_table_is_whole() {
    killed_at_all_of(&Way::PLAIN, POINTS);
}

/// Up to a publish they are like the others.
#[test]
fn killed_while_it_merges_by_request_a_table_is_whole() {
    killed_at_all_of(&Way::ON_REQUEST, publishing());
}

/// Also before all is loaded: no receipt of what a dead process loaded counts.
#[test]
fn killed_while_it_loads_straight_into_it_a_table_is_whole() {
    killed_at_all_of(&Way::STRAIGHT, POINTS);
}

#[test]
fn a_line_that_is_cut_while_it_commits() {
    for way in Way::all() {
        let statements = ["BEGIN TRAN", "INSERT INTO", "COMMIT"];
        for statement in statements.iter().chain(way.publishes()) {
            for effect in [Effect::DropBefore, Effect::DropAfter] {
                let scene = Scene::new(way, "cut");
                let shown = format!("{way:?} {statement} {effect:?}");
                let Some(server) = scene.database.made() else {
                    return;
                };
                server.fault(Fault::at(*statement, effect));
                let cut = scene.project.hygge("start --flow there").run();
                assert_eq!(server.faults_struck(), 1, "{shown}: {cut}");
                let again = scene.project.hygge("start --flow there").run();
                assert_eq!(again.code, Some(0), "{shown}: {cut}{again}");
                scene.check();
            }
        }
    }
}

#[test]
fn a_deadlock_is_tried_again() {
    let scene = Scene::new(Way::Full, "deadlock");
    let victim = SqlError::new(1205, "Transaction was deadlocked").class(13);
    if !scene
        .database
        .fault(Fault::at("TRUNCATE", Effect::Error(victim)))
    {
        return;
    }
    scene.project.hygge("start --flow there").succeed();
    scene.check();
}
