//! Scripts as files.

use std::fs;
use std::path::{Component, Path, PathBuf};

use hygge_core::{Fault, Result, ScriptSyntax, code};
use sha2::{Digest, Sha256};

use crate::batch::{Batch, batches};

/// A script that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// Its path from the project's root, with `/`, so that it is the same on every machine.
    pub name: String,
    /// Its path as it was given.
    pub shown: String,
    /// What its text comes to, whatever its encoding and ends of lines.
    pub checksum: String,
    /// What is run.
    pub batches: Vec<Batch>,
}

impl Script {
    /// How many batches are run, those several times that say so.
    pub fn runs(&self) -> usize {
        self.batches.iter().map(|batch| batch.times).sum()
    }
}

/// Reads a script; `root` and `file` are whole paths.
pub fn read(root: &Path, file: &Path, shown: &str, syntax: ScriptSyntax) -> Result<Script> {
    let bytes = fs::read(file).map_err(|error| {
        let fault = Fault::io(code::CONFIG, "can't read", Path::new(shown), &error);
        match error.kind() {
            std::io::ErrorKind::NotFound if shown.contains(['*', '?']) => fault
                .advise("leave the quotes out: the shell puts names in the place of `*` and `?`"),
            std::io::ErrorKind::NotFound => fault.advise("name scripts that are there"),
            std::io::ErrorKind::IsADirectory => fault.advise(format!(
                "name the scripts in it: `{}/*.sql`",
                shown.trim_end_matches('/')
            )),
            _ => fault,
        }
    })?;
    let text = decoded(&bytes).ok_or_else(|| {
        Fault::new(code::CONFIG, format!("{shown} is neither UTF-8 nor UTF-16"))
            .advise("save it as UTF-8")
    })?;
    // Which ends of lines a file has is for git to say, and differs from machine to machine.
    let text = text.replace("\r\n", "\n");
    let digest = Sha256::digest(text.as_bytes());
    let batches = batches(&text, syntax).map_err(|unclosed| {
        Fault::new(
            code::CONFIG,
            format!(
                "{shown}:{}: {} that begins here isn't closed",
                unclosed.line, unclosed.what
            ),
        )
    })?;
    Ok(Script {
        name: name(root, file),
        shown: shown.to_owned(),
        checksum: digest.iter().map(|byte| format!("{byte:02x}")).collect(),
        batches,
    })
}

/// The text of a file: UTF-8, or UTF-16 that says so itself, as the tools of SQL Server save it.
fn decoded(bytes: &[u8]) -> Option<String> {
    let wide = |rest: &[u8], unit: fn([u8; 2]) -> u16| {
        let (pairs, []) = rest.as_chunks::<2>() else {
            return None;
        };
        let units: Vec<u16> = pairs.iter().map(|pair| unit(*pair)).collect();
        String::from_utf16(&units).ok()
    };
    match bytes {
        [0xff, 0xfe, rest @ ..] => wide(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => wide(rest, u16::from_be_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] => String::from_utf8(rest.to_vec()).ok(),
        plain => String::from_utf8(plain.to_vec()).ok(),
    }
}

/// A file's path from the root, as it is written: links in it are what the project says they are.
fn name(root: &Path, file: &Path) -> String {
    let (root, file) = (plain(root), plain(file));
    let (mut root, mut file) = (root.components().peekable(), file.components().peekable());
    while root.peek().is_some() && root.peek() == file.peek() {
        root.next();
        file.next();
    }
    let up = root.map(|_| "..".to_owned());
    let down = file.map(|part| part.as_os_str().to_string_lossy().into_owned());
    up.chain(down).collect::<Vec<_>>().join("/")
}

/// A whole path without `.` and `..`.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                plain.pop();
            }
            part => plain.push(part),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_same_on_every_machine() {
        let of = |file: &str| name(Path::new("/a/project"), Path::new(file));
        assert_eq!(of("/a/project/schema/x.sql"), "schema/x.sql");
        assert_eq!(of("/a/project/flows/../schema/./x.sql"), "schema/x.sql");
        assert_eq!(of("/a/schema/x.sql"), "../schema/x.sql");
    }

    #[test]
    fn a_text_is_read_in_the_encodings_it_is_saved_in() {
        let text = "SELECT N'é😀'";
        let le: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let be: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        for bytes in [
            text.as_bytes().to_vec(),
            [b"\xef\xbb\xbf", text.as_bytes()].concat(),
            [b"\xff\xfe", &le[..]].concat(),
            [b"\xfe\xff", &be[..]].concat(),
        ] {
            assert_eq!(decoded(&bytes).as_deref(), Some(text));
        }
        assert_eq!(decoded(b"caf\xe9"), None);
        assert_eq!(decoded(b"\xff\xfea"), None);
    }
}
