use std::fmt;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;

use crate::Result;

/// A step between Home and Store, as configured.
pub trait Transform: Send + Sync + fmt::Debug {
    /// Fits the transform to a schema, so that a mismatch fails before rows move.
    fn bind(&self, schema: SchemaRef) -> Result<Box<dyn Bound>>;
}

/// A transform fitted to a schema, with the state of one split.
pub trait Bound: Send {
    /// The schema of what comes out.
    fn schema(&self) -> SchemaRef;
    /// Turns a batch into none, one or more.
    fn apply(&mut self, batch: RecordBatch) -> Result<Vec<RecordBatch>>;
    /// The rest, after the last batch.
    fn finish(&mut self) -> Result<Vec<RecordBatch>>;
}
