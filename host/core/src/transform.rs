use std::fmt;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;

use crate::{BuildContext, Context, Lineage, Problem, Result, Settings, async_trait};

/// Changes rows between Home and Store, as configured for one entity.
#[async_trait]
pub trait Transform: Send + Sync + fmt::Debug {
    /// Binds to the schema of the rows that will come, so that what doesn't fit fails before
    /// rows move. Called once to learn the schema that comes out, and once for each attempt at
    /// a split: every split is transformed on its own, in no order.
    async fn bind(&self, input: &SchemaRef, cx: &Context) -> Result<Box<dyn Bound>>;

    /// Whether all rows of an entity must meet: then it is read as one split.
    fn whole(&self) -> bool {
        false
    }
}

/// A transform bound to a schema, for the rows of one split.
#[async_trait]
pub trait Bound: Send {
    /// The schema of everything that comes out; the same for every split of an entity.
    fn schema(&self) -> SchemaRef;

    /// Where its columns come from, if it can tell.
    fn lineage(&self) -> Option<Lineage> {
        None
    }

    /// Takes a batch, gives any number. After an error the transform is dropped.
    async fn apply(&mut self, batch: RecordBatch) -> Result<Vec<RecordBatch>>;

    /// More of what the last batch gives, piece by piece: asked until it gives none, before the next
    /// batch. For those that make much of little.
    async fn more(&mut self) -> Result<Option<Vec<RecordBatch>>> {
        Ok(None)
    }

    /// No more rows come: gives what was held back.
    async fn finish(&mut self) -> Result<Vec<RecordBatch>> {
        Ok(Vec::new())
    }

    /// More of what was held back, after [`Bound::finish`], piece by piece: asked until it gives
    /// none. For those that hold back more than fits into memory at once.
    async fn rest(&mut self) -> Result<Option<Vec<RecordBatch>>> {
        Ok(None)
    }
}

/// A type of transform: what `type:` names in an item of `transforms:`.
pub trait TransformKind: Send + Sync {
    /// The name in `type:`.
    fn name(&self) -> &str;
    /// One line for lists.
    fn summary(&self) -> &str;
    /// As [`HomeKind::edition`](crate::HomeKind::edition).
    fn edition(&self) -> Option<String> {
        None
    }
    /// The JSON Schema of the settings, without `type`.
    fn schema(&self) -> serde_json::Value;
    /// Checks what the schema can't, and says in a few words what it will do
    /// (`mask email, phone`).
    fn plan(&self, settings: &Settings, cx: &BuildContext) -> Result<String, Vec<Problem>>;
    /// Makes the transform.
    fn build(&self, settings: &Settings, cx: &BuildContext) -> Result<Arc<dyn Transform>>;
}
