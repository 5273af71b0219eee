//! A whole flow from Parquet to Parquet with `mask` in it, in the sandbox and natively.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use hygge_core::RunId;
use hygge_engine::{Event, Events, RunRequest, StopSignal, Threads, Tuning};
use hygge_project::{Load, Selection};
use hygge_state::{LocalState, Outcome};

use crate::{clock, mask};

pub(crate) fn measure(guests: &Path, rows: &Path, work: &Path) {
    println!("\nflow: Parquet -> mask -> Parquet, CPU s of the whole run, three in turn");
    let mut spent = [0.0, 0.0];
    // The first round compiles the plugin, and isn't counted.
    for round in 0..4 {
        for (kind, spent) in ["mask-native", "sandboxed-mask"]
            .into_iter()
            .zip(&mut spent)
        {
            let project = work.join(format!("flow-{kind}"));
            drop(std::fs::remove_dir_all(project.join("lake")));
            drop(std::fs::remove_dir_all(project.join(".hygge")));
            write(kind, guests, rows, &project);
            let before = clock::children();
            let me = std::env::current_exe().unwrap();
            let ended = Command::new(me)
                .args(["flow", kind])
                .args([guests, &project])
                .status();
            assert!(ended.unwrap().success());
            if round == 0 {
                continue;
            }
            *spent += (clock::children() - before).as_secs_f64();
        }
    }
    let [native, sandboxed] = spent;
    println!("  native               {native:6.2}");
    println!(
        "  in wasm              {sandboxed:6.2}   {:.2}x of native's speed",
        native / sandboxed
    );
}

fn write(kind: &str, guests: &Path, rows: &Path, project: &Path) {
    std::fs::create_dir_all(project.join("plugins")).unwrap();
    if kind == "sandboxed-mask" {
        std::fs::copy(guests.join("mask.wasm"), project.join("plugins/mask.wasm")).unwrap();
    }
    let mut transform = mask::settings();
    transform["type"] = kind.into();
    let flow = format!(
        "name: bench\nflows:\n  move:\n    home: {{type: parquet, path: {rows:?}}}\n    \
         transforms: [{transform}]\n    \
         store: {{type: parquet, path: lake, compression: zstd}}\n",
    );
    std::fs::write(project.join("hygge.yml"), flow).unwrap();
}

/// Runs the project's flow in this process.
pub(crate) fn run(kind: &str, _: &Path, project: &Path) {
    let mut registry = hygge::registry();
    registry.add_transform(Arc::new(mask::NativeKind));
    if kind == "sandboxed-mask" {
        registry = mask::shelf(project, registry);
    }
    let root = hygge_project::root(project).unwrap();
    let load = Load {
        root: &root,
        env: &|_| None,
        vars: &[],
        selection: Selection::default(),
        wild: &hygge_project::Wild::new(),
        mode: None,
        today: jiff::civil::date(2026, 1, 1),
    };
    let plan = hygge_project::load(&load, &registry).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = Threads::start(cores, runtime.handle().clone()).unwrap();
    let request = RunRequest {
        run: RunId::new(jiff::Timestamp::now(), 7),
        command: "bench".to_owned(),
        registry,
        state: Arc::new(LocalState::open(
            &plan.place.work,
            Arc::clone(&threads) as _,
        )),
        events: Arc::new(Quiet),
        signal: StopSignal::default(),
        tuning: Tuning::default(),
        threads,
    };
    let summary = runtime.block_on(hygge_engine::run(&plan, request)).unwrap();
    assert_eq!(summary.count(Outcome::Pass), 1, "{summary:?}");
}

struct Quiet;

impl Events for Quiet {
    fn event(&self, _: &Event) {}
}
