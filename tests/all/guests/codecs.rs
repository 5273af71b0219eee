//! The Arrow readers and writers of the guests, outside of the sandbox, against pyarrow.

use std::path::Path;
use std::process::Command;

use crate::harness::{Chance, built, other_reader};

fn compare(arguments: &[&str]) {
    let Some(python) = other_reader() else { return };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("guests/codecs.py");
    let seed = Chance::seed("codecs.py").to_string();
    let output = Command::new(python)
        .args(["-B".as_ref(), script.as_os_str()])
        .arg(seed)
        .args(arguments)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {said}");
}

#[test]
fn python_reads_and_writes_what_pyarrow_does() {
    compare(&["python"]);
}

#[test]
fn c_reads_and_writes_what_pyarrow_does() {
    if let Some(codec) = built("codec") {
        compare(&["c", codec.to_str().unwrap()]);
    }
}
