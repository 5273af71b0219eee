//! Every file of Apache's parquet-testing is copied, or refused with a reason.

#![expect(clippy::unwrap_used, reason = "the helpers of tests too")]

use std::path::{Path, PathBuf};

use arrow_array::RecordBatch;
use bytes::Bytes;
use hygge_files::parquet::{
    CheckedRowGroup, Error, Input, Layout, ParquetWriter, Result, SourceFile, Verify, Want,
    can_copy, check_row_group,
};
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};
use parquet::bloom_filter::Sbbf;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};
use parquet::file::reader::{FileReader, SerializedFileReader};

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../tests/fixtures/parquet-testing")
        .join(name)
}

/// Parquet files in a folder, by name.
fn files(name: &str) -> Vec<PathBuf> {
    let parquet = |path: &PathBuf| {
        path.to_string_lossy().contains(".parquet")
            && path
                .extension()
                .is_some_and(|extension| extension != "json")
    };
    let entries = std::fs::read_dir(folder(name))
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut found: Vec<PathBuf> = entries.filter(parquet).collect();
    found.sort();
    assert!(!found.is_empty());
    found
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}

fn check_all(source: &SourceFile, verify: Verify) -> Result<Vec<CheckedRowGroup>> {
    (0..source.metadata().num_row_groups())
        .map(|at| check_row_group(source, at, verify))
        .collect()
}

/// All row groups of a source, as a file in memory.
fn copy(source: &SourceFile, verify: Verify) -> Result<Bytes> {
    can_copy(
        source,
        0..usize::MAX,
        &Want {
            tiny_rows: 0,
            ..Want::default()
        },
    )
    .map_err(|why| Error::Refused(why.to_string()))?;
    let groups = check_all(source, verify)?;
    let mut writer = ParquetWriter::create(Vec::new(), Layout::of_source(source), Vec::new())?;
    for group in groups {
        writer.append_checked(group)?;
    }
    Ok(writer.finish()?.0.into())
}

/// All rows, as arrow-rs reads them with the page indexes that the file has.
fn rows(bytes: &Bytes) -> std::result::Result<Vec<RecordBatch>, String> {
    let reader = ArrowReaderMetadata::try_new(metadata(bytes).into(), ArrowReaderOptions::new())
        .and_then(|metadata| {
            ParquetRecordBatchReaderBuilder::new_with_metadata(bytes.clone(), metadata)
                .with_batch_size(1 << 20)
                .build()
        })
        .map_err(|error| error.to_string())?;
    reader
        .collect::<std::result::Result<_, _>>()
        .map_err(|error| error.to_string())
}

/// All rows as text, as the parquet crate's row reader reads them.
fn plain_rows(bytes: &Bytes) -> std::result::Result<Vec<String>, String> {
    let reader = SerializedFileReader::new(bytes.clone()).map_err(|error| error.to_string())?;
    let rows = reader
        .get_row_iter(None)
        .map_err(|error| error.to_string())?;
    rows.map(|row| {
        row.map(|row| row.to_string())
            .map_err(|error| error.to_string())
    })
    .collect()
}

/// The footer with its page indexes, by the one way that can open every file.
fn metadata(bytes: &Bytes) -> ParquetMetaData {
    let source = SourceFile::new("bytes", Input::from_bytes(bytes.clone())).unwrap();
    let mut reader = ParquetMetaDataReader::new_with_metadata(source.metadata().as_ref().clone())
        .with_page_index_policy(PageIndexPolicy::Optional);
    reader.read_page_indexes(bytes).unwrap();
    reader.finish().unwrap()
}

/// Files of `data/` that a copy must refuse, and a part of what it says.
const BAD: &[(&str, &str)] = &[
    ("datapage_v1-corrupt-checksum.parquet", "checksum"),
    ("rle-dict-uncompressed-corrupt-checksum.parquet", "checksum"),
];

/// A map whose keys take more than 2 GiB: copied, but too much for arrow-rs to hold in a batch.
const TOO_BIG: &str = "large_string_map.brotli.parquet";

/// Written before PARQUET-816 was fixed: arrow-rs can't read it, but can read its copy.
const MENDED: &str = "nation.dict-malformed.parquet";

/// Parquet files of `data/` and `data/geospatial/` that promise to be good.
fn good_files() -> Vec<PathBuf> {
    let bad = |file: &str| file.ends_with(".encrypted") || BAD.iter().any(|(bad, _)| *bad == file);
    files("data")
        .into_iter()
        .chain(files("data/geospatial"))
        .filter(|path| !bad(&name(path)))
        .collect()
}

#[test]
fn good_files_are_the_same_after_a_copy() {
    let mut compared = 0;
    for path in good_files() {
        let file = name(&path);
        let before = Bytes::from(std::fs::read(&path).unwrap());
        let source = SourceFile::open(&path).unwrap_or_else(|error| panic!("{file}: {error}"));
        let after = copy(&source, Verify::Pages).unwrap_or_else(|error| panic!("{file}: {error}"));
        let (old, new) = (metadata(&before), metadata(&after));
        assert_eq!(
            old.file_metadata().schema_descr(),
            new.file_metadata().schema_descr(),
            "{file}"
        );
        assert_eq!(
            old.file_metadata().column_orders(),
            new.file_metadata().column_orders(),
            "{file}"
        );
        assert_eq!(old.num_row_groups(), new.num_row_groups(), "{file}");
        if file == TOO_BIG {
            continue;
        }
        match rows(&before) {
            // Its footer says too short a length, which a copy corrects.
            _ if file == MENDED => assert_eq!(rows(&after).unwrap()[0].num_rows(), 25),
            Ok(expected) => {
                assert_eq!(Ok(&expected), rows(&after).as_ref(), "{file}");
                compared += 1;
            }
            // Nothing arrow-rs reads: the row reader must find the same, or fail the same.
            Err(error) => {
                assert_eq!(plain_rows(&before), plain_rows(&after), "{file}: {error}");
            }
        }
    }
    assert!(compared > 60, "only {compared} files were compared");
}

#[test]
fn a_copy_of_a_copy_is_the_copy() {
    for path in good_files() {
        let first = copy(&SourceFile::open(&path).unwrap(), Verify::Pages).unwrap();
        let again = SourceFile::new("copy", Input::from_bytes(first.clone())).unwrap();
        assert_eq!(
            copy(&again, Verify::Pages).unwrap(),
            first,
            "{}",
            name(&path)
        );
    }
}

#[test]
fn bad_checksums_are_found_and_named() {
    for (file, says) in BAD {
        let source = SourceFile::open(&folder("data").join(file)).unwrap();
        let error = copy(&source, Verify::Pages).unwrap_err().to_string();
        assert!(
            error.contains(says) && error.contains(file) && error.contains("column"),
            "{error}"
        );
    }
}

#[test]
fn encrypted_files_are_refused() {
    for path in files("data").into_iter().chain(files("data/aes256")) {
        if !name(&path).ends_with(".encrypted") {
            continue;
        }
        let error = match SourceFile::open(&path) {
            Err(error) => error.to_string(),
            Ok(source) => can_copy(&source, 0..usize::MAX, &Want::default())
                .unwrap_err()
                .to_string(),
        };
        assert!(error.contains("encrypted"), "{}: {error}", name(&path));
    }
}

#[test]
fn broken_files_do_not_pass_verification() {
    for path in files("bad_data") {
        let file = name(&path);
        match SourceFile::open(&path).and_then(|source| copy(&source, Verify::Decode)) {
            Err(error) => assert!(error.to_string().contains(&file), "{error}"),
            // Dictionary indices 0 bits wide: an old Arrow C++ stumbled over it, it is no mistake.
            Ok(_) => assert_eq!(file, "ARROW-GH-43605.parquet"),
        }
    }
}

#[test]
fn copies_of_good_files_pass_verification() {
    for path in good_files() {
        if name(&path) == TOO_BIG {
            continue;
        }
        let source = SourceFile::open(&path).unwrap();
        let copied = copy(&source, Verify::Pages).unwrap();
        let source = SourceFile::new(source.name(), Input::from_bytes(copied)).unwrap();
        let verified = check_all(&source, Verify::Decode);
        assert!(verified.is_ok(), "{}", verified.unwrap_err());
    }
}

#[test]
fn indexes_filters_and_notes_are_carried() {
    let open = |file: &str| {
        let before = Bytes::from(std::fs::read(folder("data").join(file)).unwrap());
        let source = SourceFile::new(file, Input::from_bytes(before.clone())).unwrap();
        let after = copy(&source, Verify::Pages).unwrap();
        (before, after)
    };

    let (before, after) = open("alltypes_tiny_pages.parquet");
    let (old, new) = (metadata(&before), metadata(&after));
    let (old, new) = (old.page_index().unwrap(), new.page_index().unwrap());
    for column in 0..13 {
        assert_eq!(old.column_index(0, column), new.column_index(0, column));
        let pages = |index: &dyn parquet::file::metadata::page_index::PageIndexProvider| {
            let pages = index.page_locations(0, column).unwrap();
            pages
                .iter()
                .map(|page| (page.compressed_page_size, page.first_row_index))
                .collect::<Vec<_>>()
        };
        assert_eq!(pages(old.as_ref()), pages(new.as_ref()));
    }

    for file in [
        "data_index_bloom_encoding_stats.parquet",
        "data_index_bloom_encoding_with_length.parquet",
    ] {
        let (_, after) = open(file);
        let new = metadata(&after);
        let filter = Sbbf::read_from_column_chunk(new.row_group(0).column(0), &after)
            .unwrap()
            .unwrap();
        assert!(filter.check(&"Hello"), "{file}");
        assert!(!filter.check(&"Hello_Not_Exists"), "{file}");
        assert!(new.page_index().unwrap().is_complete());
    }

    let (before, after) = open("sort_columns.parquet");
    let sorting = |bytes| {
        metadata(bytes)
            .row_groups()
            .iter()
            .map(|g| g.sorting_columns().cloned())
            .collect::<Vec<_>>()
    };
    assert!(sorting(&before)[0].is_some());
    assert_eq!(sorting(&before), sorting(&after));

    let (_, after) = open("column_chunk_key_value_metadata.parquet");
    let text = String::from_utf8_lossy(&after).into_owned();
    assert!(
        text.contains("thisiskeywithoutvalue"),
        "key values of column chunks"
    );

    // Float bounds keep their own order, and what the writer said of NaN.
    let (before, after) = open("floating_orders_nan_count.parquet");
    let (old, new) = (metadata(&before), metadata(&after));
    let mut kept = 0;
    for (old, new) in old.row_groups().iter().zip(new.row_groups()) {
        for (old, new) in old.columns().iter().zip(new.columns()) {
            if new
                .statistics()
                .is_some_and(|bounds| bounds.min_bytes_opt().is_some())
            {
                // As text: a bound that is NaN doesn't equal itself.
                assert_eq!(
                    format!("{:?}", old.statistics()),
                    format!("{:?}", new.statistics())
                );
                kept += 1;
            }
        }
    }
    assert!(kept > 20, "{kept}");
}

#[test]
fn bounds_that_are_not_numbers_are_left_out() {
    let source = SourceFile::open(&folder("data").join("nan_in_stats.parquet")).unwrap();
    let group = check_row_group(&source, 0, Verify::Pages).unwrap();
    let mut writer =
        ParquetWriter::create(Vec::new(), Layout::of_source(&source), Vec::new()).unwrap();
    let left_out = writer.append_checked(group).unwrap();
    assert_eq!(left_out.len(), 1);
    let after = Bytes::from(writer.finish().unwrap().0);
    let new = metadata(&after);
    let bounds = new.row_group(0).column(0).statistics();
    assert!(
        bounds.is_none_or(
            |bounds| bounds.min_bytes_opt().is_none() && bounds.max_bytes_opt().is_none()
        )
    );
}
