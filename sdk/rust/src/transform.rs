use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;

use crate::{Config, Result};

/// Rows in, rows out. The type is its settings.
pub trait Transform: Config {
    /// What it is once it knows what comes in.
    type Bound: Bound;

    /// `stateless`: each batch is transformed on its own.
    const ABILITIES: &'static [&'static str] = &[];

    /// Checks the settings against the schema of the rows that will come. A column that is
    /// missing or of the wrong type is a [`Fault::column`](crate::Fault::column).
    fn bind(&self, input: &SchemaRef) -> Result<Self::Bound>;
}

/// A transform that knows what comes in.
pub trait Bound: 'static {
    /// The schema of every batch it gives.
    fn schema(&self) -> SchemaRef;

    /// Takes a batch and gives any number. The same rows in other batches give the same rows.
    fn apply(&mut self, batch: RecordBatch) -> Result<Vec<RecordBatch>>;

    /// No more rows come: gives what was held back.
    fn finish(&mut self) -> Result<Vec<RecordBatch>> {
        Ok(Vec::new())
    }
}
