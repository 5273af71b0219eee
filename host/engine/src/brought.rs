//! Rows brought to the schema that the destination keeps, when they come in another: columns left
//! out, types made wider.

use std::sync::Arc;

use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_schema::SchemaRef;
use hygge_core::{
    Bound, Context, Fault, Result, Transform, async_trait, cast_by_name, code, type_name,
};

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
                    let (name, to) = (field.name(), type_name(field.data_type()));
                    let message = format!(
                        "column {name:?} has a value that {to} can't hold, its type at the \
                         destination: {error}"
                    );
                    Fault::new(code::SCHEMA, message)
                        .with("column", name)
                        .advise(
                            "bring it to that type before (a transform `cast`), or begin anew with \
                             what it is now: `--full`, and `on_schema_change: warn` for that run",
                        )
                })?,
            });
        }
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let batch = RecordBatch::try_new_with_options(self.schema(), columns, &options)
            .map_err(|error| Fault::internal(format!("rows don't fit their schema: {error}")))?;
        Ok(vec![batch])
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::{ArrayRef, TimestampMicrosecondArray};
    use arrow_schema::{DataType, Field, Schema, TimeUnit};
    use futures::executor::block_on;

    use super::*;

    #[test]
    fn a_value_without_room_is_told() {
        let far = 253_370_764_800_000_000;
        let column: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![0, far]));
        let rows = RecordBatch::try_from_iter([("at", column)]).unwrap();
        let kind = DataType::Timestamp(TimeUnit::Nanosecond, None);
        let to = Arc::new(Schema::new(vec![Field::new("at", kind, true)]));
        let fault = block_on(async {
            let cx = Context::inline();
            let mut bound = Brought(to).bind(&rows.schema(), &cx).await.unwrap();
            bound.apply(rows).await.unwrap_err()
        });
        let told = "column \"at\" has a value that timestamp[ns] can't hold, its type at the destination: ";
        assert!(fault.message.starts_with(told), "{fault:?}");
    }
}
