//! A component as a core transform.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use hygge_core::{Bound, Context, Fault, Result, Transform, async_trait};
use wasmtime::component::ResourceAny;

use crate::contract::transform as wit;
use crate::fault;
use crate::instance::{Instance, Live};
use crate::plugin::Plugin;
use crate::store::encode;
use crate::{columns, ipc};

/// Most batches that a call may give.
const BATCHES: usize = 1_000;
/// Most rows of a batch.
const ROWS: usize = 1 << 24;

/// A transform in a sandbox.
#[derive(Clone)]
pub(crate) struct PluginTransform {
    plugin: Arc<Plugin>,
    config: Arc<str>,
    /// What came in and what came out when it was bound last: the same must lead to the same.
    known: Arc<Mutex<Option<(SchemaRef, SchemaRef)>>>,
}

impl PluginTransform {
    pub(crate) fn new(plugin: Arc<Plugin>, config: String) -> Self {
        Self {
            plugin,
            config: config.into(),
            known: Arc::default(),
        }
    }
}

impl fmt::Debug for PluginTransform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PluginTransform({})", self.plugin.name)
    }
}

pub(crate) fn guest(live: &mut Live) -> wasmtime::Result<wit::Guest> {
    let indices = live.ready.transform.as_ref();
    let indices = indices.ok_or_else(|| wasmtime::format_err!("it exports no transform"))?;
    indices.load(&mut live.store, &live.linked)
}

#[async_trait]
impl Transform for PluginTransform {
    async fn bind(&self, input: &SchemaRef, cx: &Context) -> Result<Box<dyn Bound>> {
        let input = columns::plain_schema(input)?;
        let (instance, bound, schema) = self.begin(&input, cx).await?;
        Ok(Box::new(PluginBound {
            of: self.clone(),
            instance,
            bound,
            input,
            schema,
            cx: cx.clone(),
        }))
    }
}

impl PluginTransform {
    /// Binds it in a fresh instance.
    async fn begin(
        &self,
        input: &SchemaRef,
        cx: &Context,
    ) -> Result<(Instance, ResourceAny, SchemaRef)> {
        let (config, given) = (Arc::clone(&self.config), ipc::write_schema(input)?);
        let mut instance = Instance::fresh(&self.plugin, cx).await?;
        let bound = instance.quick("transform.bind", move |live| {
            Box::pin(async move {
                guest(live)?
                    .call_bind(&mut live.store, &config, &given)
                    .await
            })
        });
        let bound = bound
            .await?
            .map_err(|told| fault::told(&told, &self.plugin))?;
        let schema = instance.quick("bound.schema", move |live| {
            Box::pin(async move {
                guest(live)?
                    .bound()
                    .call_schema(&mut live.store, bound)
                    .await
            })
        });
        let schema = schema
            .await?
            .map_err(|told| fault::told(&told, &self.plugin))?;
        let schema = ipc::read_schema(&schema)
            .map_err(|why| fault::invalid(&self.plugin, format!("gave {why}")))?;
        let schema = self.same(input, schema)?;
        instance.settled();
        Ok((instance, bound, schema))
    }

    /// What comes out, which must be what came out before.
    fn same(&self, input: &SchemaRef, schema: SchemaRef) -> Result<SchemaRef> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        match &*known {
            Some((of, before)) if of == input => {
                columns::same(before, &schema).map_err(|why| {
                    let other = "gave another schema when it was bound again";
                    fault::invalid(&self.plugin, format!("{other}: {why}"))
                })?;
                Ok(Arc::clone(before))
            }
            _ => {
                *known = Some((Arc::clone(input), Arc::clone(&schema)));
                Ok(schema)
            }
        }
    }

    /// Whether each batch is on its own, so that another instance can take the next one.
    fn stateless(&self) -> bool {
        let part = self.plugin.description.transform.as_ref();
        part.is_some_and(|part| part.able("stateless"))
    }
}

/// A bound transform in a sandbox: an instance of its own, and, when it is stateless, another
/// once that one has grown.
struct PluginBound {
    of: PluginTransform,
    instance: Instance,
    bound: ResourceAny,
    input: SchemaRef,
    schema: SchemaRef,
    cx: Context,
}

#[async_trait]
impl Bound for PluginBound {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    async fn apply(&mut self, batch: RecordBatch) -> Result<Vec<RecordBatch>> {
        let plugin = Arc::clone(self.instance.plugin());
        let (input, most) = (Arc::clone(&self.input), plugin.grants.limits.batch);
        let counted = Arc::clone(&plugin);
        let parts = self.cx.cpu(move || {
            let batch = columns::plain_batch(&batch, &input)?;
            let mut parts = Vec::new();
            encode(&batch, most, &mut parts)?;
            let bytes = parts.iter().map(Vec::len).sum();
            counted.tally.gave(bytes, batch.num_rows());
            Ok(parts)
        });
        let mut out = Vec::new();
        for bytes in parts.await? {
            self.recycle().await?;
            let bound = self.bound;
            let given = self.instance.quick("bound.apply", move |live| {
                Box::pin(async move {
                    let guest = guest(live)?;
                    guest
                        .bound()
                        .call_apply(&mut live.store, bound, &bytes)
                        .await
                })
            });
            let given = given.await?.map_err(|told| fault::told(&told, &plugin))?;
            out.extend(self.read(given).await?);
        }
        Ok(out)
    }

    async fn finish(&mut self) -> Result<Vec<RecordBatch>> {
        let plugin = Arc::clone(self.instance.plugin());
        let (bound, time) = (self.bound, plugin.grants.limits.commit_timeout);
        let given = self.instance.call("bound.finish", time, move |live| {
            Box::pin(async move {
                guest(live)?
                    .bound()
                    .call_finish(&mut live.store, bound)
                    .await
            })
        });
        let given = given.await?.map_err(|told| fault::told(&told, &plugin))?;
        self.read(given).await
    }
}

impl PluginBound {
    /// A guest's memory never shrinks: one that has grown gives way to a fresh one.
    async fn recycle(&mut self) -> Result<()> {
        if !self.instance.grown() || !self.of.stateless() {
            return Ok(());
        }
        let bound = self.bound;
        let closed = self.instance.quick("bound.drop", move |live| {
            Box::pin(async move { bound.resource_drop_async(&mut live.store).await })
        });
        closed.await?;
        let (instance, bound, _) = self.of.begin(&self.input, &self.cx).await?;
        (self.instance, self.bound) = (instance, bound);
        Ok(())
    }

    async fn read(&mut self, given: Vec<Vec<u8>>) -> Result<Vec<RecordBatch>> {
        let plugin = self.instance.plugin();
        let most = plugin.grants.limits.batch;
        let invalid = |why: String| -> Fault { fault::invalid(plugin, format!("gave {why}")) };
        let bytes: usize = given.iter().map(Vec::len).sum();
        if given.len() > BATCHES || bytes > most.saturating_mul(4) {
            return Err(invalid(format!(
                "{} batches of {bytes} bytes in one call",
                given.len()
            )));
        }
        let schema = Arc::clone(&self.schema);
        let read = self.cx.cpu(move || {
            let each = |bytes| ipc::read_batch(bytes, &schema, ROWS, most);
            Ok(given.into_iter().map(each).collect::<Result<Vec<_>, _>>())
        });
        let read = read.await?.map_err(invalid)?;
        let rows = read.iter().map(RecordBatch::num_rows).sum();
        plugin.tally.took(bytes, rows);
        Ok(read)
    }
}
