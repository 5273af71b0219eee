//! Reading only what is new: by a watermark column, and by file.

use super::*;

#[test]
fn bounds_leave_out_rows_and_whole_row_groups() {
    let folder = tempfile::tempdir().unwrap();
    let with_nulls = numbers("n", (0..100).map(|n| (n % 7 != 0).then_some(n)));
    parquet(&folder.path().join("a.parquet"), &with_nulls, 10);
    let text: String = (0..100)
        .map(|n| {
            if n % 7 == 0 {
                "\n".to_owned()
            } else {
                format!("{n}\n")
            }
        })
        .collect();
    fs::write(folder.path().join("a.csv"), format!("n\n{text}")).unwrap();
    let bounds = Bounds {
        column: "n".into(),
        kind: WatermarkType::Integer,
        low: 85,
    };
    let expected: Vec<Option<i64>> = (85..100).filter(|n| n % 7 != 0).map(Some).collect();
    for path in ["a.parquet", "a.csv"] {
        let home = home(folder.path(), json!({"path": path}));
        let request = SplitRequest {
            bounds: Some(bounds.clone()),
            ..SplitRequest::default()
        };
        let cx = Context::inline();
        let planned = block_on(home.splits(&request, &cx)).unwrap();
        let want = Want {
            bounds: Some(bounds.clone()),
            ..want(1 << 20)
        };
        let steps = steps(&home, &planned, &want, &cx).unwrap();
        if path == "a.parquet" {
            assert!(
                planned.splits[0].spec.to_string().contains("[8,10]"),
                "{}",
                planned.splits[0].spec
            );
        }
        let read: Vec<Option<i64>> = steps
            .into_iter()
            .flat_map(|(_, b, _)| values(&rows_of(b), "n"))
            .collect();
        assert_eq!(read, expected, "{path}");
        let left_out: u64 = planned
            .splits
            .iter()
            .map(|split| {
                let start = Position::start();
                let mut reader = block_on(home.open(split, &start, &want, &cx)).unwrap();
                while block_on(reader.next()).unwrap().is_some() {}
                reader.without_watermark()
            })
            .sum();
        // Row groups below the bound aren't read; their NULLs are known from the footer.
        assert_eq!(left_out, if path == "a.csv" { 15 } else { 3 }, "{path}");
        assert_eq!(left_out + planned.without_watermark, 15, "{path}");
    }
}

#[test]
fn folders_below_the_bound_are_not_read() {
    let folder = tempfile::tempdir().unwrap();
    for year in ["2011", "2012", "2013", "2014", "__HIVE_DEFAULT_PARTITION__"] {
        let path = folder.path().join(format!("in/year={year}/a.parquet"));
        parquet(&path, &numbers("n", (0..5).map(Some)), 10);
    }
    let bounds = Bounds {
        column: "year".into(),
        kind: WatermarkType::Integer,
        low: 2013,
    };
    let home = home(folder.path(), json!({"path": "in", "split_size": 1}));
    let request = SplitRequest {
        bounds: Some(bounds.clone()),
        ..SplitRequest::default()
    };
    let cx = Context::inline();
    let planned = block_on(home.splits(&request, &cx)).unwrap();
    let specs: String = planned.splits.iter().map(|s| s.spec.to_string()).collect();
    for (year, read) in [
        ("2011", false),
        ("2012", false),
        ("2013", true),
        ("2014", true),
    ] {
        assert_eq!(specs.contains(&format!("year={year}")), read, "{specs}");
    }
    assert!(!specs.contains("HIVE"), "{specs}");
    assert_eq!(planned.without_watermark, 5);
    let want = Want {
        bounds: Some(bounds),
        ..want(1 << 20)
    };
    let years: Vec<Option<i64>> = steps(&home, &planned, &want, &cx)
        .unwrap()
        .into_iter()
        .flat_map(|(_, b, _)| values(&rows_of(b), "year"))
        .collect();
    assert_eq!(years, [[Some(2013); 5], [Some(2014); 5]].concat());
}

/// What is left out for want of a value: in no split, and met by reading.
fn left_out(home: &FilesHome, bounds: &Bounds) -> (u64, u64) {
    let request = SplitRequest {
        bounds: Some(bounds.clone()),
        ..SplitRequest::default()
    };
    let cx = Context::inline();
    let planned = block_on(home.splits(&request, &cx)).unwrap();
    let want = Want {
        bounds: Some(bounds.clone()),
        ..want(1 << 20)
    };
    let read = planned.splits.iter().map(|split| {
        let mut reader = block_on(home.open(split, &Position::start(), &want, &cx)).unwrap();
        while block_on(reader.next()).unwrap().is_some() {}
        reader.without_watermark()
    });
    (planned.without_watermark, read.sum())
}

#[test]
fn rows_without_a_value_are_counted_whatever_rules_them_out() {
    let folder = tempfile::tempdir().unwrap();
    let bounds = |column: &str| Bounds {
        column: column.into(),
        kind: WatermarkType::Integer,
        low: 85,
    };
    // A row group of nothing but NULLs.
    let rows = numbers("n", (0..30).map(|n| (n >= 10).then_some(n + 80)));
    parquet(&folder.path().join("nulls.parquet"), &rows, 10);
    let nulls = home(folder.path(), json!({"path": "nulls.parquet"}));
    assert_eq!(left_out(&nulls, &bounds("n")), (10, 0));

    // A footer that doesn't say how many there are rules nothing out.
    let properties = WriterProperties::builder()
        .set_statistics_enabled(parquet::file::properties::EnabledStatistics::None)
        .build();
    let path = folder.path().join("silent.parquet");
    let file = fs::File::create(path).unwrap();
    let mut writer = ArrowWriter::try_new(file, rows.schema(), Some(properties)).unwrap();
    writer.write(&rows).unwrap();
    writer.close().unwrap();
    let silent = home(folder.path(), json!({"path": "silent.parquet"}));
    assert_eq!(left_out(&silent, &bounds("n")), (0, 10));

    // Text in a folder without a value.
    for day in ["90", "__HIVE_DEFAULT_PARTITION__"] {
        let path = folder.path().join(format!("days/day={day}/a.csv"));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "a\n1\n2\n").unwrap();
    }
    let days = home(folder.path(), json!({"path": "days", "format": "csv"}));
    assert_eq!(left_out(&days, &bounds("day")), (0, 2));
}

#[test]
fn nothing_above_the_bound_is_no_split_at_all() {
    let folder = tempfile::tempdir().unwrap();
    parquet(
        &folder.path().join("a.parquet"),
        &numbers("n", (0..100).map(Some)),
        10,
    );
    let home = home(folder.path(), json!({"path": "a.parquet"}));
    let bounds = Bounds {
        column: "n".into(),
        kind: WatermarkType::Integer,
        low: 100,
    };
    let request = SplitRequest {
        bounds: Some(bounds),
        ..SplitRequest::default()
    };
    let planned = block_on(home.splits(&request, &Context::inline())).unwrap();
    assert!(planned.splits.is_empty());
    assert_eq!(planned.schema.fields().len(), 1);
}

#[test]
fn only_new_files_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        fs::create_dir_all(folder.path().join("in")).unwrap();
        fs::write(folder.path().join("in").join(name), text).unwrap();
    };
    write("a.csv", "n\n1\n");
    let home = home(folder.path(), json!({"path": "in"}));
    let run = |memory: Option<Vec<u8>>| {
        let request = SplitRequest {
            only_new: true,
            memory,
            ..SplitRequest::default()
        };
        let cx = Context::inline();
        let planned = block_on(home.splits(&request, &cx)).unwrap();
        let read: Vec<Option<i64>> = steps(&home, &planned, &want(1 << 20), &cx)
            .unwrap()
            .into_iter()
            .flat_map(|(_, b, _)| values(&rows_of(b), "n"))
            .collect();
        (read, planned)
    };
    // The first run takes everything, and remembers it.
    let planned = plan(&home).unwrap();
    assert!(planned.memory.is_some());
    let (read, planned) = run(planned.memory);
    assert_eq!(read, []);
    write("b.csv", "n\n2\n");
    let (read, planned) = run(planned.memory);
    assert_eq!(read, [Some(2)]);
    assert_eq!(planned.position.unwrap().0["files"], 2);
    let (read, planned) = run(planned.memory);
    assert_eq!(read, []);
    assert_eq!(planned.schema.fields().len(), 1);
    write("a.csv", "n\n1\n3\n");
    let (read, planned) = run(planned.memory);
    assert_eq!(read, [Some(1), Some(3)]);
    assert_eq!(
        planned.warnings,
        ["in/a.csv changed since it was read; all its rows are read again"]
    );
    let at = |name: &str| folder.path().join("in").join(name);
    fs::rename(at("b.csv"), at("c.csv")).unwrap();
    let (read, planned) = run(planned.memory);
    assert_eq!(read, [Some(2)]);
    assert_eq!(
        planned.warnings,
        [
            "in/c.csv has the size and time of in/b.csv, which is gone; if it was only renamed, its \
          rows are read twice"
        ]
    );
}
