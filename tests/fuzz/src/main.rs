//! Tries what reads bytes of others with libFuzzer, guided by coverage: see `.ci/fuzz`.
//!
//! The trade-off: coverage of dependencies would guide better, and costs building them all once
//! more. So only hygge's own crates are built for the fuzzer, and it costs a minute.
#![no_main]

#[path = "../../../host/plugins/src/columns.rs"]
#[cfg_attr(
    not(test),
    expect(dead_code, reason = "what is for the way to a guest isn't called")
)]
mod columns;
mod file;
mod guest_rows;
#[path = "../../../host/plugins/src/ipc.rs"]
mod ipc;
mod seeds;

use std::path::Path;
use std::sync::OnceLock;
use std::{env, panic, process};

use hygge_files::config::Format;

/// What the host's files above find beside them in their own crate, which has the engine too.
mod fault {
    pub(crate) use hygge_component::clean;
}

/// Smaller than the host's, so that inputs of a fuzzer's size reach them.
mod limits {
    pub(crate) const SCHEMA: usize = 8 << 10;
    pub(crate) const COLUMNS: usize = 24;
    pub(crate) const DEPTH: usize = 6;
}

/// What bytes are given to.
struct Target {
    name: &'static str,
    run: fn(&[u8]),
    /// What to begin with; without them a fuzzer would look for a magic number for long.
    seeds: fn() -> seeds::Seeds,
}

const TARGETS: &[Target] = &[
    Target {
        name: "arrow",
        run: |bytes| file::read(bytes, Format::Arrow),
        seeds: seeds::arrow,
    },
    Target {
        name: "component",
        run: hygge_component::fuzz_component,
        seeds: seeds::components,
    },
    Target {
        name: "csv",
        run: |bytes| file::read(bytes, Format::Csv),
        seeds: seeds::csv,
    },
    Target {
        name: "guest_rows",
        run: guest_rows::read,
        seeds: guest_rows::seeds,
    },
    Target {
        name: "ndjson",
        run: |bytes| file::read(bytes, Format::Ndjson),
        seeds: seeds::ndjson,
    },
    Target {
        name: "parquet",
        run: |bytes| file::read(bytes, Format::Parquet),
        seeds: seeds::parquet,
    },
    Target {
        name: "parquet_footer",
        run: hygge_files::parquet::fuzz_footer,
        seeds: seeds::parquet_footers,
    },
    Target {
        name: "parquet_pages",
        run: hygge_files::parquet::fuzz_pages,
        seeds: seeds::parquet_pages,
    },
];

static CHOSEN: OnceLock<&Target> = OnceLock::new();

/// libFuzzer has the arguments, so what to do is told by the environment: `FUZZ` names the
/// target, and `FUZZ_SEEDS` a folder to write seeds of all targets to, and be done.
fn choose() {
    if let Some(folder) = env::var_os("FUZZ_SEEDS") {
        for target in TARGETS {
            seeds::write(&Path::new(&folder).join(target.name), (target.seeds)());
        }
        process::exit(0);
    }
    let name = env::var("FUZZ").unwrap_or_default();
    let Some(target) = TARGETS.iter().find(|target| target.name == name) else {
        let names: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
        panic!("FUZZ names no target: use {}", names.join(", "));
    };
    CHOSEN.get_or_init(|| target);
    // What a decoder panics at is caught by hygge's own code, which libFuzzer's hook would end
    // the process before. A panic that nobody catches still does.
    drop(panic::take_hook());
}

libfuzzer_sys::fuzz_target!(init: choose(), |bytes: &[u8]| {
    if let Some(target) = CHOSEN.get() {
        (target.run)(bytes);
    }
});
