//! What a sandbox costs, beside the same work without one: `plugins GUESTS ROWS WORK`.
//!
//! GUESTS is a folder with `mask.wasm`, `pass.wasm` and, if wanted, `mask-simd.wasm`; ROWS a
//! Parquet file of `gen.py`; WORK an empty folder. `plugins.sh` builds and runs all of it.
//! CPU seconds are user and system time of the whole process, guests' threads included.
#![expect(clippy::unwrap_used, reason = "a measuring tool: stops where it fails")]
#![expect(clippy::print_stdout, reason = "what was measured is printed")]

mod bare;
mod boundary;
mod clock;
mod epochs;
mod flow;
mod mask;
mod rows;

use std::path::{Path, PathBuf};

fn main() {
    let arguments: Vec<_> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    match arguments.as_slice() {
        [guests, rows, work] => all(guests, rows, work),
        [what, kind, guests, project] if what == Path::new("flow") => {
            flow::run(kind.to_str().unwrap(), guests, project);
        }
        _ => panic!("plugins GUESTS ROWS WORK"),
    }
}

fn all(guests: &Path, rows: &Path, work: &Path) {
    boundary::measure(guests, rows, work);
    mask::measure(guests, rows, work);
    epochs::measure(guests, rows);
    flow::measure(guests, rows, work);
}
