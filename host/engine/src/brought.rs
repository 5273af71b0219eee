//! Rows brought to the schema that the destination keeps, when they come in another: columns left
//! out, types made wider.

use std::sync::Arc;

use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_schema::SchemaRef;
use hygge_core::{Bound, Context, Fault, Result, Transform, async_trait, cast_by_name, code};

/// Brings rows to a schema whose columns are some of theirs, each in its type or a wider one.
#[derive(Debug)]
pub(crate) struct Brought(pub(crate) SchemaRef);

#[async_trait]
impl Transform for Brought {
    async fn bind(&self, input: &SchemaRef, _cx: &Context) -> Result<Box<dyn Bound>> {
        let fields = self.0.fields().iter();
        let columns = fields
            .map(|field| {
                input.index_of(field.name()).map_err(|_| {
                    Fault::internal(format!("column {:?} went away on its way", field.name()))
                })
            })
            .collect::<Result<_>>()?;
        Ok(Box::new(Bringing {
            schema: Arc::clone(&self.0),
            columns,
        }))
    }
}

struct Bringing {
    schema: SchemaRef,
    columns: Vec<usize>,
}

#[async_trait]
impl Bound for Bringing {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    async fn apply(&mut self, batch: RecordBatch) -> Result<Vec<RecordBatch>> {
        let mut columns = Vec::with_capacity(self.columns.len());
        for (index, field) in self.columns.iter().zip(self.schema.fields()) {
            let column = batch.column(*index);
            columns.push(match column.data_type() == field.data_type() {
                true => Arc::clone(column),
                false => cast_by_name(column, field.data_type()).map_err(|error| {
                    Fault::new(code::SCHEMA, format!("column {:?}: {error}", field.name()))
                        .with("column", field.name())
                })?,
            });
        }
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let batch = RecordBatch::try_new_with_options(self.schema(), columns, &options)
            .map_err(|error| Fault::internal(format!("rows don't fit their schema: {error}")))?;
        Ok(vec![batch])
    }
}
