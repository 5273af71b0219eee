//! `unnest`: a row for each item of a list.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, RecordBatch, UInt64Array};
use arrow_schema::{DataType, Field, FieldRef, Schema, SchemaRef};
use arrow_select::take::take;
use hygge_core::{Bound, Context, Fault, Lineage, Origin, Result, code, type_name};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::kind::{Spec, batch_wise, find, rows};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Unnest {
    /// A column of lists, which becomes a column of their items. A row whose list is empty or NULL
    /// stays, with NULL.
    column: String,
}

impl Spec for Unnest {
    const NAME: &'static str = "unnest";
    const SUMMARY: &'static str = "makes a row of each item of a list";

    fn describe(&self) -> String {
        format!("unnest {}", self.column)
    }

    fn bind(&self, input: &SchemaRef, cx: &Context) -> Result<Box<dyn Bound>> {
        let index = find(Self::NAME, &self.column, input)?;
        let field = input.field(index);
        let (DataType::List(item) | DataType::LargeList(item)) = field.data_type() else {
            let given = type_name(field.data_type());
            let message = format!("unnest needs a list, and {} is {given}", self.column);
            let fault = Fault::new(code::SCHEMA, message).with("column", &self.column);
            return Err(fault.advise(match field.data_type() {
                DataType::Struct(_) => "a struct is for `flatten`",
                DataType::Map(..) => {
                    "no transform takes a map apart: do it in the query of the home, or after"
                }
                _ => "name a column of lists",
            }));
        };
        let mut fields: Vec<FieldRef> = input.fields().to_vec();
        fields[index] = Arc::new(Field::new(&self.column, item.data_type().clone(), true));
        let schema = Arc::new(Schema::new_with_metadata(fields, input.metadata().clone()));
        let mut lineage = Lineage::same(input.fields().len());
        lineage.columns[index] = Origin::Made(vec![index]);
        lineage.several = true;
        Ok(batch_wise(Arc::clone(&schema), lineage, cx, move |batch| {
            let columns = items(batch, index)
                .map_err(|error| Fault::internal(format!("unnest failed: {error}")))?;
            rows(&schema, columns)
        }))
    }
}

fn items(batch: &RecordBatch, index: usize) -> Result<Vec<ArrayRef>, arrow_schema::ArrowError> {
    let column = batch.column(index);
    let large = arrow_cast::cast(column, &large(column.data_type()))?;
    let lists = large.as_list::<i64>();
    let (mut of_row, mut of_item) = (Vec::new(), Vec::new());
    for (row, ends) in (0_u64..).zip(lists.value_offsets().windows(2)) {
        let there = usize::try_from(row).is_ok_and(|row| lists.is_valid(row));
        match u64::try_from(ends[0]).ok().zip(u64::try_from(ends[1]).ok()) {
            Some((from, to)) if there && from < to => {
                for item in from..to {
                    of_row.push(row);
                    of_item.push(Some(item));
                }
            }
            _ => {
                of_row.push(row);
                of_item.push(None);
            }
        }
    }
    let (of_row, of_item) = (UInt64Array::from(of_row), UInt64Array::from(of_item));
    let columns = batch
        .columns()
        .iter()
        .enumerate()
        .map(|(at, column)| match at == index {
            true => take(lists.values(), &of_item, None),
            false => take(column, &of_row, None),
        });
    columns.collect()
}

fn large(data_type: &DataType) -> DataType {
    match data_type {
        DataType::List(item) => DataType::LargeList(Arc::clone(item)),
        other => other.clone(),
    }
}
