//! `constant`: columns with one value in every row.

use std::collections::BTreeMap;
use std::iter::repeat_n;
use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, Float64Array, Int64Array, StringArray, UInt64Array};
use arrow_buffer::BooleanBuffer;
use arrow_schema::{DataType, Field, SchemaRef};
use hygge_core::{Bound, Context, Fault, OPERATION_COLUMN, Problem, Result, code};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::kind::{Column, Spec, Values, at, column_wise, none_named, problem};
use crate::scalar::Scalar;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Constant {
    /// Values by the names of the new columns, which come last, in the order of their names: a text
    /// (string), a whole number (int64; uint64 beyond it), a number (float64), `true` or `false` (bool).
    #[schemars(extend("minProperties" = 1))]
    columns: BTreeMap<String, Scalar>,
}

impl Spec for Constant {
    const NAME: &'static str = "constant";
    const SUMMARY: &'static str = "adds columns with one value in every row";

    fn problems(&self) -> Vec<Problem> {
        let nameless = self.columns.contains_key("");
        let told = nameless.then(|| problem(&at("columns", ""), "a column needs a name", None));
        let mut problems = none_named(Self::NAME, self.columns.is_empty());
        problems.extend(told);
        problems
    }

    fn describe(&self) -> String {
        let names: Vec<&str> = self.columns.keys().map(String::as_str).collect();
        format!("constant {}", names.join(", "))
    }

    fn bind(&self, input: &SchemaRef, cx: &Context) -> Result<Box<dyn Bound>> {
        let before = 0..input.fields().len();
        let mut columns: Vec<Column> = before.map(|index| Column::same(index, input)).collect();
        for (name, value) in &self.columns {
            if input.index_of(name).is_ok() || name == OPERATION_COLUMN {
                let message = format!("constant adds a column that is there already: {name}");
                return Err(Fault::new(code::SCHEMA, message)
                    .with("column", name)
                    .advise("choose another name, or exclude the other one before"));
            }
            let data_type = match value {
                Scalar::Bool(_) => DataType::Boolean,
                Scalar::Whole(_) => DataType::Int64,
                Scalar::Large(_) => DataType::UInt64,
                Scalar::Float(_) => DataType::Float64,
                Scalar::Text(_) => DataType::Utf8,
            };
            let value = value.clone();
            columns.push(Column {
                field: Arc::new(Field::new(name, data_type, false)),
                from: Values::Filled(Arc::new(move |rows| filled(&value, rows))),
            });
        }
        column_wise(Self::NAME, columns, input, cx)
    }
}

fn filled(value: &Scalar, rows: usize) -> ArrayRef {
    match value {
        Scalar::Bool(true) => Arc::new(BooleanArray::from(BooleanBuffer::new_set(rows))),
        Scalar::Bool(false) => Arc::new(BooleanArray::from(BooleanBuffer::new_unset(rows))),
        Scalar::Whole(value) => Arc::new(Int64Array::from_value(*value, rows)),
        Scalar::Large(value) => Arc::new(UInt64Array::from_value(*value, rows)),
        Scalar::Float(value) => Arc::new(Float64Array::from_value(*value, rows)),
        Scalar::Text(value) => Arc::new(StringArray::from_iter_values(repeat_n(value, rows))),
    }
}
