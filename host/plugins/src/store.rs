//! A component as a core Store.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use hygge_core::{
    Batch, CommitRecord, Context, EntityId, Fault, Finding, Receipt, Result, RunId, Settled,
    SplitId, Standing, Store, Target, Writer, async_trait,
};
use serde_json::Value;
use wasmtime::component::ResourceAny;

use crate::contract::{store as wit, types};
use crate::fault::{self, clean};
use crate::home::{believable, findings};
use crate::instance::{Instance, Live};
use crate::limits::{MEMORY, OPAQUE};
use crate::plugin::Plugin;
use crate::staged::Staged;
use crate::{columns, ipc};

/// A Store in a sandbox.
pub(crate) struct PluginStore {
    plugin: Arc<Plugin>,
    config: Arc<str>,
    describe: String,
    staged: Staged,
}

impl PluginStore {
    pub(crate) fn new(plugin: Arc<Plugin>, config: String, describe: String, work: &Path) -> Self {
        Self {
            staged: Staged::new(work, &plugin.name),
            plugin,
            config: config.into(),
            describe,
        }
    }

    fn invalid(&self, why: impl fmt::Display) -> Fault {
        fault::invalid(&self.plugin, why)
    }
}

impl fmt::Debug for PluginStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PluginStore({})", self.plugin.name)
    }
}

pub(crate) fn guest(live: &mut Live) -> wasmtime::Result<wit::Guest> {
    let indices = live.ready.store.as_ref();
    let indices = indices.ok_or_else(|| wasmtime::format_err!("it exports no store"))?;
    indices.load(&mut live.store, &live.linked)
}

fn entity(id: &EntityId) -> types::Entity {
    types::Entity {
        flow: id.flow.clone(),
        name: id.entity.clone(),
    }
}

/// What a plugin wants to be given again, with the name of its file before it: what another
/// Store remembered for the same entity is none of its business.
fn remember(plugin: &Plugin, memory: Vec<u8>) -> Vec<u8> {
    let mut kept = format!("{}\0", plugin.key).into_bytes();
    kept.extend(memory);
    kept
}

/// What this plugin remembered, if it was this one.
fn remembered(plugin: &Plugin, memory: Option<&[u8]>) -> Option<Vec<u8>> {
    let kept = memory?.strip_prefix(plugin.key.as_bytes())?;
    kept.strip_prefix(b"\0").map(<[u8]>::to_vec)
}

/// The text that `begin` gave.
fn text(begun: &Value) -> String {
    begun.as_str().unwrap_or_default().to_owned()
}

fn target(plugin: &Plugin, target: &Target, schema: &SchemaRef) -> Result<wit::Target> {
    Ok(wit::Target {
        run: target.run.to_string(),
        entity: entity(&target.entity),
        schema: ipc::write_schema(schema)?,
        action: target.action.to_string(),
        key: target.key.clone(),
        latest_by: target.latest_by.clone(),
        memory: remembered(plugin, target.memory.as_deref()),
        attributes: Vec::new(),
    })
}

#[async_trait]
impl Store for PluginStore {
    async fn check(&self, cx: &Context) -> Result<Vec<Finding>> {
        let config = Arc::clone(&self.config);
        let mut instance = Instance::fresh(&self.plugin, cx).await?;
        let found = instance.quick("store.check", move |live| {
            Box::pin(async move { guest(live)?.call_check(&mut live.store, &config).await })
        });
        let found = found
            .await?
            .map_err(|told| fault::told(&told, &self.plugin))?;
        Ok(findings(found, &self.plugin))
    }

    async fn inspect(
        &self,
        id: &EntityId,
        memory: Option<&[u8]>,
        cx: &Context,
    ) -> Result<Standing> {
        let (config, entity) = (Arc::clone(&self.config), entity(id));
        let memory = remembered(&self.plugin, memory);
        let mut instance = Instance::fresh(&self.plugin, cx).await?;
        let standing = instance.quick("store.inspect", move |live| {
            Box::pin(async move {
                guest(live)?
                    .call_inspect(&mut live.store, &config, &entity, memory.as_deref())
                    .await
            })
        });
        let standing = standing
            .await?
            .map_err(|told| fault::told(&told, &self.plugin))?;
        match standing.what.as_str() {
            "vacant" => Ok(Standing::Vacant),
            "ours" => Ok(Standing::Ours),
            "marked" => Ok(Standing::Marked {
                run: standing.run.as_deref().and_then(RunId::parse),
            }),
            "foreign" => Ok(Standing::Foreign {
                example: {
                    let example = standing.example.as_deref().unwrap_or("something");
                    self.plugin.veil.line(example, 1_024)
                },
                adopted: false,
            }),
            other => Err(self.invalid(format!("says that {:?} stands there", clean(other, 64)))),
        }
    }

    async fn begin(&self, told: &Target, cx: &Context) -> Result<Value> {
        let schema = columns::plain_schema(&told.schema)?;
        let (config, target) = (
            Arc::clone(&self.config),
            target(&self.plugin, told, &schema)?,
        );
        // Before anything is staged: what isn't written down can't be cleaned up.
        self.staged.add(&told.entity, &told.run, cx).await?;
        let mut instance = Instance::fresh(&self.plugin, cx).await?;
        let begun = instance.quick("store.begin", move |live| {
            Box::pin(async move {
                guest(live)?
                    .call_begin(&mut live.store, &config, &target)
                    .await
            })
        });
        let begun = begun
            .await?
            .map_err(|told| fault::told(&told, &self.plugin))?;
        match begun.len() > OPAQUE {
            true => Err(self.invalid("gave more than 64 KiB in `begin`")),
            false => Ok(Value::String(begun)),
        }
    }

    async fn open_writer(
        &self,
        told: &Target,
        split: &SplitId,
        attempt: u32,
        cx: &Context,
    ) -> Result<Box<dyn Writer>> {
        let schema = columns::plain_schema(&told.schema)?;
        let (config, target) = (
            Arc::clone(&self.config),
            target(&self.plugin, told, &schema)?,
        );
        let (begun, name) = (text(&told.begun), split.0.clone());
        let mut instance = Instance::fresh(&self.plugin, cx).await?;
        let writer = instance.quick("store.open-writer", move |live| {
            Box::pin(async move {
                guest(live)?
                    .call_open_writer(&mut live.store, &config, &target, &begun, &name, attempt)
                    .await
            })
        });
        let writer = writer
            .await?
            .map_err(|told| fault::told(&told, &self.plugin))?;
        Ok(Box::new(PluginWriter {
            instance,
            writer,
            schema,
            split: split.clone(),
            attempt,
            seq: 0,
            rows: 0,
            cx: cx.clone(),
        }))
    }

    async fn commit(&self, record: &CommitRecord, cx: &Context) -> Result<Settled> {
        let receipts = record.receipts.iter().map(given).collect::<Vec<_>>();
        let told = wit::CommitRecord {
            run: record.run.to_string(),
            entity: entity(&record.entity),
            action: record.action.to_string(),
            key: record.key.clone(),
            begun: text(&record.begun),
            attributes: Vec::new(),
        };
        let config = Arc::clone(&self.config);
        let mut instance = Instance::fresh(&self.plugin, cx).await?;
        let time = self.plugin.grants.limits.commit_timeout;
        let settled = instance.call("store.commit", time, move |live| {
            Box::pin(async move {
                guest(live)?
                    .call_commit(&mut live.store, &config, &told, &receipts)
                    .await
            })
        });
        let settled = settled
            .await?
            .map_err(|told| fault::told(&told, &self.plugin))?;
        if settled.memory.as_ref().is_some_and(|m| m.len() > MEMORY) {
            return Err(self.invalid("wants more than 4 MiB to be remembered"));
        }
        let location = self.plugin.veil.line(&settled.location, 1_024);
        Ok(Settled {
            location: match location.is_empty() {
                true => self.describe.clone(),
                false => location,
            },
            parts: believable(settled.parts),
            memory: settled.memory.map(|memory| remember(&self.plugin, memory)),
        })
    }

    async fn abort(&self, given_up: &Target, receipts: Vec<Receipt>, cx: &Context) -> Result<()> {
        let receipts = receipts.iter().map(given).collect::<Vec<_>>();
        let told = wit::CommitRecord {
            run: given_up.run.to_string(),
            entity: entity(&given_up.entity),
            action: given_up.action.to_string(),
            key: given_up.key.clone(),
            begun: text(&given_up.begun),
            attributes: Vec::new(),
        };
        let config = Arc::clone(&self.config);
        let time = self.plugin.grants.limits.commit_timeout;
        let mut instance = Instance::fresh(&self.plugin, cx).await?;
        let aborted = instance.call("store.abort", time, move |live| {
            Box::pin(async move {
                guest(live)?
                    .call_abort(&mut live.store, &config, &told, &receipts)
                    .await
            })
        });
        let told = |told| fault::told(&told, &self.plugin);
        aborted.await?.map_err(told)
    }

    async fn cleanup(&self, id: &EntityId, live: Option<&RunId>, cx: &Context) -> Result<()> {
        let dead = self.staged.but(id, live, cx).await?;
        for runs in dead.chunks(1_000) {
            let (config, entity, runs) = (Arc::clone(&self.config), entity(id), runs.to_vec());
            let mut instance = Instance::fresh(&self.plugin, cx).await?;
            let time = self.plugin.grants.limits.commit_timeout;
            let cleaned = instance.call("store.cleanup", time, move |live| {
                Box::pin(async move {
                    guest(live)?
                        .call_cleanup(&mut live.store, &config, &entity, &runs)
                        .await
                })
            });
            cleaned
                .await?
                .map_err(|told| fault::told(&told, &self.plugin))?;
        }
        match dead.is_empty() {
            true => Ok(()),
            false => self.staged.keep(id, live, cx).await,
        }
    }
}

fn given(receipt: &Receipt) -> wit::Receipt {
    wit::Receipt {
        split: receipt.split.0.clone(),
        attempt: receipt.attempt,
        rows: receipt.rows,
        bytes: receipt.bytes,
        data: receipt.data.as_str().unwrap_or_default().to_owned(),
        attributes: Vec::new(),
    }
}

/// A writer in a sandbox, with an instance of its own.
struct PluginWriter {
    instance: Instance,
    writer: ResourceAny,
    schema: SchemaRef,
    split: SplitId,
    attempt: u32,
    seq: u64,
    rows: u64,
    cx: Context,
}

#[async_trait]
impl Writer for PluginWriter {
    async fn write(&mut self, batch: Batch) -> Result<()> {
        let Batch::Rows(batch) = batch else {
            return Err(Fault::internal("encoded rows were sent to a plugin"));
        };
        let plugin = Arc::clone(self.instance.plugin());
        let (schema, most) = (Arc::clone(&self.schema), plugin.grants.limits.batch);
        self.rows += batch.num_rows() as u64;
        let counted = Arc::clone(&plugin);
        let parts = self.cx.cpu(move || {
            let batch = columns::plain_batch(&batch, &schema)?;
            let mut parts = Vec::new();
            encode(&batch, most, &mut parts)?;
            let bytes = parts.iter().map(Vec::len).sum();
            counted.tally.gave(bytes, batch.num_rows());
            Ok(parts)
        });
        for bytes in parts.await? {
            let (writer, seq) = (self.writer, self.seq);
            self.seq += 1;
            let written = self.instance.quick("writer.write", move |live| {
                Box::pin(async move {
                    let guest = guest(live)?;
                    let of = guest.writer();
                    of.call_write(&mut live.store, writer, seq, &bytes).await
                })
            });
            written.await?.map_err(|told| fault::told(&told, &plugin))?;
        }
        Ok(())
    }

    async fn finish(mut self: Box<Self>) -> Result<Receipt> {
        let plugin = Arc::clone(self.instance.plugin());
        let (writer, time) = (self.writer, plugin.grants.limits.commit_timeout);
        let receipt = self.instance.call("writer.finish", time, move |live| {
            Box::pin(async move {
                let guest = guest(live)?;
                let receipt = guest.writer().call_finish(&mut live.store, writer).await?;
                Ok(receipt)
            })
        });
        let receipt = receipt.await?.map_err(|told| fault::told(&told, &plugin))?;
        let wrong = |why: String| Err(fault::invalid(&plugin, why));
        if receipt.split != self.split.0 || receipt.attempt != self.attempt {
            return wrong("gave a receipt for another split".to_owned());
        }
        if receipt.rows != self.rows {
            return wrong(format!(
                "gave a receipt for {} rows, {} were written",
                receipt.rows, self.rows
            ));
        }
        if receipt.data.len() > OPAQUE {
            return wrong("gave a receipt larger than 64 KiB".to_owned());
        }
        Ok(Receipt {
            split: self.split,
            attempt: self.attempt,
            rows: self.rows,
            bytes: believable(receipt.bytes),
            data: Value::String(receipt.data),
        })
    }
}

/// The batch in as many parts as it takes for each to be small enough.
pub(crate) fn encode(batch: &RecordBatch, most: usize, parts: &mut Vec<Vec<u8>>) -> Result<()> {
    let bytes = ipc::write_batch(batch)?;
    if bytes.len() <= most {
        parts.push(bytes);
        return Ok(());
    }
    let rows = batch.num_rows();
    if rows <= 1 {
        return Err(Fault::new(
            hygge_core::code::MEMORY,
            format!(
                "a single row of {} bytes is larger than the limit of a batch",
                bytes.len()
            ),
        )
        .advise("raise `limits: {batch: …}` of the plugin"));
    }
    drop(bytes);
    encode(&batch.slice(0, rows / 2), most, parts)?;
    encode(&batch.slice(rows / 2, rows - rows / 2), most, parts)
}
