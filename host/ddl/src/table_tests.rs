use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::{ArrayRef, Decimal128Array, RecordBatch, StringArray};
use arrow_schema::{DataType, TimeUnit};

use super::*;

fn schema() -> Schema {
    let field = |name: &str, data_type, nullable| Field::new(name, data_type, nullable);
    let remembered = HashMap::from([(hygge_mssql::TYPE_KEY.to_owned(), "datetime2(3)".to_owned())]);
    let moment = DataType::Timestamp(TimeUnit::Microsecond, None);
    Schema::new(vec![
        field("id", DataType::Int64, false),
        field("name", DataType::Utf8, true),
        field("select", DataType::Boolean, true),
        field("odd ]\" name", DataType::Decimal128(18, 4), true),
        field("at", moment.clone(), true).with_metadata(remembered),
        field(
            "seen",
            DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into())),
            true,
        ),
        field("photo", DataType::Binary, true),
        field("big", DataType::UInt64, true),
        field("day", DataType::Date32, true),
        field("tags", DataType::new_list(DataType::Utf8, true), true),
    ])
}

fn flat() -> Schema {
    let schema = schema();
    schema.project(&[0, 1, 2, 3, 4, 5, 6, 7, 8]).unwrap()
}

fn wanted<'a>(dialect: Dialect, table: &'a [String], key: &'a [String]) -> Wanted<'a> {
    Wanted {
        dialect,
        table,
        key,
        form: Form::Rowstore,
        source: "data/users.parquet",
        profile: None,
    }
}

#[test]
fn each_dialect_declares_its_own_types() {
    let (table, key) = (["dbo".to_owned(), "Users".to_owned()], ["id".to_owned()]);
    let text = write(&flat(), &wanted(Dialect::Mssql, &table, &key)).unwrap();
    insta::assert_snapshot!("mssql", text);
    let text = write(&schema(), &wanted(Dialect::Postgres, &table[1..], &key)).unwrap();
    insta::assert_snapshot!("postgres", text);
    let text = write(&schema(), &wanted(Dialect::DuckDb, &table[1..], &key)).unwrap();
    insta::assert_snapshot!("duckdb", text);
    let text = write(&flat(), &wanted(Dialect::Sqlite, &table[1..], &[])).unwrap();
    insta::assert_snapshot!("sqlite", text);
}

#[test]
fn what_rows_showed_stands_in_comments() {
    let texts = |texts: [Option<&str>; 2]| Arc::new(StringArray::from(texts.to_vec())) as ArrayRef;
    let batch = RecordBatch::try_from_iter_with_nullable([
        ("code", texts([Some("AB"), Some("C")]), true),
        (
            "note",
            texts([None, Some("a longer text, twice as long as this is room")]),
            true,
        ),
    ])
    .unwrap();
    let mut profile = Profile::default();
    profile.take(&batch);
    let table = ["dbo".to_owned(), "Notes".to_owned()];
    for dialect in [Dialect::Mssql, Dialect::Postgres] {
        let wanted = Wanted {
            profile: Some(&profile),
            form: Form::Columnstore,
            ..wanted(dialect, &table, &[])
        };
        let text = write(batch.schema_ref(), &wanted).unwrap();
        insta::assert_snapshot!(format!("profiled_{dialect:?}"), text);
    }
}

#[test]
fn all_that_is_wrong_is_told_together() {
    let (table, key) = (["t".to_owned()], ["nope".to_owned()]);
    let mut fields = schema().fields().to_vec();
    fields.push(Arc::new(Field::new("ID", DataType::Int32, true)));
    let fault = write(&Schema::new(fields), &wanted(Dialect::Mssql, &table, &key)).unwrap_err();
    insta::assert_snapshot!(fault.message, @r#"no table can be made of data/users.parquet: two columns are named "id", but for upper and lower case; it has no column "nope", which is of the key; "tags" is list<string>, which no type of SQL Server holds"#);
}

#[test]
fn a_comment_stays_one() {
    let table = ["a\n; DROP TABLE b --".to_owned()];
    let wanted = Wanted {
        source: "x\ny",
        ..wanted(Dialect::Sqlite, &table, &[])
    };
    let text = write(&flat(), &wanted).unwrap();
    let comments = text.lines().take_while(|line| line.starts_with("--"));
    assert_eq!(comments.count(), 2, "{text}");
}

#[test]
fn a_dictionary_is_declared_as_its_values() {
    let words = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    let schema = Schema::new(vec![Field::new("c", words, true)]);
    let table = ["t".to_owned()];
    let text = write(&schema, &wanted(Dialect::Mssql, &table, &[])).unwrap();
    assert!(text.contains("[c] nvarchar(max) NULL"), "{text}");
}

#[test]
fn a_key_names_each_column_once() {
    let (table, key) = (["t".to_owned()], ["id".to_owned(), "id".to_owned()]);
    let fault = write(&flat(), &wanted(Dialect::Postgres, &table, &key)).unwrap_err();
    assert!(
        fault.message.ends_with("the key names \"id\" twice"),
        "{fault}"
    );
}

#[test]
fn a_narrower_decimal_is_named_as_the_database_does() {
    let sums = Decimal128Array::from(vec![Some(7)]);
    let sums: ArrayRef = Arc::new(sums.with_precision_and_scale(38, 2).unwrap());
    let letters: ArrayRef = Arc::new(StringArray::from(vec!["x"]));
    let batch = RecordBatch::try_from_iter_with_nullable([("s", sums, true), ("c", letters, true)]);
    let batch = batch.unwrap();
    let mut profile = Profile::default();
    profile.take(&batch);
    let table = ["t".to_owned()];
    let dialects = [
        Dialect::Mssql,
        Dialect::Postgres,
        Dialect::DuckDb,
        Dialect::Sqlite,
    ];
    let texts = dialects.map(|dialect| {
        let wanted = Wanted {
            profile: Some(&profile),
            ..wanted(dialect, &table, &[])
        };
        write(batch.schema_ref(), &wanted).unwrap()
    });
    insta::assert_snapshot!("narrower", texts.join("\n"));
}

#[test]
fn what_no_database_takes_is_refused() {
    let table = ["t".to_owned()];
    let many = |n: usize| {
        let fields = (0..n).map(|at| Field::new(format!("c{at}"), DataType::Int64, true));
        Schema::new(fields.collect::<Vec<_>>())
    };
    for (dialect, most) in [
        (Dialect::Mssql, 1_024),
        (Dialect::Postgres, 1_600),
        (Dialect::Sqlite, 2_000),
    ] {
        write(&many(most), &wanted(dialect, &table, &[])).unwrap();
        write(&many(most + 1), &wanted(dialect, &table, &[])).unwrap_err();
    }
    let fault = write(&many(1_025), &wanted(Dialect::Mssql, &table, &[])).unwrap_err();
    insta::assert_snapshot!(fault.message, @"no table can be made of data/users.parquet: it has 1025 columns, a table in SQL Server at most 1024");
    let own = Schema::new(vec![Field::new("xmin", DataType::Int64, true)]);
    let fault = write(&own, &wanted(Dialect::Postgres, &table, &[])).unwrap_err();
    insta::assert_snapshot!(fault.message, @r#"no table can be made of data/users.parquet: "xmin" is the name of a column that PostgreSQL has in every table"#);
    write(&own, &wanted(Dialect::DuckDb, &table, &[])).unwrap();
    let field = |name: &str| Field::new(name, DataType::Int64, true);
    let kept = ["SQLite_x".to_owned()];
    let fault = write(&own, &wanted(Dialect::Sqlite, &kept, &[])).unwrap_err();
    insta::assert_snapshot!(fault.message, @r#"no table can be made of data/users.parquet: "SQLite_x" is a name that SQLite keeps for tables of its own"#);
    write(&own, &wanted(Dialect::DuckDb, &kept, &[])).unwrap();
    for (names, ascii_only) in [(["a", "A"], false), (["é", "É"], true)] {
        let both = Schema::new(names.map(field).to_vec());
        let made = |dialect| write(&both, &wanted(dialect, &table, &[])).is_ok();
        assert_eq!(made(Dialect::Sqlite), ascii_only, "{names:?}");
        assert_eq!(made(Dialect::DuckDb), ascii_only, "{names:?}");
        assert!(
            made(Dialect::Postgres) && !made(Dialect::Mssql),
            "{names:?}"
        );
    }
    for (names, duckdb) in [
        (vec!["a", "A"], false),
        (vec!["é", "É"], true),
        (vec![], false),
        (vec![""], false),
        (vec!["a\0"], false),
    ] {
        let fields: Vec<Field> = names.iter().map(|name| field(name)).collect();
        let of = Field::new("s", DataType::Struct(fields.into()), true);
        let of = Schema::new(vec![of]);
        let made = write(&of, &wanted(Dialect::DuckDb, &table, &[]));
        assert_eq!(made.is_ok(), duckdb, "{names:?}");
        write(&of, &wanted(Dialect::Postgres, &table, &[])).unwrap();
    }
}

#[test]
fn lists_that_are_no_arrays_are_lists() {
    let table = ["t".to_owned()];
    for (length, declared) in [
        (0, "[]"),
        (1, "[1]"),
        (100_000, "[100000]"),
        (100_001, "[]"),
    ] {
        let item = Arc::new(Field::new("item", DataType::Int32, true));
        let list = Field::new("c", DataType::FixedSizeList(item, length), true);
        let text = write(
            &Schema::new(vec![list]),
            &wanted(Dialect::DuckDb, &table, &[]),
        )
        .unwrap();
        assert!(
            text.contains(&format!("\"c\" INTEGER{declared} NULL")),
            "{text}"
        );
    }
}

#[test]
fn digits_that_are_lost_are_told_wherever_they_stand() {
    let moment = || DataType::Timestamp(TimeUnit::Nanosecond, None);
    let zoned = DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into()));
    let within = |data_type| DataType::Struct(vec![Field::new("a", data_type, true)].into());
    let words = DataType::Dictionary(Box::new(DataType::Int32), Box::new(moment()));
    let entries = DataType::Struct(
        vec![
            Field::new("key", DataType::Utf8, false),
            Field::new("value", zoned.clone(), true),
        ]
        .into(),
    );
    let entries = Arc::new(Field::new("entries", entries, false));
    let fields = [
        ("list", DataType::new_list(moment(), true)),
        ("zoned", DataType::new_list(zoned, true)),
        ("span", DataType::Duration(TimeUnit::Nanosecond)),
        ("struct", within(DataType::Time64(TimeUnit::Nanosecond))),
        ("moments", within(moment())),
        ("words", words),
        ("map", DataType::Map(entries, false)),
        ("micro", DataType::Duration(TimeUnit::Microsecond)),
    ];
    let fields = fields.map(|(name, data_type)| Field::new(name, data_type, true));
    let schema = Schema::new(fields.to_vec());
    let table = ["t".to_owned()];
    let texts = [Dialect::Postgres, Dialect::DuckDb]
        .map(|dialect| write(&schema, &wanted(dialect, &table, &[])).unwrap());
    insta::assert_snapshot!("nanoseconds", texts.join("\n"));
}

#[test]
fn texts_get_no_length_that_is_none() {
    let column = |texts: Vec<Option<String>>| {
        let texts: ArrayRef = Arc::new(StringArray::from(texts));
        let batch = RecordBatch::try_from_iter_with_nullable([("c", texts, true)]).unwrap();
        let mut profile = Profile::default();
        profile.take(&batch);
        let table = ["t".to_owned()];
        let text = |dialect| {
            let wanted = Wanted {
                profile: Some(&profile),
                ..wanted(dialect, &table, &[])
            };
            let text = write(batch.schema_ref(), &wanted).unwrap();
            text.lines().nth(3).unwrap().trim().to_owned()
        };
        [text(Dialect::Postgres), text(Dialect::Mssql)].join("\n")
    };
    insta::assert_snapshot!("no_letters", column(vec![None, Some(String::new())]));
    insta::assert_snapshot!("many_letters", column(vec![Some("x".repeat(6_000_000))]));
}

#[test]
fn a_key_that_is_too_long_is_told() {
    let texts = |n: usize| Arc::new(StringArray::from(vec!["x".repeat(n)])) as ArrayRef;
    let batch =
        RecordBatch::try_from_iter([("a", texts(900)), ("b", texts(400)), ("c", texts(5_000))]);
    let batch = batch.unwrap();
    let mut profile = Profile::default();
    profile.take(&batch);
    let table = ["t".to_owned()];
    let text = |key: &[&str]| {
        let key: Vec<String> = key.iter().map(|name| (*name).to_owned()).collect();
        let wanted = Wanted {
            profile: Some(&profile),
            ..wanted(Dialect::Mssql, &table, &key)
        };
        write(batch.schema_ref(), &wanted).unwrap()
    };
    insta::assert_snapshot!("long_key", [text(&["a", "b"]), text(&["c"])].join("\n"));
}

#[test]
fn decimals_of_every_width_have_a_type() {
    let fields = [
        DataType::Decimal32(5, 2),
        DataType::Decimal64(12, 2),
        DataType::Float16,
    ];
    let fields = fields.into_iter().enumerate();
    let fields = fields.map(|(at, data_type)| Field::new(format!("c{at}"), data_type, true));
    let schema = Schema::new(fields.collect::<Vec<_>>());
    let table = ["t".to_owned()];
    let dialects = [
        Dialect::Mssql,
        Dialect::Postgres,
        Dialect::DuckDb,
        Dialect::Sqlite,
    ];
    let texts = dialects.map(|dialect| write(&schema, &wanted(dialect, &table, &[])).unwrap());
    insta::assert_snapshot!("narrow_numbers", texts.join("\n"));
}

#[test]
fn a_name_that_is_made_is_no_longer_than_names_may_be() {
    let (table, key) = (["😀".repeat(64)], ["id".to_owned()]);
    let text = write(&flat(), &wanted(Dialect::Mssql, &table, &key)).unwrap();
    let (_, name) = text.split_once("CONSTRAINT [").unwrap();
    let (name, _) = name.split_once(']').unwrap();
    assert_eq!(name.encode_utf16().count(), 127, "{name}");
}
