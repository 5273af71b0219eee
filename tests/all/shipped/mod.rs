//! The plugins of `plugins/`, as they are shipped: built from source for the sandbox, in real flows
//! with real sockets. What their code does is tested natively, in their own crates.

mod http_json;
mod mask;
mod ndjson;

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use crate::harness::{Command, Project};

/// Where they are, once they are built. Cargo knows when there is nothing to do.
static BUILT: LazyLock<PathBuf> = LazyLock::new(|| {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let built = Path::new(env!("CARGO_TARGET_TMPDIR")).join("guests");
    let build = "build --locked --quiet --profile plugin --target wasm32-wasip2 \
                 -p hygge-mask -p hygge-http-json -p hygge-ndjson";
    let status = std::process::Command::new(env!("CARGO"))
        .args(build.split_whitespace())
        .current_dir(root)
        .env("CARGO_TARGET_DIR", &built)
        .env_remove("RUSTFLAGS")
        .status()
        .unwrap();
    assert!(status.success(), "the plugins can't be built");
    built.join("wasm32-wasip2/plugin")
});

/// The file of `mask`, `http-json` or `ndjson`.
pub(crate) fn file(name: &str) -> PathBuf {
    BUILT.join(format!("hygge_{}.wasm", name.replace('-', "_")))
}

/// A project with one of them, added as a person adds it.
fn project(name: &str) -> Project {
    let project = Project::new();
    let from = file(name);
    let add = hygge(&project, "plugin add").argument(from.to_str().unwrap());
    add.argument("--name").argument(name).succeed();
    project
}

/// The program, with what it compiles kept for the other tests.
pub(crate) fn hygge(project: &Project, arguments: &str) -> Command {
    let cache = concat!(env!("CARGO_TARGET_TMPDIR"), "/cache");
    project.hygge(arguments).env("XDG_CACHE_HOME", cache)
}
