use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field, Schema};
use futures::executor::block_on;
use hygge_core::{BuildContext, Context, Fault, Registry, Settings};
use serde_json::Value;

mod casting;
mod deduping;
mod laws;
mod masking;
mod naming;
mod shaping;
mod types;

fn place() -> BuildContext {
    BuildContext {
        root: "/p".into(),
        work: "/p/.hygge".into(),
        entity: None,
        run: None,
    }
}

fn problems(kind: &str, settings: Value) -> Vec<String> {
    let mut registry = Registry::default();
    crate::register(&mut registry);
    let planned = registry
        .transform(kind)
        .unwrap()
        .plan(&Settings::new(settings, []), &place());
    let told = planned.err().unwrap_or_default();
    told.into_iter()
        .map(|each| format!("{}: {}", each.pointer, each.message))
        .collect()
}

/// What a transform makes of batches: at once, and cut into batches of `size` rows.
fn run(kind: &str, settings: Value, batch: &RecordBatch) -> Result<RecordBatch, Fault> {
    sized(kind, settings, batch, usize::MAX)
}

fn sized(
    kind: &str,
    settings: Value,
    batch: &RecordBatch,
    size: usize,
) -> Result<RecordBatch, Fault> {
    let mut registry = Registry::default();
    crate::register(&mut registry);
    let kind = registry.transform(kind).unwrap();
    let transform = kind.build(&Settings::new(settings, []), &place())?;
    block_on(async {
        let mut bound = transform.bind(&batch.schema(), &Context::inline()).await?;
        let mut out = vec![RecordBatch::new_empty(bound.schema())];
        let mut from = 0;
        while from < batch.num_rows() {
            let rows = size.min(batch.num_rows() - from);
            out.extend(bound.apply(batch.slice(from, rows)).await?);
            while let Some(more) = bound.more().await? {
                out.extend(more);
            }
            from += rows;
        }
        // An empty batch passes as well, and adds nothing.
        out.extend(bound.apply(batch.slice(0, 0)).await?);
        out.extend(bound.finish().await?);
        Ok(arrow_select::concat::concat_batches(&bound.schema(), &out).unwrap())
    })
}

/// Columns of one batch, each nullable, and each with metadata that says its name.
fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    let field = |(name, column): &(&str, ArrayRef)| {
        let said = HashMap::from([("origin".to_owned(), (*name).to_owned())]);
        Field::new(*name, column.data_type().clone(), true).with_metadata(said)
    };
    let fields: Vec<Field> = columns.iter().map(field).collect();
    let columns = columns.into_iter().map(|(_, column)| column).collect();
    let said = HashMap::from([("table".to_owned(), "orders".to_owned())]);
    let schema = Schema::new(fields).with_metadata(said);
    RecordBatch::try_new(Arc::new(schema), columns).unwrap()
}

/// What a fault tells a person.
fn told(fault: &Fault) -> String {
    let advice = fault.advice.as_deref().unwrap_or("-");
    format!("{}\n{advice}", fault.message)
}

fn names(batch: &RecordBatch) -> Vec<String> {
    let schema = batch.schema();
    schema.fields().iter().map(|f| f.name().clone()).collect()
}

fn type_of(batch: &RecordBatch, name: &str) -> DataType {
    batch.column_by_name(name).unwrap().data_type().clone()
}
