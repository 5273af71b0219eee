//! A transform that says nothing of itself is watched where its rows are merged.

use arrow_array::{ArrayRef, Int64Array};

use super::*;

/// Each row twice.
#[derive(Debug)]
struct Twice;

#[async_trait]
impl Transform for Twice {
    async fn bind(&self, input: &SchemaRef, _: &Context) -> Result<Box<dyn Bound>> {
        Ok(Box::new(Doubling(Arc::clone(input))))
    }
}

struct Doubling(SchemaRef);

#[async_trait]
impl Bound for Doubling {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.0)
    }

    async fn apply(&mut self, batch: RecordBatch) -> Result<Vec<RecordBatch>> {
        Ok(vec![batch.clone(), batch])
    }
}

#[tokio::test]
async fn rows_that_nothing_tells_apart_are_refused_in_a_merge() {
    let column: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
    let batch = RecordBatch::try_from_iter([("id", column)]).unwrap();
    let cx = Context::inline();
    let chain = || Chain::default().then("twice", Arc::new(Twice));
    let mut plain = chain().bind(&batch.schema(), &cx).await.unwrap();
    assert_eq!(plain.apply(batch.clone()).await.unwrap().len(), 2);
    let merge = Merge {
        key: vec!["id".to_owned()],
        latest_by: None,
        single: BTreeSet::from([0]),
    };
    let watched = chain().merged(Some(&merge));
    let mut watched = watched.bind(&batch.schema(), &cx).await.unwrap();
    let fault = watched.apply(batch).await.unwrap_err();
    assert_eq!(
        fault.message,
        "1 (twice) makes several rows of one, and nothing tells them apart: a merge would keep one \
         of them"
    );
}

/// Takes no row.
#[derive(Debug)]
struct Refusing;

#[async_trait]
impl Transform for Refusing {
    async fn bind(&self, _: &SchemaRef, _: &Context) -> Result<Box<dyn Bound>> {
        Err(Fault::new(code::SCHEMA, "refusing can't take column a"))
    }
}

#[tokio::test]
async fn which_of_several_of_one_type_failed_is_said() {
    let schema = SchemaRef::new(arrow_schema::Schema::empty());
    let cx = Context::inline();
    let twice = Chain::default().then("same", Arc::new(Twice));
    for (chain, message) in [
        (twice.clone().then("other", Arc::new(Refusing)), ""),
        (
            twice.then("same", Arc::new(Refusing)),
            " (transform 2 of 2)",
        ),
    ] {
        let fault = chain.bind(&schema, &cx).await.err().unwrap();
        assert_eq!(
            fault.message,
            format!("refusing can't take column a{message}")
        );
    }
}
