use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// The entities that a flow has, and the file that each stands in. What can't be read is passed over:
/// every other command tells of it.
pub(super) fn taken(flow: &Path) -> Vec<(String, PathBuf)> {
    let mut taken = Vec::new();
    for file in ["flow.yml", "flow.yaml"].map(|name| flow.join(name)) {
        let listed = read(&file).and_then(|written| written.get("entities").cloned());
        let names: Vec<String> = match &listed {
            Some(Value::Array(each)) => each.iter().filter_map(name).collect(),
            Some(Value::Object(each)) => each.keys().cloned().collect(),
            _ => Vec::new(),
        };
        taken.extend(names.into_iter().map(|name| (name, file.clone())));
    }
    let files = fs::read_dir(flow.join("entities"))
        .into_iter()
        .flatten()
        .flatten();
    for file in files.map(|entry| entry.path()) {
        let ending = file.extension().and_then(|ending| ending.to_str());
        if matches!(ending, Some("yml" | "yaml")) {
            let stem = file
                .file_stem()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            let written = read(&file).and_then(|written| name(written.get("name")?));
            taken.push((written.unwrap_or(stem), file));
        }
    }
    taken.sort();
    taken
}

fn read(file: &Path) -> Option<Value> {
    serde_saphyr::from_str(&fs::read_to_string(file).ok()?).ok()
}

/// Alone, or with the settings of the entity.
fn name(written: &Value) -> Option<String> {
    let name = written.get("name").unwrap_or(written);
    name.as_str().map(str::to_owned)
}
