//! Stored row groups through the writer: copied, encoded anew, joined.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ::parquet::arrow::ArrowWriter;
use ::parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use ::parquet::basic::{Compression, GzipLevel};
use ::parquet::file::properties::WriterProperties;
use futures::executor::block_on;
use hygge_core::{Action, Batch, Context, SplitId};
use serde_json::{Value, json};

use super::tests::{Project, batch, ids, schema};
use crate::parquet::{RowGroup, Source};

fn source(path: &Path, groups: &[&[i64]], codec: Compression) -> Arc<Source> {
    let properties = WriterProperties::builder().set_compression(codec).build();
    let file = File::create(path).unwrap();
    let mut writer = ArrowWriter::try_new(file, schema(), Some(properties)).unwrap();
    for group in groups {
        writer.write(&batch(group)).unwrap();
        writer.flush().unwrap();
    }
    writer.close().unwrap();
    let file = File::open(path).unwrap();
    let footer = ArrowReaderMetadata::load(&file, ArrowReaderOptions::new()).unwrap();
    Arc::new(Source {
        path: path.to_owned(),
        file,
        metadata: Arc::clone(footer.metadata()),
        schema: Arc::clone(footer.schema()),
    })
}

/// Moves every row group of some files, and gives what was written.
fn moved(settings: Value, sources: &[Arc<Source>]) -> (Project, Vec<PathBuf>, Vec<Compression>) {
    let mut project = Project::new(settings);
    let store = project.store();
    let cx = Context::inline();
    let mut target = project.target(Action::Replace);
    let receipts = block_on(async {
        target.begun = store.begin(&target, &cx).await.unwrap();
        let split = SplitId::nth(0);
        let mut writer = store.open_writer(&target, &split, 1, &cx).await.unwrap();
        for source in sources {
            for index in 0..source.metadata.num_row_groups() {
                let group = RowGroup {
                    source: Arc::clone(source),
                    index,
                };
                writer.write(Batch::Encoded(Arc::new(group))).await.unwrap();
            }
        }
        let receipts = vec![writer.finish().await.unwrap()];
        store.prepare(&target, receipts, &cx).await.unwrap()
    });
    let record = Project::record(target, receipts);
    project.commit(&record).unwrap();
    let files: Vec<PathBuf> = if project.root().join("out").is_dir() {
        let found = project.files("out").into_iter();
        found
            .map(|file| project.root().join("out").join(file))
            .collect()
    } else {
        vec![project.root().join("out.parquet")]
    };
    let codecs = files
        .iter()
        .flat_map(|file| {
            let file = File::open(file).unwrap();
            let footer = ArrowReaderMetadata::load(&file, ArrowReaderOptions::new()).unwrap();
            let groups = footer.metadata().row_groups().to_vec();
            groups
                .into_iter()
                .map(|group| group.column(0).compression())
        })
        .collect();
    (project, files, codecs)
}

fn gzip() -> Compression {
    Compression::GZIP(GzipLevel::default())
}

#[test]
fn row_groups_are_copied_or_encoded_anew_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let large: Vec<i64> = (10..20_000).collect();
    let path = folder.path().join("a.parquet");
    let a = source(&path, &[&large, &large], Compression::SNAPPY);
    let both: Vec<i64> = large.iter().chain(&large).copied().collect();
    let cases = [
        (json!({}), Compression::SNAPPY, 2),
        (json!({"verify": true}), Compression::SNAPPY, 2),
        (json!({"compression": "snappy"}), Compression::SNAPPY, 2),
        (json!({"compression": "gzip"}), gzip(), 1),
        (json!({"rewrite": true}), Compression::SNAPPY, 1),
        (
            json!({"rewrite": true, "row_group_rows": 10_000}),
            Compression::SNAPPY,
            4,
        ),
    ];
    for (mut settings, codec, groups) in cases {
        settings["path"] = json!("out/");
        settings["format"] = json!("parquet");
        let (project, _, codecs) = moved(settings.clone(), &[Arc::clone(&a)]);
        assert_eq!(ids(&project.root().join("out")), both, "{settings}");
        assert_eq!(codecs.len(), groups, "{settings}");
        let same = |codec: &Compression| std::mem::discriminant(codec);
        assert!(codecs.iter().all(|c| same(c) == same(&codec)), "{codecs:?}");
    }
}

#[test]
fn tiny_row_groups_of_many_files_become_one() {
    let folder = tempfile::tempdir().unwrap();
    let sources: Vec<_> = (0..10)
        .map(|at| {
            let path = folder.path().join(format!("{at}.parquet"));
            source(&path, &[&[at, at + 1], &[at + 2]], Compression::SNAPPY)
        })
        .collect();
    let (project, _, codecs) = moved(json!({"path": "out", "format": "parquet"}), &sources);
    let expected: Vec<i64> = (0..10).flat_map(|at| [at, at + 1, at + 2]).collect();
    assert_eq!(ids(&project.root().join("out")), expected);
    assert_eq!(codecs.len(), 1, "{codecs:?}");
}

#[test]
fn a_single_file_joins_what_cannot_stand_together() {
    let folder = tempfile::tempdir().unwrap();
    let large: Vec<i64> = (0..20_000).collect();
    let a = source(&folder.path().join("a"), &[&large], Compression::SNAPPY);
    // The same Arrow schema in other Parquet types: the column is required there.
    let path = folder.path().join("b");
    let descriptor = "message schema { OPTIONAL INT64 id; OPTIONAL BYTE_ARRAY name (STRING); }";
    let parsed = ::parquet::schema::parser::parse_message_type(descriptor).unwrap();
    let fields = parsed.get_fields().iter().enumerate().map(|(at, field)| {
        let builder = ::parquet::schema::types::Type::primitive_type_builder(
            field.name(),
            field.get_physical_type(),
        )
        .with_repetition(field.get_basic_info().repetition())
        .with_logical_type(field.get_basic_info().logical_type_ref().cloned())
        .with_converted_type(field.get_basic_info().converted_type())
        .with_id(Some(i32::try_from(at).unwrap() + 1));
        Arc::new(builder.build().unwrap())
    });
    let root = ::parquet::schema::types::Type::group_type_builder("schema")
        .with_fields(fields.collect())
        .build()
        .unwrap();
    let options = ::parquet::arrow::arrow_writer::ArrowWriterOptions::new().with_parquet_schema(
        ::parquet::schema::types::SchemaDescriptor::new(Arc::new(root)),
    );
    let file = File::create(&path).unwrap();
    let mut writer = ArrowWriter::try_new_with_options(file, schema(), options).unwrap();
    writer.write(&batch(&large)).unwrap();
    writer.close().unwrap();
    let file = File::open(&path).unwrap();
    let footer = ArrowReaderMetadata::load(&file, ArrowReaderOptions::new()).unwrap();
    let b = Arc::new(Source {
        path,
        file,
        metadata: Arc::clone(footer.metadata()),
        schema: schema(),
    });
    let both: Vec<i64> = large.iter().chain(&large).copied().collect();
    let sources = [a, b];
    let (project, files, _) = moved(json!({"path": "out/", "format": "parquet"}), &sources);
    assert_eq!(files.len(), 2);
    assert_eq!(ids(&project.root().join("out")), both);
    let (_project, files, codecs) = moved(json!({"path": "out.parquet"}), &sources);
    assert_eq!((files.len(), codecs.len()), (1, 1));
    assert_eq!(super::tests::parquet_ids(&files[0]), both);
}

#[test]
fn a_source_that_changes_meanwhile_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    let source = source(&path, &[&[1, 2, 3]], Compression::SNAPPY);
    let mut project = Project::new(json!({"path": "out", "format": "parquet"}));
    let (store, cx) = (project.store(), Context::inline());
    let mut target = project.target(Action::Replace);
    let fault = block_on(async {
        target.begun = store.begin(&target, &cx).await.unwrap();
        let split = SplitId::nth(0);
        let mut writer = store.open_writer(&target, &split, 1, &cx).await.unwrap();
        let group = RowGroup { source, index: 0 };
        writer.write(Batch::Encoded(Arc::new(group))).await.unwrap();
        let file = File::options().append(true).open(&path).unwrap();
        std::io::Write::write_all(&mut &file, b"x").unwrap();
        writer.finish().await.unwrap_err()
    });
    assert_eq!(fault.code, hygge_core::code::SOURCE_CHANGED);
}
