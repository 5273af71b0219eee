//! A transform of the fake project.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{ArrayRef, Int64Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use hygge_core::{
    Bound, BuildContext, Context, Fault, Problem, Result, Settings, Transform, TransformKind,
    async_trait,
};

/// Adds one to every number, holds the last of a split back until its end, and calls the
/// column `m`. Refuses anything whose column is not named as it expects.
#[derive(Debug, Clone)]
pub(super) struct AddOne {
    pub(super) expects: String,
}

#[async_trait]
impl Transform for AddOne {
    async fn bind(&self, input: &SchemaRef, _: &Context) -> Result<Box<dyn Bound>> {
        if *input.field(0).name() != self.expects {
            return Err(Fault::new(
                hygge_core::code::SCHEMA,
                format!("there is no column {}", self.expects),
            ));
        }
        Ok(Box::new(AddingOne { held: None }))
    }
}

struct AddingOne {
    held: Option<i64>,
}

impl AddingOne {
    fn batch(&self, rows: Vec<i64>) -> RecordBatch {
        let column: ArrayRef = Arc::new(Int64Array::from(rows));
        RecordBatch::try_new(self.schema(), vec![column]).unwrap()
    }
}

#[async_trait]
impl Bound for AddingOne {
    fn schema(&self) -> SchemaRef {
        Arc::new(Schema::new(vec![Field::new("m", DataType::Int64, false)]))
    }

    async fn apply(&mut self, batch: RecordBatch) -> Result<Vec<RecordBatch>> {
        let rows = batch.column(0).as_primitive::<Int64Type>().values();
        let mut all: Vec<i64> = self.held.take().into_iter().collect();
        all.extend(rows.iter().map(|n| n + 1));
        self.held = all.pop();
        Ok(vec![self.batch(all)])
    }

    async fn finish(&mut self) -> Result<Vec<RecordBatch>> {
        let held = self.held.take();
        Ok(held.map(|n| self.batch(vec![n])).into_iter().collect())
    }
}

impl TransformKind for AddOne {
    fn name(&self) -> &str {
        &self.expects
    }
    fn summary(&self) -> &str {
        "adds one"
    }
    fn schema(&self) -> serde_json::Value {
        serde_json::json!({ "type": "object" })
    }
    fn plan(&self, _: &Settings, _: &BuildContext) -> Result<String, Vec<Problem>> {
        Ok("add one".into())
    }
    fn build(&self, _: &Settings, _: &BuildContext) -> Result<Arc<dyn Transform>> {
        Ok(Arc::new(self.clone()))
    }
}
