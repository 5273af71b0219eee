//! The calls of the contract, one method each, with what comes back checked as in a run.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use futures::future::BoxFuture;
use hygge_core::{Context, Fault, SplitPlan, SplitRequest, Stop};
use serde_json::Value;
use wasmtime::component::ResourceAny;

use crate::contract::{home, store, types};
use crate::instance::{Instance, Live};
use crate::plugin::Plugin;
use crate::state::Scratch;
use crate::{fault, ipc};

/// Rows of a batch that are never more, whatever was asked for.
pub(super) const ROWS: u32 = 1 << 20;
/// Bytes that are asked for when it doesn't matter.
pub(super) const BYTES: u64 = 1 << 20;
const WAIT_MS: u32 = 1_000;

/// A call that gave no answer, or a fault.
#[derive(Debug)]
pub(super) struct Failed {
    /// The plugin said so itself; else it crashed, took too long or gave what may not be.
    pub(super) told: bool,
    pub(super) fault: Box<Fault>,
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: {}", self.fault.code, self.fault.message)
    }
}

impl From<Fault> for Failed {
    fn from(fault: Fault) -> Self {
        Self {
            told: false,
            fault: Box::new(fault),
        }
    }
}

pub(super) type Called<T> = Result<T, Failed>;
type Answer<T> = wasmtime::Result<Result<T, types::Fault>>;

/// Calls a plugin with one configuration.
#[derive(Clone)]
pub(super) struct Caller {
    pub(super) plugin: Arc<Plugin>,
    pub(super) cx: Context,
    config: String,
    entity: types::Entity,
    faults: Arc<Mutex<Vec<types::Fault>>>,
}

/// A reader, a writer or a bound transform, with an instance of its own.
pub(super) struct Open {
    caller: Caller,
    instance: Instance,
    resource: ResourceAny,
    pub(super) schema: SchemaRef,
}

/// What a reader gave: rows, their bytes, and where it is.
pub(super) struct Gave {
    pub(super) batch: Option<RecordBatch>,
    pub(super) bytes: usize,
    pub(super) position: Option<String>,
}

impl Caller {
    pub(super) fn new(plugin: Arc<Plugin>, config: &Value, cx: Context) -> Self {
        let entity = types::Entity {
            flow: "conformance".to_owned(),
            name: "table".to_owned(),
        };
        Self {
            plugin,
            cx,
            config: config.to_string(),
            entity,
            faults: Arc::default(),
        }
    }

    /// The same, in a run that can be asked to stop by itself.
    pub(super) fn apart(&self) -> (Self, Stop) {
        let mut apart = self.clone();
        let stop = Stop::default();
        apart.cx.stop = stop.clone();
        (apart, stop)
    }

    /// Every fault that was returned so far.
    pub(super) fn faults(&self) -> Vec<types::Fault> {
        let faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        faults.clone()
    }

    pub(super) async fn fresh(&self) -> Called<Instance> {
        Ok(Instance::fresh(&self.plugin, &self.cx).await?)
    }

    fn told<T>(&self, answer: Result<T, types::Fault>) -> Called<T> {
        answer.map_err(|told| {
            let fault = fault::told(&told, &self.plugin);
            let mut faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
            if faults.len() < 1_000 {
                faults.push(told);
            }
            Failed {
                told: true,
                fault: Box::new(fault),
            }
        })
    }

    fn invalid(&self, why: &str) -> Failed {
        fault::invalid(&self.plugin, format!("gave {why}")).into()
    }

    async fn on<T: Send + 'static>(
        &self,
        instance: &mut Instance,
        what: &'static str,
        call: impl for<'a> FnOnce(&'a mut Live) -> BoxFuture<'a, Answer<T>> + Send + 'static,
    ) -> Called<T> {
        let time = match what {
            "writer.finish" | "bound.finish" | "store.commit" | "store.abort" | "store.cleanup" => {
                self.plugin.grants.limits.commit_timeout
            }
            _ => self.plugin.grants.limits.call_timeout,
        };
        let answer = instance.call(what, time, call).await?;
        self.told(answer)
    }

    /// One call in an instance of its own.
    async fn alone<T: Send + 'static>(
        &self,
        what: &'static str,
        call: impl for<'a> FnOnce(&'a mut Live) -> BoxFuture<'a, Answer<T>> + Send + 'static,
    ) -> Called<T> {
        let mut instance = self.fresh().await?;
        self.on(&mut instance, what, call).await
    }
}

/// The calls of a Home.
impl Caller {
    pub(super) async fn home_check(&self) -> Called<Vec<types::Finding>> {
        let config = self.config.clone();
        self.alone("home.check", move |live| {
            Box::pin(async move {
                crate::home::guest(live)?
                    .call_check(&mut live.store, &config)
                    .await
            })
        })
        .await
    }

    pub(super) async fn discover(&self) -> Called<String> {
        let config = self.config.clone();
        self.alone("home.discover", move |live| {
            Box::pin(async move {
                crate::home::guest(live)?
                    .call_discover(&mut live.store, &config)
                    .await
            })
        })
        .await
    }

    pub(super) async fn splits(&self, max_splits: Option<u32>) -> Called<SplitPlan> {
        let asked = home::SplitRequest {
            bounds: None,
            watermark: None,
            position: None,
            max_splits,
            attributes: Vec::new(),
        };
        let mut instance = self.fresh().await?;
        if let Some(guest) = instance.guest() {
            guest.scratch = Some(Scratch::read(None, &self.plugin.key)?);
        }
        let (config, entity) = (self.config.clone(), self.entity.clone());
        let plan = self.on(&mut instance, "home.splits", move |live| {
            Box::pin(async move {
                crate::home::guest(live)?
                    .call_splits(&mut live.store, &config, &entity, &asked)
                    .await
            })
        });
        let plan = plan.await?;
        let request = SplitRequest {
            max_splits: max_splits.map(|most| most as usize),
            ..SplitRequest::default()
        };
        crate::home::accept(plan, &request, None)
            .map_err(|why| fault::invalid(&self.plugin, why).into())
    }

    pub(super) async fn open(
        &self,
        split: &hygge_core::Split,
        resume: Option<String>,
    ) -> Called<Open> {
        let split = home::Split {
            id: split.id.0.clone(),
            spec: split.spec.as_str().unwrap_or_default().to_owned(),
            rows: split.rows,
            bytes: split.bytes,
        };
        let (config, entity) = (self.config.clone(), self.entity.clone());
        let mut instance = self.fresh().await?;
        let reader = self.on(&mut instance, "home.open", move |live| {
            Box::pin(async move {
                crate::home::guest(live)?
                    .call_open(&mut live.store, &config, &entity, &split, resume.as_ref())
                    .await
            })
        });
        let reader = reader.await?;
        let schema = self.on(&mut instance, "reader.schema", move |live| {
            Box::pin(async move {
                let guest = crate::home::guest(live)?;
                guest.reader().call_schema(&mut live.store, reader).await
            })
        });
        let schema = schema.await?;
        self.opened(instance, reader, &schema)
    }

    pub(super) async fn acknowledge(&self, position: String) -> Called<()> {
        let (config, entity) = (self.config.clone(), self.entity.clone());
        self.alone("home.acknowledge", move |live| {
            Box::pin(async move {
                crate::home::guest(live)?
                    .call_acknowledge(&mut live.store, &config, &entity, &position)
                    .await
            })
        })
        .await
    }

    fn opened(&self, instance: Instance, resource: ResourceAny, schema: &[u8]) -> Called<Open> {
        let schema = ipc::read_schema(schema).map_err(|why| self.invalid(&why))?;
        Ok(Open {
            caller: self.clone(),
            instance,
            resource,
            schema,
        })
    }
}

/// The calls of a transform.
impl Caller {
    pub(super) async fn bind(&self, input: &SchemaRef) -> Called<Open> {
        let (config, given) = (self.config.clone(), ipc::write_schema(input)?);
        let mut instance = self.fresh().await?;
        let bound = self.on(&mut instance, "transform.bind", move |live| {
            Box::pin(async move {
                crate::transform::guest(live)?
                    .call_bind(&mut live.store, &config, &given)
                    .await
            })
        });
        let bound = bound.await?;
        let schema = self.on(&mut instance, "bound.schema", move |live| {
            Box::pin(async move {
                crate::transform::guest(live)?
                    .bound()
                    .call_schema(&mut live.store, bound)
                    .await
            })
        });
        let schema = schema.await?;
        self.opened(instance, bound, &schema)
    }
}

/// What is called on something that is open.
impl Open {
    /// The next rows of a reader; none at its end.
    pub(super) async fn next(&mut self, rows: u32, bytes: u64) -> Called<Option<Gave>> {
        let (caller, reader) = (self.caller.clone(), self.resource);
        let step = caller.on(&mut self.instance, "reader.next", move |live| {
            Box::pin(async move {
                let guest = crate::home::guest(live)?;
                let of = guest.reader();
                of.call_next(&mut live.store, reader, rows, bytes, WAIT_MS)
                    .await
            })
        });
        let Some(step) = step.await? else {
            return Ok(None);
        };
        if step.position.as_ref().is_some_and(|p| p.len() > 64 << 10) {
            return Err(caller.invalid("a position larger than 64 KiB"));
        }
        let size = step.batch.as_ref().map_or(0, Vec::len);
        let batch = step.batch.map(|batch| self.read(batch, rows)).transpose()?;
        Ok(Some(Gave {
            batch,
            bytes: size,
            position: step.position,
        }))
    }

    fn read(&self, batch: Vec<u8>, rows: u32) -> Called<RecordBatch> {
        let limit = self.caller.plugin.grants.limits.batch;
        ipc::read_batch(batch, &self.schema, rows as usize, limit)
            .map_err(|why| self.caller.invalid(&why))
    }

    fn read_all(&self, given: Vec<Vec<u8>>) -> Called<Vec<RecordBatch>> {
        let bytes: usize = given.iter().map(Vec::len).sum();
        let most = self.caller.plugin.grants.limits.batch.saturating_mul(4);
        if given.len() > 1_000 || bytes > most {
            let many = given.len();
            let why = format!("{many} batches of {bytes} bytes in one call");
            return Err(self.caller.invalid(&why));
        }
        given
            .into_iter()
            .map(|batch| self.read(batch, 1 << 24))
            .collect()
    }

    /// Gives a bound transform rows.
    pub(super) async fn apply(&mut self, batch: &RecordBatch) -> Called<Vec<RecordBatch>> {
        let (caller, bound, given) = (self.caller.clone(), self.resource, ipc::write_batch(batch)?);
        let out = caller.on(&mut self.instance, "bound.apply", move |live| {
            Box::pin(async move {
                let guest = crate::transform::guest(live)?;
                let of = guest.bound();
                of.call_apply(&mut live.store, bound, &given).await
            })
        });
        let out = out.await?;
        self.read_all(out)
    }

    /// Tells a bound transform that no more rows come.
    pub(super) async fn finish(&mut self) -> Called<Vec<RecordBatch>> {
        let (caller, bound) = (self.caller.clone(), self.resource);
        let out = caller.on(&mut self.instance, "bound.finish", move |live| {
            Box::pin(async move {
                let guest = crate::transform::guest(live)?;
                guest.bound().call_finish(&mut live.store, bound).await
            })
        });
        let out = out.await?;
        self.read_all(out)
    }

    /// Gives a writer rows.
    pub(super) async fn write(&mut self, seq: u64, batch: &RecordBatch) -> Called<()> {
        let (caller, writer, given) =
            (self.caller.clone(), self.resource, ipc::write_batch(batch)?);
        let written = caller.on(&mut self.instance, "writer.write", move |live| {
            Box::pin(async move {
                let guest = crate::store::guest(live)?;
                let of = guest.writer();
                of.call_write(&mut live.store, writer, seq, &given).await
            })
        });
        written.await
    }

    /// Tells a writer that all rows were written.
    pub(super) async fn close(&mut self) -> Called<store::Receipt> {
        let (caller, writer) = (self.caller.clone(), self.resource);
        let receipt = caller.on(&mut self.instance, "writer.finish", move |live| {
            Box::pin(async move {
                let guest = crate::store::guest(live)?;
                guest.writer().call_finish(&mut live.store, writer).await
            })
        });
        receipt.await
    }

    /// Drops the resource, as a host does that is done with it.
    pub(super) async fn drop(mut self) -> Called<()> {
        let resource = self.resource;
        let time = self.caller.plugin.grants.limits.call_timeout;
        let dropped = self.instance.call("drop", time, move |live| {
            Box::pin(async move { resource.resource_drop_async(&mut live.store).await })
        });
        Ok(dropped.await?)
    }
}

/// A run of a Store, as its calls name it.
#[derive(Clone)]
pub(super) struct Run {
    pub(super) id: String,
    pub(super) action: String,
    pub(super) key: Vec<String>,
    pub(super) schema: SchemaRef,
    pub(super) memory: Option<Vec<u8>>,
    pub(super) begun: String,
}

/// The calls of a Store.
impl Caller {
    fn target(&self, run: &Run) -> Called<store::Target> {
        Ok(store::Target {
            run: run.id.clone(),
            entity: self.entity.clone(),
            schema: ipc::write_schema(&run.schema)?,
            action: run.action.clone(),
            key: run.key.clone(),
            latest_by: None,
            memory: run.memory.clone(),
            attributes: Vec::new(),
        })
    }

    fn record(&self, run: &Run) -> store::CommitRecord {
        store::CommitRecord {
            run: run.id.clone(),
            entity: self.entity.clone(),
            action: run.action.clone(),
            key: run.key.clone(),
            begun: run.begun.clone(),
            attributes: Vec::new(),
        }
    }

    pub(super) async fn store_check(&self) -> Called<Vec<types::Finding>> {
        let config = self.config.clone();
        self.alone("store.check", move |live| {
            Box::pin(async move {
                crate::store::guest(live)?
                    .call_check(&mut live.store, &config)
                    .await
            })
        })
        .await
    }

    pub(super) async fn standing(&self, memory: Option<Vec<u8>>) -> Called<store::Standing> {
        let (config, entity) = (self.config.clone(), self.entity.clone());
        self.alone("store.inspect", move |live| {
            Box::pin(async move {
                crate::store::guest(live)?
                    .call_inspect(&mut live.store, &config, &entity, memory.as_deref())
                    .await
            })
        })
        .await
    }

    pub(super) async fn begin(&self, run: &Run) -> Called<String> {
        let (config, target) = (self.config.clone(), self.target(run)?);
        let begun = self.alone("store.begin", move |live| {
            Box::pin(async move {
                crate::store::guest(live)?
                    .call_begin(&mut live.store, &config, &target)
                    .await
            })
        });
        let begun = begun.await?;
        match begun.len() > 64 << 10 {
            true => Err(self.invalid("more than 64 KiB in `begin`")),
            false => Ok(begun),
        }
    }

    pub(super) async fn writer(&self, run: &Run, split: &str, attempt: u32) -> Called<Open> {
        let (config, target) = (self.config.clone(), self.target(run)?);
        let (begun, split) = (run.begun.clone(), split.to_owned());
        let mut instance = self.fresh().await?;
        let writer = self.on(&mut instance, "store.open-writer", move |live| {
            Box::pin(async move {
                crate::store::guest(live)?
                    .call_open_writer(&mut live.store, &config, &target, &begun, &split, attempt)
                    .await
            })
        });
        Ok(Open {
            resource: writer.await?,
            caller: self.clone(),
            instance,
            schema: Arc::clone(&run.schema),
        })
    }

    pub(super) async fn commit(
        &self,
        run: &Run,
        receipts: &[store::Receipt],
    ) -> Called<store::Settled> {
        let (config, known, receipts) = (self.config.clone(), self.record(run), receipts.to_vec());
        let settled = self.alone("store.commit", move |live| {
            Box::pin(async move {
                crate::store::guest(live)?
                    .call_commit(&mut live.store, &config, &known, &receipts)
                    .await
            })
        });
        let settled = settled.await?;
        if settled.memory.as_ref().is_some_and(|m| m.len() > 4 << 20) {
            return Err(self.invalid("more than 4 MiB to be remembered"));
        }
        Ok(settled)
    }

    pub(super) async fn abort(&self, run: &Run, receipts: &[store::Receipt]) -> Called<()> {
        let (config, known, receipts) = (self.config.clone(), self.record(run), receipts.to_vec());
        self.alone("store.abort", move |live| {
            Box::pin(async move {
                crate::store::guest(live)?
                    .call_abort(&mut live.store, &config, &known, &receipts)
                    .await
            })
        })
        .await
    }

    pub(super) async fn cleanup(&self, runs: &[&Run]) -> Called<()> {
        let (config, entity) = (self.config.clone(), self.entity.clone());
        let runs: Vec<String> = runs.iter().map(|run| run.id.clone()).collect();
        self.alone("store.cleanup", move |live| {
            Box::pin(async move {
                crate::store::guest(live)?
                    .call_cleanup(&mut live.store, &config, &entity, &runs)
                    .await
            })
        })
        .await
    }
}

/// What `describe` says.
pub(super) async fn describe(caller: &Caller) -> Called<String> {
    let mut instance = caller.fresh().await?;
    let said = instance.quick("describe", |live| {
        Box::pin(async move {
            let guest = crate::contract::describe::GuestIndices::new(&live.ready.pre)?
                .load(&mut live.store, &live.linked)?;
            guest.call_describe(&mut live.store).await
        })
    });
    Ok(said.await?)
}
