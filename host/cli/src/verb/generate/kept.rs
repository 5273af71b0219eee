use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::complaint::Complaint;
use crate::console::Console;
use crate::project;

/// A file to write.
pub(super) struct Made {
    pub(super) file: PathBuf,
    pub(super) text: String,
    /// What it holds, in a word or two.
    pub(super) holds: String,
}

/// As many bytes as a file's name has at most, on what disks have in common.
const LONGEST: usize = 255;

/// Writes files, unless somebody's own work is in the way of one of them: then none is written.
pub(super) fn keep(made: &[Made], force: bool, console: &Console) -> Result<(), Complaint> {
    let unwritten = |file: &Path, error: &std::io::Error| {
        Complaint::failed(format!("can't write {}: {error}", project::shown(file)))
    };
    // Told before any is written.
    let name = |each: &&Made| {
        each.file
            .file_name()
            .is_some_and(|name| name.len() > LONGEST)
    };
    if let Some(each) = made.iter().find(name) {
        return Err(Complaint::usage(format!(
            "{} has a longer name than a file may have",
            project::shown(&each.file)
        ))
        .advise("give it a shorter one, or leave --output out and keep what is printed"));
    }
    let mut there = Vec::new();
    for each in made {
        // Whatever it is: what isn't text is somebody's own as well.
        there.push(match fs::read(&each.file) {
            Ok(there) => Some(there),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(unwritten(&each.file, &error)),
        });
    }
    let differs = made.iter().zip(&there).find(|(each, there)| {
        there
            .as_deref()
            .is_some_and(|there| !says(there, &each.text))
    });
    if let (Some((each, _)), false) = (differs, force) {
        return Err(Complaint::usage(format!(
            "{} is there and says something else",
            project::shown(&each.file)
        ))
        .advise("if nobody edited it, write over it with --force"));
    }
    for (each, there) in made.iter().zip(&there) {
        let same = there
            .as_deref()
            .is_some_and(|there| says(there, &each.text));
        if !same {
            if let Some(folder) = each.file.parent() {
                fs::create_dir_all(folder).map_err(|error| unwritten(&each.file, &error))?;
            }
            fs::write(&each.file, &each.text).map_err(|error| unwritten(&each.file, &error))?;
        }
        let said = if same { "Unchanged" } else { "Wrote" };
        let shown = project::shown(&each.file);
        console.out(&format!("{said} {shown} ({})\n", each.holds));
    }
    Ok(())
}

/// Whether a file says a text; git may have given it other ends of lines.
fn says(there: &[u8], text: &str) -> bool {
    str::from_utf8(there).is_ok_and(|there| there.replace("\r\n", "\n") == text)
}

/// A name that can stand in a folder.
pub(super) fn file_name(name: &str) -> String {
    let plain = |c: char| {
        if c.is_control() || "/\\:".contains(c) {
            '_'
        } else {
            c
        }
    };
    name.chars().map(plain).collect()
}
