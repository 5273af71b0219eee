//! `range`: a column's values lie between two bounds.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, BooleanArray, Datum};
use arrow_ord::cmp::{gt, lt};
use arrow_schema::{ArrowError, SchemaRef};
use hygge_core::{BoundCheck, BuildContext, Fault, Problem, Result, code};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::kind::{Spec, find, problem};
use crate::rowwise::{Part, row_wise};
use crate::value::{Written, compared, nan, plain, scalar, unpacked};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Range {
    /// The column: numbers, texts, dates or times.
    column: String,
    /// The least value that may come.
    min: Option<Written>,
    /// The greatest value that may come.
    max: Option<Written>,
}

impl Spec for Range {
    const NAME: &'static str = "range";
    const SUMMARY: &'static str = "a column's values lie between two bounds, which belong to it";
    const OF_ROWS: bool = true;

    fn problems(&self) -> Vec<Problem> {
        match (&self.min, &self.max) {
            (None, None) => vec![problem("", "it needs `min`, `max`, or both")],
            _ => Vec::new(),
        }
    }

    fn describe(&self) -> String {
        format!("range {} {}", self.column, self.bounds())
    }

    fn bind(&self, schema: &SchemaRef, _: &BuildContext) -> Result<Arc<dyn BoundCheck>> {
        let column = find(Self::NAME, &self.column, schema)?;
        let field = schema.field(column);
        let Some(to) = compared(Self::NAME, field)? else {
            return Ok(row_wise(Vec::new()));
        };
        let whole = plain(field.data_type()).is_integer();
        let bound = |written: &Option<Written>, within: fn(f64) -> f64| {
            let written = written.as_ref().map(|written| match whole {
                true => written.whole(within),
                false => written.clone(),
            });
            written
                .map(|written| scalar(Self::NAME, &written, field))
                .transpose()
        };
        let min = bound(&self.min, f64::ceil)?;
        let max = bound(&self.max, f64::floor)?;
        if let (Some(least), Some(most)) = (&min, &max) {
            let none = gt(least, most)
                .map_err(|error| Fault::internal(format!("can't compare: {error}")))?;
            if none.has_true() {
                let message = format!(
                    "the range check of {:?} lets nothing through: no value is {}",
                    self.column,
                    self.bounds()
                );
                return Err(Fault::new(code::SCHEMA, message)
                    .with("column", &self.column)
                    .advise("`min` is the least value, `max` the greatest"));
            }
        }
        Ok(row_wise(vec![Part {
            said: format!("{:?} isn't {} in", self.column, self.bounds()),
            shown: Some(column),
            failing: Arc::new(move |batch| {
                let given = unpacked(batch.column(column), &to)?;
                let below = min.as_ref().map(|min| lt(&given as &dyn Datum, min));
                let above = max.as_ref().map(|max| gt(&given as &dyn Datum, max));
                outside(below, above)
                    .map(|outside| with_nan(&given, outside))
                    .map_err(|error| Fault::internal(format!("can't compare: {error}")))
            }),
        }]))
    }
}

/// What is no number lies in no range, though Arrow has it above all others.
fn with_nan(given: &ArrayRef, outside: BooleanArray) -> BooleanArray {
    match nan(given) {
        Some(nan) => BooleanArray::new(outside.values() | &nan, outside.nulls().cloned()),
        None => outside,
    }
}

type Compared = std::result::Result<BooleanArray, ArrowError>;

fn outside(below: Option<Compared>, above: Option<Compared>) -> Compared {
    match (below, above) {
        // Both are null where the value is.
        (Some(below), Some(above)) => {
            let (below, above) = (below?, above?);
            let nulls = below.nulls().cloned();
            Ok(BooleanArray::new(below.values() | above.values(), nulls))
        }
        (Some(one), None) | (None, Some(one)) => one,
        (None, None) => Err(ArrowError::ComputeError("no bounds".to_owned())),
    }
}

impl Range {
    fn bounds(&self) -> String {
        match (&self.min, &self.max) {
            (Some(min), Some(max)) => format!("between {} and {}", min.text(), max.text()),
            (Some(min), None) => format!("at least {}", min.text()),
            (None, Some(max)) => format!("at most {}", max.text()),
            (None, None) => "anything".to_owned(),
        }
    }
}
