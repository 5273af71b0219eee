//! A reader in a sandbox: an instance of its own, and another when that one has grown too large.

use std::sync::Arc;

use arrow_array::{BooleanArray, RecordBatch};
use arrow_schema::SchemaRef;
use hygge_core::{
    Batch, Bounds, Context, Fault, Position, Reader, Result, Step, Want, WatermarkType, async_trait,
};
use serde_json::Value;
use wasmtime::component::ResourceAny;

use crate::contract::{home as wit, types};
use crate::home::guest;
use crate::instance::Instance;
use crate::limits::OPAQUE;
use crate::plugin::Plugin;
use crate::{columns, fault, ipc};

/// Most rows that are asked for at once.
const ROWS: u32 = 1 << 20;
/// How long a reader may wait for the first row of a batch.
const WAIT_MS: u32 = 1_000;

/// What it takes to open a split.
pub(crate) struct Opening {
    pub(crate) plugin: Arc<Plugin>,
    pub(crate) config: Arc<str>,
    pub(crate) entity: types::Entity,
    pub(crate) split: wit::Split,
    /// The schema that was announced, by the plan or by the first reader.
    pub(crate) announced: Option<SchemaRef>,
    pub(crate) cx: Context,
}

impl Opening {
    /// Opens it from its start, or at a position.
    pub(crate) async fn open(
        mut self,
        resume: Option<String>,
        want: &Want,
    ) -> Result<PluginReader> {
        let opened = self.begin(resume).await?;
        self.announced = Some(Arc::clone(&opened.schema));
        let low = want.bounds.as_ref();
        let low = low.map(|each| Low::of(each, &opened.schema)).transpose()?;
        Ok(PluginReader {
            low,
            batch_bytes: want.batch_bytes as u64,
            opened,
            opening: self,
            position: None,
        })
    }

    async fn begin(&self, resume: Option<String>) -> Result<Opened> {
        let mut instance = Instance::fresh(&self.plugin, &self.cx).await?;
        let (config, entity) = (Arc::clone(&self.config), self.entity.clone());
        let split = self.split.clone();
        let reader = instance.quick("home.open", move |live| {
            Box::pin(async move {
                guest(live)?
                    .call_open(&mut live.store, &config, &entity, &split, resume.as_ref())
                    .await
            })
        });
        let told = |told: types::Fault| fault::told(&told, &self.plugin);
        let reader = reader.await?.map_err(told)?;
        let schema = instance.quick("reader.schema", move |live| {
            Box::pin(async move {
                let guest = guest(live)?;
                guest.reader().call_schema(&mut live.store, reader).await
            })
        });
        let schema = schema.await?.map_err(told)?;
        let schema = ipc::read_schema(&schema)
            .map_err(|why| fault::invalid(&self.plugin, format!("gave {why}")))?;
        if let Some(announced) = &self.announced {
            columns::same(announced, &schema).map_err(|why| {
                let other = "gave a reader of another schema than its plan's";
                fault::invalid(&self.plugin, format!("{other}: {why}"))
            })?;
        }
        let schema = self.announced.clone().unwrap_or(schema);
        instance.settled();
        Ok(Opened {
            instance,
            reader,
            schema,
        })
    }
}

/// A reader of a guest, alive.
struct Opened {
    instance: Instance,
    reader: ResourceAny,
    schema: SchemaRef,
}

impl Opened {
    /// Lets the guest put its things away.
    async fn close(&mut self) -> Result<()> {
        let reader = self.reader;
        let closed = self.instance.quick("reader.drop", move |live| {
            Box::pin(async move { reader.resource_drop_async(&mut live.store).await })
        });
        closed.await
    }
}

/// The least watermark wanted, in the type of the column.
struct Low {
    column: usize,
    low: i128,
}

impl Low {
    fn of(bounds: &Bounds, schema: &SchemaRef) -> Result<Self> {
        let column = schema.index_of(&bounds.column).map_err(|_| {
            Fault::new(
                hygge_core::code::SCHEMA,
                format!("there is no column {:?} to follow", bounds.column),
            )
        })?;
        let kind = WatermarkType::of(&bounds.column, schema.field(column).data_type())?;
        // A low that doesn't fit the type lets everything pass; the engine looks again.
        let low = bounds.kind.convert(bounds.low, kind).unwrap_or(i128::MIN);
        Ok(Self { column, low })
    }

    fn apply(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let values = WatermarkType::ordinals(batch.column(self.column))?;
        let wanted: BooleanArray = values
            .into_iter()
            .map(|value| Some(value.is_some_and(|value| value >= self.low)))
            .collect();
        arrow_select::filter::filter_record_batch(batch, &wanted)
            .map_err(|error| Fault::internal(error.to_string()))
    }
}

/// A reader in a sandbox.
pub(crate) struct PluginReader {
    opened: Opened,
    opening: Opening,
    low: Option<Low>,
    batch_bytes: u64,
    /// Where the rows end that were given last, if the guest said so.
    position: Option<String>,
}

impl PluginReader {
    /// Goes on in a fresh instance once this one has grown, where a position says from where: a
    /// guest's memory never shrinks.
    async fn recycle(&mut self) -> Result<()> {
        if !self.opened.instance.grown() {
            return Ok(());
        }
        let Some(position) = self.position.clone() else {
            return Ok(());
        };
        self.opened.close().await?;
        self.opened = self.opening.begin(Some(position)).await?;
        Ok(())
    }
}

#[async_trait]
impl Reader for PluginReader {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.opened.schema)
    }

    async fn next(&mut self) -> Result<Option<Step>> {
        let plugin = Arc::clone(&self.opening.plugin);
        let limit = plugin.grants.limits.batch;
        loop {
            self.opening.cx.stop.check()?;
            self.recycle().await?;
            let share = self.opening.cx.share.bytes() as u64 / 4;
            let (reader, bytes) = (
                self.opened.reader,
                self.batch_bytes.min(share).max(64 << 10),
            );
            let step = self.opened.instance.quick("reader.next", move |live| {
                Box::pin(async move {
                    let guest = guest(live)?;
                    let reader_of = guest.reader();
                    reader_of
                        .call_next(&mut live.store, reader, ROWS, bytes, WAIT_MS)
                        .await
                })
            });
            let step = step.await?.map_err(|told| fault::told(&told, &plugin))?;
            let Some(step) = step else {
                self.opened.close().await?;
                return Ok(None);
            };
            let Some(batch) = step.batch else {
                continue;
            };
            if step.position.as_ref().is_some_and(|p| p.len() > OPAQUE) {
                return Err(fault::invalid(
                    &plugin,
                    "gave a position larger than 64 KiB",
                ));
            }
            let schema = Arc::clone(&self.opened.schema);
            let bytes = batch.len();
            let read = move || Ok(ipc::read_batch(batch, &schema, ROWS as usize, limit));
            let batch = self.opening.cx.cpu(read).await?;
            let mut batch = batch.map_err(|why| fault::invalid(&plugin, format!("gave {why}")))?;
            plugin.tally.took(bytes, batch.num_rows());
            if let Some(low) = &self.low {
                batch = low.apply(&batch)?;
            }
            self.position.clone_from(&step.position);
            return Ok(Some(Step {
                batch: Batch::Rows(batch),
                position: step
                    .position
                    .map_or_else(Position::start, |text| Position(Value::String(text))),
            }));
        }
    }
}
