use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;

use super::Content;

/// Midnight of 2024-01-01, in microseconds.
const EPOCH: i64 = 1_704_067_200_000_000;

/// One row of the table that tests move: a key, some values, and when it last changed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Order {
    /// The key.
    pub(crate) id: i64,
    /// Bumped by every update.
    pub(crate) version: i64,
    /// Seconds since the start of 2024; none for a row without a watermark.
    pub(crate) updated: Option<i64>,
}

/// Rows, and what they look like as Parquet.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Orders(pub(crate) Vec<Order>);

impl Orders {
    /// Orders with those keys, one a second, the first version of each.
    pub(crate) fn new(ids: std::ops::Range<i64>) -> Self {
        Self(
            ids.map(|id| Order {
                id,
                version: 1,
                updated: Some(id),
            })
            .collect(),
        )
    }

    /// Adds more.
    #[must_use]
    pub(crate) fn and(mut self, more: &Self) -> Self {
        self.0.extend_from_slice(&more.0);
        self
    }

    /// The latest version of each key.
    pub(crate) fn latest(&self) -> Self {
        let mut latest: BTreeMap<i64, &Order> = BTreeMap::new();
        for order in &self.0 {
            let kept = latest.entry(order.id).or_insert(order);
            if order.version > kept.version {
                *kept = order;
            }
        }
        Self(latest.into_values().cloned().collect())
    }

    /// What a destination holds when it holds exactly these.
    pub(crate) fn content(&self) -> Content {
        Content::of_batches(&schema(), &[self.batch()])
    }

    /// The rows as Arrow.
    pub(crate) fn batch(&self) -> RecordBatch {
        let rows = &self.0;
        let ids = rows.iter().map(|o| o.id);
        let names = rows.iter().map(|o| match o.id % 20 {
            0 => None,
            _ => Some(format!("customer {}", o.id * 7919 % 1000)),
        });
        let amounts = rows.iter().map(|o| (o.id * 31 + o.version) as f64 / 8.0);
        let versions = rows.iter().map(|o| o.version);
        let updated = rows
            .iter()
            .map(|o| o.updated.map(|second| EPOCH + second * 1_000_000));
        RecordBatch::try_new(
            schema(),
            vec![
                Arc::new(Int64Array::from_iter_values(ids)),
                Arc::new(names.collect::<StringArray>()),
                Arc::new(Float64Array::from_iter_values(amounts)),
                Arc::new(Int64Array::from_iter_values(versions)),
                Arc::new(updated.collect::<TimestampMicrosecondArray>()),
            ],
        )
        .unwrap()
    }

    /// The rows as a Parquet file, with row groups of 1,000 so that there is something to split
    /// and to rule out.
    pub(crate) fn parquet(&self) -> Vec<u8> {
        let properties = WriterProperties::builder()
            .set_max_row_group_row_count(Some(1_000))
            .build();
        let mut bytes = Vec::new();
        let mut writer = ArrowWriter::try_new(&mut bytes, schema(), Some(properties)).unwrap();
        writer.write(&self.batch()).unwrap();
        writer.close().unwrap();
        bytes
    }
}

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("id", DataType::Int64, true),
        Field::new("customer", DataType::Utf8, true),
        Field::new("amount", DataType::Float64, true),
        Field::new("version", DataType::Int64, true),
        Field::new(
            "updated_at",
            DataType::Timestamp(TimeUnit::Microsecond, None),
            true,
        ),
    ]))
}
