//! The transforms of an entity, one after the other.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use hygge_core::{
    Bound, BuildContext, Context, Fault, OPERATION_COLUMN, Registry, Result, Transform,
    async_trait, code,
};
use hygge_project::PlannedEntity;

use crate::traced::{Merge, Traced};

/// The transforms of an entity, not yet bound to what its Home gives.
#[derive(Debug, Clone, Default)]
pub(crate) struct Chain {
    each: Vec<(String, Arc<dyn Transform>)>,
    /// Those, by their places, that mustn't make several rows of one.
    single: BTreeSet<usize>,
}

impl Chain {
    pub(crate) fn build(
        registry: &Registry,
        planned: &PlannedEntity,
        place: &BuildContext,
    ) -> Result<Self> {
        let place = place.of(&planned.id);
        let build = |each: &hygge_project::PlannedItem| {
            let kind = registry
                .transform(&each.kind)
                .ok_or_else(|| Fault::internal(format!("no transform of type {:?}", each.kind)))?;
            Ok((each.kind.clone(), kind.build(&each.settings, &place)?))
        };
        Ok(Self {
            each: planned
                .transforms
                .iter()
                .map(build)
                .collect::<Result<_>>()?,
            single: BTreeSet::new(),
        })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.each.is_empty()
    }

    /// Whose rows are merged: none may become several where nothing told them apart.
    pub(crate) fn merged(mut self, merge: Option<&Merge>) -> Self {
        self.single = merge.map(|merge| merge.single.clone()).unwrap_or_default();
        self
    }

    /// With one more at its end, that no list names.
    pub(crate) fn then(mut self, name: &str, transform: Arc<dyn Transform>) -> Self {
        self.each.push((name.to_owned(), transform));
        self
    }

    /// Whether one of them must meet all rows of the entity.
    pub(crate) fn whole(&self) -> bool {
        self.each.iter().any(|(_, transform)| transform.whole())
    }

    /// Only the first so many.
    pub(crate) fn until(mut self, steps: usize) -> Self {
        self.each.truncate(steps);
        self
    }

    /// Binds each to what the one before it gives.
    pub(crate) async fn bind(&self, input: &SchemaRef, cx: &Context) -> Result<BoundChain> {
        let mut schema = Arc::clone(input);
        let mut traced = Traced::new(input);
        let mut links = Vec::with_capacity(self.each.len());
        for (index, (kind, transform)) in self.each.iter().enumerate() {
            let spot = self.spot(index, kind);
            let bound = transform.bind(&schema, cx).await;
            let bound = bound.map_err(|fault| spot.of(fault))?;
            let changes = has_operations(&schema);
            let before = std::mem::replace(&mut schema, bound.schema());
            traced.through(kind, bound.lineage(), (&before, &schema));
            let nameless = |schema: &SchemaRef| schema.index_of("").is_ok();
            if nameless(&schema) && !nameless(&before) {
                let message = format!("{kind} makes a column without a name");
                let fault = Fault::new(code::CONFIG, message).advise("give it one");
                return Err(spot.of(fault));
            }
            if changes && !has_operations(&schema) {
                let message =
                    format!("{kind} takes away what happened to the rows of a change stream");
                return Err(spot.of(Fault::new(code::SCHEMA, message)));
            }
            links.push(Link {
                spot,
                bound,
                changes,
                single: self.single.contains(&index),
                waiting: VecDeque::new(),
                busy: false,
                given: 0,
                gave: 0,
            });
        }
        Ok(BoundChain {
            links,
            traced,
            ended: 0,
            out: Vec::new(),
            schema,
        })
    }

    fn spot(&self, index: usize, kind: &str) -> Spot {
        let alike = self.each.iter().filter(|(other, _)| other == kind).count();
        Spot {
            name: format!("{} ({kind})", index + 1),
            told: (alike > 1).then(|| format!("transform {} of {}", index + 1, self.each.len())),
        }
    }
}

/// Which transform of a list it is.
struct Spot {
    name: String,
    /// What tells it apart from others of its type, if there are any: errors name the type.
    told: Option<String>,
}

impl Spot {
    fn of(&self, mut fault: Fault) -> Fault {
        if let Some(told) = &self.told {
            fault.message = format!("{} ({told})", fault.message);
        }
        fault.with("transform", &self.name)
    }
}

/// A list of transforms is a transform.
#[async_trait]
impl Transform for Chain {
    async fn bind(&self, input: &SchemaRef, cx: &Context) -> Result<Box<dyn Bound>> {
        Ok(Box::new(Self::bind(self, input, cx).await?))
    }

    fn whole(&self) -> bool {
        self.whole()
    }
}

/// The transforms of one attempt at one split.
pub(crate) struct BoundChain {
    links: Vec<Link>,
    traced: Traced,
    /// How many gave all that they held back, once rows have ended.
    ended: usize,
    /// What came out of the last.
    out: Vec<RecordBatch>,
    schema: SchemaRef,
}

struct Link {
    spot: Spot,
    bound: Box<dyn Bound>,
    /// Whether its rows are a change stream's, of which none may be lost.
    changes: bool,
    /// Whether it mustn't make several rows of one.
    single: bool,
    /// Batches that it is yet to take.
    waiting: VecDeque<RecordBatch>,
    /// Whether it may give more of the one that it took.
    busy: bool,
    given: u64,
    gave: u64,
}

/// Whether rows say what happened to them.
fn has_operations(schema: &SchemaRef) -> bool {
    schema.column_with_name(OPERATION_COLUMN).is_some()
}

impl Link {
    /// Gives more of a batch, or takes the next one.
    async fn step(&mut self) -> Result<Vec<RecordBatch>> {
        let out = match self.busy {
            true => self.bound.more().await,
            false => match self.waiting.pop_front() {
                Some(batch) => {
                    self.given += batch.num_rows() as u64;
                    self.bound.apply(batch).await.map(Some)
                }
                None => Ok(None),
            },
        };
        self.busy = matches!(out, Ok(Some(_)));
        self.announced(out.map(Option::unwrap_or_default))
    }

    async fn finish(&mut self) -> Result<Vec<RecordBatch>> {
        let out = self.bound.finish().await;
        self.announced(out)
    }

    async fn rest(&mut self) -> Result<Option<Vec<RecordBatch>>> {
        match self.bound.rest().await {
            Ok(None) => self.kept().map(|()| None),
            Ok(Some(out)) => self.announced(Ok(out)).map(Some),
            Err(fault) => self.announced(Err(fault)).map(Some),
        }
    }

    /// Once it gave all: a change that is left out would be one that never happened.
    fn kept(&self) -> Result<()> {
        if !self.changes || self.given == self.gave {
            return Ok(());
        }
        let message = format!(
            "{} gave {} rows for the {} of a change stream",
            self.spot.name, self.gave, self.given
        );
        Err(Fault::new(code::SCHEMA, message)
            .with("transform", &self.spot.name)
            .advise("a transform of changes keeps every row: choose rows in the home (`where`)"))
    }

    /// A transform that changes its mind about the schema would corrupt what the next one, or
    /// the writer, makes of it.
    fn announced(&mut self, out: Result<Vec<RecordBatch>>) -> Result<Vec<RecordBatch>> {
        let out = out.map_err(|fault| self.spot.of(fault))?;
        let schema = self.bound.schema();
        for batch in &out {
            if !Arc::ptr_eq(&batch.schema(), &schema) && batch.schema().fields() != schema.fields()
            {
                return Err(self.spot.of(Fault::internal(
                    "a transform gave rows of another schema than it had announced",
                )));
            }
            self.gave += batch.num_rows() as u64;
        }
        if self.single && self.gave > self.given {
            let message = format!(
                "{} makes several rows of one, and nothing tells them apart: a merge would keep one \
                 of them",
                self.spot.name
            );
            return Err(Fault::new(code::SCHEMA, message)
                .with("transform", &self.spot.name)
                .advise(
                    "add to `key` a column that it makes and that tells them apart, or don't merge: \
                     `strategy: append`, or no `incremental`",
                ));
        }
        Ok(out)
    }
}

#[async_trait]
impl Bound for BoundChain {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    async fn apply(&mut self, batch: RecordBatch) -> Result<Vec<RecordBatch>> {
        self.give(0, vec![batch]);
        Ok(self.step().await?.unwrap_or_default())
    }

    async fn more(&mut self) -> Result<Option<Vec<RecordBatch>>> {
        self.step().await
    }

    /// Lets the first give what it held back, through those after it.
    async fn finish(&mut self) -> Result<Vec<RecordBatch>> {
        let Some(first) = self.links.first_mut() else {
            return Ok(Vec::new());
        };
        let held = first.finish().await?;
        self.give(1, held);
        Ok(self.step().await?.unwrap_or_default())
    }

    /// Lets it give more, and then each of the others.
    async fn rest(&mut self) -> Result<Option<Vec<RecordBatch>>> {
        loop {
            if let Some(out) = self.step().await? {
                return Ok(Some(out));
            }
            let Some(link) = self.links.get_mut(self.ended) else {
                return Ok(None);
            };
            if let Some(held) = link.rest().await? {
                self.give(self.ended + 1, held);
                continue;
            }
            self.ended += 1;
            if let Some(next) = self.links.get_mut(self.ended) {
                let held = next.finish().await?;
                self.give(self.ended + 1, held);
            }
        }
    }
}

impl BoundChain {
    /// Where the columns that leave it come from.
    pub(crate) fn traced(&self) -> &Traced {
        &self.traced
    }

    /// Each by its name, and what comes out of it.
    pub(crate) fn steps(&self) -> impl Iterator<Item = (&str, SchemaRef)> {
        let each = self.links.iter();
        each.map(|link| (link.spot.name.as_str(), link.bound.schema()))
    }

    /// Gives batches to a transform, or to whoever comes after the last.
    fn give(&mut self, to: usize, batches: Vec<RecordBatch>) {
        match self.links.get_mut(to) {
            Some(link) => link.waiting.extend(batches),
            None => self.out.extend(batches),
        }
    }

    /// What comes out next: of the last transform that has something, so that little waits between
    /// them.
    async fn step(&mut self) -> Result<Option<Vec<RecordBatch>>> {
        loop {
            if !self.out.is_empty() {
                return Ok(Some(std::mem::take(&mut self.out)));
            }
            let mut links = self.links.iter_mut().enumerate().rev();
            let Some((at, link)) = links.find(|(_, link)| link.busy || !link.waiting.is_empty())
            else {
                return Ok(None);
            };
            let made = link.step().await?;
            self.give(at + 1, made);
        }
    }
}

#[cfg(test)]
#[path = "chain_tests.rs"]
mod tests;
