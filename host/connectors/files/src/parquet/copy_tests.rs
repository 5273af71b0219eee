use std::sync::Arc;

use arrow_array::{ArrayRef, BinaryArray, RecordBatch};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::{EnabledStatistics, WriterProperties};

use super::*;
use crate::parquet::Input;

/// A file with one binary column, as it comes out when its writer calls itself `created_by` and
/// puts deprecated bounds into its only page header.
fn with_bounds_in_pages(created_by: &str) -> SourceFile {
    let values: ArrayRef = Arc::new(BinaryArray::from_vec(vec![b"a", b"b"]));
    let batch = RecordBatch::try_from_iter([("b", values)]).unwrap();
    let properties = WriterProperties::builder()
        .set_created_by(created_by.to_owned())
        .set_compression(Compression::UNCOMPRESSED)
        .set_dictionary_enabled(false)
        .set_statistics_enabled(EnabledStatistics::None)
        .set_offset_index_disabled(true)
        .build();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    let bytes = writer.into_inner().unwrap();

    let footer = bytes.len()
        - 8
        - usize::try_from(u32::from_le_bytes(
            bytes[bytes.len() - 8..bytes.len() - 4].try_into().unwrap(),
        ))
        .unwrap();
    let source = SourceFile::new("x", Input::from_bytes(bytes.clone().into())).unwrap();
    let (start, length) = source.metadata().row_group(0).column(0).byte_range();
    let (start, length) = (
        usize::try_from(start).unwrap(),
        usize::try_from(length).unwrap(),
    );
    let mut reader = super::super::thrift::Reader::new(&bytes[start..start + length]);
    let mut header = Struct::parse(&mut reader).unwrap();
    let body = &bytes[start + reader.position()..start + length];
    let mut data = header.structure(5).unwrap().unwrap().into_owned();
    let mut bounds = Struct::default();
    // A maximum below the minimum.
    for (id, bound) in [(1, b"\x01a"), (2, b"\x01b")] {
        bounds.set(id, Kind::Binary, Cow::Owned(bound.to_vec()));
    }
    data.set(5, Kind::Struct, Cow::Owned(bounds.to_bytes()));
    header.set(5, Kind::Struct, Cow::Owned(data.to_bytes()));
    let header = header.to_bytes();

    let mut file = bytes[..start].to_vec();
    file.extend_from_slice(&header);
    file.extend_from_slice(body);
    // Only the chunk's length changes.
    let grown = (header.len() + body.len() - length) as u64;
    let mut whole = Struct::from_bytes(&bytes[footer..bytes.len() - 8]).unwrap();
    let group = whole.list(4).unwrap().unwrap()[0].to_vec();
    let mut group = Struct::from_bytes(&group).unwrap();
    let chunk = group.list(1).unwrap().unwrap()[0].to_vec();
    let mut chunk = Struct::from_bytes(&chunk).unwrap();
    let mut meta = chunk.structure(3).unwrap().unwrap().into_owned();
    for id in [meta::COMPRESSED_SIZE, meta::UNCOMPRESSED_SIZE] {
        let said = meta.int(id).unwrap();
        meta.set_int(id, Kind::I64, said.saturating_add_unsigned(grown));
    }
    let one = |of: &Struct<'_>| {
        let mut list = Vec::new();
        super::super::thrift::write_list(&mut list, 1, Kind::Struct);
        of.write(&mut list);
        Cow::Owned(list)
    };
    chunk.set(3, Kind::Struct, Cow::Owned(meta.to_bytes()));
    group.set(1, Kind::List, one(&chunk));
    whole.set(4, Kind::List, one(&group));
    let footer = whole.to_bytes();
    file.extend_from_slice(&footer);
    file.extend_from_slice(&u32::try_from(footer.len()).unwrap().to_le_bytes());
    file.extend_from_slice(b"PAR1");
    SourceFile::new("x", Input::from_bytes(file.into())).unwrap()
}

#[test]
fn wrong_bounds_in_page_headers_are_not_copied() {
    let wrong = with_bounds_in_pages("parquet-mr version 1.7.0");
    let error = check_row_group(&wrong, 0, Verify::Decode).unwrap_err();
    let says = error.to_string();
    assert!(
        matches!(error, Error::Column { .. }) && says.contains("PARQUET-251"),
        "{says}"
    );
    let right = with_bounds_in_pages("parquet-mr version 1.8.0");
    check_row_group(&right, 0, Verify::Decode).unwrap();
}
