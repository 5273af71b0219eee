//! What all row groups of an output share: schema, statistics orders, carried key values.

use std::sync::Arc;

use bytes::Bytes;
use parquet::arrow::{ARROW_SCHEMA_META_KEY, encode_arrow_schema, parquet_to_arrow_schema};
use parquet::file::metadata::KeyValue;
use parquet::schema::types::{SchemaDescPtr, SchemaDescriptor};

use super::appended::CrateFooter;
use super::decide::Why;
use super::encode::Encoder;
use super::error::Result;
use super::source::{Order, SourceFile};

/// Where the names of the writers of copied row groups go, as parquet-java's rewriter does it.
pub(crate) const ORIGINAL_CREATED_BY: &str = "original.created.by";

/// Schema, statistics orders and carried metadata of an output.
#[derive(Debug, Clone)]
pub struct Layout {
    pub(crate) version: i64,
    /// Schema elements and column orders, as the footer has them.
    pub(crate) schema_bytes: Bytes,
    pub(crate) orders_bytes: Option<Bytes>,
    pub(crate) orders: Vec<Order>,
    schema: SchemaDescPtr,
    pub(crate) carried: Vec<KeyValue>,
}

impl Layout {
    /// The layout of a file that will be copied from, with its key-value metadata.
    pub fn of_source(source: &SourceFile) -> Self {
        let raw = source.raw();
        Self {
            version: raw.version,
            schema_bytes: raw.schema.clone(),
            orders_bytes: raw.orders.clone(),
            orders: (0..source.schema().num_columns())
                .map(|column| source.order(column))
                .collect(),
            schema: source.schema(),
            carried: source
                .key_values()
                .iter()
                .filter(|pair| pair.key != ORIGINAL_CREATED_BY)
                .cloned()
                .collect(),
        }
    }

    /// The layout of row groups that `encoder` makes, with their Arrow schema.
    pub fn of_encoder(encoder: &Encoder) -> Result<Self> {
        let schema = SchemaDescriptor::new(Arc::clone(encoder.parquet()));
        let arrow = encode_arrow_schema(encoder.declared());
        let arrow = KeyValue::new(ARROW_SCHEMA_META_KEY.to_owned(), arrow);
        Self::new(Arc::new(schema), vec![arrow])
    }

    /// A layout for row groups encoded here with that Parquet schema, and what the footer says
    /// beside it, the Arrow schema for one.
    pub fn new(schema: SchemaDescPtr, key_values: Vec<KeyValue>) -> Result<Self> {
        let raw = CrateFooter::write(&schema, None)?.raw;
        Ok(Self {
            version: raw.version,
            orders: raw.column_orders(schema.num_columns()),
            schema_bytes: raw.schema,
            orders_bytes: raw.orders,
            schema,
            carried: key_values,
        })
    }

    /// The Parquet schema: what row groups must be encoded with to be appended.
    pub fn schema(&self) -> &SchemaDescPtr {
        &self.schema
    }

    /// Whether row groups that `encoder` makes can stand beside copied ones. They can't where it
    /// stores a column in another way than the source did, say a decimal as an integer.
    pub fn takes_encoder(&self, encoder: &Encoder) -> Result<(), Why> {
        self.takes_schema(&SchemaDescriptor::new(Arc::clone(encoder.parquet())))
    }

    /// Whether row groups of `source` have this schema: the same columns, and the same Arrow
    /// types where either says them.
    pub fn takes(&self, source: &SourceFile) -> Result<(), Why> {
        self.takes_schema(&source.schema())?;
        let arrow = |pairs: &[KeyValue]| {
            pairs
                .iter()
                .find(|pair| pair.key == ARROW_SCHEMA_META_KEY)
                .and_then(|pair| pair.value.clone())
        };
        let (ours, other) = (arrow(&self.carried), arrow(source.key_values()));
        if ours == other {
            return Ok(());
        }
        // Writers serialise the same Arrow schema differently: compare what it means.
        let read =
            |pairs: &[KeyValue]| parquet_to_arrow_schema(&self.schema, Some(&pairs.to_vec()));
        match (read(&self.carried), read(source.key_values())) {
            (Ok(ours), Ok(theirs)) if ours.fields() == theirs.fields() => Ok(()),
            _ => Err(Why::SchemaDiffers {
                what: "Arrow schema".to_owned(),
            }),
        }
    }

    fn takes_schema(&self, theirs: &SchemaDescriptor) -> Result<(), Why> {
        let differs = |what: String| Err(Why::SchemaDiffers { what });
        if self.schema.num_columns() != theirs.num_columns() {
            return differs(format!(
                "{} columns instead of {}",
                theirs.num_columns(),
                self.schema.num_columns()
            ));
        }
        // The root's own name means nothing and differs from writer to writer.
        if self.schema.root_schema().get_fields() != theirs.root_schema().get_fields() {
            let odd = self
                .schema
                .columns()
                .iter()
                .zip(theirs.columns())
                .find(|(ours, theirs)| ours != theirs);
            return differs(match odd {
                Some((ours, _)) => format!("column {:?}", ours.path().string()),
                None => "groups around the columns".to_owned(),
            });
        }
        Ok(())
    }
}
