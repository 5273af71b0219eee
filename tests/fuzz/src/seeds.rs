//! What each target begins with: small texts, and what other tests use.

use std::fs;
use std::path::{Path, PathBuf};

use arrow_ipc::writer::{FileWriter, StreamWriter};

use crate::guest_rows;

/// Inputs by name.
pub(crate) type Seeds = Vec<(String, Vec<u8>)>;

/// A longer seed would be changed where it doesn't matter, most of the time.
const LONGEST: usize = 20_000;

pub(crate) fn write(folder: &Path, seeds: Seeds) {
    fs::create_dir_all(folder).expect("a folder for seeds");
    for (name, bytes) in seeds {
        fs::write(folder.join(name), bytes).expect("room for seeds");
    }
}

fn texts(texts: &[(&str, &str)]) -> Seeds {
    let seed = |(name, text): &(&str, &str)| ((*name).to_owned(), text.as_bytes().to_vec());
    texts.iter().map(seed).collect()
}

pub(crate) fn csv() -> Seeds {
    texts(&[
        ("plain", "a,b,c\n1,2.50,x\n-7,,\"y \"\"z\"\"\n"),
        (
            "types",
            "d,t,b,n\r\n2024-02-29,2024-02-29T12:30:00.123456Z,true,007\r\n,,false,1e3\r\n",
        ),
        ("broken", "a,b\n\"1\n2,\"x\n\n3,4,5\n"),
        ("marks", "\u{feff}ä;ß\n1;€\n"),
    ])
}

pub(crate) fn ndjson() -> Seeds {
    texts(&[
        (
            "plain",
            "{\"a\":1,\"b\":\"x\"}\n{\"a\":null,\"c\":[1,2.5]}\n",
        ),
        (
            "nested",
            "{\"a\":{\"b\":[{\"c\":true},{\"d\":\"2024-01-01\"}]}}\n\n{\"a\":{}}\n",
        ),
        (
            "numbers",
            "{\"n\":12345678901234567890,\"m\":-0.0,\"e\":1e308}\n{\"n\":1}\n",
        ),
    ])
}

pub(crate) fn arrow() -> Seeds {
    let batch = guest_rows::batch();
    let schema = batch.schema();
    let mut file = FileWriter::try_new(Vec::new(), &schema).expect("a file");
    file.write(&batch).expect("rows");
    let mut stream = StreamWriter::try_new(Vec::new(), &schema).expect("a stream");
    stream.write(&batch).expect("rows");
    vec![
        ("file".into(), file.into_inner().expect("a file")),
        ("stream".into(), stream.into_inner().expect("a stream")),
    ]
}

pub(crate) fn parquet() -> Seeds {
    let all = parquet_files();
    all.filter(|(_, bytes)| bytes.len() < LONGEST).collect()
}

pub(crate) fn parquet_footers() -> Seeds {
    let footer = |(name, mut bytes): (String, Vec<u8>)| {
        let tail = bytes.split_off(bytes.len().checked_sub(8)?);
        let length = u32::from_le_bytes([tail[0], tail[1], tail[2], tail[3]]) as usize;
        let footer = bytes.split_off(bytes.len().checked_sub(length)?);
        (tail.ends_with(b"PAR1") && footer.len() < LONGEST).then_some((name, footer))
    };
    parquet_files().filter_map(footer).collect()
}

/// All behind the magic number: pages come first.
pub(crate) fn parquet_pages() -> Seeds {
    let pages = |(name, bytes): (String, Vec<u8>)| Some((name, bytes.get(4..)?.to_vec()));
    let all = parquet_files().filter_map(pages);
    all.filter(|(_, pages)| pages.len() < LONGEST).collect()
}

fn parquet_files() -> impl Iterator<Item = (String, Vec<u8>)> {
    files(tests().join("fixtures"), "parquet")
}

/// The sealed guest, and one that says nothing but its kind.
pub(crate) fn components() -> Seeds {
    let golden = files(tests().join("guests/golden"), "wasm");
    let mut seeds: Seeds = golden.collect();
    seeds.push(("empty".into(), b"\0asm\x0d\0\x01\0".to_vec()));
    seeds
}

fn tests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Files with that ending below a folder.
fn files(folder: PathBuf, ending: &str) -> impl Iterator<Item = (String, Vec<u8>)> + use<> {
    let mut found = Vec::new();
    let mut folders = vec![folder];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder of fixtures") {
            let path = entry.expect("a fixture").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|it| it == ending) {
                let name = path.file_stem().unwrap_or_default().to_string_lossy();
                found.push((name.into_owned(), path));
            }
        }
    }
    found
        .into_iter()
        .map(|(name, path)| (name, fs::read(path).expect("a fixture")))
}
