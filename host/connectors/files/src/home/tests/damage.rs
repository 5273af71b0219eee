//! Files that someone cut off or changed a bit in: a clear fault, or rows; never a panic.

use proptest::prelude::*;

use super::*;

fn small() -> RecordBatch {
    let names: ArrayRef = Arc::new(StringArray::from_iter(
        (0..200).map(|n| (n % 3 > 0).then(|| format!("name {n}"))),
    ));
    let ids: ArrayRef = Arc::new((0..200).map(Some).collect::<Int64Array>());
    let lists: ArrayRef = Arc::new(
        arrow_array::ListArray::from_iter_primitive::<Int32Type, _, _>(
            (0..200).map(|n| (n % 4 > 0).then(|| vec![Some(n), None])),
        ),
    );
    RecordBatch::try_from_iter_with_nullable([
        ("id", ids, true),
        ("name", names, true),
        ("list", lists, true),
    ])
    .unwrap()
}

fn stored(format: &str) -> Vec<u8> {
    let batch = small();
    match format {
        "parquet" => {
            let mut out = Vec::new();
            let properties = WriterProperties::builder()
                .set_max_row_group_row_count(Some(70))
                .build();
            let mut writer =
                ArrowWriter::try_new(&mut out, batch.schema(), Some(properties)).unwrap();
            writer.write(&batch).unwrap();
            writer.close().unwrap();
            out
        }
        "arrow" => {
            let mut writer =
                arrow_ipc::writer::FileWriter::try_new(Vec::new(), &batch.schema()).unwrap();
            writer.write(&batch).unwrap();
            writer.finish().unwrap();
            writer.into_inner().unwrap()
        }
        _ => {
            let mut writer =
                arrow_ipc::writer::StreamWriter::try_new(Vec::new(), &batch.schema()).unwrap();
            writer.write(&batch).unwrap();
            writer.finish().unwrap();
            writer.into_inner().unwrap()
        }
    }
}

fn read_bytes(format: &str, bytes: &[u8]) -> Result<RecordBatch> {
    let folder = tempfile::tempdir().unwrap();
    let name = format!("x.{format}");
    fs::write(folder.path().join(&name), bytes).unwrap();
    read_all(&home(folder.path(), json!({"path": name})))
}

fn fits(format: &str, outcome: Result<RecordBatch>) {
    let Err(fault) = outcome else { return };
    assert!(
        [code::SOURCE_INVALID, code::SCHEMA].contains(&fault.code.as_ref()),
        "{fault:?}"
    );
    assert!(fault.message.contains(&format!("x.{format}")), "{fault:?}");
}

#[test]
fn cut_off_files_never_pass_for_whole_ones() {
    for format in ["parquet", "arrow"] {
        let whole = stored(format);
        assert_eq!(read_bytes(format, &whole).unwrap(), small());
        for end in (0..whole.len()).step_by(37).chain([whole.len() - 1]) {
            let outcome = read_bytes(format, &whole[..end]);
            assert!(outcome.is_err(), "{format} cut at {end}");
            fits(format, outcome);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn a_changed_bit_never_panics(
        format in prop_oneof![Just("parquet"), Just("arrow"), Just("arrows")],
        at in any::<prop::sample::Index>(),
        bit in 0..8_u8,
    ) {
        let mut bytes = stored(format);
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        fits(format, read_bytes(format, &bytes));
    }
}

#[test]
fn encrypted_files_are_told_from_damaged_ones() {
    let mut bytes = stored("parquet");
    let end = bytes.len();
    bytes[end - 4..].copy_from_slice(b"PARE");
    let fault = read_bytes("parquet", &bytes).unwrap_err();
    assert_eq!(
        fault.message,
        "x.parquet: its footer is encrypted; hygge can't read encrypted Parquet"
    );
}

#[test]
fn encrypted_columns_are_told_from_damaged_ones() {
    let folder =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../tests/fixtures/parquet-testing/data");
    let name = "encrypt_columns_plaintext_footer.parquet.encrypted";
    let settings = json!({"path": name, "format": "parquet"});
    let fault = read_all(&home(&folder, settings)).unwrap_err();
    assert!(
        fault.message.contains(" is encrypted; hygge can't"),
        "{fault}"
    );
}

fn testing(name: &str) -> Result<RecordBatch> {
    let folder =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../tests/fixtures/parquet-testing/data");
    read_all(&home(&folder, json!({"path": name})))
}

#[test]
fn int96_beyond_nanoseconds_is_an_error_not_another_time() {
    let fault = testing("int96_from_spark.parquet").unwrap_err();
    assert_eq!(
        fault.message,
        "int96_from_spark.parquet: row group 0, column \"a\": an INT96 timestamp is out of the range \
         of nanoseconds, the years 1677 to 2262"
    );
    assert_eq!(fault.attribute("column"), Some("a"));
    assert_eq!(testing("alltypes_plain.parquet").unwrap().num_rows(), 8);
}

#[test]
fn a_page_that_memory_cannot_hold_is_refused_before_it_is_decompressed() {
    let fault = testing("large_string_map.brotli.parquet").unwrap_err();
    assert_eq!(fault.code, code::MEMORY);
    assert_eq!(
        fault.message,
        "large_string_map.brotli.parquet, row group 0, column \"arr.key_value.key\": a page takes 1.0 \
         GiB once decompressed, more than the 256.0 MiB of options.memory"
    );
    assert!(fault.advice.unwrap().contains("options.memory"));
}

#[test]
fn a_damaged_page_is_told_with_its_column_in_plain_words() {
    let fault = testing("rle-dict-uncompressed-corrupt-checksum.parquet").unwrap_err();
    assert_eq!(
        fault.message,
        "rle-dict-uncompressed-corrupt-checksum.parquet: row group 0, column \"long_field\": it can't \
         be decoded: Page CRC checksum mismatch"
    );
}

#[test]
fn what_headers_claim_is_held_against_the_bytes_there_are() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../tests/fixtures/claims");
    for (name, says) in [
        (
            "dictionary.parquet",
            "dictionary.parquet: row group 0, column \"c0\": no page header at byte 40: Thrift bytes \
             end too early",
        ),
        (
            "header.parquet",
            "header.parquet: row group 0, column \"a\": no page header at byte 765: Thrift bytes: \
             unknown type",
        ),
        (
            "footer.parquet",
            "footer.parquet: its footer is damaged: Thrift bytes end too early",
        ),
    ] {
        let fault = read_all(&home(&folder, json!({"path": name}))).unwrap_err();
        assert_eq!(fault.message, says, "{name}");
        assert_eq!(fault.code, code::SOURCE_INVALID);
        assert_eq!(
            fault.advice.as_deref(),
            Some("the file is damaged; write or fetch it again")
        );
    }
}

#[test]
fn a_footer_with_an_endless_list_is_refused() {
    let mut bytes = stored("parquet");
    let tail = bytes.split_off(bytes.len() - 8);
    // The end of the footer gives way to a field that no reader knows: 2^31 - 1 booleans.
    assert_eq!(bytes.pop(), Some(0));
    bytes.extend([0x09, 0xc8, 0x01, 0xf1, 0xff, 0xff, 0xff, 0xff, 0x07, 0x00]);
    let length = u32::from_le_bytes(tail[..4].try_into().unwrap()) + 9;
    bytes.extend(length.to_le_bytes());
    bytes.extend(b"PAR1");
    let fault = read_bytes("parquet", &bytes).unwrap_err();
    assert_eq!(
        fault.message,
        "x.parquet: its footer is damaged: Thrift bytes end too early"
    );
}

#[test]
fn files_too_short_for_parquet_say_so() {
    for (bytes, says) in [
        (&b""[..], "x.parquet: the file is empty"),
        (b"P", "x.parquet: not a Parquet file: it has only 1 byte"),
        (
            b"PAR1PAR1",
            "x.parquet: not a Parquet file: it has only 8 bytes",
        ),
    ] {
        assert_eq!(read_bytes("parquet", bytes).unwrap_err().message, says);
    }
}

#[test]
fn known_mistakes_of_writers_are_put_right() {
    let folder =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../tests/fixtures/parquet-testing/data");
    for (name, rows) in [
        ("repeated_no_annotation.parquet", 6),
        ("dict-page-offset-zero.parquet", 39),
        ("nested_structs.rust.parquet", 1),
        ("nation.dict-malformed.parquet", 25),
    ] {
        let batch = read_all(&home(&folder, json!({"path": name}))).unwrap();
        assert_eq!(batch.num_rows(), rows, "{name}");
    }
}

#[test]
fn a_link_that_leads_nowhere_is_missed() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    for file in ["in/a.csv", "deep/x/a.csv"] {
        fs::create_dir_all(root.join(file).parent().unwrap()).unwrap();
        fs::write(root.join(file), "n\n1\n").unwrap();
    }
    std::os::unix::fs::symlink("nowhere", root.join("in/b.csv")).unwrap();
    // What it led to may have been a folder.
    std::os::unix::fs::symlink("nowhere", root.join("deep/y")).unwrap();
    for (path, link) in [
        ("in", "in/b.csv"),
        ("in/*.csv", "in/b.csv"),
        ("deep", "deep/y"),
        ("deep/*/a.csv", "deep/y"),
        ("deep/**/*.csv", "deep/y"),
    ] {
        let missing = plan(&home(root, json!({"path": path, "format": "csv"}))).unwrap_err();
        assert_eq!(missing.code, code::SOURCE_MISSING, "{path}");
        assert_eq!(
            missing.message,
            format!("{link} is a link to something that isn't there"),
            "{path}"
        );
    }
    // One that the glob doesn't stand for is nobody's business.
    fs::rename(root.join("in/b.csv"), root.join("in/b.txt")).unwrap();
    assert_eq!(
        plan(&home(root, json!({"path": "in/*.csv"})))
            .unwrap()
            .splits
            .len(),
        1
    );
}
