//! The table of types in docs/connectors/mssql.md, made from what the code does.

use std::path::Path;

use arrow_schema::{DataType, TimeUnit};

use crate::store::fits;
use crate::types::{EVERY, SqlType, Times, Unit, with_offset};

const BEGIN: &str =
    "<!-- types, made by the program: HYGGE_WRITE_DOCS=1 .ci/test the_table_of_types -->\n";
const END: &str = "<!-- end of types -->\n";

/// Arrow types that rows come in, and what the table calls them.
fn sources() -> Vec<(&'static str, DataType)> {
    vec![
        ("bool", DataType::Boolean),
        ("int", DataType::Int64),
        ("uint", DataType::UInt64),
        ("float32", DataType::Float32),
        ("float64", DataType::Float64),
        ("decimal", DataType::Decimal128(38, 4)),
        ("text", DataType::Utf8),
        ("bytes", DataType::Binary),
        ("date", DataType::Date32),
        ("time", DataType::Time64(TimeUnit::Microsecond)),
        (
            "timestamp",
            DataType::Timestamp(TimeUnit::Microsecond, None),
        ),
        (
            "timestamp with zone",
            DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        ),
        (
            "timestamp with offset",
            DataType::Struct(with_offset(DataType::Timestamp(
                TimeUnit::Microsecond,
                Some("UTC".into()),
            ))),
        ),
    ]
}

fn row(sql_type: SqlType) -> String {
    let sources = sources();
    let from: Vec<&str> = sources
        .iter()
        .filter(|(_, arrow)| !sql_type.is_generated() && fits(arrow, sql_type).is_ok())
        .map(|(name, _)| *name)
        .collect();
    let as_read = |unit, offsets| sql_type.arrow(Times { unit, offsets });
    let (us, ns) = (as_read(Unit::Micro, false), as_read(Unit::Nano, false));
    let mut read = match us == ns {
        true => format!("{us}"),
        false => format!("{us}, or {ns}"),
    };
    if as_read(Unit::Micro, true) != us {
        read.push_str("; a struct with `offsets: keep`");
    }
    let written = match from.is_empty() {
        true => "not: the server makes it".to_owned(),
        false => from.join(", "),
    };
    format!("| `{sql_type}` | {read} | {written} |\n")
}

fn table() -> String {
    let mut table = "| SQL Server | Read as (Arrow) | Written from |\n|---|---|---|\n".to_owned();
    for sql_type in EVERY {
        table.push_str(&row(*sql_type));
    }
    table
}

#[test]
fn the_table_of_types_is_what_the_code_does() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../docs/connectors/mssql.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let begin = page.find(BEGIN).expect("where the table begins") + BEGIN.len();
    let end = page.find(END).expect("where the table ends");
    if std::env::var_os("HYGGE_WRITE_DOCS").is_some() {
        let page = format!("{}\n{}\n{}", &page[..begin], table(), &page[end..]);
        std::fs::write(&path, page).unwrap();
        return;
    }
    assert_eq!(page[begin..end].trim(), table().trim());
}
