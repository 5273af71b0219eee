//! `select` and `exclude`: which columns go on.

use std::collections::BTreeSet;

use arrow_schema::SchemaRef;
use hygge_core::{Bound, Context, OPERATION_COLUMN, Problem, Result};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::kind::{Column, Spec, column_wise, find, problem};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Select {
    /// The columns that go on, in this order.
    #[schemars(length(min = 1))]
    columns: Vec<String>,
}

impl Spec for Select {
    const NAME: &'static str = "select";
    const SUMMARY: &'static str = "keeps some columns, in the order given";

    fn problems(&self) -> Vec<Problem> {
        twice(&self.columns)
    }

    fn describe(&self) -> String {
        format!("select {}", self.columns.join(", "))
    }

    fn bind(&self, input: &SchemaRef, cx: &Context) -> Result<Box<dyn Bound>> {
        let mut columns = Vec::new();
        for name in &self.columns {
            columns.push(Column::same(find(Self::NAME, name, input)?, input));
        }
        // Without it a deleted row would settle as one that is there.
        if let Ok(index) = input.index_of(OPERATION_COLUMN) {
            columns.push(Column::same(index, input));
        }
        column_wise(Self::NAME, columns, input, cx)
    }
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Exclude {
    /// The columns that don't go on.
    #[schemars(length(min = 1))]
    columns: Vec<String>,
}

impl Spec for Exclude {
    const NAME: &'static str = "exclude";
    const SUMMARY: &'static str = "drops some columns";

    fn problems(&self) -> Vec<Problem> {
        twice(&self.columns)
    }

    fn describe(&self) -> String {
        format!("exclude {}", self.columns.join(", "))
    }

    fn bind(&self, input: &SchemaRef, cx: &Context) -> Result<Box<dyn Bound>> {
        let mut gone = BTreeSet::new();
        for name in &self.columns {
            gone.insert(find(Self::NAME, name, input)?);
        }
        let left = (0..input.fields().len()).filter(|index| !gone.contains(index));
        let columns = left.map(|index| Column::same(index, input)).collect();
        column_wise(Self::NAME, columns, input, cx)
    }
}

/// Names that stand in `columns` more than once.
pub(crate) fn twice(names: &[String]) -> Vec<Problem> {
    twice_in("columns", names)
}

/// Names that stand in a setting more than once.
pub(crate) fn twice_in(key: &str, names: &[String]) -> Vec<Problem> {
    let mut seen = BTreeSet::new();
    let again = names
        .iter()
        .enumerate()
        .filter(|(_, name)| !seen.insert(*name));
    let told = again.map(|(index, name)| {
        problem(
            &format!("{key}/{index}"),
            format!("{name} is named twice"),
            None,
        )
    });
    told.collect()
}
