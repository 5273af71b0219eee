//! `accepted_values`: a column holds nothing but the listed values.

use std::sync::Arc;

use arrow_array::BooleanArray;
use arrow_buffer::BooleanBuffer;
use arrow_ord::cmp::eq;
use arrow_schema::SchemaRef;
use hygge_core::{BoundCheck, BuildContext, Fault, Problem, Result};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::kind::{Spec, find, problem};
use crate::rowwise::{Part, row_wise};
use crate::value::{Written, compared, scalar, unpacked};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AcceptedValues {
    /// The column.
    column: String,
    /// What it may hold, besides NULL.
    values: Vec<Written>,
}

impl Spec for AcceptedValues {
    const NAME: &'static str = "accepted_values";
    const SUMMARY: &'static str = "a column holds nothing but the listed values";
    const OF_ROWS: bool = true;

    fn problems(&self) -> Vec<Problem> {
        match self.values.is_empty() {
            true => vec![problem("values", "without any value, every row would fail")],
            false => Vec::new(),
        }
    }

    fn describe(&self) -> String {
        format!("accepted_values {}", self.column)
    }

    fn bind(&self, schema: &SchemaRef, _: &BuildContext) -> Result<Arc<dyn BoundCheck>> {
        let column = find(Self::NAME, &self.column, schema)?;
        let field = schema.field(column);
        let Some(to) = compared(Self::NAME, field)? else {
            return Ok(row_wise(Vec::new()));
        };
        let values = self.values.iter();
        let values = values
            .map(|written| scalar(Self::NAME, written, field))
            .collect::<Result<Vec<_>>>()?;
        Ok(row_wise(vec![Part {
            said: format!("{:?} holds other values in", self.column),
            shown: Some(column),
            failing: Arc::new(move |batch| {
                let given = unpacked(batch.column(column), &to)?;
                let mut accepted = BooleanBuffer::new_unset(given.len());
                for value in &values {
                    let same = eq(&given, value)
                        .map_err(|error| Fault::internal(format!("can't compare: {error}")))?;
                    accepted = &accepted | same.values();
                    // Most batches hold what is listed first.
                    if accepted.count_set_bits() == given.len() {
                        break;
                    }
                }
                Ok(BooleanArray::new(!&accepted, given.logical_nulls()))
            }),
        }]))
    }
}
