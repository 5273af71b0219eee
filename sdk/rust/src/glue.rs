//! Between the contract's functions and the traits. Only [`export!`](crate::export) names what
//! stands here.

use std::cell::{Cell, RefCell};
use std::marker::PhantomData;
use std::time::Duration;

use arrow_array::RecordBatch;
use serde_json::json;

use crate::bindings::{home as h, store as s, transform as t, types};
use crate::{
    Attributes, Bound, Bounds, Config, Entity, Fault, Finding, Home, Reader, Receipt, Result,
    Split, SplitPlan, SplitRequest, Standing, Store, Target, Transform, Want, Writer, code, ipc,
    logger,
};

use h::exports::hygge::plugin::home;
use s::exports::hygge::plugin::store;
use t::exports::hygge::plugin::transform;

type Answer<T> = std::result::Result<T, types::Fault>;

/// Runs one call: logging is set up, and the SDK's fault becomes the contract's.
fn call<T>(body: impl FnOnce() -> Result<T>) -> Answer<T> {
    logger::begin();
    body().map_err(types::Fault::from)
}

fn settings<C: Config>(config: &str) -> Result<C> {
    serde_json::from_str(config).map_err(|error| {
        // serde names the line of JSON that nobody wrote, so only its words are kept.
        let text = error.to_string();
        let words = text.split(" at line ").next().unwrap_or_default();
        Fault::config(format!("the settings can't be used: {words}"))
    })
}

/// A home as the contract wants it.
pub struct HomeGuest<H>(PhantomData<H>);

impl<H: Home + 'static> home::Guest for HomeGuest<H> {
    type Reader = ReaderGuest<H::Reader>;

    fn check(config: String) -> Answer<Vec<types::Finding>> {
        call(|| settings::<H>(&config)?.check().map(findings))
    }

    fn discover(config: String) -> Answer<String> {
        call(|| {
            let entities = settings::<H>(&config)?.discover()?;
            Ok(json!({ "entities": entities }).to_string())
        })
    }

    fn splits(
        config: String,
        entity: types::Entity,
        request: home::SplitRequest,
    ) -> Answer<home::SplitPlan> {
        call(|| {
            let plan = settings::<H>(&config)?.splits(&entity.into(), &request.into())?;
            home::SplitPlan::try_from(plan)
        })
    }

    fn open(
        config: String,
        entity: types::Entity,
        split: home::Split,
        resume: Option<String>,
    ) -> Answer<home::Reader> {
        call(|| {
            let reader =
                settings::<H>(&config)?.open(&entity.into(), &split.into(), resume.as_deref())?;
            Ok(home::Reader::new(ReaderGuest(RefCell::new(reader))))
        })
    }

    fn acknowledge(config: String, entity: types::Entity, position: String) -> Answer<()> {
        call(|| settings::<H>(&config)?.acknowledge(&entity.into(), &position))
    }
}

/// A reader as the contract wants it.
pub struct ReaderGuest<R>(RefCell<R>);

impl<R: Reader> home::GuestReader for ReaderGuest<R> {
    fn schema(&self) -> Answer<Vec<u8>> {
        call(|| ipc::encode_schema(&self.0.borrow().schema()))
    }

    fn next(&self, max_rows: u32, max_bytes: u64, wait_ms: u32) -> Answer<Option<home::Step>> {
        call(|| {
            let want = Want {
                rows: max_rows as usize,
                bytes: max_bytes,
                wait: Duration::from_millis(wait_ms.into()),
            };
            let Some(step) = self.0.borrow_mut().next(want)? else {
                return Ok(None);
            };
            let batch = step.batch.as_ref().map(ipc::encode).transpose()?;
            Ok(Some(home::Step {
                batch,
                position: step.position,
            }))
        })
    }
}

/// A store as the contract wants it.
pub struct StoreGuest<S>(PhantomData<S>);

impl<S: Store + 'static> store::Guest for StoreGuest<S> {
    type Writer = WriterGuest<S::Writer>;

    fn check(config: String) -> Answer<Vec<types::Finding>> {
        call(|| settings::<S>(&config)?.check().map(findings))
    }

    fn inspect(
        config: String,
        entity: types::Entity,
        memory: Option<Vec<u8>>,
    ) -> Answer<store::Standing> {
        call(|| {
            Ok(settings::<S>(&config)?
                .inspect(&entity.into(), memory.as_deref())?
                .into())
        })
    }

    fn begin(config: String, target: store::Target) -> Answer<String> {
        call(|| settings::<S>(&config)?.begin(&target.try_into()?))
    }

    fn open_writer(
        config: String,
        target: store::Target,
        begun: String,
        split: String,
        attempt: u32,
    ) -> Answer<store::Writer> {
        call(|| {
            let writer = settings::<S>(&config)?.open_writer(
                &target.try_into()?,
                &begun,
                &split,
                attempt,
            )?;
            Ok(store::Writer::new(WriterGuest {
                writer: RefCell::new(Some(writer)),
                split,
                attempt,
                batches: Cell::new(0),
                rows: Cell::new(0),
            }))
        })
    }

    fn commit(
        config: String,
        record: store::CommitRecord,
        receipts: Vec<store::Receipt>,
    ) -> Answer<store::Settled> {
        call(|| {
            let receipts: Vec<Receipt> = receipts.into_iter().map(Into::into).collect();
            let settled = settings::<S>(&config)?.commit(&record.into(), &receipts)?;
            Ok(store::Settled {
                location: settled.location,
                parts: settled.parts,
                memory: settled.memory,
            })
        })
    }

    fn abort(
        config: String,
        record: store::CommitRecord,
        receipts: Vec<store::Receipt>,
    ) -> Answer<()> {
        call(|| {
            let receipts: Vec<Receipt> = receipts.into_iter().map(Into::into).collect();
            settings::<S>(&config)?.abort(&record.into(), &receipts)
        })
    }

    fn cleanup(config: String, entity: types::Entity, runs: Vec<String>) -> Answer<()> {
        call(|| settings::<S>(&config)?.cleanup(&entity.into(), &runs))
    }
}

/// A writer as the contract wants it: it counts the rows, so that no plugin has to.
pub struct WriterGuest<W> {
    writer: RefCell<Option<W>>,
    split: String,
    attempt: u32,
    batches: Cell<u64>,
    rows: Cell<u64>,
}

impl<W: Writer> store::GuestWriter for WriterGuest<W> {
    fn write(&self, seq: u64, batch: Vec<u8>) -> Answer<()> {
        call(|| {
            if seq != self.batches.get() {
                let expected = self.batches.get();
                let message = format!("batch {seq} came where batch {expected} was expected");
                return Err(Fault::new(code::PLUGIN, message));
            }
            let batch = ipc::decode(batch)?;
            let rows = batch.num_rows() as u64;
            let mut writer = self.writer.borrow_mut();
            writer.as_mut().ok_or_else(finished)?.write(batch)?;
            self.batches.set(seq + 1);
            self.rows.set(self.rows.get() + rows);
            Ok(())
        })
    }

    fn finish(&self) -> Answer<store::Receipt> {
        call(|| {
            let writer = self.writer.borrow_mut().take().ok_or_else(finished)?;
            let staged = writer.finish()?;
            Ok(store::Receipt {
                split: self.split.clone(),
                attempt: self.attempt,
                rows: self.rows.get(),
                bytes: staged.bytes,
                data: staged.data,
                attributes: Vec::new(),
            })
        })
    }
}

fn finished() -> Fault {
    Fault::new(code::PLUGIN, "this writer was finished before")
}

/// A transform as the contract wants it.
pub struct TransformGuest<T>(PhantomData<T>);

impl<T: Transform + 'static> transform::Guest for TransformGuest<T> {
    type Bound = BoundGuest<T::Bound>;

    fn bind(config: String, input: Vec<u8>) -> Answer<transform::Bound> {
        call(|| {
            let bound = settings::<T>(&config)?.bind(&ipc::decode_schema(input)?)?;
            Ok(transform::Bound::new(BoundGuest(RefCell::new(bound))))
        })
    }
}

/// A bound transform as the contract wants it.
pub struct BoundGuest<B>(RefCell<B>);

impl<B: Bound> transform::GuestBound for BoundGuest<B> {
    fn schema(&self) -> Answer<Vec<u8>> {
        call(|| ipc::encode_schema(&self.0.borrow().schema()))
    }

    fn apply(&self, batch: Vec<u8>) -> Answer<Vec<Vec<u8>>> {
        call(|| encode_all(&self.0.borrow_mut().apply(ipc::decode(batch)?)?))
    }

    fn finish(&self) -> Answer<Vec<Vec<u8>>> {
        call(|| encode_all(&self.0.borrow_mut().finish()?))
    }
}

fn encode_all(batches: &[RecordBatch]) -> Result<Vec<Vec<u8>>> {
    batches.iter().map(ipc::encode).collect()
}

fn findings(all: Vec<Finding>) -> Vec<types::Finding> {
    let each = |Finding {
                    ok,
                    message,
                    advice,
                }| types::Finding {
        ok,
        message,
        advice,
    };
    all.into_iter().map(each).collect()
}

fn attributes(all: Vec<types::Attribute>) -> Attributes {
    all.into_iter()
        .map(|each| (each.name, each.value))
        .collect()
}

fn attributes_back(all: Attributes) -> Vec<types::Attribute> {
    all.into_iter()
        .map(|(name, value)| types::Attribute { name, value })
        .collect()
}

impl From<types::Entity> for Entity {
    fn from(from: types::Entity) -> Self {
        Self {
            flow: from.flow,
            name: from.name,
        }
    }
}

impl From<Fault> for types::Fault {
    fn from(from: Fault) -> Self {
        Self {
            code: from.code,
            message: from.message,
            retryable: from.retryable,
            after_ms: from
                .after
                .map(|after| u64::try_from(after.as_millis()).unwrap_or(u64::MAX)),
            attributes: attributes_back(from.attributes),
        }
    }
}

impl From<types::Fault> for Fault {
    fn from(from: types::Fault) -> Self {
        Self {
            code: from.code,
            message: from.message,
            retryable: from.retryable,
            after: from.after_ms.map(Duration::from_millis),
            attributes: attributes(from.attributes),
        }
    }
}

impl From<home::SplitRequest> for SplitRequest {
    fn from(from: home::SplitRequest) -> Self {
        Self {
            bounds: from.bounds.map(|each| Bounds {
                column: each.column,
                low: each.low,
                kind: each.kind,
            }),
            watermark: from.watermark,
            position: from.position,
            max_splits: from.max_splits,
            attributes: attributes(from.attributes),
        }
    }
}

impl From<home::Split> for Split {
    fn from(from: home::Split) -> Self {
        Self {
            id: from.id,
            spec: from.spec,
            rows: from.rows,
            bytes: from.bytes,
        }
    }
}

impl TryFrom<SplitPlan> for home::SplitPlan {
    type Error = Fault;

    fn try_from(from: SplitPlan) -> Result<Self> {
        let split = |each: Split| home::Split {
            id: each.id,
            spec: each.spec,
            rows: each.rows,
            bytes: each.bytes,
        };
        Ok(Self {
            schema: ipc::encode_schema(&from.schema)?,
            splits: from.splits.into_iter().map(split).collect(),
            fingerprint: from.fingerprint,
            high: from.high,
            position: from.position,
            warnings: from.warnings,
            attributes: attributes_back(from.attributes),
        })
    }
}

impl From<Standing> for store::Standing {
    fn from(from: Standing) -> Self {
        let (what, run, example) = match from {
            Standing::Vacant => ("vacant", None, None),
            Standing::Ours => ("ours", None, None),
            Standing::Marked { run } => ("marked", run, None),
            Standing::Foreign { example } => ("foreign", None, Some(example)),
        };
        Self {
            what: what.to_owned(),
            run,
            example,
        }
    }
}

impl TryFrom<store::Target> for Target {
    type Error = Fault;

    fn try_from(from: store::Target) -> Result<Self> {
        Ok(Self {
            run: from.run,
            entity: from.entity.into(),
            schema: ipc::decode_schema(from.schema)?,
            action: from.action,
            key: from.key,
            latest_by: from.latest_by,
            memory: from.memory,
            attributes: attributes(from.attributes),
        })
    }
}

impl From<store::CommitRecord> for crate::CommitRecord {
    fn from(from: store::CommitRecord) -> Self {
        Self {
            run: from.run,
            entity: from.entity.into(),
            action: from.action,
            key: from.key,
            begun: from.begun,
            attributes: attributes(from.attributes),
        }
    }
}

impl From<store::Receipt> for Receipt {
    fn from(from: store::Receipt) -> Self {
        Self {
            split: from.split,
            attempt: from.attempt,
            rows: from.rows,
            bytes: from.bytes,
            data: from.data,
            attributes: attributes(from.attributes),
        }
    }
}
