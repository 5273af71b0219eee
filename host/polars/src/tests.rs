use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{
    Array, ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, new_null_array,
};
use arrow_schema::{DataType, Field, Fields, IntervalUnit, Schema, TimeUnit};
use futures::executor::block_on;
use hygge_core::{BuildContext, Context, Fault, Registry, Settings, type_name};
use proptest::prelude::*;
use serde_json::{Value, json};

mod guards;
mod moments;
mod numbers;
mod sql;
mod terms;
mod texts;
mod truths;
mod whole;
mod zones;

fn place() -> BuildContext {
    BuildContext {
        root: "/p".into(),
        work: "/p/.hygge".into(),
        entity: None,
        run: None,
    }
}

fn registry() -> Registry {
    let mut registry = Registry::default();
    crate::register(&mut registry);
    registry
}

fn problem(kind: &str, settings: Value) -> String {
    let planned = registry()
        .transform(kind)
        .unwrap()
        .plan(&Settings::new(settings, []), &place());
    let told = planned.unwrap_err().into_iter().map(|each| {
        let advice = each.advice.unwrap_or_else(|| "-".to_owned());
        format!("{}: {}\n{advice}", each.pointer, each.message)
    });
    told.collect::<Vec<_>>().join("\n")
}

fn sized(
    kind: &str,
    settings: Value,
    batch: &RecordBatch,
    size: usize,
) -> Result<RecordBatch, Fault> {
    let registry = registry();
    let kind = registry.transform(kind).unwrap();
    let transform = kind.build(&Settings::new(settings, []), &place())?;
    block_on(async {
        let mut bound = transform.bind(&batch.schema(), &Context::inline()).await?;
        let mut out = vec![RecordBatch::new_empty(bound.schema())];
        let mut from = 0;
        while from < batch.num_rows() {
            let rows = size.min(batch.num_rows() - from);
            out.extend(bound.apply(batch.slice(from, rows)).await?);
            from += rows;
        }
        out.extend(bound.apply(batch.slice(0, 0)).await?);
        out.extend(bound.finish().await?);
        Ok(arrow_select::concat::concat_batches(&bound.schema(), &out).unwrap())
    })
}

fn filter(text: &str, batch: &RecordBatch) -> Result<RecordBatch, Fault> {
    sized("filter", json!({"where": text}), batch, usize::MAX)
}

fn derive(text: &str, batch: &RecordBatch) -> Result<ArrayRef, Fault> {
    let settings = json!({"columns": {"made": text}});
    let out = sized("derive", settings, batch, usize::MAX)?;
    Ok(Arc::clone(out.column_by_name("made").unwrap()))
}

fn told(fault: &Fault) -> String {
    let advice = fault.advice.as_deref().unwrap_or("-");
    format!("{}\n{advice}", fault.message)
}

fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    let field = |(name, column): &(&str, ArrayRef)| {
        let said = HashMap::from([("origin".to_owned(), (*name).to_owned())]);
        Field::new(*name, column.data_type().clone(), true).with_metadata(said)
    };
    let fields: Vec<Field> = columns.iter().map(field).collect();
    let columns = columns.into_iter().map(|(_, column)| column).collect();
    let said = HashMap::from([("table".to_owned(), "orders".to_owned())]);
    let schema = Schema::new(fields).with_metadata(said);
    RecordBatch::try_new(Arc::new(schema), columns).unwrap()
}

fn orders() -> RecordBatch {
    let state = StringArray::from(vec![Some("paid"), Some("open"), None, Some("paid")]);
    let price = Float64Array::from(vec![Some(12.5), Some(7.0), Some(1.0), None]);
    batch(vec![
        ("id", Arc::new(Int64Array::from(vec![1, 2, 3, 4]))),
        ("state", Arc::new(state)),
        ("price", Arc::new(price)),
    ])
}

fn ids(batch: &RecordBatch) -> Vec<i64> {
    let column = batch.column_by_name("id").unwrap();
    column.as_primitive::<Int64Type>().values().to_vec()
}

#[test]
fn a_filter_keeps_rows_for_which_it_is_true() {
    let given = orders();
    for (text, expected) in [
        ("price > 5", vec![1, 2]),
        ("NOT (price > 5)", vec![3]),
        ("state = 'paid'", vec![1, 4]),
        ("state IN ('paid', 'lost')", vec![1, 4]),
        ("id IN (1, 3)", vec![1, 3]),
        ("id NOT IN (1, 3)", vec![2, 4]),
        ("state IS NULL OR price IS NULL", vec![3, 4]),
        ("state LIKE 'p%' AND id BETWEEN 2 AND 9", vec![4]),
        ("COALESCE(state, 'none') = 'none'", vec![3]),
        ("\"state\" ~ '^o'", vec![2]),
        ("1 = 1", vec![1, 2, 3, 4]),
        ("1 = 2", vec![]),
    ] {
        let out = filter(text, &given).unwrap();
        assert_eq!(ids(&out), expected, "{text}");
        assert_eq!(out.schema(), given.schema());
    }
}

#[test]
fn a_derived_column_has_the_type_of_its_expression() {
    let given = orders();
    for (text, data_type, first) in [
        ("id + 1", "int64", "2"),
        ("price * 2", "float64", "25.0"),
        ("id / 2", "float64", "0.5"),
        ("id % 2 = 0", "bool", "false"),
        ("UPPER(state)", "string", "PAID"),
        ("state || '!'", "string", "paid!"),
        ("CAST(id AS DECIMAL(9, 2))", "decimal(9, 2)", "1.00"),
        ("DATE '2024-01-31' + INTERVAL '1 day'", "date", "2024-02-01"),
        ("EXTRACT(year FROM DATE '2024-03-01')", "int32", "2024"),
        (
            "CASE WHEN price > 10 THEN 'dear' ELSE 'cheap' END",
            "string",
            "dear",
        ),
        ("TRY_CAST(state AS INT)", "int32", ""),
        ("7", "int32", "7"),
    ] {
        let out = derive(text, &given).unwrap();
        assert_eq!(type_name(out.data_type()), data_type, "{text}");
        let shown = arrow_cast::display::array_value_to_string(&out, 0).unwrap();
        assert_eq!(shown, first, "{text}");
        assert_eq!(out.len(), 4);
    }
}

#[test]
fn derived_columns_stand_in_place_or_last_and_see_what_came_in() {
    let given = orders();
    let columns = json!({"id": "id * 10", "z": "id", "a": "price"});
    let out = sized("derive", json!({"columns": columns}), &given, usize::MAX).unwrap();
    let schema = out.schema();
    let names: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).collect();
    assert_eq!(names, ["id", "state", "price", "a", "z"]);
    assert_eq!(ids(&out), [10, 20, 30, 40]);
    assert_eq!(
        out.column(4).as_primitive::<Int64Type>().values(),
        &[1, 2, 3, 4]
    );
    assert!(schema.field(0).metadata().is_empty());
    assert_eq!(schema.field(1).metadata()["origin"], "state");
    assert_eq!(schema.metadata()["table"], "orders");
}

#[test]
fn what_can_t_be_is_a_problem_with_a_place() {
    let place = |text: &str| problem("filter", json!({"where": text}));
    let rows = "its value would depend on which rows happen to pass together\n\
                compute it where all rows are: in the query of the home, or after";
    for (text, expected) in [
        ("price >", "the expression `price >` can't be read: expected an expression, found its end\n-".to_owned()),
        ("price > 8 b c", "the expression `price > 8 b c` can't be read: expected its end, found b at character 11\n-".to_owned()),
        ("uper(state) = 1", "the expression `uper(state) = 1` can't be read: unsupported function 'uper'\ndid you mean `upper`?".to_owned()),
        (" ", "the expression is empty\n-".to_owned()),
        ("price > avg(price)", format!("the expression `price > avg(price)` uses an aggregate: {rows}")),
        ("count(*) > 1", format!("the expression `count(*) > 1` uses an aggregate: {rows}")),
        ("row_number() OVER (ORDER BY id) = 1", format!("the expression `row_number() OVER (ORDER BY id) = 1` uses a window function: {rows}")),
        ("state IN (id)", "the expression `state IN (id)` has something else than written values in a list\n-".to_owned()),
        ("price IN (12.5, 1)", "the expression `price IN (12.5, 1)` has values of several types in a list\nwrite them alike: `IN (12.5, 1.0)`".to_owned()),
        ("price > NOW()", "the expression `price > NOW()` can't be read: unsupported function 'now'\n`type: run_columns` adds the moment of the run".to_owned()),
        ("GREATEST() > 1", "the expression `GREATEST() > 1` can't be read: cannot return empty fold because the number of output rows is unknown\n-".to_owned()),
        ("CASE WHEN id = 1 THEN 2", "the expression `CASE WHEN id = 1 THEN 2` can't be read: expected its end, found WHEN at character 6\na CASE ends with `END`, and as many as 40 of them stand in each other".to_owned()),
        ("price > 1e3", "the expression `price > 1e3` can't be read: cannot parse literal: \"1e3\"\nnumbers are written without an exponent, and long ones as decimals: `CAST('…' AS DECIMAL(38, 0))`".to_owned()),
        ("id << 2 > 1", "the expression `id << 2 > 1` has something that expressions can't do\nsee docs/transforms.md for what they can".to_owned()),
        ("(1, 2)", "the expression `(1, 2)` has something that expressions can't do\nsee docs/transforms.md for what they can".to_owned()),
        ("FLOOR(price, 1) > 1", "the expression `FLOOR(price, 1) > 1` has FLOOR to something else than a whole number\n`FLOOR(x * 10) / 10` is `x` downwards to one place".to_owned()),
        ("CEIL(price TO DAY) > 1", "the expression `CEIL(price TO DAY) > 1` has CEIL to something else than a whole number\n`FLOOR(x * 10) / 10` is `x` downwards to one place".to_owned()),
        ("LAST_VALUE(id) = 1", "the expression `LAST_VALUE(id) = 1` has LAST_VALUE, which would depend on which rows happen to pass together\ncompute it where all rows are: in the query of the home, or after".to_owned()),
        ("ARRAY_TO_STRING(state, ',') = ''", "the expression `ARRAY_TO_STRING(state, ',') = ''` has ARRAY_TO_STRING, and lists can't be looked into\n`type: unnest` makes rows of a list; `||` and CONCAT put texts together".to_owned()),
        ("x'4142'", "the expression `x'4142'` has something that expressions can't do\nsee docs/transforms.md for what they can".to_owned()),
    ] {
        assert_eq!(place(text), format!("/where: filter: {expected}"));
    }
    assert_eq!(
        problem("derive", json!({"columns": {"a/b": "1 +"}})),
        "/columns/a~1b: derive: the expression `1 +` can't be read: expected an expression, found its end\n-"
    );
}

#[test]
fn what_doesn_t_fit_the_columns_is_told_before_rows_move() {
    let given = orders();
    for (text, expected) in [
        (
            "pricee > 8",
            "filter can't evaluate `pricee > 8`: there is no column pricee\n\
                        did you mean `price`? there are id, state, price",
        ),
        (
            "state = \"paid\"",
            "filter can't evaluate `state = \"paid\"`: there is no column paid\n\
                        a text stands in 'single quotes'; there are id, state, price",
        ),
        (
            "price",
            "filter can't evaluate `price`: it gives float64, not true or false\n\
                   compare it with something: `… > 0`, `… = 'x'`",
        ),
        (
            "state > 8",
            "filter can't evaluate `state > 8`: cannot compare string with numeric type (int32)\n\
                       state is string; `CAST(… AS …)` gives another type",
        ),
    ] {
        assert_eq!(
            told(&filter(text, &given.slice(0, 0)).unwrap_err()),
            expected
        );
    }
    for (text, expected) in [
        (
            "NULL",
            "derive can't compute made as `NULL`: it gives NULL without a type\n\
                  say a type: `CAST(… AS VARCHAR)`",
        ),
        (
            "STRING_TO_ARRAY(state, 'a')",
            "derive can't compute made as `STRING_TO_ARRAY(state, 'a')`: it gives list<string>\n\
                  an expression gives one plain value for each row",
        ),
    ] {
        assert_eq!(
            told(&derive(text, &given.slice(0, 0)).unwrap_err()),
            expected
        );
    }
    let fault = derive("CAST(state AS INT)", &given).unwrap_err();
    assert_eq!(
        fault.message,
        "derive can't compute made as `CAST(state AS INT)`: it meets \"paid\" in column state, which \
         is string, and int32 can't hold it"
    );
    assert_eq!(fault.attribute("column"), Some("state"));
    assert_eq!(
        fault.advice.as_deref(),
        Some("`TRY_CAST(… AS …)` gives NULL for what doesn't fit")
    );
    let change = batch(vec![(
        hygge_core::OPERATION_COLUMN,
        Arc::new(StringArray::from(vec!["delete"])),
    )]);
    let columns = json!({"columns": {hygge_core::OPERATION_COLUMN: "'insert'"}});
    let fault = sized("derive", columns, &change, 1).unwrap_err();
    assert_eq!(
        fault.message,
        "derive can't touch __hygge_operation: it says what becomes of each row"
    );
}

fn every_type() -> Vec<DataType> {
    use DataType as T;
    let item = Arc::new(Field::new("item", T::Int64, true));
    let mut types = vec![
        T::Null,
        T::Boolean,
        T::Int8,
        T::Int16,
        T::Int32,
        T::Int64,
        T::UInt8,
        T::UInt16,
        T::UInt32,
        T::UInt64,
        T::Float16,
        T::Float32,
        T::Float64,
        T::Utf8,
        T::LargeUtf8,
        T::Utf8View,
        T::Binary,
        T::LargeBinary,
        T::BinaryView,
        T::FixedSizeBinary(4),
        T::Date32,
        T::Date64,
        T::Decimal32(9, 2),
        T::Decimal64(18, 2),
        T::Decimal128(38, 2),
        T::Decimal256(50, 2),
        T::Time32(TimeUnit::Second),
        T::Time32(TimeUnit::Millisecond),
        T::Time64(TimeUnit::Microsecond),
        T::Time64(TimeUnit::Nanosecond),
        T::Interval(IntervalUnit::MonthDayNano),
        T::Dictionary(Box::new(T::Int32), Box::new(T::Utf8)),
        T::List(Arc::clone(&item)),
        T::LargeList(Arc::clone(&item)),
        T::FixedSizeList(Arc::clone(&item), 2),
        T::Struct(Fields::from(vec![Arc::clone(&item)])),
    ];
    for unit in [
        TimeUnit::Second,
        TimeUnit::Millisecond,
        TimeUnit::Microsecond,
        TimeUnit::Nanosecond,
    ] {
        types.push(T::Duration(unit));
        for zone in [None, Some("UTC"), Some("+02:00"), Some("Europe/Berlin")] {
            types.push(T::Timestamp(unit, zone.map(Into::into)));
        }
    }
    types
}

/// Beside an expression every type passes as it is; in one it is taken, or refused by its name.
#[test]
fn every_type_passes_and_is_seen_or_refused() {
    let mut seen = 0;
    for data_type in every_type() {
        let given = batch(vec![
            ("id", Arc::new(Int64Array::from(vec![1, 2, 3]))),
            ("c", new_null_array(&data_type, 3)),
        ]);
        let kept = filter("id <> 2", &given).unwrap();
        assert_eq!(kept.schema(), given.schema());
        assert_eq!(ids(&kept), [1, 3]);
        let derived = sized("derive", json!({"columns": {"x": "id"}}), &given, 2).unwrap();
        assert_eq!(derived.project(&[0, 1]).unwrap(), given);
        match filter("c IS NULL", &given) {
            Ok(out) => {
                seen += 1;
                assert_eq!(out.num_rows(), 3, "{data_type}");
            }
            Err(fault) => {
                let name = type_name(&data_type);
                let why = format!("filter can't evaluate `c IS NULL`: column c is {name}");
                assert_eq!(fault.message, why);
            }
        }
    }
    assert_eq!(seen, every_type().len() - 6);
}

/// What is handed over and given back is what it was.
#[test]
fn values_come_back_as_they_were() {
    let texts = ["12", "0", "99", "7"];
    let texts: ArrayRef = Arc::new(StringArray::from_iter(
        texts.map(Some).into_iter().chain([None]),
    ));
    let mut tried = 0;
    for data_type in every_type() {
        let carried = crate::carried::inward(&data_type)
            .and_then(|carried| crate::carried::outward(&carried));
        let Ok(column) = arrow_cast::cast(&texts, &data_type) else {
            continue;
        };
        let Some(expected) = carried.filter(|_| column.null_count() == 1) else {
            continue;
        };
        let given = batch(vec![("c", column)]);
        let made = derive("c", &given).unwrap();
        let expected = arrow_cast::cast(given.column(0), &expected).unwrap();
        assert_eq!(&made, &expected, "{data_type}");
        tried += 1;
    }
    assert!(tried >= 15, "{tried}");
}

fn rows() -> impl Strategy<Value = RecordBatch> {
    let row = (
        any::<Option<i64>>(),
        prop::option::of(prop_oneof![any::<f64>(), (-9_i32..9).prop_map(f64::from)]),
        prop::option::of("[a-c€]{0,14}"),
    );
    prop::collection::vec(row, 0..40).prop_map(|rows| {
        let id: Int64Array = (0_i64..).take(rows.len()).map(Some).collect();
        let i: Int64Array = rows.iter().map(|row| row.0).collect();
        let f: Float64Array = rows.iter().map(|row| row.1).collect();
        let s: StringArray = rows.iter().map(|row| row.2.as_deref()).collect();
        batch(vec![
            ("id", Arc::new(id)),
            ("i", Arc::new(i)),
            ("f", Arc::new(f)),
            ("s", Arc::new(s)),
        ])
    })
}

const CONDITIONS: [&str; 5] = [
    "i > 0",
    "f < i",
    "s LIKE 'a%' OR i < 0",
    "s IN ('a', 'b', '')",
    "LENGTH(s) > 3 AND f IS NOT NULL",
];

proptest! {
    // Each case plans a dozen queries.
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_size_of_batches_changes_nothing(given in rows(), size in 1_usize..9) {
        let conditions = CONDITIONS.map(|text| ("filter", json!({"where": text})));
        let columns = json!({"columns": {"a": "i % 7", "b": "s || '-' || i", "f": "f * 2", "c": "1"}});
        for (kind, settings) in conditions.into_iter().chain([("derive", columns)]) {
            let whole = sized(kind, settings.clone(), &given, usize::MAX).unwrap();
            let parts = sized(kind, settings, &given, size).unwrap();
            // NaN is no equal of itself.
            prop_assert_eq!(format!("{whole:?}"), format!("{parts:?}"));
        }
    }

    /// Each row goes one of three ways: true, false, unknown.
    #[test]
    fn a_filter_and_its_complement_part_the_rows(given in rows()) {
        for text in CONDITIONS {
            let ways = [text.to_owned(), format!("NOT ({text})"), format!("({text}) IS NULL")];
            let mut all: Vec<i64> = Vec::new();
            for way in ways {
                all.extend(ids(&filter(&way, &given).unwrap()));
            }
            all.sort_unstable();
            prop_assert_eq!(all, ids(&given));
        }
    }
}
