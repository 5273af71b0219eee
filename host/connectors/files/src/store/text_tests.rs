//! What text says of values that have no text of their own.

use std::fs;
use std::sync::Arc;

use arrow_array::{Array as _, ArrayRef, RecordBatch, TimestampMicrosecondArray};
use arrow_schema::{DataType, Field, Schema};
use futures::executor::block_on;
use hygge_core::{Action, Batch, Context, Position, SplitId, SplitRequest, Want};
use serde_json::json;

use super::tests::Project;

/// Noon of a summer's day in New York, and of a winter's.
const NOONS: [i64; 2] = [1_372_694_400_000_000, 1_357_059_600_000_000];

fn noons(zone: &str) -> ArrayRef {
    Arc::new(TimestampMicrosecondArray::from(NOONS.to_vec()).with_timezone(zone))
}

fn write(project: &mut Project, column: ArrayRef) -> String {
    let batch = RecordBatch::try_from_iter([("id", noons("UTC")), ("at", column)]).unwrap();
    let (store, cx) = (project.store(), Context::inline());
    let mut target = project.target(Action::Replace);
    target.schema = batch.schema();
    let record = block_on(async {
        target.begun = store.begin(&target, &cx).await.unwrap();
        let split = SplitId::nth(0);
        let mut writer = store.open_writer(&target, &split, 1, &cx).await.unwrap();
        writer.write(Batch::Rows(batch)).await.unwrap();
        let receipts = vec![writer.finish().await.unwrap()];
        Project::record(target, receipts)
    });
    drop(store);
    project.commit(&record).unwrap();
    let files = project.files("out");
    let texts = files.iter().map(|file| {
        let file = project.root().join("out").join(file);
        fs::read_to_string(file).unwrap_or_default()
    });
    texts.collect()
}

#[test]
fn moments_in_a_named_zone_are_written_in_utc() {
    for zone in ["America/New_York", "UTC", "Etc/UTC", "+00:00"] {
        let mut csv = Project::new(json!({"path": "out/", "format": "csv"}));
        assert_eq!(
            write(&mut csv, noons(zone)),
            "id,at\n2013-07-01T16:00:00Z,2013-07-01T16:00:00Z\n\
             2013-01-01T17:00:00Z,2013-01-01T17:00:00Z\n"
        );
        let mut ndjson = Project::new(json!({"path": "out/", "format": "ndjson"}));
        assert_eq!(
            write(&mut ndjson, noons(zone)).lines().next().unwrap(),
            "{\"id\":\"2013-07-01T16:00:00Z\",\"at\":\"2013-07-01T16:00:00Z\"}"
        );
    }
    let mut offset = Project::new(json!({"path": "out/", "format": "csv"}));
    let text = write(&mut offset, noons("-05:00"));
    assert!(text.contains(",2013-07-01T11:00:00-05:00\n"), "{text}");
}

#[test]
fn hygge_reads_the_same_moments_back() {
    let mut project = Project::new(json!({"path": "out/", "format": "csv"}));
    write(&mut project, noons("America/New_York"));
    let (home, cx) = (project.store().read_back().unwrap(), Context::inline());
    let rows = block_on(async {
        let plan = home.splits(&SplitRequest::default(), &cx).await.unwrap();
        let want = Want {
            batch_bytes: 1 << 20,
            encoded: None,
            bounds: None,
        };
        let start = Position::start();
        let mut reader = home
            .open(&plan.splits[0], &start, &want, &cx)
            .await
            .unwrap();
        reader.next().await.unwrap().unwrap().batch
    });
    let Batch::Rows(rows) = rows else {
        panic!("encoded");
    };
    let at = rows.column_by_name("at").unwrap();
    assert!(matches!(at.data_type(), DataType::Timestamp(_, Some(_))));
    let at = at.as_any().downcast_ref::<TimestampMicrosecondArray>();
    assert_eq!(at.unwrap().values().to_vec(), NOONS);
}

#[test]
fn a_named_zone_partitions_by_its_moments() {
    let settings = json!({"path": "out/", "format": "parquet", "partition_by": ["at"]});
    let mut project = Project::new(settings);
    write(&mut project, noons("America/New_York"));
    let files = project.files("out");
    let folder = files[0].parent().unwrap().display().to_string();
    assert_eq!(folder, "at=2013-01-01T17%3A00%3A00Z");
}

#[test]
fn files_without_quotes_are_read_back_without() {
    let mut project = Project::new(json!({"path": "out/", "format": "csv", "quote": "none"}));
    let said: ArrayRef = Arc::new(arrow_array::StringArray::from(vec!["\"hi\"", "it's 3\""]));
    assert!(write(&mut project, said).contains(",it's 3\"\n"));
    let (home, cx) = (project.store().read_back().unwrap(), Context::inline());
    let plan = block_on(home.splits(&SplitRequest::default(), &cx)).unwrap();
    assert_eq!(plan.schema.field(1).data_type(), &DataType::Utf8);
}

#[test]
fn types_without_a_form_are_named_as_people_write_them() {
    let list = DataType::new_list(DataType::Int64, true);
    let schema = Arc::new(Schema::new(vec![Field::new("l", list, true)]));
    for (settings, what) in [
        (
            json!({"path": "out/", "format": "csv"}),
            "CSV has no form for",
        ),
        (
            json!({"path": "out/", "format": "parquet", "partition_by": ["l"]}),
            "can't name a folder",
        ),
    ] {
        let refused = Project::new(settings).store().fits(&schema).unwrap_err();
        let expected = format!("column \"l\" is list<int64>, which {what}");
        assert_eq!(refused.message, expected);
    }
}

/// What a type or a dictionary says is NULL is none the less so, and not an empty text.
#[test]
fn every_null_is_null_in_csv() {
    let nothing: ArrayRef = Arc::new(arrow_array::NullArray::new(2));
    let values = arrow_array::StringArray::from(vec![None, Some("x")]);
    let keys = arrow_array::Int32Array::from(vec![0, 1]);
    let named = arrow_array::DictionaryArray::new(keys, Arc::new(values));
    for (column, second) in [(nothing, ""), (Arc::new(named) as ArrayRef, "x")] {
        let mut csv = Project::new(json!({"path": "out/", "format": "csv"}));
        let text = write(&mut csv, column);
        let moments = ["2013-07-01T16:00:00Z", "2013-01-01T17:00:00Z"];
        assert_eq!(
            text,
            format!("id,at\n{},\n{},{second}\n", moments[0], moments[1])
        );
    }
}
