use std::path::Path;

use hygge_core::{BuildContext, Problem, Settings};
use serde_json::{Value, json};

use super::destination::Shape;
use super::settings::Layout;
use crate::config::Format;

fn read(fixed: Option<Format>, value: Value) -> Result<Layout, Vec<Problem>> {
    let cx = BuildContext {
        root: "/p".into(),
        work: "/p/.hygge".into(),
        entity: None,
        run: None,
    };
    Layout::read(&Settings::new(value, []), fixed, &cx)
}

#[test]
fn a_path_says_whether_it_is_a_folder() {
    let layout = read(Some(Format::Parquet), json!({"path": "data/lake/"})).unwrap();
    assert_eq!(layout.shape, Shape::Folder);
    assert_eq!(layout.path, Path::new("/p/data/lake"));
    let layout = read(None, json!({"path": "out/x.CSV.gz"})).unwrap();
    assert_eq!((layout.shape, layout.format), (Shape::File, Format::Csv));
    assert_eq!(layout.extension(), "csv.gz");
    assert!(!layout.plan().capabilities.append);
    let folder = read(Some(Format::Parquet), json!({"path": "x.parquet/"})).unwrap();
    assert_eq!(folder.shape, Shape::Folder);
    assert!(folder.plan().capabilities.upsert);
}

#[test]
fn what_does_not_go_together_is_refused() {
    let cases = [
        (None, json!({"path": "data/x"}), "/path"),
        (Some(Format::Csv), json!({"path": "~/out"}), "/path"),
        (None, json!({"path": "a/*.csv"}), "/path"),
        (Some(Format::Csv), json!({"path": "x.parquet"}), "/path"),
        (
            Some(Format::Csv),
            json!({"path": "x", "format": "parquet"}),
            "/format",
        ),
        (
            Some(Format::Csv),
            json!({"path": "x", "row_group_rows": 5}),
            "/row_group_rows",
        ),
        (
            Some(Format::Csv),
            json!({"path": "x", "compression": "snappy"}),
            "/compression",
        ),
        (
            Some(Format::Csv),
            json!({"path": "x.csv.gz", "compression": "zstd"}),
            "/compression",
        ),
        (
            Some(Format::Parquet),
            json!({"path": "x", "compression": {"codec": "zstd", "level": 23}}),
            "/compression/level",
        ),
        (
            Some(Format::Parquet),
            json!({"path": "x", "compression": {"codec": "lz4", "level": 1}}),
            "/compression/level",
        ),
        (
            Some(Format::Parquet),
            json!({"path": "x.parquet", "partition_by": ["a"]}),
            "/partition_by",
        ),
        (
            Some(Format::Parquet),
            json!({"path": "x", "partition_by": ["a", "a"]}),
            "/partition_by",
        ),
        (
            Some(Format::Parquet),
            json!({"path": "x", "delimiter": ","}),
            "/delimiter",
        ),
        (
            Some(Format::Csv),
            json!({"path": "x", "delimiter": "\""}),
            "/delimiter",
        ),
        (
            Some(Format::Csv),
            json!({"path": "x", "null_value": "a,b"}),
            "/null_value",
        ),
        (
            Some(Format::Parquet),
            json!({"path": "x", "file_size": 0}),
            "/file_size",
        ),
    ];
    for (fixed, value, pointer) in cases {
        let problems = read(fixed, value.clone()).unwrap_err();
        let pointers: Vec<_> = problems.iter().map(|p| p.pointer.as_str()).collect();
        assert_eq!(pointers, [pointer], "{value}: {problems:?}");
    }
}
