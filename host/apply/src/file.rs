//! Scripts as files.

use std::fs;
use std::path::{Path, PathBuf};

use hygge_core::{Fault, Result, ScriptSyntax, code};
use sha2::{Digest, Sha256};

use crate::batch::{Batch, Unparted, batches};
use crate::name::{name, real};

/// A script that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// Its path from the project's root, with `/`, so that it is the same on every machine.
    pub name: String,
    /// Where it really is, which is one path however many lead there.
    pub place: PathBuf,
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
        let times = self.batches.iter().map(|batch| batch.times);
        times.fold(0, usize::saturating_add)
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
    // A database may take one for the end of the text.
    if text.contains('\0') {
        return Err(Fault::new(
            code::CONFIG,
            format!("{shown} holds the character NUL, which no script does"),
        )
        .advise("save it as UTF-8; it may be UTF-16 that doesn't say so with a byte order mark"));
    }
    let name = name(root, file).ok_or_else(|| {
        Fault::new(
            code::CONFIG,
            format!(
                "the name {shown} isn't UTF-8, so the record of what was applied can't hold it"
            ),
        )
        .advise("rename it")
    })?;
    // As it is: in a text of a script, the ends of lines are data.
    let batches = batches(&text, syntax).map_err(|unparted| refused(shown, &unparted))?;
    Ok(Script {
        name,
        place: real(file),
        shown: shown.to_owned(),
        checksum: sum(&text),
        batches,
    })
}

fn refused(shown: &str, unparted: &Unparted) -> Fault {
    match unparted {
        Unparted::Unclosed { what, line } => Fault::new(
            code::CONFIG,
            format!("{shown}:{line}: {what} that begins here isn't closed"),
        ),
        Unparted::Go { line } => Fault::new(
            code::CONFIG,
            format!("{shown}:{line}: this line begins with GO, and parts no batches"),
        )
        .advise(
            "to part them, write GO alone, or GO and how often (1 or more); a name that is meant begins no \
             line, or stands in quotes",
        ),
        Unparted::Return { line } => Fault::new(
            code::CONFIG,
            format!("{shown}:{line}: a line ends with a carriage return alone, outside of a text"),
        )
        .advise("save it with \\n or \\r\\n at the ends of lines"),
    }
}

/// What a file's text comes to now, where there is one that can be read.
pub(crate) fn checksum(file: &Path) -> Option<String> {
    Some(sum(&decoded(&fs::read(file).ok()?)?))
}

/// What a text comes to, whatever its ends of lines: which ones a file has is for git to say, and
/// differs from machine to machine.
fn sum(text: &str) -> String {
    let digest = Sha256::digest(text.replace("\r\n", "\n").as_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    const SQLITE: ScriptSyntax = ScriptSyntax {
        nested_comments: false,
        backticks: true,
    };

    #[test]
    fn batches_are_counted_however_many() {
        let syntax = ScriptSyntax {
            nested_comments: true,
            backticks: false,
        };
        let often = format!("SELECT 1\nGO {}\nSELECT 2\n", usize::MAX);
        let script = Script {
            name: String::new(),
            place: PathBuf::new(),
            shown: String::new(),
            checksum: String::new(),
            batches: batches(&often, syntax).unwrap(),
        };
        assert_eq!(script.runs(), usize::MAX);
    }

    #[cfg(unix)]
    #[test]
    fn a_name_that_cant_be_told_from_others_is_refused() {
        use std::os::unix::ffi::OsStrExt as _;
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join(std::ffi::OsStr::from_bytes(b"\xfe"));
        let file = root.join(std::ffi::OsStr::from_bytes(b"\xff.sql"));
        fs::create_dir(&root).unwrap();
        fs::write(&file, "SELECT 1").unwrap();
        let refused = read(&root, &file, "\u{fffd}.sql", SQLITE).unwrap_err();
        insta::assert_snapshot!(refused.message, @"the name �.sql isn't UTF-8, so the record of what was applied can't hold it");
        // Where the project stands is no part of it.
        fs::write(root.join("a.sql"), "SELECT 1").unwrap();
        read(&root, &root.join("a.sql"), "a.sql", SQLITE).unwrap();
    }

    #[test]
    fn ends_of_lines_are_data_and_make_no_other_file() {
        let folder = tempfile::tempdir().unwrap();
        let of = |name: &str, text: &str| {
            let file = folder.path().join(name);
            fs::write(&file, text).unwrap();
            read(folder.path(), &file, name, SQLITE).unwrap()
        };
        let one = of("a.sql", "SELECT 'a\r\nb'\r\nGO\r\nSELECT 2\r\n");
        assert_eq!(one.batches[0].sql, "SELECT 'a\r\nb'\r\n");
        assert_eq!(one.batches[1].sql, "SELECT 2\r\n");
        let other = of("b.sql", "SELECT 'a\nb'\nGO\nSELECT 2\n");
        assert_eq!(one.checksum, other.checksum);
        assert_eq!(checksum(&other.place).as_ref(), Some(&one.checksum));
    }

    #[test]
    fn a_script_that_would_be_half_run_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let refused = |bytes: &[u8]| {
            let file = folder.path().join("a.sql");
            fs::write(&file, bytes).unwrap();
            let fault = read(folder.path(), &file, "a.sql", SQLITE).unwrap_err();
            format!("{}\n{}", fault.message, fault.advice.unwrap_or_default())
        };
        let plain = "SELECT 1\n".encode_utf16();
        let be: Vec<u8> = plain.clone().flat_map(u16::to_be_bytes).collect();
        let le: Vec<u8> = plain.flat_map(u16::to_le_bytes).collect();
        let nul = refused(b"SELECT 1;\n\0SELECT 2");
        insta::assert_snapshot!(nul);
        assert_eq!(refused(&be), nul);
        assert_eq!(refused(&le), nul);
        insta::assert_snapshot!("go", refused(b"SELECT 1\nGO;\nSELECT 2"));
        insta::assert_snapshot!("carriage_return", refused(b"-- a\rSELECT 1\r"));
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
