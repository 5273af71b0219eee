use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;

use super::{Ended, start};
use crate::args::Global;
use crate::complaint::{Complaint, Exit};
use crate::console::Console;
use crate::{schema_files, template};

const EXAMPLES: &str = "\
Examples:
  hygge init my-project              Write a project into the folder my-project
  hygge init my-project --start      ... and move its data at once
  hygge init . --force               Write it here, over what is there";

/// Write a project with real data that runs at once
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct InitArgs {
    /// The folder to write it into; its last part becomes the project's name
    name: PathBuf,
    /// Overwrite files that are there
    #[arg(long)]
    force: bool,
    /// Move the data right away, as `hygge start` in the new project does
    #[arg(long)]
    start: bool,
}

pub(crate) fn run(args: &InitArgs, global: &Global, console: &Arc<Console>) -> Ended {
    let root = match &global.project {
        Some(folder) => folder.join(&args.name),
        None => args.name.clone(),
    };
    let name = project_name(&root)?;
    if root.is_file() {
        let message = format!("{} is a file, and a project is a folder", root.display());
        return Err(Complaint::usage(message).advise("choose another name"));
    }
    if root.is_symlink() && !root.exists() {
        let message = format!("{} is a link to nowhere", root.display());
        return Err(Complaint::usage(message).advise("remove it, or choose another name"));
    }
    let there: Vec<&str> = template::FILES
        .iter()
        .map(|file| file.path)
        .filter(|path| root.join(path).symlink_metadata().is_ok())
        .collect();
    if !there.is_empty() && !args.force {
        return Err(in_the_way(&root, &there));
    }
    for file in template::FILES {
        file.write(&root, &name)
            .map_err(|error| cannot_write(&root.join(file.path), &error))?;
    }
    schema_files::write(&root)?;
    console.out(&written(&root, &name, console));
    if args.start {
        console.out("\n");
        return start::everything(&root, global, console);
    }
    console.out(&next(&root));
    Ok(Exit::Well)
}

/// The folder's own name, in the letters that a name may have.
fn project_name(root: &Path) -> Result<String, Complaint> {
    let named = match root.file_name() {
        Some(name) => name.to_owned(),
        // `.` and `..` have no name of their own.
        None => std::path::absolute(root)
            .and_then(|path| path.canonicalize())
            .ok()
            .and_then(|path| path.file_name().map(ToOwned::to_owned))
            .unwrap_or_default(),
    };
    let name: String = named
        .to_string_lossy()
        .chars()
        .map(|c| {
            if c.is_alphanumeric() || c == '-' || c == '_' {
                c
            } else {
                '-'
            }
        })
        .collect();
    let name = name.trim_matches('-');
    if name.is_empty() {
        return Err(
            Complaint::usage(format!("{} can't name a project", root.display()))
                .advise("choose a folder name with letters or digits: hygge init my-project"),
        );
    }
    Ok(name.to_owned())
}

fn in_the_way(root: &Path, there: &[&str]) -> Complaint {
    const SHOWN: usize = 8;
    let mut message = format!(
        "{} already holds files that would be overwritten:",
        root.display()
    );
    for path in there.iter().take(SHOWN) {
        message.push_str(&format!("\n  {path}"));
    }
    if there.len() > SHOWN {
        message.push_str(&format!("\n  and {} more", there.len() - SHOWN));
    }
    Complaint::usage(message).advise("choose another name, or overwrite them with --force")
}

fn cannot_write(path: &Path, error: &std::io::Error) -> Complaint {
    let fault = hygge_core::Fault::io(hygge_core::code::DESTINATION_IO, "can't write", path, error);
    Complaint::from(fault)
}

fn written(root: &Path, name: &str, console: &Console) -> String {
    let paint = console.paint();
    let lines = [
        ("hygge.yml", "the project"),
        ("flows/nycflights/", "a flow with five entities, commented"),
        (
            "data/landing/",
            "flights that left New York in January 2013 (real, CC0)",
        ),
    ];
    let mut text = format!("{} is ready in {}\n", paint.strong(name), root.display());
    if root.file_name().is_some_and(|folder| folder != name) {
        text.push_str(&format!(
            "  The project is called {name}, after the letters and digits of its folder; `name` \
             in hygge.yml is yours to change.\n"
        ));
    }
    for (path, what) in lines {
        text.push_str(&format!("  {path:<18} {}\n", paint.faint(what)));
    }
    text
}

fn next(root: &Path) -> String {
    if root == Path::new(".") {
        "\nNow move the data: hygge start\n".to_owned()
    } else {
        let folder = hygge_core::quoted(&root.display().to_string());
        // To `cd` it would be an option.
        let here = if folder.starts_with('-') { "./" } else { "" };
        format!("\nNow move the data: cd {here}{folder} && hygge start\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_from_the_folder() {
        let name = |path: &str| project_name(path.as_ref()).map_err(|c| c.message);
        assert_eq!(name("my-project"), Ok("my-project".into()));
        assert_eq!(name("/tmp/a b.c/"), Ok("a-b-c".into()));
        assert!(name(".").is_ok());
        assert_eq!(name("---"), Err("--- can't name a project".into()));
    }
}
