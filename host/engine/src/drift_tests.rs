//! What counts as a change, and what each way to meet it does.

use std::sync::Arc;

use arrow_schema::{DataType, Field, IntervalUnit, Schema};
use hygge_core::{Action, RunId};
use proptest::prelude::*;

use super::*;
use crate::met::{Met, meet};

fn schema(columns: &[(&str, DataType)]) -> SchemaRef {
    let fields = columns.iter();
    let fields: Vec<Field> = fields
        .map(|(name, kind)| Field::new(*name, kind.clone(), true))
        .collect();
    Arc::new(Schema::new(fields))
}

fn after(schema: &Schema) -> EntityState {
    EntityState {
        flow: "f".into(),
        entity: "e".into(),
        last_run: jiff::Timestamp::UNIX_EPOCH,
        run_id: RunId::new(jiff::Timestamp::UNIX_EPOCH, 0),
        status: "committed".into(),
        watermark: None,
        rows_processed: 1,
        position: None,
        location: String::new(),
        ends: None,
        action: Action::Replace,
        window: None,
        columns: columns(schema),
        columns_before: Columns::default(),
    }
}

fn was() -> SchemaRef {
    schema(&[
        ("id", DataType::Int32),
        ("name", DataType::Utf8),
        ("gone", DataType::Date32),
    ])
}

fn met(policy: OnSchemaChange, schema: &SchemaRef) -> Result<Option<(Vec<Change>, Met)>> {
    meet(policy, Some(&after(&was())), schema, false)
}

fn names(schema: &Schema) -> Vec<&str> {
    let fields = schema.fields().iter();
    fields.map(|field| field.name().as_str()).collect()
}

/// Names as files have them and nobody else.
fn map(value: DataType) -> DataType {
    let pair = vec![
        Field::new("key", DataType::Utf8, false),
        Field::new("value", value, true),
    ];
    let entries = Field::new("key_value", DataType::Struct(pair.into()), false);
    DataType::Map(Arc::new(entries), false)
}

#[test]
fn maps_and_bytes_of_a_length_are_widened() {
    let first = after(&schema(&[
        ("m", map(DataType::Int32)),
        ("b", DataType::FixedSizeBinary(2)),
        ("clash", map(DataType::Int32)),
    ]));
    let now = |clash| {
        schema(&[
            ("m", map(DataType::Int64)),
            ("b", DataType::Binary),
            ("clash", clash),
        ])
    };
    let policy = OnSchemaChange::Evolve;
    let given = now(map(DataType::Int32));
    let (changes, met) = meet(policy, Some(&first), &given, false).unwrap().unwrap();
    assert_eq!((changes.len(), met.schema), (2, None));
    // And back: what is narrower comes as wide as it was.
    let first = after(&given);
    let narrow = schema(&[
        ("m", map(DataType::Int32)),
        ("b", DataType::FixedSizeBinary(2)),
        ("clash", map(DataType::Int32)),
    ]);
    let (_, met) = meet(policy, Some(&first), &narrow, false).unwrap().unwrap();
    assert_eq!(met.schema.unwrap().fields(), given.fields());
    let clash = now(map(DataType::Utf8));
    meet(policy, Some(&first), &clash, false).unwrap_err();
}

#[test]
fn how_values_are_encoded_is_no_change() {
    let text = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    let now = schema(&[
        ("gone", DataType::Date32),
        ("id", DataType::Int32),
        ("name", text),
        (OPERATION_COLUMN, DataType::Utf8),
    ]);
    assert_eq!(met(OnSchemaChange::Fail, &now), Ok(None));
    let wide = schema(&[
        ("id", DataType::Int32),
        ("name", DataType::LargeUtf8),
        ("gone", DataType::Date32),
    ]);
    assert_eq!(met(OnSchemaChange::Fail, &wide), Ok(None));
    // A source that found nothing new.
    assert_eq!(met(OnSchemaChange::Fail, &schema(&[])), Ok(None));
}

#[test]
fn what_changed_is_told_and_met() {
    use OnSchemaChange as P;
    let now = schema(&[
        ("id", DataType::Int64),
        ("name", DataType::Utf8),
        ("new", DataType::Boolean),
    ]);
    let told = "since the last run \"id\" was int32 and is int64, \"new\" (bool) is new, \"gone\" \
                (date) is gone";
    let (changes, warned) = met(P::Warn, &now).unwrap().unwrap();
    assert_eq!(changes.len(), 3);
    assert_eq!((warned.message.as_str(), warned.warning), (told, true));
    assert_eq!(warned.schema, None);
    for policy in [P::Fail, P::Additive] {
        let fault = met(policy, &now).unwrap_err();
        let message = match policy {
            P::Additive => format!("{told}; \"id\" stops it"),
            _ => told.to_owned(),
        };
        assert_eq!((fault.message, &*fault.code), (message, code::SCHEMA));
        assert!(fault.advice.is_some());
    }
    let (_, evolved) = met(P::Evolve, &now).unwrap().unwrap();
    assert_eq!((evolved.warning, evolved.schema), (false, None));
    let (_, left) = met(P::IgnoreExtra, &now).unwrap().unwrap();
    assert_eq!(names(&left.schema.unwrap()), ["id", "name"]);
    assert!(left.message.ends_with("what is new is left out"));
    let only_new = schema(&[
        ("id", DataType::Int32),
        ("name", DataType::Utf8),
        ("gone", DataType::Date32),
        ("new", DataType::Boolean),
    ]);
    let (_, added) = met(P::Additive, &only_new).unwrap().unwrap();
    assert_eq!((added.warning, added.schema), (false, None));
}

#[test]
fn a_column_that_became_narrower_stays_as_wide_as_it_was() {
    let wide = after(&schema(&[("n", DataType::Int64), ("s", DataType::Utf8)]));
    let narrow = schema(&[("n", DataType::Int16), ("s", DataType::Utf8)]);
    let (_, met) = meet(OnSchemaChange::Evolve, Some(&wide), &narrow, false)
        .unwrap()
        .unwrap();
    let schema_of = met.schema.unwrap();
    assert_eq!(schema_of.field(0).data_type(), &DataType::Int64);
    assert_eq!(schema_of.field(1).data_type(), &DataType::Utf8);
    // No type holds all of both.
    let text = schema(&[("n", DataType::Utf8), ("s", DataType::Utf8)]);
    let fault = meet(OnSchemaChange::Evolve, Some(&wide), &text, false).unwrap_err();
    assert!(fault.message.contains("was int64 and is string"));
}

/// What the destination has from an earlier run isn't extra, and has the type it had.
#[test]
fn a_column_that_comes_back_is_what_it_was() {
    use OnSchemaChange as P;
    let without = schema(&[("id", DataType::Int32), ("name", DataType::Utf8)]);
    let first = after(&was());
    let (columns, columns_before) = remembered(&without, Some(&first), Some(&first));
    assert_eq!(columns_before.0, [("gone".to_owned(), "date".to_owned())]);
    let second = EntityState {
        columns,
        columns_before,
        ..first.clone()
    };
    // That it is gone was told.
    assert_eq!(meet(P::Fail, Some(&second), &without, false), Ok(None));
    let (changes, met) = meet(P::IgnoreExtra, Some(&second), &was(), false)
        .unwrap()
        .unwrap();
    assert_eq!(met.message, "since the last run \"gone\" (date) is back");
    assert_eq!(met.schema, None);
    assert_eq!(changes.len(), 1);
    let (columns, columns_before) = remembered(&was(), Some(&second), Some(&second));
    assert_eq!(
        (columns, columns_before.0.len()),
        (first.columns.clone(), 0)
    );
    let other = schema(&[
        ("id", DataType::Int32),
        ("name", DataType::Utf8),
        ("gone", DataType::Utf8),
    ]);
    for policy in [P::Additive, P::Evolve] {
        let fault = meet(policy, Some(&second), &other, false).unwrap_err();
        assert!(fault.message.contains("was date and is string"));
    }
    // Where all rows were replaced, nothing of it is left.
    let (_, columns_before) = remembered(&without, Some(&first), None);
    assert!(columns_before.is_empty());
}

#[test]
fn a_table_has_columns_of_its_own() {
    let now = schema(&[("ID", DataType::Int32), ("name", DataType::Utf8)]);
    let (_, met) = meet(
        OnSchemaChange::IgnoreExtra,
        Some(&after(&was())),
        &now,
        true,
    )
    .unwrap()
    .unwrap();
    assert_eq!(met.schema, None, "its Store finds what is extra");
    assert!(
        met.message
            .ends_with("what the table doesn't have is left out")
    );
}

#[test]
fn what_stops_is_told_apart() {
    let now = schema(&[
        ("id", DataType::Int64),
        ("name", DataType::Date32),
        ("new", DataType::Boolean),
    ]);
    let fault = met(OnSchemaChange::Evolve, &now).unwrap_err();
    assert!(
        fault
            .message
            .ends_with("\"gone\" (date) is gone; \"name\" stops it")
    );
    let fault = met(OnSchemaChange::Additive, &now).unwrap_err();
    assert!(fault.message.ends_with("; \"id\", \"name\" stop it"));
}

/// A struct with fewer fields than before is written with those it had.
#[tokio::test]
async fn rows_are_brought_into_wider_structs() {
    use arrow_array::{Int32Array, RecordBatch, StructArray};
    use hygge_core::Transform as _;
    let field = |name: &str| Arc::new(Field::new(name, DataType::Int32, true));
    let structs = |names: &[&str]| DataType::Struct(names.iter().map(|name| field(name)).collect());
    let wide = after(&schema(&[("st", structs(&["a", "b"]))]));
    let narrow = schema(&[("st", structs(&["b"]))]);
    let (_, met) = meet(OnSchemaChange::Evolve, Some(&wide), &narrow, false)
        .unwrap()
        .unwrap();
    let to = met.schema.unwrap();
    assert_eq!(to.field(0).data_type(), &structs(&["a", "b"]));
    let column: Arc<dyn arrow_array::Array> = Arc::new(Int32Array::from(vec![7]));
    let rows = StructArray::from(vec![(field("b"), column)]);
    let batch = RecordBatch::try_new(Arc::clone(&narrow), vec![Arc::new(rows)]).unwrap();
    let cx = Context::inline();
    let mut bound = crate::brought::Brought(Arc::clone(&to))
        .bind(&narrow, &cx)
        .await
        .unwrap();
    let out = bound.apply(batch).await.unwrap();
    assert_eq!(out[0].schema(), to);
    let rows = out[0].column(0);
    assert_eq!(rows.null_count(), 0);
}

#[test]
fn many_changes_are_not_all_said() {
    let names: Vec<String> = (0..20).map(|n| format!("c{n}")).collect();
    let many: Vec<(&str, DataType)> = names
        .iter()
        .map(|name| (name.as_str(), DataType::Int64))
        .collect();
    let (changes, met) = met(OnSchemaChange::Warn, &schema(&many)).unwrap().unwrap();
    assert_eq!(changes.len(), 23);
    assert!(met.message.ends_with("and 15 other columns changed"));
}

fn any_schema() -> impl Strategy<Value = SchemaRef> {
    let kinds = prop::sample::select(vec![
        DataType::Int8,
        DataType::Int64,
        DataType::UInt16,
        DataType::Float32,
        DataType::Utf8,
        DataType::Date32,
        DataType::Decimal128(9, 2),
    ]);
    prop::collection::btree_map("[a-e]", kinds, 0..5).prop_map(|columns| {
        let fields = columns.into_iter();
        let fields: Vec<Field> = fields
            .map(|(name, kind)| Field::new(name, kind, true))
            .collect();
        Arc::new(Schema::new(fields))
    })
}

proptest! {
    /// What is committed under a policy is, for the next run of the same rows, no change any more.
    #[test]
    fn a_change_is_told_once(was in any_schema(), now in any_schema(), policy in prop::sample::select(vec![
        OnSchemaChange::Warn, OnSchemaChange::Evolve,
    ])) {
        let before = after(&was);
        let Ok(met) = meet(policy, Some(&before), &now, false) else { return Ok(()) };
        let settled = met.and_then(|(_, met)| met.schema).unwrap_or_else(|| Arc::clone(&now));
        if !settled.fields().is_empty() {
            prop_assert_eq!(meet(OnSchemaChange::Fail, Some(&after(&settled)), &settled, false), Ok(None));
        }
        // And under `evolve` no column ever holds less than it held.
        if policy == OnSchemaChange::Evolve {
            for (name, kind) in pairs(&before.columns) {
                if let Ok(field) = settled.field_with_name(name) {
                    let wide = both(kind, field.data_type()).unwrap();
                    prop_assert_eq!(&wide, field.data_type());
                }
            }
        }
    }
}

/// What is remembered as a name is held against what comes as a type.
#[test]
fn types_that_no_setting_names_are_widened_as_well() {
    use arrow_schema::TimeUnit as U;
    for (was, is) in [
        (DataType::Null, DataType::Int64),
        (DataType::Int64, DataType::Null),
        (
            DataType::Time32(U::Millisecond),
            DataType::Time64(U::Microsecond),
        ),
        (
            DataType::Duration(U::Second),
            DataType::Duration(U::Millisecond),
        ),
    ] {
        let before = after(&schema(&[("v", was.clone())]));
        let now = schema(&[("v", is.clone())]);
        let met = meet(OnSchemaChange::Evolve, Some(&before), &now, false);
        assert!(met.is_ok(), "{was} {is}: {met:?}");
    }
}

#[test]
fn how_values_within_others_are_encoded_is_no_change() {
    let list = |item: DataType| DataType::List(Arc::new(Field::new_list_field(item, true)));
    let large = |item: DataType| DataType::LargeList(Arc::new(Field::new_list_field(item, true)));
    let before = after(&schema(&[("l", list(DataType::Utf8))]));
    let now = schema(&[("l", large(DataType::LargeUtf8))]);
    assert_eq!(changes(&before, &now), []);
}

/// Rows of nothing would take the place of what stands.
#[test]
fn something_is_left_where_what_is_new_is_left_out() {
    use OnSchemaChange::IgnoreExtra;
    let other = schema(&[
        ("id;name", DataType::Utf8),
        (OPERATION_COLUMN, DataType::Utf8),
    ]);
    let fault = met(IgnoreExtra, &other).unwrap_err();
    assert_eq!(&*fault.code, code::SCHEMA);
    assert!(fault.message.ends_with("no column is left"), "{fault}");
    // A table says itself what it has.
    assert!(meet(IgnoreExtra, Some(&after(&was())), &other, true).is_ok());
}

#[test]
fn the_columns_of_the_last_run_have_the_types_they_had() {
    let zone = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let flat = schema(&[
        ("a", DataType::Decimal128(9, 2)),
        ("at", zone),
        ("b", DataType::Utf8),
    ]);
    assert_eq!(left(&after(&flat)), Some(flat));
    // As no name says it.
    let interval = DataType::Interval(IntervalUnit::YearMonth);
    assert_eq!(left(&after(&schema(&[("i", interval)]))), None);
    assert_eq!(left(&after(&schema(&[]))), None);
}
