use std::sync::Arc;

use arrow_cast::parse::{Parser, string_to_timestamp_nanos};
use hygge_sdk::arrow_array::ArrayRef;
use hygge_sdk::arrow_array::builder::{
    BooleanBuilder, Date32Builder, Float64Builder, Int64Builder, StringBuilder,
    TimestampMicrosecondBuilder,
};
use hygge_sdk::arrow_array::types::Date32Type;
use hygge_sdk::arrow_schema::TimeUnit;
use hygge_sdk::{
    ArrowSchema, Config, DataType, Fault, Field, RecordBatch, Result, SchemaRef, code,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Config)]
#[serde(deny_unknown_fields)]
pub(crate) struct Column {
    /// Its name; also the key in a record, unless `pointer` says where.
    pub(crate) name: String,
    /// Its type.
    #[serde(rename = "type")]
    kind: Kind,
    /// JSON pointer into a record, as `/address/city`.
    pointer: Option<String>,
}

/// What stands in a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Config)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// `true` and `false`.
    Boolean,
    /// Whole numbers of 64 bits.
    Integer,
    /// Floating-point numbers of 64 bits.
    Number,
    /// Texts.
    Text,
    /// Moments in UTC, to the microsecond, from texts such as `2013-01-01T05:00:00+01:00`.
    Timestamp,
    /// Days, from texts such as `2013-01-01`.
    Date,
    /// Anything, as the text of its JSON.
    Json,
}

impl Kind {
    fn data_type(self) -> DataType {
        match self {
            Self::Boolean => DataType::Boolean,
            Self::Integer => DataType::Int64,
            Self::Number => DataType::Float64,
            Self::Text | Self::Json => DataType::Utf8,
            Self::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Self::Date => DataType::Date32,
        }
    }

    fn of(value: &Value) -> Option<Self> {
        Some(match value {
            Value::Null => return None,
            Value::Bool(_) => Self::Boolean,
            Value::Number(number) if number.is_i64() => Self::Integer,
            Value::Number(_) => Self::Number,
            Value::String(_) => Self::Text,
            Value::Array(_) | Value::Object(_) => Self::Json,
        })
    }

    /// What holds values of both.
    fn with(self, other: Self) -> Self {
        match (self, other) {
            (a, b) if a == b => a,
            (Self::Integer, Self::Number) | (Self::Number, Self::Integer) => Self::Number,
            _ => Self::Json,
        }
    }
}

/// The columns that records have, in the order in which they appear. Texts stay texts: that one
/// looks like a date is no proof that the next one does.
pub(crate) fn infer(records: &[Value]) -> Vec<Column> {
    let mut found: Vec<(&String, Option<Kind>)> = Vec::new();
    for (name, value) in records.iter().filter_map(Value::as_object).flatten() {
        let kind = Kind::of(value);
        match found.iter_mut().find(|(each, _)| *each == name) {
            None => found.push((name, kind)),
            Some((_, known)) => {
                *known = match (*known, kind) {
                    (Some(a), Some(b)) => Some(a.with(b)),
                    (a, b) => a.or(b),
                };
            }
        }
    }
    let column = |(name, kind): (&String, Option<Kind>)| Column {
        name: name.clone(),
        // Never a value on the first page: the text of whatever comes fits.
        kind: kind.unwrap_or(Kind::Json),
        pointer: None,
    };
    found.into_iter().map(column).collect()
}

pub(crate) fn schema(columns: &[Column]) -> SchemaRef {
    let field = |column: &Column| Field::new(&column.name, column.kind.data_type(), true);
    Arc::new(ArrowSchema::new(
        columns.iter().map(field).collect::<Vec<_>>(),
    ))
}

/// Records as rows.
pub(crate) fn rows(
    columns: &[Column],
    schema: &SchemaRef,
    records: &[Value],
) -> Result<RecordBatch> {
    let arrays = columns
        .iter()
        .map(|column| array(column, records))
        .collect::<Result<Vec<_>>>()?;
    Ok(RecordBatch::try_new(schema.clone(), arrays)?)
}

fn array(column: &Column, records: &[Value]) -> Result<ArrayRef> {
    let values = || {
        records.iter().enumerate().map(|(at, record)| {
            let value = match &column.pointer {
                Some(pointer) => record.pointer(pointer),
                None => record.get(&column.name),
            };
            (at, value.filter(|value| !value.is_null()))
        })
    };
    macro_rules! build {
        ($builder:expr, $read:expr) => {{
            let mut builder = $builder;
            for (at, value) in values() {
                let read = value.map(|value| $read(value).ok_or_else(|| unfit(column, at, value)));
                builder.append_option(read.transpose()?);
            }
            builder.finish()
        }};
    }
    let rows = records.len();
    Ok(match column.kind {
        Kind::Boolean => Arc::new(build!(BooleanBuilder::with_capacity(rows), Value::as_bool)),
        Kind::Integer => Arc::new(build!(Int64Builder::with_capacity(rows), Value::as_i64)),
        Kind::Number => Arc::new(build!(Float64Builder::with_capacity(rows), Value::as_f64)),
        Kind::Text => Arc::new(build!(StringBuilder::new(), Value::as_str)),
        Kind::Json => Arc::new(build!(StringBuilder::new(), |value: &Value| Some(
            value.to_string()
        ))),
        Kind::Date => Arc::new(build!(
            Date32Builder::with_capacity(rows),
            |value: &Value| { Date32Type::parse(value.as_str()?) }
        )),
        Kind::Timestamp => Arc::new(build!(
            TimestampMicrosecondBuilder::with_capacity(rows).with_timezone("UTC"),
            |value: &Value| Some(
                string_to_timestamp_nanos(value.as_str()?)
                    .ok()?
                    .div_euclid(1_000)
            )
        )),
    })
}

fn unfit(column: &Column, at: usize, value: &Value) -> Fault {
    let mut shown: String = value.to_string().chars().take(60).collect();
    if shown.len() < value.to_string().len() {
        shown.push('…');
    }
    let Column { name, kind, .. } = column;
    let kind = format!("{kind:?}").to_lowercase();
    Fault::new(
        code::SOURCE_INVALID,
        format!(
            "record {} of a page: {name:?} is {shown}, which is no {kind}",
            at + 1
        ),
    )
    .with("column", name)
    .advise("name the column with the type `json` to take it as it comes")
}
