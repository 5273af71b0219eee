use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use arrow_array::{Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;

use serde_json::Value;

use super::{Content, walk};

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

impl Order {
    fn customer(&self) -> Option<String> {
        (self.id % 20 != 0).then(|| format!("customer {}", self.id * 7919 % 1000))
    }

    fn amount(&self) -> f64 {
        (self.id * 31 + self.version) as f64 / 8.0
    }
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

    /// What stands in a folder of NDJSON files, of which each line must be an order to the last
    /// value.
    pub(crate) fn of_ndjson(folder: &Path) -> Self {
        let mut orders = Vec::new();
        walk(folder, &mut |path, is_folder| {
            assert!(!is_folder, "{} was left", path.display());
            for line in std::fs::read_to_string(path).unwrap().lines() {
                let line: Value = serde_json::from_str(line).unwrap();
                let updated = line["updated_at"].as_str().map(|text| {
                    let at: jiff::civil::DateTime = text.parse().unwrap();
                    let epoch = jiff::civil::date(2024, 1, 1).at(0, 0, 0, 0);
                    at.duration_since(epoch).as_secs()
                });
                let order = Order {
                    id: line["id"].as_i64().unwrap(),
                    version: line["version"].as_i64().unwrap(),
                    updated,
                };
                assert_eq!(
                    line["customer"].as_str(),
                    order.customer().as_deref(),
                    "{line}"
                );
                assert_eq!(line["amount"].as_f64(), Some(order.amount()), "{line}");
                orders.push(order);
            }
        });
        Self(orders)
    }

    /// What a destination holds when it holds exactly these.
    pub(crate) fn content(&self) -> Content {
        Content::of_batches(&schema(), &[self.batch()])
    }

    /// The rows as Arrow.
    pub(crate) fn batch(&self) -> RecordBatch {
        let rows = &self.0;
        let ids = rows.iter().map(|o| o.id);
        let names = rows.iter().map(Order::customer);
        let amounts = rows.iter().map(Order::amount);
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
