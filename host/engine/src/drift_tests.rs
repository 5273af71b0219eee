//! What counts as a change, and what each way to meet it does.

use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema};
use hygge_core::{Action, RunId};
use proptest::prelude::*;

use super::*;

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
    meet(policy, Some(&after(&was())), schema)
}

fn names(schema: &Schema) -> Vec<&str> {
    let fields = schema.fields().iter();
    fields.map(|field| field.name().as_str()).collect()
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
        assert_eq!((fault.message.as_str(), &*fault.code), (told, code::SCHEMA));
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
    let (_, met) = meet(OnSchemaChange::Evolve, Some(&wide), &narrow)
        .unwrap()
        .unwrap();
    let schema_of = met.schema.unwrap();
    assert_eq!(schema_of.field(0).data_type(), &DataType::Int64);
    assert_eq!(schema_of.field(1).data_type(), &DataType::Utf8);
    // No type holds all of both.
    let text = schema(&[("n", DataType::Utf8), ("s", DataType::Utf8)]);
    let fault = meet(OnSchemaChange::Evolve, Some(&wide), &text).unwrap_err();
    assert!(fault.message.contains("was int64 and is string"));
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
        let Ok(met) = meet(policy, Some(&before), &now) else { return Ok(()) };
        let settled = met.and_then(|(_, met)| met.schema).unwrap_or_else(|| Arc::clone(&now));
        if !settled.fields().is_empty() {
            prop_assert_eq!(meet(OnSchemaChange::Fail, Some(&after(&settled)), &settled), Ok(None));
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
