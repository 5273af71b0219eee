//! How a file is told from an edited one of the same size.
//!
//! The trade-off: reading every file before each run would cost more than many a run, and times
//! alone say too much, since a copy of a project has new ones throughout. So a file with the time
//! that is remembered is as it was, and only another is read: by its footer where it has one that
//! says where all of it stands (Parquet), else as a whole.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use hygge_core::{Fault, Result, code};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3;

use crate::config::Format;

/// A file as it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Stored", into = "Stored")]
pub(crate) struct Written {
    /// Its size in bytes.
    pub(crate) size: u64,
    /// What tells it from others of that size; versions before 0.1 didn't remember it.
    pub(crate) seal: Option<Seal>,
}

/// What a file's time and contents were.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seal {
    /// Nanoseconds from 1970 to when it was last written.
    pub(crate) modified: i64,
    /// XXH3 of its footer, or of all of it.
    pub(crate) hash: u64,
}

/// The form in memories and records.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Stored {
    Size(u64),
    Sealed(u64, i64, u64),
}

impl From<Stored> for Written {
    fn from(stored: Stored) -> Self {
        match stored {
            Stored::Size(size) => Self::sized(size),
            Stored::Sealed(size, modified, hash) => Self {
                size,
                seal: Some(Seal { modified, hash }),
            },
        }
    }
}

impl From<Written> for Stored {
    fn from(written: Written) -> Self {
        match written.seal {
            None => Self::Size(written.size),
            Some(Seal { modified, hash }) => Self::Sealed(written.size, modified, hash),
        }
    }
}

impl Written {
    /// A file that nothing but the size is known of.
    pub(crate) fn sized(size: u64) -> Self {
        Self { size, seal: None }
    }

    /// The file at `path`, whose size and time were just seen.
    pub(crate) fn at(path: &Path, format: Format, size: u64, modified: i64) -> Result<Self> {
        let hash = hash(path, format)?;
        Ok(Self {
            size,
            seal: Some(Seal { modified, hash }),
        })
    }
}

/// The hash of a seal, read from the file.
pub(crate) fn hash(path: &Path, format: Format) -> Result<u64> {
    let read = File::open(path).and_then(|file| match format {
        Format::Parquet => footer(file),
        Format::Csv | Format::Ndjson | Format::Arrow => whole(file),
    });
    read.map_err(|error| Fault::io(code::DESTINATION_IO, "can't read", path, &error))
}

/// Of the footer, with its length and the magic number behind it. What is no Parquet file any more
/// is taken as a whole.
fn footer(mut file: File) -> io::Result<u64> {
    let size = file.metadata()?.len();
    if size >= 8 {
        let mut tail = [0; 8];
        file.seek(SeekFrom::Start(size - 8))?;
        file.read_exact(&mut tail)?;
        let [a, b, c, d, ..] = tail;
        let length = u64::from(u32::from_le_bytes([a, b, c, d])) + 8;
        if length <= size {
            file.seek(SeekFrom::Start(size - length))?;
            return whole(file);
        }
    }
    file.rewind()?;
    whole(file)
}

/// Of everything from where the file stands.
fn whole(mut file: File) -> io::Result<u64> {
    let mut hash = Xxh3::new();
    let mut buffer = vec![0; 256 << 10];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(hash.digest()),
            Ok(read) => hash.update(&buffer[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_forms_are_read() {
        let read = |text: &str| serde_json::from_str::<Written>(text).unwrap();
        assert_eq!(read("7"), Written::sized(7));
        let sealed = Written {
            size: 7,
            seal: Some(Seal {
                modified: -1,
                hash: u64::MAX,
            }),
        };
        assert_eq!(read(&serde_json::to_string(&sealed).unwrap()), sealed);
        assert_eq!(
            serde_json::to_string(&sealed).unwrap(),
            format!("[7,-1,{}]", u64::MAX)
        );
    }

    #[test]
    fn any_bytes_have_a_hash() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        let of = |bytes: &[u8], format| {
            std::fs::write(&path, bytes).unwrap();
            hash(&path, format).unwrap()
        };
        for bytes in [&b""[..], b"PAR1", b"\xff\xff\xff\xffPAR1", b"\0\0\0\0PAR1"] {
            assert_eq!(of(bytes, Format::Parquet), of(bytes, Format::Csv));
        }
        let footed =
            |data: u8, footer: u8| [data, data, footer, 1, 0, 0, 0, b'P', b'A', b'R', b'1'];
        let parquet = |data, footer| of(&footed(data, footer), Format::Parquet);
        assert_eq!(parquet(1, 1), parquet(2, 1));
        assert_ne!(parquet(1, 1), parquet(1, 2));
        let text = |data, footer| of(&footed(data, footer), Format::Csv);
        assert_ne!(text(1, 1), text(2, 1));
    }
}
