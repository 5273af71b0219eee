//! `row_count`: how many rows a run brings.

use std::sync::Arc;

use arrow_array::{BooleanArray, RecordBatch};
use arrow_schema::SchemaRef;
use hygge_core::{
    About, BoundCheck, BuildContext, Context, Looking, Problem, Result, Verdict, count_rows,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::kind::{Spec, problem};

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RowCount {
    /// The fewest rows.
    min: Option<u64>,
    /// The most rows.
    max: Option<u64>,
}

impl Spec for RowCount {
    const NAME: &'static str = "row_count";
    const SUMMARY: &'static str = "a run brings so many rows";
    const OF_ROWS: bool = false;

    fn problems(&self) -> Vec<Problem> {
        match (self.min, self.max) {
            (None, None) => vec![problem("", "it needs `min`, `max`, or both")],
            (Some(min), Some(max)) if min > max => {
                vec![problem("max", format!("{max} is less than `min`, {min}"))]
            }
            _ => Vec::new(),
        }
    }

    fn describe(&self) -> String {
        format!("row_count {}", self.wanted())
    }

    fn bind(&self, _: &SchemaRef, _: &BuildContext) -> Result<Arc<dyn BoundCheck>> {
        Ok(Arc::new(self.clone()))
    }
}

impl RowCount {
    fn wanted(&self) -> String {
        match (self.min, self.max) {
            (Some(min), Some(max)) => format!("between {min} and {max}"),
            (Some(min), None) => format!("at least {min}"),
            (_, Some(max)) => format!("at most {max}"),
            (None, None) => "any".to_owned(),
        }
    }
}

impl BoundCheck for RowCount {
    fn look(&self, _: &Context) -> Box<dyn Looking> {
        Box::new(Nothing)
    }

    fn looks(&self) -> bool {
        false
    }

    fn judge(&self, _: &[Value], about: &About) -> Result<Verdict> {
        let few = self.min.is_some_and(|min| about.rows < min);
        let many = self.max.is_some_and(|max| about.rows > max);
        Ok(match few || many {
            false => Verdict::Passed,
            true => Verdict::Failed {
                why: format!("{}, not {}", brought(about.rows), self.wanted()),
                rows: None,
            },
        })
    }
}

/// Rows as they reach the Store: of several with one key a merge keeps one, after the checks.
pub(crate) fn brought(rows: u64) -> String {
    let reach = if rows == 1 { "reaches" } else { "reach" };
    format!("{} {reach} the store", count_rows(rows))
}

/// For checks that look at no row.
pub(crate) struct Nothing;

impl Looking for Nothing {
    fn take(&mut self, _: &RecordBatch) -> Result<Option<BooleanArray>> {
        Ok(None)
    }

    fn finish(self: Box<Self>) -> Result<Value> {
        Ok(Value::Null)
    }
}
