//! `fill_null`: a value where there is none.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, Scalar as One, StringArray, make_array};
use arrow_schema::{DataType, Field, SchemaRef};
use arrow_select::zip::zip;
use hygge_core::{Bound, Context, Fault, Problem, Result, code, type_name};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::convert::Conversion;
use crate::kind::{Column, Kept, Spec, Values, column_wise, find, none_named};
use crate::scalar::Scalar;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FillNull {
    /// What stands in for NULL, by column. A dictionary comes out as its values.
    #[schemars(extend("minProperties" = 1))]
    columns: BTreeMap<String, Scalar>,
}

impl Spec for FillNull {
    const NAME: &'static str = "fill_null";
    const SUMMARY: &'static str = "puts a value where there is none";

    fn problems(&self) -> Vec<Problem> {
        none_named(Self::NAME, self.columns.is_empty())
    }

    fn describe(&self) -> String {
        let names: Vec<&str> = self.columns.keys().map(String::as_str).collect();
        format!("fill NULLs of {}", names.join(", "))
    }

    fn bind(&self, input: &SchemaRef, cx: &Context) -> Result<Box<dyn Bound>> {
        let before = 0..input.fields().len();
        let mut columns: Vec<Column> = before.map(|index| Column::same(index, input)).collect();
        for (name, value) in &self.columns {
            let index = find(Self::NAME, name, input)?;
            let field = input.field(index);
            // A dictionary comes out as its values: the new one may not be among its words.
            let (to, packed) = match field.data_type() {
                DataType::Dictionary(_, values) => (values.as_ref().clone(), true),
                other => (other.clone(), false),
            };
            let value = one(name, value, &to)?;
            // The value may be a longer text than was said of the column, or no GUID where it has them.
            let filled = match to.is_numeric() || to.is_temporal() {
                true => Field::clone(field).with_nullable(false),
                false => Field::new(name, to.clone(), false),
            };
            let field = Arc::new(filled.with_data_type(to.clone()));
            let fill = move |column: &ArrayRef| match packed {
                true => fill(&cast(column, &to)?, &value),
                false => fill(column, &value),
            };
            columns[index] = Column {
                field,
                from: Values::Made(index, Kept::Nothing, Arc::new(fill)),
            };
        }
        column_wise(Self::NAME, columns, input, cx)
    }
}

/// The value as one of the column's type. It isn't shown, as it may come from a secret.
fn one(name: &str, value: &Scalar, data_type: &DataType) -> Result<ArrayRef> {
    let wrong = || {
        let of = type_name(data_type);
        let message = format!("fill_null has a value for column {name} that isn't {of}");
        let advice = match data_type {
            other if other.is_nested() => "flatten or unnest it before",
            _ => "write one of the column's type, or cast the column before",
        };
        Fault::new(code::SCHEMA, message)
            .with("column", name)
            .advise(advice)
    };
    if *data_type == DataType::Null {
        return Err(wrong());
    }
    if value.is_rounded_for(data_type) {
        let of = type_name(data_type);
        let message = format!("fill_null has a number for column {name}, which is {of}");
        return Err(Fault::new(code::SCHEMA, message)
            .with("column", name)
            .advise("write it in quotes, so that it stays as it is: `\"1.10\"`"));
    }
    let text: ArrayRef = Arc::new(StringArray::from(vec![value.text()]));
    // A moment is the same in every zone, and of a named one nobody here knows the history.
    let read = match data_type {
        DataType::Timestamp(unit, Some(_)) => DataType::Timestamp(*unit, Some("+00:00".into())),
        other => other.clone(),
    };
    let conversion = Conversion::new(&DataType::Utf8, &read).map_err(|_| wrong())?;
    let made = conversion.lenient(&text)?;
    if made.is_null(0) {
        return Err(wrong());
    }
    let named = made.to_data().into_builder().data_type(data_type.clone());
    let named = named.build();
    named
        .map(make_array)
        .map_err(|error| Fault::internal(format!("fill_null failed: {error}")))
}

fn fill(column: &ArrayRef, value: &ArrayRef) -> Result<ArrayRef> {
    let Some(nulls) = column
        .logical_nulls()
        .filter(|nulls| nulls.null_count() > 0)
    else {
        return Ok(Arc::clone(column));
    };
    let there = nulls.into_inner().into();
    zip(&there, column, &One::new(Arc::clone(value)))
        .map_err(|error| Fault::internal(format!("fill_null failed: {error}")))
}

fn cast(column: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
    arrow_cast::cast(column, to)
        .map_err(|error| Fault::internal(format!("fill_null failed: {error}")))
}
