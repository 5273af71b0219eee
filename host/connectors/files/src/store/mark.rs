//! hygge's mark in the files themselves: whose they are, for when nothing else is remembered.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;

use hygge_core::{EntityId, RunId};
use parquet::file::metadata::ParquetMetaDataReader;

use crate::config::Format;

const FLOW: &str = "hygge.flow";
const ENTITY: &str = "hygge.entity";
const RUN: &str = "hygge.run";
const VERSION: &str = "hygge.version";

/// A footer longer than this isn't read for its mark.
const LONGEST_FOOTER: u64 = 256 << 20;

/// The key-value metadata of files of an entity.
pub(crate) fn of(entity: &EntityId, run: &RunId) -> Vec<(String, String)> {
    [
        (FLOW, entity.flow.as_str()),
        (ENTITY, entity.entity.as_str()),
        (RUN, run.as_str()),
        (VERSION, env!("CARGO_PKG_VERSION")),
    ]
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .to_vec()
}

/// The entity and run whose mark a file carries. A file that can't be read carries none.
pub(crate) fn read(path: &Path, format: Format) -> Option<(EntityId, Option<RunId>)> {
    let metadata = match format {
        Format::Parquet => parquet(path)?,
        Format::Arrow => arrow(path)?,
        // Text has no place for it.
        Format::Csv | Format::Ndjson => return None,
    };
    let get = |key: &str| {
        let (_, value) = metadata.iter().find(|(name, _)| name == key)?;
        Some(value.clone())
    };
    let entity = EntityId::new(get(FLOW)?, get(ENTITY)?);
    Some((entity, get(RUN).as_deref().and_then(RunId::parse)))
}

fn open(path: &Path) -> Option<File> {
    let found = std::fs::symlink_metadata(path).ok()?;
    found.is_file().then(|| File::open(path).ok()).flatten()
}

fn parquet(path: &Path) -> Option<Vec<(String, String)>> {
    let metadata = ParquetMetaDataReader::new()
        .parse_and_finish(&open(path)?)
        .ok()?;
    let pairs = metadata.file_metadata().key_value_metadata()?.iter();
    Some(
        pairs
            .filter_map(|pair| Some((pair.key.clone(), pair.value.clone()?)))
            .collect(),
    )
}

/// The footer stands before its length and `ARROW1`.
fn arrow(path: &Path) -> Option<Vec<(String, String)>> {
    let mut file = open(path)?;
    let end = file.seek(SeekFrom::End(-10)).ok()?;
    let mut tail = [0; 10];
    file.read_exact(&mut tail).ok()?;
    let (length, magic) = tail.split_at(4);
    if magic != b"ARROW1" {
        return None;
    }
    let length = u64::from(u32::from_le_bytes(length.try_into().ok()?));
    if length > end.min(LONGEST_FOOTER) {
        return None;
    }
    file.seek(SeekFrom::Start(end - length)).ok()?;
    let mut footer = vec![0; usize::try_from(length).ok()?];
    file.read_exact(&mut footer).ok()?;
    let footer = arrow_ipc::root_as_footer(&footer).ok()?;
    let pairs = footer.custom_metadata()?.iter();
    Some(
        pairs
            .filter_map(|pair| Some((pair.key()?.to_owned(), pair.value()?.to_owned())))
            .collect(),
    )
}
