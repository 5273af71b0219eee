//! `not_null`: columns that have a value in every row.

use std::sync::Arc;

use arrow_array::{Array, BooleanArray};
use arrow_schema::SchemaRef;
use hygge_core::{BoundCheck, BuildContext, OneOrMany, Problem, Result};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::kind::{Spec, find, problem};
use crate::rowwise::{Part, row_wise};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NotNull {
    /// The column or columns.
    #[serde(deserialize_with = "OneOrMany::read")]
    #[schemars(with = "OneOrMany")]
    columns: Vec<String>,
}

impl Spec for NotNull {
    const NAME: &'static str = "not_null";
    const SUMMARY: &'static str = "columns have a value in every row";
    const OF_ROWS: bool = true;

    fn problems(&self) -> Vec<Problem> {
        match self.columns.is_empty() {
            true => vec![problem("columns", "it names no column")],
            false => Vec::new(),
        }
    }

    fn describe(&self) -> String {
        format!("not_null {}", self.columns.join(", "))
    }

    fn bind(&self, schema: &SchemaRef, _: &BuildContext) -> Result<Arc<dyn BoundCheck>> {
        let parts = self.columns.iter().map(|name| {
            let column = find(Self::NAME, name, schema)?;
            Ok(Part {
                said: format!("{name:?} is NULL in"),
                shown: None,
                failing: Arc::new(move |batch| {
                    let values = batch.column(column);
                    // Not only what the bitmap says: a dictionary's values may be null as well.
                    Ok(match values.logical_nulls() {
                        Some(nulls) => BooleanArray::new(!nulls.inner(), None),
                        None => BooleanArray::from(vec![false; values.len()]),
                    })
                }),
            })
        });
        Ok(row_wise(parts.collect::<Result<_>>()?))
    }
}
