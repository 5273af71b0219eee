//! Finds a project's files. The only part of this crate that looks at a disk.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::node::Node;
use crate::source::{At, Source};
use crate::{Problem, yaml};

/// The file that makes a folder a project.
pub const PROJECT_FILE: &str = "hygge.yml";

/// The root of the project that a folder is in: the folder itself or the nearest one above it that
/// has a hygge.yml. The way to that file is as good as the way to its folder.
pub fn root(start: &Path) -> Result<PathBuf, Box<Problem>> {
    let create = "go to a project, name one with `--project DIR`, or begin one: `hygge init NAME`";
    let shown = start.display();
    let whole = std::path::absolute(start)
        .map_err(|error| Problem::new(format!("{shown} can't be found: {}", plain(&error))))?;
    let folder = match fs::metadata(&whole) {
        Ok(found) if found.is_dir() => whole.as_path(),
        Ok(_) if whole.ends_with(PROJECT_FILE) => whole.parent().unwrap_or(&whole),
        Ok(_) => {
            let message = format!("{shown} is a file, and a project is a folder");
            return Err(Box::new(Problem::new(message).advise(create)));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let message = format!("{shown} doesn't exist");
            return Err(Box::new(Problem::new(message).advise(create)));
        }
        Err(error) => {
            let message = format!("{shown} can't be looked at: {}", plain(&error));
            return Err(Box::new(Problem::new(message)));
        }
    };
    let mut above = folder.ancestors();
    match above.find(|folder| folder.join(PROJECT_FILE).is_file()) {
        Some(root) => Ok(root.to_owned()),
        None => {
            let message = format!("there is no {PROJECT_FILE} in {shown} or any folder above it");
            Err(Box::new(Problem::new(message).advise(create)))
        }
    }
}

/// A YAML file; `node` is none when it can't be read, which has been said.
#[derive(Debug)]
pub(crate) struct File {
    pub(crate) at: At,
    pub(crate) node: Option<Node>,
}

/// A folder in `flows_dir`.
#[derive(Debug)]
pub(crate) struct FlowFolder {
    pub(crate) name: String,
    pub(crate) file: File,
    /// Entity files by the name of the file.
    pub(crate) entities: Vec<(String, File)>,
}

/// Reads one file; `name` is its path below `root`.
pub(crate) fn read(root: &Path, name: &Path, problems: &mut Vec<Problem>) -> File {
    let bytes = match fs::read(root.join(name)) {
        Ok(bytes) => bytes,
        Err(error) => {
            let message = format!("{} can't be read: {}", name.display(), plain(&error));
            problems.push(Problem::new(message));
            let at = At::start(&Source::new(name, String::new()));
            return File { at, node: None };
        }
    };
    let (text, good) = match String::from_utf8(bytes) {
        Ok(text) => (text, None),
        Err(error) => {
            let good = error.utf8_error().valid_up_to();
            (
                String::from_utf8_lossy(error.as_bytes()).into_owned(),
                Some(good),
            )
        }
    };
    let without_mark = text.strip_prefix('\u{feff}');
    let source = Source::new(name, without_mark.unwrap_or(&text));
    let at = At::start(&source);
    if let Some(good) = good {
        let line = text[..good].matches('\n').count() + 1;
        let column = text[..good]
            .rsplit('\n')
            .next()
            .unwrap_or("")
            .chars()
            .count()
            + 1;
        problems.push(
            Problem::at(
                &At::new(&source, line, column, 1),
                format!("{} isn't UTF-8 text", name.display()),
            )
            .advise("save it as UTF-8"),
        );
        return File { at, node: None };
    }
    match yaml::parse(&source) {
        Ok(node) => File {
            at,
            node: Some(node),
        },
        Err(mut wrong) => {
            problems.append(&mut wrong);
            File { at, node: None }
        }
    }
}

/// Every flow below `flows_dir`, by name.
pub(crate) fn flows(
    root: &Path,
    flows_dir: &Path,
    asked: Option<&At>,
    problems: &mut Vec<Problem>,
    warnings: &mut Vec<String>,
) -> Vec<FlowFolder> {
    let names = match list(&root.join(flows_dir)) {
        Ok(names) => names,
        Err(error) if error.kind() == io::ErrorKind::NotFound && asked.is_none() => {
            return Vec::new();
        }
        Err(error) => {
            let message = format!("{} can't be read: {}", flows_dir.display(), plain(&error));
            problems.push(match asked {
                Some(at) => Problem::at(at, message),
                None => Problem::new(message),
            });
            return Vec::new();
        }
    };
    let mut flows = Vec::new();
    for name in names {
        let path = flows_dir.join(&name);
        if !root.join(&path).is_dir() {
            if is_yaml(&name) {
                let stem = stem(&name);
                problems.push(
                    Problem::new(format!(
                        "{} is a file, but a flow is a folder",
                        path.display()
                    ))
                    .advise(format!(
                        "move it to {}",
                        flows_dir.join(stem).join("flow.yml").display()
                    )),
                );
            }
            continue;
        }
        if let Some(flow) = flow(root, &path, name, problems, warnings) {
            flows.push(flow);
        }
    }
    flows
}

fn flow(
    root: &Path,
    path: &Path,
    name: String,
    problems: &mut Vec<Problem>,
    warnings: &mut Vec<String>,
) -> Option<FlowFolder> {
    let file = path.join("flow.yml");
    if !root.join(&file).is_file() {
        let inside = list(&root.join(path)).unwrap_or_default();
        let message = format!("{} has no flow.yml", path.display());
        match inside.iter().find(|name| is_yaml(name)) {
            Some(other) => problems.push(
                Problem::new(message)
                    .advise(format!("rename {} to flow.yml", path.join(other).display())),
            ),
            None if inside.iter().any(|name| name == "entities") => problems.push(
                Problem::new(message)
                    .advise("add one that says where the flow's home and store are"),
            ),
            None => warnings.push(format!("{message}, so it isn't a flow")),
        }
        return None;
    }
    let file = read(root, &file, problems);
    let folder = path.join("entities");
    let mut entities = Vec::new();
    match list(&root.join(&folder)) {
        Ok(names) => {
            for name in names.into_iter().filter(|name| is_yaml(name)) {
                let found = read(root, &folder.join(&name), problems);
                entities.push((stem(&name).to_owned(), found));
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => problems.push(Problem::new(format!(
            "{} can't be read: {}",
            folder.display(),
            plain(&error)
        ))),
    }
    Some(FlowFolder {
        name,
        file,
        entities,
    })
}

/// What is in a folder, by name; dot-files are nobody's.
fn list(folder: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') {
            names.push(name);
        }
    }
    names.sort_unstable();
    Ok(names)
}

fn is_yaml(name: &str) -> bool {
    name.ends_with(".yml") || name.ends_with(".yaml")
}

fn stem(name: &str) -> &str {
    name.rsplit_once('.').map_or(name, |(stem, _)| stem)
}

/// An I/O error without the number that follows it in Rust's words.
fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_lowercase().chain(chars).collect(),
        None => text.to_owned(),
    }
}
