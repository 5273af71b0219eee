//! Casts of text to dates, times and moments: they read what files and the `cast` transform read.
//! Polars' own take a time only with a `T` before it, and drop zones.

use std::sync::Arc;

use arrow_schema::TimeUnit;
use hygge_core::written;
use polars::chunked_array::cast::CastOptions;
use polars::prelude::{
    Column, DataType, Field, Int32Chunked, Int64Chunked, IntoColumn, PolarsError, PolarsResult,
    Schema, TimeUnit as Unit,
};
use polars_plan::prelude::Expr;

/// The expression with such casts in the place of Polars' own.
pub(crate) fn read(expr: Expr, schema: &Schema) -> Expr {
    expr.map_expr(|part| {
        let Expr::Cast {
            expr,
            dtype,
            options,
        } = part
        else {
            return part;
        };
        let to = dtype.as_literal().filter(|to| to.is_temporal()).cloned();
        let of_text = expr
            .to_field(schema)
            .is_ok_and(|field| field.dtype == DataType::String);
        match to {
            Some(to) if of_text && !matches!(to, DataType::Duration(_)) => {
                cast(Arc::unwrap_or_clone(expr), to, options)
            }
            _ => Expr::Cast {
                expr,
                dtype,
                options,
            },
        }
    })
}

fn cast(text: Expr, to: DataType, options: CastOptions) -> Expr {
    let made = to.clone();
    text.map(
        move |column| values(&column, &to, options.is_strict()),
        move |_, field| Ok(Field::new(field.name.clone(), made.clone())),
    )
}

fn values(column: &Column, to: &DataType, strict: bool) -> PolarsResult<Column> {
    let texts = column.str()?;
    let name = column.name().clone();
    let made = match to {
        DataType::Date => {
            let days = texts.iter().map(|text| written::date(text?));
            let days: Int32Chunked = days.collect();
            days.into_column().cast(to)?
        }
        _ => {
            let ticks = texts.iter().map(|text| ticks(text?, to));
            let ticks: Int64Chunked = ticks.collect();
            ticks.into_column().cast(to)?
        }
    };
    if strict && made.null_count() > texts.null_count() {
        let missing = made.is_null();
        let mut each = texts.iter().zip(missing.iter());
        let first = each.find_map(|(text, missing)| text.filter(|_| missing == Some(true)));
        let text = first.unwrap_or_default();
        // As Polars says it of other types.
        let why = format!(
            "conversion from `str` to `{to}` failed in column '{name}' for some values: [{text:?}]"
        );
        return Err(PolarsError::InvalidOperation(why.into()));
    }
    Ok(made.with_name(name))
}

fn ticks(text: &str, to: &DataType) -> Option<i64> {
    match to {
        DataType::Time => written::time(text, TimeUnit::Nanosecond),
        DataType::Datetime(unit, zone) => {
            let unit = match unit {
                Unit::Nanoseconds => TimeUnit::Nanosecond,
                Unit::Microseconds => TimeUnit::Microsecond,
                Unit::Milliseconds => TimeUnit::Millisecond,
            };
            written::moment(text, unit, zone.as_ref().map(|zone| zone.as_str()))
        }
        _ => None,
    }
}
